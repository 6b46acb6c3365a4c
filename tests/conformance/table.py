"""The table of conformance: clauses and modules from their lists, and the tests that carry their marks."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.marks import ROOT, marked

HERE = Path(__file__).resolve().parent
DOCUMENT = ROOT / "docs" / "conformance.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: a clause of the profile or a module of the suite.

    ``name`` is its id; ``level`` one of M S O P; ``words`` what it asks, in our words; ``later`` why it has no
    tests, or ""; ``tests`` are node ids without parameters, sorted.
    """

    name: str
    level: str
    words: str
    later: str
    tests: tuple[str, ...]


def clauses() -> tuple[Row, ...]:
    """Return every clause of ``clauses.toml``, in its order, with its tests."""
    return tuple(
        Row(
            name=name,
            level=said["level"],
            words=said["words"],
            later=said.get("later", ""),
            tests=marked("clause", name),
        )
        for name, said in _read("clauses.toml").items()
    )


def modules() -> tuple[Row, ...]:
    """Return every module of ``modules.toml``, in its order, with its tests."""
    listed = _read("modules.toml")
    later = listed.pop("later")
    return tuple(
        Row(name=name, level="M", words=words, later=later.get(name, ""), tests=marked("derived", name))
        for plan, said in listed.items()
        for words, names in (("holds", said["holds"]), ("is refused", said["refuses"]))
        for name in (f"{plan}-{each}" for each in names)
    )


def document() -> str:
    """Return ``docs/conformance.md``: every clause and module with its state and its tests."""
    said, derived = clauses(), modules()
    counted = sum(bool(row.tests) for row in said), sum(bool(row.tests) for row in derived)
    lines = [
        "# Conformance",
        "",
        "Made by `python -m tests.conformance` from the marks in the tests; a test says when it no longer fits them.",
        "*passed* means that the tests named are part of `make test`, which does not end green without them.",
        "The clauses are those of our profile of the standards, in our own words.",
        "**No certification is claimed**: the modules are derived from the names of the OpenID Foundation's.",
        "",
        f"Clauses with tests: {counted[0]} of {len(said)}. Modules with tests: {counted[1]} of {len(derived)}.",
        "",
        "## Clauses of the profile",
        "",
        "| clause | level | what it asks | state | tests |",
        "|---|---|---|---|---|",
        *(_line(row.name, row.level, row.words, row) for row in said),
        "",
        "## Modules, derived",
        "",
        "| module | what happens | state | tests |",
        "|---|---|---|---|",
        *(_line(row.name, row.words, row) for row in derived),
        "",
    ]
    return "\n".join(lines)


def _line(*cells: Any) -> str:
    *texts, row = cells
    state = "passed" if row.tests else f"later: {row.later}" if row.later else "**not yet**"
    tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in row.tests)
    return "| " + " | ".join([*texts, state, tests]) + " |"


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))
