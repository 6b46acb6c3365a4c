"""The table of attacks is whole, true to the marks, and claims nothing that is not there."""

import re

import pytest

from tests.attacks import table
from tests.support import vectors
from tests.support.marks import marks

GROUPS = {group.letter: group for group in table.groups()}
ROWS = {row.name: row for group in GROUPS.values() for row in group.rows}
LISTED = re.compile(r"^\| ([A-Z]\d\d) \|", re.MULTILINE)
CATALOGUE = "security/catalogue.md"
ORDERED = "JSIPC"
"""The groups in which every row must have its test."""


def test_the_document_says_what_the_marks_say() -> None:
    assert table.DOCUMENT.read_text(encoding="utf-8") == table.document(), "run: python -m tests.attacks"


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_a_row_has_tests_and_good_twins_or_says_why_not(row: table.Row) -> None:
    assert row.is_proven is not bool(row.later)
    assert not row.later or not (row.tests or row.twins)


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.letter)
def test_a_row_stands_in_its_group(group: table.Group) -> None:
    assert {row.name[0] for row in group.rows} == {group.letter}


def test_no_mark_names_what_is_not_listed() -> None:
    assert {name for _, kind, name in marks() if kind in ("attack", "good_twin")} <= set(ROWS)


def test_every_row_of_the_catalogue_has_a_line() -> None:
    catalogue = vectors.folder().parent / CATALOGUE
    if not catalogue.is_file():
        pytest.skip(f"the catalogue of attacks is not at {catalogue}")
    attacks, _, faults = catalogue.read_text(encoding="utf-8").partition("\n## 2. ")
    assert faults, "the catalogue has another form than this test knows"
    assert set(ORDERED) <= set(GROUPS)
    assert set(LISTED.findall(attacks)) == set(ROWS)
