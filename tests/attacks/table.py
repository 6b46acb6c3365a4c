"""The table of attacks: the rows of our catalogue, and the tests that carry their marks.

A row is proven by two kinds of mark: ``attack`` on tests that attempt it (it is refused by its own code and nothing is
changed), and ``good_twin`` on tests in which the same thing without the defect succeeds. A test may carry both.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.marks import ROOT, marked

HERE = Path(__file__).resolve().parent
DOCUMENT = ROOT / "docs" / "attacks.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attack.

    ``name`` is its id in the catalogue; ``words`` what is attempted, in our words; ``later`` why it has no tests, or
    ""; ``tests`` and ``twins`` are node ids without parameters, sorted.
    """

    name: str
    words: str
    later: str
    tests: tuple[str, ...]
    twins: tuple[str, ...]

    @property
    def is_proven(self) -> bool:
        """Whether it is attempted, and its good twin too."""
        return bool(self.tests) and bool(self.twins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of one letter; ``words`` say what they attack."""

    letter: str
    words: str
    rows: tuple[Row, ...]


def groups() -> tuple[Group, ...]:
    """Return every group of ``rows.toml``, in its order, with its rows and their tests."""
    listed = tomllib.loads((HERE / "rows.toml").read_text(encoding="utf-8"))
    return tuple(
        Group(letter=letter, words=said.pop("words"), rows=tuple(_row(name, each) for name, each in said.items()))
        for letter, said in listed.items()
    )


def _row(name: str, said: dict[str, str]) -> Row:
    return Row(
        name=name,
        words=said["words"],
        later=said.get("later", ""),
        tests=marked("attack", name),
        twins=marked("good_twin", name),
    )


def document() -> str:
    """Return ``docs/attacks.md``: every row with its state and its tests, by group."""
    found = groups()
    return "\n".join([*_head(found), *(line for group in found for line in _section(group))])


def _head(found: tuple[Group, ...]) -> Iterator[str]:
    yield "# Attacks"
    yield ""
    yield "Made by `python -m tests.attacks` from the marks in the tests; a test says when it no longer fits them."
    yield "*refused* means that the tests named attempt the attack and see it refused, by its code and with nothing"
    yield "changed, and that its good twin, the same thing without the defect, succeeds (in the tests marked ✓)."
    yield "All of them are part of `make test`, which does not end green without them."
    yield f"The rows are those of our catalogue of attacks, in our own words: all of its {len(found)} groups."
    yield ""
    yield "| group | what is attacked | refused | later |"
    yield "|---|---|---|---|"
    for group in found:
        proven = sum(row.is_proven for row in group.rows)
        later = sum(bool(row.later) for row in group.rows)
        yield f"| {group.letter} | {group.words} | {proven} of {len(group.rows)} | {later} |"
    yield ""


def _section(group: Group) -> Iterator[str]:
    yield f"## {group.letter}: {group.words}"
    yield ""
    yield "| row | what is attempted | state | tests |"
    yield "|---|---|---|---|"
    for row in group.rows:
        state = "refused" if row.is_proven else f"later: {row.later}" if row.later else "**not yet**"
        yield f"| {row.name} | {row.words} | {state} | {'<br>'.join(_tests(row))} |"
    yield ""


def _tests(row: Row) -> Iterator[str]:
    for test in (*row.tests, *(each for each in row.twins if each not in row.tests)):
        yield f"`{test.removeprefix('tests/')}`{' ✓' if test in row.twins else ''}"
