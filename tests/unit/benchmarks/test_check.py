"""What counts as worse than the committed table."""

from benchmarks.check import RESULTS, committed, worse
from benchmarks.credentials import Row, report


def row(ours: float, measure: str = "issue") -> Row:
    return Row(measure=measure, against="raw sign", ours_us=ours, yardstick_us=100.0)


def test_a_table_is_read_as_it_is_written() -> None:
    rows = [row(200.0), row(50.0, "present")]
    assert committed(report(rows)) == {("issue", "raw sign"): 2.0, ("present", "raw sign"): 0.5}


def test_only_a_clearly_worse_ratio_is_told() -> None:
    before = {("issue", "raw sign"): 2.0}
    assert worse([row(100.0)], before) == worse([row(260.0)], before) == []
    assert worse([row(280.0)], before) == ["issue against raw sign: 2.80, was 2.00"]


def test_a_measure_without_a_place_in_the_table_is_told() -> None:
    assert worse([row(100.0, "new")], {}) == ["new against raw sign: not in the committed table"]


def test_the_committed_table_is_one() -> None:
    assert len(committed(RESULTS.read_text("utf-8"))) >= 12
