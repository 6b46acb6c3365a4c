"""The only place that asks the machine for the time."""

from datetime import UTC, datetime, timedelta

from comity.ports import Clock


class SystemClock(Clock):
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        return datetime.now(UTC)  # noqa: TID251  (this is the one place)


class FixedClock(Clock):
    """A clock that stands still until it is moved: for tests, and for judging a day of the past."""

    def __init__(self, at: datetime) -> None:
        """Stand at ``at``.

        Raises:
            ValueError: ``at`` has no time zone.
        """
        if at.tzinfo is None:
            raise ValueError("a clock needs an instant with a time zone")
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant at which this clock stands, in UTC."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move forward (or, for tests of clock jumps, backward) by ``by``."""
        self._at += by
