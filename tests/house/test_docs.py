"""The pages tell the truth about the tree: every path and link they name exists, every decision has its costs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
PAGES = [path for pattern in ("*.md", "docs/**/*.md") for path in sorted(ROOT.glob(pattern))]
TOP = ("comity", "issuer", "wallet", "verifier", "schemas", "tests", "docs", "benchmarks", "requirements")
NAMED = re.compile(r"`((?:" + "|".join(TOP) + r")/[\w./-]*[\w/])`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [ROOT / name for name in NAMED.findall(text)] + [page.parent / name for name in LINK.findall(text)]
    assert [path.relative_to(ROOT).as_posix() for path in named if not path.exists()] == []


@pytest.mark.parametrize("page", DECISIONS, ids=lambda path: path.stem)
def test_every_decision_says_what_it_costs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    number = int(page.name[:4])
    assert text.startswith(f"# {number:04d}. ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Options", "Decision", "Consequences", "How it is kept"]
    assert text.count("\n* Bad: ") >= 2
    assert "\n* Good: " in text
    assert len(text.splitlines()) <= 60, "one page"


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DECISIONS if f"({page.name})" not in index] == []


def test_the_glossary_has_a_french_term_in_every_row() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    assert len(rows) > 30
    assert all(len(row) == 4 and all(row) for row in rows)
