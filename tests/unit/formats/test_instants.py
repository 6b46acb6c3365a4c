from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code, Malformed
from comity.formats import instants
from tests.unit.formats.made import refused


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1763900000, datetime(2025, 11, 23, 12, 13, 20, tzinfo=UTC)),
        (1.5, datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)),
        (253402300799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
@pytest.mark.good_twin("J19")
def test_a_numeric_date_is_seconds_since_1970(value: float, expected: datetime) -> None:
    assert instants.numeric_date(value) == expected


@pytest.mark.parametrize(
    "value",
    ["1763900000", "never", True, None, -1, -0.5, 253402300800, 2**63, 10**400, float("nan"), float("inf"), [], {}],
    ids=repr,
)
@pytest.mark.attack("J19")
def test_a_numeric_date_is_nothing_else(value: Any) -> None:
    """J19: NumericDate abuse."""
    with refused(Code.TIME_MALFORMED):
        instants.numeric_date(value)


def test_an_absent_date_is_none_and_null_is_malformed() -> None:
    assert instants.optional_numeric_date({}, "exp") is None
    assert instants.optional_numeric_date({"exp": 0}, "exp") == datetime(1970, 1, 1, tzinfo=UTC)
    with refused(Code.TIME_MALFORMED):
        instants.optional_numeric_date({"exp": None}, "exp")


def test_instants_are_written_in_utc_whole_seconds_rounded_down() -> None:
    at = datetime(2026, 11, 23, 1, 30, 0, 999999, tzinfo=timezone(timedelta(hours=2)))
    assert instants.to_numeric_date(at) == 1795390200
    assert instants.to_date_time_stamp(at) == "2026-11-22T23:30:00Z"
    assert instants.start_of_day(at) == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T00:00:00Z", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T00:00:00+14:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-23T00:00:00-03:30", datetime(2026, 11, 23, 3, 30, tzinfo=UTC)),
        ("2026-11-23T23:59:59.1234569Z", datetime(2026, 11, 23, 23, 59, 59, 123456, tzinfo=UTC)),
        ("2026-12-31T24:00:00Z", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2024-02-29T12:00:00-00:00", datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ],
)
@pytest.mark.good_twin("C05", "V03")
def test_a_date_time_stamp_is_one_instant(text: str, expected: datetime) -> None:
    """V03: the right instant whatever the zone."""
    assert instants.date_time_stamp(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T00:00:00",  # no zone
        "2026-11-23",
        "2026-11-23T00:00:00z",
        "2026-11-23 00:00:00Z",
        "2026-11-23T00:00Z",
        "2026-11-23T23:59:60Z",  # a leap second is not in the type
        "2026-11-23T24:00:01Z",
        "2026-11-23T25:00:00Z",
        "2026-11-23T00:60:00Z",
        "2026-11-23T00:00:00+14:01",
        "2026-11-23T00:00:00+01:60",
        "2026-02-30T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T24:00:00Z",
        "12026-01-01T00:00:00Z",
        "2026-11-23T00:00:00Z\n",
        "２０２６-11-23T00:00:00Z",
        "",
        0,
        None,
        True,
    ],
    ids=repr,
)
@pytest.mark.attack("C05", "V03")
def test_a_date_time_stamp_is_nothing_else(value: Any) -> None:
    with refused(Code.TIME_MALFORMED):
        instants.date_time_stamp(value)


@given(st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)))
def test_what_is_written_is_read_back(at: datetime) -> None:
    # strftime writes years below 1000 without leading zeros on some platforms; nothing is issued then.
    if at.year >= 1000:
        assert instants.date_time_stamp(instants.to_date_time_stamp(at)) == at
    if at.year >= 1970:
        assert instants.numeric_date(instants.to_numeric_date(at)) == at


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans()))
def test_any_value_is_an_instant_or_malformed(value: Any) -> None:
    for read in (instants.numeric_date, instants.date_time_stamp):
        try:
            at = read(value)
        except Malformed as error:
            code = error.code
        else:
            assert at.tzinfo is UTC
            continue
        assert code is Code.TIME_MALFORMED


def test_a_period_does_not_end_before_it_begins() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    instants.check_period(early, late)
    instants.check_period(early, early)
    instants.check_period(None, early)
    instants.check_period(late, None)
    with refused(Code.TIME_MALFORMED):
        instants.check_period(late, early)
