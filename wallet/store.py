"""The wallet's tables. Everything about a citizen but the account name is ciphertext.

A record is one sealed thing of one citizen: a credential, a key, a line of history, a message, a step of an exchange.
Its kind and version stand in the clear, because the seal is bound to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from comity.errors import Code, Conflict

metadata = MetaData()

citizens = Table(
    "citizens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created_at", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("waits_until", Integer, nullable=False),
)

slots = Table(
    "slots",
    metadata,
    Column("citizen", String(64), ForeignKey("citizens.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("slot", Text, nullable=False),
    PrimaryKeyConstraint("citizen", "kind"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("citizen", String(64), ForeignKey("citizens.id", ondelete="CASCADE"), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("expires_at", Integer, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("citizen", String(64), ForeignKey("citizens.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("citizen", "kind", "id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen:
    """An account. ``waits_until`` is when a passphrase may be tried again."""

    id: str
    name: str
    failures: int
    waits_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One sealed record."""

    kind: str
    id: str
    version: int
    created_at: datetime
    sealed: bytes


# --- accounts


def add_citizen(
    connection: Connection, citizen_id: str, name: str, at: datetime, kept: Sequence[tuple[str, str]]
) -> None:
    """Create an account with its key slots (kind, JSON).

    Raises:
        Conflict: ``account_exists``.
    """
    try:
        values = {"id": citizen_id, "name": name, "created_at": _seconds(at), "failures": 0, "waits_until": 0}
        connection.execute(insert(citizens).values(values))
    except IntegrityError:
        raise Conflict(Code.ACCOUNT_EXISTS, "an account of this name exists") from None
    for kind, slot in kept:
        connection.execute(insert(slots).values(citizen=citizen_id, kind=kind, slot=slot))


def find_citizen(connection: Connection, name: str) -> Citizen | None:
    """Return the account called ``name``, or None."""
    found = connection.execute(select(citizens).where(citizens.c.name == name)).mappings().first()
    if found is None:
        return None
    return Citizen(
        id=found["id"],
        name=found["name"],
        failures=found["failures"],
        waits_until=datetime.fromtimestamp(found["waits_until"], UTC),
    )


def delete_citizen(connection: Connection, citizen_id: str) -> None:
    """Delete an account with everything in it; without its slots the rest is unreadable at once."""
    for table in (slots, sessions, records):
        connection.execute(delete(table).where(table.c.citizen == citizen_id))
    connection.execute(delete(citizens).where(citizens.c.id == citizen_id))


def slots_of(connection: Connection, citizen_id: str) -> dict[str, str]:
    """Return the key slots of a citizen, JSON by kind."""
    found = connection.execute(select(slots.c.kind, slots.c.slot).where(slots.c.citizen == citizen_id))
    return {row.kind: row.slot for row in found}


def replace_slot(connection: Connection, citizen_id: str, kind: str, slot: str) -> None:
    """Replace one slot: the old one opens until the transaction ends, the new one from then on, never neither."""
    connection.execute(delete(slots).where((slots.c.citizen == citizen_id) & (slots.c.kind == kind)))
    connection.execute(insert(slots).values(citizen=citizen_id, kind=kind, slot=slot))


def begin_attempt(
    connection: Connection, citizen_id: str, now: datetime, *, attempts: int, wait_until: datetime
) -> bool:
    """Count one try of a passphrase *before* it is made; False when the account waits (one statement, no race)."""
    may_try = (citizens.c.id == citizen_id) & (citizens.c.waits_until <= _seconds(now))
    counted = update(citizens).where(may_try).values(failures=citizens.c.failures + 1)
    if connection.execute(counted).rowcount != 1:
        return False
    over = (citizens.c.id == citizen_id) & (citizens.c.failures >= attempts)
    connection.execute(update(citizens).where(over).values(waits_until=_seconds(wait_until), failures=0))
    return True


def forget_attempts(connection: Connection, citizen_id: str) -> None:
    """Begin counting anew after the right passphrase."""
    connection.execute(update(citizens).where(citizens.c.id == citizen_id).values(failures=0, waits_until=0))


# --- sessions


def save_session(
    connection: Connection, session_id: str, citizen_id: str, wrapped: bytes, expires_at: datetime
) -> None:
    """Store a session."""
    values = {"id": session_id, "citizen": citizen_id, "wrapped": wrapped, "expires_at": _seconds(expires_at)}
    connection.execute(insert(sessions).values(values))


def touch_session(
    connection: Connection, session_id: str, now: datetime, expires_at: datetime
) -> tuple[str, bytes] | None:
    """Return citizen and wrapped key of a session that has not ended, and let it live on; None otherwise."""
    alive = (sessions.c.id == session_id) & (sessions.c.expires_at > _seconds(now))
    renewed = update(sessions).where(alive).values(expires_at=_seconds(expires_at))
    found = connection.execute(renewed.returning(sessions.c.citizen, sessions.c.wrapped)).first()
    return (found.citizen, found.wrapped) if found else None


def end_session(connection: Connection, session_id: str) -> None:
    """End one session."""
    connection.execute(delete(sessions).where(sessions.c.id == session_id))


def end_sessions_of(connection: Connection, citizen_id: str) -> None:
    """End every session of a citizen."""
    connection.execute(delete(sessions).where(sessions.c.citizen == citizen_id))


def purge_sessions(connection: Connection, now: datetime) -> int:
    """Delete sessions that have ended; returns how many."""
    return connection.execute(delete(sessions).where(sessions.c.expires_at <= _seconds(now))).rowcount


# --- records


def put_record(connection: Connection, citizen_id: str, record: Record) -> None:
    """Store a record; a newer version replaces the older one.

    Raises:
        Conflict: this version, or a newer one, is there already (two writers at once).
    """
    this = (records.c.citizen == citizen_id) & (records.c.kind == record.kind) & (records.c.id == record.id)
    older = this & (records.c.version < record.version)
    values = {"version": record.version, "sealed": record.sealed}
    if connection.execute(update(records).where(older).values(values)).rowcount == 1:
        return
    try:
        connection.execute(
            insert(records).values(
                citizen=citizen_id, kind=record.kind, id=record.id, created_at=_seconds(record.created_at), **values
            )
        )
    except IntegrityError:
        raise Conflict(Code.CONFLICT, "the record was changed by somebody else meanwhile") from None


def records_of(connection: Connection, citizen_id: str, kind: str) -> list[Record]:
    """Return all records of a kind, oldest first."""
    wanted = (records.c.citizen == citizen_id) & (records.c.kind == kind)
    found = connection.execute(select(records).where(wanted).order_by(records.c.created_at, records.c.id)).mappings()
    return [_record(dict(row)) for row in found]


def find_record(connection: Connection, citizen_id: str, kind: str, record_id: str) -> Record | None:
    """Return one record, or None."""
    this = (records.c.citizen == citizen_id) & (records.c.kind == kind) & (records.c.id == record_id)
    found = connection.execute(select(records).where(this)).mappings().first()
    return _record(dict(found)) if found else None


def delete_record(connection: Connection, citizen_id: str, kind: str, record_id: str) -> bool:
    """Delete one record; False when there was none. Of several who try, one is told True."""
    this = (records.c.citizen == citizen_id) & (records.c.kind == kind) & (records.c.id == record_id)
    return connection.execute(delete(records).where(this)).rowcount == 1


def _record(row: dict[str, object]) -> Record:
    return Record(
        kind=str(row["kind"]),
        id=str(row["id"]),
        version=int(str(row["version"])),
        created_at=datetime.fromtimestamp(int(str(row["created_at"])), UTC),
        sealed=bytes(row["sealed"]) if isinstance(row["sealed"], bytes | memoryview) else b"",
    )


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
