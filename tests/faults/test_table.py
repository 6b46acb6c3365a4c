"""The table of faults is whole, true to the marks, and promises nothing that is not there."""

import pytest

from tests.faults import table

ROWS = {row.name: row for row in table.rows()}


def test_the_document_says_what_the_marks_say() -> None:
    assert table.DOCUMENT.read_text(encoding="utf-8") == table.document(), "run: python -m tests.faults"


@pytest.mark.parametrize("name", sorted(table.REQUIRED))
def test_a_row_has_tests_or_says_why_not(name: str) -> None:
    assert bool(ROWS[name].tests) is not bool(ROWS[name].reason)


def test_no_mark_names_what_is_not_listed() -> None:
    assert {fault for _, fault in table.marks()} <= set(ROWS)
