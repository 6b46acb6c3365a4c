"""The table tells of a must whether it is met."""

from benchmarks.check import committed
from benchmarks.credentials import Row, report


def test_a_must_is_met_or_missed_and_the_table_stays_one() -> None:
    rows = [
        Row(measure="fast", against="raw", ours_us=1.0, yardstick_us=100.0, must=1 / 50),
        Row(measure="slow", against="raw", ours_us=251.0, yardstick_us=100.0, must=2.5),
        Row(measure="told", against="raw", ours_us=900.0, yardstick_us=100.0),
    ]
    text = report(rows)
    assert "- met: fast, at most 0.02 of raw\n- **missed**: slow, at most 2.5 of raw\n" in text
    assert committed(text) == {("fast", "raw"): 0.01, ("slow", "raw"): 2.51, ("told", "raw"): 9.0}
