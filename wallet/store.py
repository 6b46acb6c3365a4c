"""The wallet's tables. Everything about a citizen but the account name is ciphertext.

A record is one sealed thing of one citizen: a credential, a key, a line of history, a message, a step of an exchange.
Its kind and version stand in the clear, because the seal is bound to them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Row,
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
from comity.runtime.inserting import insert_on

metadata = MetaData()
_INSTANT = BigInteger().with_variant(Integer(), "sqlite")  # where INTEGER has 64 bits anyway
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

citizens = Table(
    "citizens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created_at", _INSTANT, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("name_digest", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("waits_until", _INSTANT, nullable=False),
    Column("last_at", _INSTANT, nullable=False),
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
    Column("expires_at", _INSTANT, nullable=False),
    Column("ends_at", _INSTANT, nullable=False),
)

challenges = Table(
    "challenges",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("citizen", String(64), ForeignKey("citizens.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("citizen", "kind", "id"),
)


class Citizen(Struct, frozen=True, kw_only=True):
    """An account."""

    id: str
    name: str
    slots: Mapping[str, str]


class Session(Struct, frozen=True, kw_only=True):
    """An unlocked wallet between two requests. It ends when idle at ``expires_at``, and at ``ends_at`` in any case."""

    citizen: str
    wrapped: bytes
    expires_at: datetime
    ends_at: datetime


class Record(Struct, frozen=True, kw_only=True):
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
        values = {"id": citizen_id, "name": name, "created_at": _seconds(at)}
        connection.execute(insert(citizens).values(values))
    except IntegrityError:
        raise Conflict(Code.ACCOUNT_EXISTS, "an account of this name exists") from None
    for kind, slot in kept:
        connection.execute(insert(slots).values(citizen=citizen_id, kind=kind, slot=slot))


def find_citizen(connection: Connection, name: str) -> Citizen | None:
    """Return the account called ``name`` with its key slots (JSON by kind), or None."""
    found = connection.execute(select(citizens.c.id, citizens.c.name).where(citizens.c.name == name)).first()
    if found is None:
        return None
    kept = connection.execute(select(slots.c.kind, slots.c.slot).where(slots.c.citizen == found.id))
    return Citizen(id=found.id, name=found.name, slots={row.kind: row.slot for row in kept})


def name_of(connection: Connection, citizen_id: str) -> str | None:
    """Return the name of an account, or None."""
    return connection.execute(select(citizens.c.name).where(citizens.c.id == citizen_id)).scalar()


def delete_citizen(connection: Connection, citizen_id: str) -> None:
    """Delete an account with everything in it; without its slots the rest is unreadable at once."""
    for table in (slots, sessions, records):
        connection.execute(delete(table).where(table.c.citizen == citizen_id))
    connection.execute(delete(citizens).where(citizens.c.id == citizen_id))


def replace_slot(connection: Connection, citizen_id: str, kind: str, slot: str) -> None:
    """Replace one slot: the old one opens until the transaction ends, the new one from then on, never neither."""
    connection.execute(delete(slots).where((slots.c.citizen == citizen_id) & (slots.c.kind == kind)))
    connection.execute(insert(slots).values(citizen=citizen_id, kind=kind, slot=slot))


# --- tries of a passphrase


def begin_attempt(connection: Connection, name_digest: str, now: datetime, *, most: int, wait_until: datetime) -> bool:
    """Count one try *before* it is made; False when the account waits. Each statement decides alone: no race.

    Tries are counted by name, whether or not there is an account of that name (catalogue W12).
    """
    this = attempts.c.name_digest == name_digest
    values = {"name_digest": name_digest, "failures": 0, "waits_until": 0, "last_at": _seconds(now)}
    made = insert_on(attempts, connection.dialect.name)
    connection.execute(made.values(values).on_conflict_do_nothing())
    may_try = this & (attempts.c.waits_until <= _seconds(now))
    counted = update(attempts).where(may_try).values(failures=attempts.c.failures + 1, last_at=_seconds(now))
    if connection.execute(counted).rowcount != 1:
        return False
    over = this & (attempts.c.failures >= most)
    connection.execute(update(attempts).where(over).values(waits_until=_seconds(wait_until), failures=0))
    return True


def forget_attempts(connection: Connection, name_digest: str) -> None:
    """Begin counting anew after the right passphrase."""
    connection.execute(delete(attempts).where(attempts.c.name_digest == name_digest))


def purge_attempts(connection: Connection, now: datetime, *, idle_since: datetime) -> int:
    """Delete counts that nobody waits for and that nothing was added to since; returns how many."""
    over = (attempts.c.waits_until <= _seconds(now)) & (attempts.c.last_at <= _seconds(idle_since))
    return connection.execute(delete(attempts).where(over)).rowcount


# --- sessions


def save_session(connection: Connection, session_id: str, session: Session) -> None:
    """Store a session."""
    values = {
        "id": session_id,
        "citizen": session.citizen,
        "wrapped": session.wrapped,
        "expires_at": _seconds(session.expires_at),
        "ends_at": _seconds(session.ends_at),
    }
    connection.execute(insert(sessions).values(values))


def find_session(connection: Connection, session_id: str, now: datetime) -> Session | None:
    """Return a session that has not ended, or None."""
    alive = (sessions.c.id == session_id) & (sessions.c.expires_at > _seconds(now))
    found = connection.execute(select(sessions).where(alive)).first()
    if found is None:
        return None
    return Session(
        citizen=found.citizen,
        wrapped=found.wrapped,
        expires_at=_instant(found.expires_at),
        ends_at=_instant(found.ends_at),
    )


def renew_session(connection: Connection, session_id: str, expires_at: datetime) -> None:
    """Let a session that is still there live on until ``expires_at``."""
    this = sessions.c.id == session_id
    connection.execute(update(sessions).where(this).values(expires_at=_seconds(expires_at)))


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
    """Store a record: version 1 is new, a later version replaces the one just before it.

    Raises:
        Conflict: it is there already, was changed by somebody else meanwhile, or is gone.
    """
    values = {"version": record.version, "sealed": record.sealed}
    if record.version > 1:
        before = _this(citizen_id, record.kind, record.id) & (records.c.version == record.version - 1)
        if connection.execute(update(records).where(before).values(values)).rowcount != 1:
            raise Conflict(Code.CONFLICT, "the record was changed by somebody else meanwhile")
        return
    named = {
        "citizen": citizen_id,
        "kind": record.kind,
        "id": record.id,
        "created_at": _microseconds(record.created_at),
    }
    try:
        connection.execute(insert(records).values({**named, **values}))
    except IntegrityError:
        raise Conflict(Code.CONFLICT, "the record is there already") from None


def take_record(connection: Connection, citizen_id: str, kind: str, record_id: str) -> None:
    """Delete a record that must be there.

    Raises:
        Conflict: it is gone; somebody else was faster.
    """
    if not delete_record(connection, citizen_id, kind, record_id):
        raise Conflict(Code.CONFLICT, "the record is gone; somebody else was faster")


def record_names(connection: Connection, citizen_id: str) -> set[tuple[str, str]]:
    """Return kind and id of every record of a citizen."""
    found = connection.execute(select(records.c.kind, records.c.id).where(records.c.citizen == citizen_id))
    return {(row.kind, row.id) for row in found}


def records_of(connection: Connection, citizen_id: str, kind: str) -> list[Record]:
    """Return all records of a kind, oldest first."""
    wanted = (records.c.citizen == citizen_id) & (records.c.kind == kind)
    found = connection.execute(select(records).where(wanted).order_by(records.c.created_at, records.c.id))
    return [_record(row) for row in found]


def find_record(connection: Connection, citizen_id: str, kind: str, record_id: str) -> Record | None:
    """Return one record, or None."""
    this = _this(citizen_id, kind, record_id)
    found = connection.execute(select(records).where(this)).first()
    return _record(found) if found else None


def delete_record(connection: Connection, citizen_id: str, kind: str, record_id: str) -> bool:
    """Delete one record; False when there was none. Of several who try, one is told True."""
    return connection.execute(delete(records).where(_this(citizen_id, kind, record_id))).rowcount == 1


def _this(citizen_id: str, kind: str, record_id: str) -> ColumnElement[bool]:
    return (records.c.citizen == citizen_id) & (records.c.kind == kind) & (records.c.id == record_id)


def _record(row: Row[Any]) -> Record:
    return Record(
        kind=row.kind,
        id=row.id,
        version=row.version,
        created_at=_EPOCH + timedelta(microseconds=row.created_at),
        sealed=row.sealed,
    )


def _microseconds(at: datetime) -> int:
    """Return a record's time; fine enough for the order in which a person did things."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
