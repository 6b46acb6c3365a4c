"""Refused protocol requests, for the audit: one event each, and counted by the hour (decision record 0036).

Anybody may send bad requests, as many as they like. A refusal is noted in memory, which can neither wait nor fail, and
what was noted is stored by a timer: one unit for any number of refusals. Each is an event of its own, until there are
:data:`EVENTS` of its kind within the hour; of the rest only the number grows. What is told apart comes from short lists
(authority, endpoint, error code) and never from the request, so there is nothing personal in it, and the tables grow by
the hour, not by the request.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from msgspec import Struct, field
from msgspec.structs import asdict, replace
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    case,
    delete,
    insert,
    select,
)

from comity.errors import Code, ComityError, Misconfigured, Unreachable
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.ports import Clock
from comity.runtime.inserting import insert_on
from comity.runtime.logging import without_message
from comity.runtime.periodic import periodic
from comity.runtime.unit import Database

HOUR = 3600
KEEP_SECONDS = 90 * 24 * HOUR
"""How long counts are kept."""
EVENTS = 20
"""Refusals of one kind within one hour that are events of their own; whoever sends more gets no more rows."""
STORE_SECONDS = 5.0
"""How often they are stored; a process that is killed loses at most what it counted since."""

SHOWN = 200
"""How many rows a person is shown at once."""

_log = structlog.get_logger("comity.refusals")
_OUR_TURN = frozenset({OAuthErrorCode.TEMPORARILY_UNAVAILABLE, OAuthErrorCode.SERVER_ERROR})
_NOBODYS_FAULT = frozenset({Code.NONCE_NEEDED, Code.INTERNAL})
"""A first proof, which cannot have a nonce of ours yet, and our own mistakes. A *wrong* nonce is a refusal."""


class Kind(Struct, frozen=True, kw_only=True):
    """What was refused, in words from short lists.

    Attributes:
        scope: the path of an authority; empty where a service has only one.
        endpoint: such as ``token``; the last fixed part of a route.
        error: the protocol's error code; empty where it has none.
        code: ours.
    """

    scope: str
    endpoint: str
    error: str
    code: str


class Refused(Struct, frozen=True, kw_only=True):
    """How often one kind was refused within one hour. Instants are Unix seconds.

    Attributes:
        hour: when the hour began.
        kind: what was refused.
        first_at: the first time.
        last_at: the last time.
        times: how often.
        moments: when it was refused the first times; no more than become events, and none of what is read back.
    """

    hour: int
    kind: Kind
    first_at: int
    last_at: int
    times: int
    moments: tuple[int, ...] = ()


class Event(Struct, frozen=True, kw_only=True):
    """One refused request.

    Attributes:
        at: when, in Unix seconds.
        kind: what was refused.
    """

    at: int
    kind: Kind


def kind_of(error: ComityError, *, scope: str, endpoint: str) -> Kind | None:
    """Return what is noted of an error; None when the other side did nothing wrong."""
    told = error.error if isinstance(error, OAuthError) else None
    if isinstance(error, Unreachable | Misconfigured) or told in _OUR_TURN or error.code in _NOBODYS_FAULT:
        return None
    return Kind(scope=scope, endpoint=endpoint, error=told.value if told else "", code=error.code.value)


class Tally:
    """What was refused and is not stored yet. Used from one event loop."""

    def __init__(self) -> None:
        self._counted: dict[tuple[int, Kind], Refused] = {}

    def note(self, kind: Kind | None, at: int) -> None:
        """Count one refusal at ``at`` (Unix seconds); None is nothing to count. Does not wait and does not fail."""
        if kind is not None:
            self._add(Refused(hour=at - at % HOUR, kind=kind, first_at=at, last_at=at, times=1, moments=(at,)))

    def take(self) -> tuple[Refused, ...]:
        """Return what was counted, and begin anew."""
        taken, self._counted = tuple(self._counted.values()), {}
        return taken

    def put_back(self, taken: Sequence[Refused]) -> None:
        """Count again what could not be stored."""
        for each in taken:
            self._add(each)

    def _add(self, more: Refused) -> None:
        key = (more.hour, more.kind)
        known = self._counted.get(key, replace(more, times=0, moments=()))
        self._counted[key] = replace(
            known,
            first_at=min(known.first_at, more.first_at),
            last_at=max(known.last_at, more.last_at),
            times=known.times + more.times,
            moments=(known.moments + more.moments)[:EVENTS],
        )


# --- storing


class Tables(Struct, frozen=True, kw_only=True):
    """What one service has of refusals: how often by the hour, and the events."""

    counts: Table
    events: Table


def refusals_tables(metadata: MetaData) -> Tables:
    """Return the tables of one service, added to its ``metadata``."""
    instant = BigInteger().with_variant(Integer(), "sqlite")  # where INTEGER has 64 bits anyway
    counts = Table(
        "refusals",
        metadata,
        Column("hour", instant, primary_key=True, autoincrement=False),
        Column("scope", String(200), primary_key=True),
        Column("endpoint", String(64), primary_key=True),
        Column("error", String(64), primary_key=True),
        Column("code", String(64), primary_key=True),
        Column("first_at", instant, nullable=False),
        Column("last_at", instant, nullable=False),
        Column("times", instant, nullable=False),
    )
    events = Table(
        "refused_requests",
        metadata,
        Column("id", instant, primary_key=True, autoincrement=True),
        Column("at", instant, nullable=False, index=True),
        Column("scope", String(200), nullable=False),
        Column("endpoint", String(64), nullable=False),
        Column("error", String(64), nullable=False),
        Column("code", String(64), nullable=False),
    )
    return Tables(counts=counts, events=events)


def add(connection: Connection, *, tables: Tables, counted: Sequence[Refused]) -> None:
    """Add counts to those of the same hour, whichever process they come from, and the events that there is room for."""
    for each in counted:
        before = _count(connection, tables.counts, each) - each.times
        told = [{"at": at, **asdict(each.kind)} for at in each.moments[: max(0, EVENTS - before)]]
        if told:
            connection.execute(insert(tables.events), told)


def _count(connection: Connection, table: Table, each: Refused) -> int:
    """Add to the count of one kind and hour; return how often that is by now."""
    row = insert_on(table, connection.dialect.name).values(**_values(each))
    known, new = table.c, row.excluded
    added = row.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={
            "first_at": case((new.first_at < known.first_at, new.first_at), else_=known.first_at),
            "last_at": case((new.last_at > known.last_at, new.last_at), else_=known.last_at),
            "times": known.times + new.times,
        },
    )
    return int(connection.execute(added.returning(known.times)).scalar_one())


def events(connection: Connection, *, table: Table, scope: str, limit: int) -> tuple[Event, ...]:
    """Return the refused requests of one scope, the newest first."""
    columns = table.c
    wanted = select(table).where(columns.scope == scope).order_by(columns.at.desc(), columns.id.desc()).limit(limit)
    return tuple(Event(at=row.at, kind=_kind(row)) for row in connection.execute(wanted))


def newest(connection: Connection, *, table: Table, scope: str, limit: int) -> tuple[Refused, ...]:
    """Return how often what was refused in one scope, the newest hour first."""
    columns = table.c
    wanted = select(table).where(columns.scope == scope)
    ordered = wanted.order_by(
        columns.hour.desc(), columns.last_at.desc(), columns.endpoint, columns.error, columns.code
    )
    return tuple(_refused(row) for row in connection.execute(ordered.limit(limit)))


def erase(connection: Connection, *, tables: Tables, now: int) -> int:
    """Erase what is older than is kept; return how many rows."""
    before = now - KEEP_SECONDS
    gone = connection.execute(delete(tables.counts).where(tables.counts.c.hour < before)).rowcount
    return gone + connection.execute(delete(tables.events).where(tables.events.c.at < before)).rowcount


def _kind(row: Row[Any]) -> Kind:
    return Kind(scope=row.scope, endpoint=row.endpoint, error=row.error, code=row.code)


def _refused(row: Row[Any]) -> Refused:
    return Refused(hour=row.hour, kind=_kind(row), first_at=row.first_at, last_at=row.last_at, times=row.times)


def _values(each: Refused) -> dict[str, object]:
    instants = {"hour": each.hour, "first_at": each.first_at, "last_at": each.last_at}
    return {**asdict(each.kind), **instants, "times": each.times}


# --- what a service holds


class Refusals(Struct, frozen=True, kw_only=True):
    """What one process counts, and how it comes into the database.

    Attributes:
        database: the service's.
        tables: what :func:`refusals_tables` made of its metadata.
        clock: the time.
        tally: what is not stored yet.
        storing_now: held by the one that stores.
    """

    database: Database
    tables: Tables
    clock: Clock
    tally: Tally = field(default_factory=Tally)
    storing_now: asyncio.Lock = field(default_factory=asyncio.Lock)

    def note(self, error: ComityError, *, endpoint: str, scope: str = "") -> None:
        """Note a refusal, unless nobody did anything wrong; does not wait and does not fail."""
        self.tally.note(kind_of(error, scope=scope, endpoint=endpoint), self._now())

    async def store(self) -> int:
        """Store what was counted, in one unit; return how many refusals that were. Nothing counted, nothing written.

        Raises:
            Unreachable: the database cannot be written now; everything is still counted and comes with the next round.
        """
        async with self.storing_now:  # whoever stores has stored, also what the timer had just taken
            taken = self.tally.take()
            if not taken:
                return 0
            try:
                await self.database.write(partial(add, tables=self.tables, counted=taken))
            except Exception:
                self.tally.put_back(taken)
                raise
            return sum(each.times for each in taken)

    async def newest(self, scope: str = "", *, limit: int = SHOWN) -> tuple[Refused, ...]:
        """Return how often what was refused, the newest hour first; what is not stored yet is missing."""
        return await self.database.read(partial(newest, table=self.tables.counts, scope=scope, limit=limit))

    async def events(self, scope: str = "", *, limit: int = SHOWN) -> tuple[Event, ...]:
        """Return the refused requests, the newest first; what is not stored yet is missing."""
        return await self.database.read(partial(events, table=self.tables.events, scope=scope, limit=limit))

    async def erase_due(self) -> int:
        """Erase what is older than is kept; return how many rows."""
        return await self.database.write(partial(erase, tables=self.tables, now=self._now()))

    @asynccontextmanager
    async def storing(self) -> AsyncIterator[None]:
        """Store and erase on timers while the context lasts, and once more at its end."""
        try:
            async with periodic(STORE_SECONDS, "refusals", self.store), periodic(HOUR, "old refusals", self.erase_due):
                yield
        finally:
            try:
                await self.store()
            except Exception as error:  # noqa: BLE001 - a service stops all the same
                _log.error("refusals not stored", **without_message(error))

    def _now(self) -> int:
        return int(self.clock.now().timestamp())
