"""The table of faults is whole, true to the marks, and promises nothing that is not there."""

import pytest

from tests.faults import table, units

ROWS = {row.name: row for row in table.rows()}


def test_the_document_says_what_the_marks_say() -> None:
    assert table.DOCUMENT.read_text(encoding="utf-8") == table.document(), "run: python -m tests.faults"


@pytest.mark.parametrize("name", sorted(table.REQUIRED))
def test_a_row_has_tests_or_says_why_not(name: str) -> None:
    assert bool(ROWS[name].tests) is not bool(ROWS[name].reason)


def test_no_mark_names_what_is_not_listed() -> None:
    assert {fault for _, fault in table.marks()} <= set(ROWS)


def test_every_durable_step_is_walked_or_says_why_not() -> None:
    """Whoever adds a unit adds it to a flow, or to ``unbroken.toml`` with a reason."""
    walked = {each.rpartition(".")[0] for places in table.failpoints().values() for each in places}
    listed = {unit for group in table.unbroken() for unit in group["units"]}
    known = set().union(*(units.units(service) for service in units.SERVICES))
    assert known - walked - listed == set()
    assert listed - known == set()
    assert listed & walked == set()
