from datetime import UTC, datetime, timedelta, timezone

import pytest

from comity.runtime.clock import FixedClock, SystemClock


def test_system_clock_speaks_utc_and_moves_forward() -> None:
    clock = SystemClock()
    first = clock.now()
    assert first.tzinfo is UTC
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=2)
    assert clock.now() >= first


def test_fixed_clock_stands_still_until_moved() -> None:
    at = datetime(2026, 11, 23, 7, tzinfo=timezone(timedelta(hours=-5)))
    clock = FixedClock(at)
    assert clock.now() == clock.now() == at
    assert clock.now().tzinfo is UTC
    clock.advance(timedelta(minutes=3))
    assert clock.now() == at + timedelta(minutes=3)


def test_a_clock_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        FixedClock(datetime(2026, 11, 23))  # noqa: DTZ001
