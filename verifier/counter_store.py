"""The counter's two tables: devices that were signed in, and what they asked. No name of a customer is in either.

What a stranger may learn from a stolen copy: which counters there are, and when they asked what with which verdict.
What was shown to the person at the counter is sealed, and erased after a short time.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from comity.runtime.written import change, rows
from verifier.store import metadata

__all__ = ["metadata"]

devices = Table(
    "counter_devices",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("relying_party", String(200), nullable=False),
    Column("pairing_hash", String(64), nullable=True, unique=True),
    Column("pairing_until", BigInteger, nullable=True),
    Column("session_hash", String(64), nullable=True, unique=True),
    Column("seen_at", BigInteger, nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("place", String(16), nullable=False),
    Column("clear_seconds", Integer, nullable=False),
    Column("sound", Boolean, nullable=False),
)

checks = Table(
    "counter_checks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("device_id", String(32), nullable=False),
    Column("relying_party", String(200), nullable=False),
    Column("request_id", String(64), nullable=True, unique=True),
    Column("means", String(16), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("place", String(16), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("signal", String(8), nullable=True),
    Column("verdict", String(16), nullable=True),
    Column("code", String(64), nullable=True),
    Column("issuer", String(200), nullable=True),
    Column("sealed_view", LargeBinary, nullable=True),
    Index("counter_checks_by_party", "relying_party", "started_at"),
    Index("counter_checks_by_end", "ended_at"),
)


class Device(Struct, frozen=True, kw_only=True):
    """One counter.

    Attributes:
        id: names it towards operators.
        name: what people call it.
        relying_party: on whose behalf it asks.
        place: place of use; empty takes the installation's.
        clear_seconds: after how long a verdict leaves the screen; 0 leaves it there.
        sound: whether a verdict is also heard.
        seen_at: when it last asked for a page; None until it was paired.
    """

    id: str
    name: str
    relying_party: str
    place: str
    clear_seconds: int
    sound: bool
    seen_at: datetime | None


class CounterCheck(Struct, frozen=True, kw_only=True):
    """One thing that a counter checked, or is checking.

    Attributes:
        id: names it towards its own device.
        device_id: the device.
        relying_party: on whose behalf.
        request_id: the request that a wallet answers; None for a scan.
        means: ``wallet`` or ``scan``.
        policy: what was asked.
        place: where.
        started_at: when it began.
        ended_at: when it had its verdict.
        signal: ``green``, ``amber`` or ``red``.
        verdict: the verdict over the credential.
        code: the first code of what failed or is unknown.
        issuer: the authority whose key verified the signature, such as ``ca-on/services``.
        sealed_view: what the device shows about it; None when there is none, or no longer.
    """

    id: str
    device_id: str
    relying_party: str
    request_id: str | None
    means: str
    policy: str
    place: str
    started_at: datetime
    ended_at: datetime | None = None
    signal: str | None = None
    verdict: str | None = None
    code: str | None = None
    issuer: str | None = None
    sealed_view: bytes | None = None


_INSTANTS = ("started_at", "ended_at")
_DEVICE = (*(devices.c[name] for name in Device.__struct_fields__),)

# Built once: to put such a statement together costs several times what SQLite needs to run it.
_FIND_DEVICE = select(*_DEVICE).where(
    devices.c.session_hash == bindparam("session"), devices.c.seen_at > bindparam("seen_after")
)
_TOUCH_DEVICE = update(devices).where(devices.c.id == bindparam("this")).values(seen_at=bindparam("at"))
_BEGIN_CHECK = insert(checks).inline()
_FIND_CHECK = select(checks).where(checks.c.id == bindparam("this"), checks.c.device_id == bindparam("whose"))


# --- devices


def add_device(connection: Connection, device: Device, *, pairing_hash: str, until: datetime, at: datetime) -> None:
    """Store a device that can be paired until then."""
    values = {name: getattr(device, name) for name in Device.__struct_fields__ if name != "seen_at"}
    pairing = {"pairing_hash": pairing_hash, "pairing_until": _seconds(until), "created_at": _seconds(at)}
    connection.execute(insert(devices).values(**values, **pairing))


def pair_device(connection: Connection, pairing_hash: str, session_hash: str, at: datetime) -> Device | None:
    """Use up a pairing code for a session, once; None when there is no such code, or its time is over."""
    is_open = (devices.c.pairing_hash == pairing_hash) & (devices.c.pairing_until > _seconds(at))
    values = {"pairing_hash": None, "pairing_until": None, "session_hash": session_hash, "seen_at": _seconds(at)}
    paired = update(devices).where(is_open).values(**values).returning(*_DEVICE)
    return _device(connection.execute(paired).mappings().all())


def open_device(connection: Connection, device: Device, *, session_hash: str, at: datetime) -> None:
    """Store a device that has its session from the beginning."""
    values = {name: getattr(device, name) for name in Device.__struct_fields__ if name != "seen_at"}
    connection.execute(
        insert(devices).values(**values, session_hash=session_hash, seen_at=_seconds(at), created_at=_seconds(at))
    )


def find_device(connection: Connection, session_hash: str, *, seen_after: datetime) -> Device | None:
    """Return the device of a session that was used after ``seen_after``, or None."""
    found = rows(connection, _FIND_DEVICE, {"session": session_hash, "seen_after": _seconds(seen_after)})
    return _device([row._asdict() for row in found])


def touch_device(connection: Connection, device_id: str, at: datetime) -> None:
    """Note that the device was seen."""
    change(connection, _TOUCH_DEVICE, {"this": device_id, "at": _seconds(at)})


def change_device(connection: Connection, device_id: str, *, place: str, clear_seconds: int, sound: bool) -> None:
    """Store what the device set."""
    values = {"place": place, "clear_seconds": clear_seconds, "sound": sound}
    connection.execute(update(devices).where(devices.c.id == device_id).values(**values))


def remove_device(connection: Connection, device_id: str) -> bool:
    """Remove a device, signed in or not; what it checked stays in its relying party's history."""
    return connection.execute(delete(devices).where(devices.c.id == device_id)).rowcount == 1


def list_devices(connection: Connection) -> tuple[Device, ...]:
    """Return every device, the oldest first."""
    found = connection.execute(select(*_DEVICE).order_by(devices.c.created_at, devices.c.id)).mappings()
    return tuple(Device(**{**row, "seen_at": _instant(row["seen_at"])}) for row in found)


# --- checks


def begin_check(connection: Connection, row: CounterCheck) -> None:
    """Store what a device begins, or did by a scan."""
    values = {name: getattr(row, name) for name in CounterCheck.__struct_fields__}
    values.update({name: _seconds(values[name]) for name in _INSTANTS})
    change(connection, _BEGIN_CHECK, values)


def find_check(connection: Connection, check_id: str, device_id: str) -> CounterCheck | None:
    """Return what this device checked under this name, or None."""
    found = rows(connection, _FIND_CHECK, {"this": check_id, "whose": device_id})
    return next(iter(_checks([row._asdict() for row in found])), None)


class Ending(Struct, frozen=True, kw_only=True):
    """What is stored when a check has its verdict; see :class:`CounterCheck`."""

    at: datetime
    signal: str
    verdict: str
    code: str
    issuer: str
    sealed_view: bytes | None


def end_check(connection: Connection, check_id: str, ending: Ending) -> bool:
    """Store the verdict, once; False when it has one already."""
    is_open = (checks.c.id == check_id) & checks.c.ended_at.is_(None)
    values: dict[str, Any] = {name: getattr(ending, name) for name in Ending.__struct_fields__ if name != "at"}
    values["ended_at"] = _seconds(ending.at)
    return connection.execute(update(checks).where(is_open).values(**values)).rowcount == 1


def open_checks(connection: Connection, *, limit: int = 200) -> tuple[CounterCheck, ...]:
    """Return checks without a verdict, the oldest first."""
    wanted = select(checks).where(checks.c.ended_at.is_(None)).order_by(checks.c.started_at).limit(limit)
    return _checks(connection.execute(wanted).mappings().all())


def drop_check(connection: Connection, check_id: str) -> None:
    """Forget a check that never got a verdict."""
    connection.execute(delete(checks).where((checks.c.id == check_id) & checks.c.ended_at.is_(None)))


def history(connection: Connection, relying_party: str, *, limit: int, offset: int = 0) -> tuple[CounterCheck, ...]:
    """Return what a relying party's counters checked, the newest first; only what has its verdict."""
    wanted = (checks.c.relying_party == relying_party) & checks.c.ended_at.is_not(None)
    ordered = select(checks).where(wanted).order_by(checks.c.started_at.desc(), checks.c.id).limit(limit).offset(offset)
    return _checks(connection.execute(ordered).mappings().all())


def erase_checks(connection: Connection, *, viewed_before: datetime, ended_before: datetime) -> int:
    """Erase views that ended before the first instant, and whole records that ended before the second."""
    is_old = (checks.c.ended_at < _seconds(viewed_before)) & checks.c.sealed_view.is_not(None)
    erased = connection.execute(update(checks).where(is_old).values(sealed_view=None)).rowcount
    return erased + connection.execute(delete(checks).where(checks.c.ended_at < _seconds(ended_before))).rowcount


def _checks(found: Iterable[Mapping[Any, Any]]) -> tuple[CounterCheck, ...]:
    return tuple(
        CounterCheck(**{**row, "started_at": _instant(row["started_at"]), "ended_at": _instant(row["ended_at"])})
        for row in found
    )


def _device(found: Sequence[Mapping[Any, Any]]) -> Device | None:
    return Device(**{**found[0], "seen_at": _instant(found[0]["seen_at"])}) if found else None


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
