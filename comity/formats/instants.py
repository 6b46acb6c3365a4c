"""Instants as JWTs and W3C documents write them. Everything is compared as an instant, never as text."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from comity.errors import Code, Malformed

_LATEST = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second a datetime can hold

# XML Schema 1.1 part 2, §3.4.28 dateTimeStamp, limited to the years 0001 to 9999: the zone is not optional.
_DATE_TIME_STAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,18}))?(?:Z|([+-])(\d{2}):(\d{2}))", re.ASCII
)

# The way nearly everybody writes it, which Python reads in the same sense: in UTC, whole seconds, no 24:00:00.
_USUAL = re.compile(r"\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", re.ASCII)


def numeric_date(value: object) -> datetime:
    """Return the instant of a NumericDate (RFC 7519 §2): seconds since 1970, whole or not.

    Strings, booleans, negative numbers and anything beyond the year 9999 are refused.

    Raises:
        Malformed: ``time_malformed``.
    """
    # bool is a subclass of int, so the exact type is asked for; NaN fails the comparison.
    if type(value) not in (int, float) or not 0 <= value <= _LATEST:  # type: ignore[operator]
        raise Malformed(Code.TIME_MALFORMED, "a time is not a number of seconds since 1970 in a sensible range")
    return datetime.fromtimestamp(value, UTC)  # type: ignore[arg-type]


def optional_numeric_date(claims: Mapping[str, Any], name: str) -> datetime | None:
    """Return the instant of the member ``name``, or None when there is no such member (``null`` is malformed).

    Raises:
        Malformed: ``time_malformed``.
    """
    return numeric_date(claims[name]) if name in claims else None


def to_numeric_date(at: datetime) -> int:
    """Return ``at`` as whole seconds since 1970, rounded down."""
    return math.floor(at.timestamp())


def start_of_day(at: datetime) -> datetime:
    """Return the first instant of the UTC day of ``at``: dates rounded so cannot tell one person from another."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def to_day(at: datetime) -> int:
    """Return the first second of the UTC day of ``at``, as :func:`to_numeric_date` does of :func:`start_of_day`."""
    seconds = to_numeric_date(at)
    return seconds - seconds % 86_400


def check_period(valid_from: datetime | None, valid_until: datetime | None) -> None:
    """Refuse a period of validity that ends before it begins.

    Raises:
        Malformed: ``time_malformed``.
    """
    if valid_from is not None and valid_until is not None and valid_from > valid_until:
        raise Malformed(Code.TIME_MALFORMED, "the period of validity ends before it begins")


def date_time_stamp(value: object) -> datetime:
    """Return the instant of an XML Schema ``dateTimeStamp``, in UTC; fractions beyond microseconds are cut off.

    A time without a zone is refused: it names no instant (VCDM 2.0 §4.9; the profile is stricter than the text there).
    So is a leap second, which the type cannot carry.

    Raises:
        Malformed: ``time_malformed``.
    """
    if isinstance(value, str) and _USUAL.fullmatch(value):
        return _read_by_python(value)
    match = _DATE_TIME_STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _unreadable()
    day, hour, minute, second, fraction, sign, zone_hour, zone_minute = match.groups()
    clock = timedelta(hours=int(hour), minutes=int(minute), seconds=int(second))
    clock += timedelta(microseconds=int((fraction or "0").ljust(6, "0")[:6]))
    zone = timedelta(hours=int(zone_hour or 0), minutes=int(zone_minute or 0))
    # 24:00:00 is the end of the day and nothing after it exists; a zone is at most fourteen hours away.
    is_clock = int(minute) < 60 and int(second) < 60 and clock <= timedelta(days=1)
    if not is_clock or int(zone_minute or 0) > 59 or zone > timedelta(hours=14):
        raise _unreadable()
    try:
        local = datetime.fromisoformat(day).replace(tzinfo=UTC) + clock
        return local + zone if sign == "-" else local - zone
    except (ValueError, OverflowError):
        raise _unreadable() from None


def _read_by_python(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise _unreadable() from None


def to_date_time_stamp(at: datetime) -> str:
    """Return ``at`` as a ``dateTimeStamp`` in UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _unreadable() -> Malformed:
    return Malformed(Code.TIME_MALFORMED, "a time is not a date and time with a zone")
