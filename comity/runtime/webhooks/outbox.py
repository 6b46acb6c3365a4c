"""The outbox of a service's webhooks: who is to be told of what, and what came of each telling.

Functions run over one connection, within the unit of what they tell of: an event that is undone was never told, and one
that is committed is told at least once. Instants are whole Unix seconds.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    literal,
    or_,
    select,
    update,
)

from comity.record import Discreet
from comity.runtime.webhooks.state import EVERYONE, State
from comity.runtime.written import change

LEASE_SECONDS = 60
"""How long a process may take to send one event before another one sends it again."""


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened.

    Attributes:
        id: 128 random bits; the receiver knows a repetition by it.
        type: such as ``credential.revoked``.
        scope: whose record it is about: an authority, or a relying party.
        at: when.
        body: the JSON that is sent.
    """

    id: str
    type: str
    scope: str
    at: int
    body: str


class Endpoint(Discreet, frozen=True, kw_only=True):
    """Somebody who is told.

    Attributes:
        id: 128 random bits.
        scope: whose records; :data:`EVERYONE` for all.
        url: where to.
        types: of which events; all when empty.
        sealed_secret: signs what is sent; sealed with the deployment's key.
        created_at: when it was added.
    """

    UNPRINTED = frozenset({"sealed_secret"})
    id: str
    scope: str
    url: str
    types: tuple[str, ...]
    sealed_secret: bytes
    created_at: int


class Delivery(Struct, frozen=True, kw_only=True):
    """The telling of one event to one endpoint.

    Attributes:
        event_id: which event.
        endpoint_id: to whom.
        type: of the event.
        body: what is sent.
        state: where it stands.
        attempts: how often it was begun to be sent.
        next_at: waiting: from when on it is sent (again).
        log: what came of each sending, oldest first: the instant, and a status code or the code of an error.
        created_at: when it happened.
        settled_at: when it was heard or given up.
    """

    event_id: str
    endpoint_id: str
    type: str
    body: str
    state: State
    attempts: int
    next_at: int
    log: tuple[tuple[int, str], ...]
    created_at: int
    settled_at: int | None


class Outbox(Struct, frozen=True, kw_only=True):
    """The two tables of one service."""

    endpoints: Table
    deliveries: Table

    # --- endpoints

    def add(self, connection: Connection, endpoint: Endpoint) -> None:
        """Store a new endpoint; it is told of what happens from now on."""
        values = {name: getattr(endpoint, name) for name in Endpoint.__struct_fields__}
        connection.execute(insert(self.endpoints).values(values | {"types": _words(endpoint.types)}))

    def all(self, connection: Connection) -> tuple[Endpoint, ...]:
        """Return every endpoint, the oldest first."""
        ordered = select(self.endpoints).order_by(self.endpoints.c.created_at, self.endpoints.c.id)
        return tuple(_endpoint(row) for row in connection.execute(ordered).mappings())

    def remove(self, connection: Connection, endpoint_id: str) -> bool:
        """Remove an endpoint with everything that waits for it, and its log; False when there is none."""
        connection.execute(delete(self.deliveries).where(self.deliveries.c.endpoint_id == endpoint_id))
        gone = connection.execute(delete(self.endpoints).where(self.endpoints.c.id == endpoint_id))
        return gone.rowcount == 1

    def renew(self, connection: Connection, endpoint_id: str, *, sealed_secret: bytes) -> bool:
        """Give an endpoint another secret, with which everything is signed from now on; False when there is none."""
        row = self.endpoints.c
        changed = connection.execute(
            update(self.endpoints).where(row.id == endpoint_id).values(sealed_secret=sealed_secret)
        )
        return changed.rowcount == 1

    # --- what is to be told

    def tell_one(self, connection: Connection, event: Event, endpoint_id: str) -> bool:
        """Lay the event ready for one endpoint, whatever else it wants to be told; False when there is none."""
        if connection.execute(select(self.endpoints.c.id).where(self.endpoints.c.id == endpoint_id)).first() is None:
            return False
        values = {
            "event_id": event.id,
            "endpoint_id": endpoint_id,
            "type": event.type,
            "body": event.body,
            "state": State.WAITING.value,
            "attempts": 0,
            "next_at": event.at,
            "log": "",
            "created_at": event.at,
        }
        connection.execute(insert(self.deliveries).values(values))
        return True

    def tell(self, connection: Connection, event: Event) -> int:
        """Lay the event ready for everybody who wants to be told, by one statement; return for how many."""
        told = {
            "told": event.id,
            "told_type": event.type,
            "told_body": event.body,
            "told_at": event.at,
            "whose": event.scope,
            "wanted": f"%{_escaped(_words((event.type,)))}%",
        }
        return change(connection, _telling(self.endpoints, self.deliveries), told)

    def waiting_for(self, connection: Connection, *, now: int) -> frozenset[str]:
        """Return the endpoints for which something is due."""
        wanted = select(self.deliveries.c.endpoint_id).where(self._is_due(now)).distinct()
        return frozenset(connection.execute(wanted).scalars())

    def claim(self, connection: Connection, endpoint_id: str, *, now: int) -> Delivery | None:
        """Take what is to be sent next to an endpoint, by one statement: no second process sends it meanwhile.

        That it is being sent is recorded before it is; whoever stops in between leaves it to be sent again.
        """
        row = self.deliveries.c
        first = (
            select(row.event_id)
            .where(row.endpoint_id == endpoint_id, self._is_due(now))
            .order_by(row.next_at, row.event_id)
            .limit(1)
            .scalar_subquery()
        )
        claimed = (
            update(self.deliveries)
            .where(row.endpoint_id == endpoint_id, row.event_id == first, self._is_due(now))
            .values(attempts=row.attempts + 1, next_at=now + LEASE_SECONDS)
            .returning(*self.deliveries.c)
        )
        taken = connection.execute(claimed).mappings().one_or_none()
        return None if taken is None else _delivery(taken)

    def settle(
        self, connection: Connection, delivery: Delivery, *, state: State, outcome: str, next_at: int, now: int
    ) -> bool:
        """Write down what came of a sending; False when it took so long that another process sent it again."""
        log = (*delivery.log, (now, outcome))
        changed = connection.execute(
            update(self.deliveries)
            .where(
                self._is(delivery.event_id, delivery.endpoint_id),
                self.deliveries.c.state == State.WAITING.value,
                self.deliveries.c.attempts == delivery.attempts,
            )
            .values(
                state=state.value,
                next_at=next_at,
                log=" ".join(f"{at}:{said}" for at, said in log),
                settled_at=None if state is State.WAITING else now,
            )
        )
        return changed.rowcount == 1

    def retry(self, connection: Connection, endpoint_id: str, *, now: int) -> int:
        """Let everything that was given up for an endpoint be sent once more; return how much."""
        row = self.deliveries.c
        again = update(self.deliveries).where(row.endpoint_id == endpoint_id, row.state == State.GIVEN_UP.value)
        values: Mapping[str, Any] = {
            "state": State.WAITING.value,
            "attempts": 0,
            "next_at": now,
            "log": "",
            "settled_at": None,
        }
        return connection.execute(again.values(**values)).rowcount

    # --- the log

    def deliveries_to(
        self, connection: Connection, endpoint_id: str, *, state: State | None, limit: int
    ) -> tuple[Delivery, ...]:
        """Return the latest deliveries to an endpoint, newest first."""
        row = self.deliveries.c
        wanted = select(self.deliveries).where(row.endpoint_id == endpoint_id)
        if state is not None:
            wanted = wanted.where(row.state == state.value)
        ordered = wanted.order_by(row.created_at.desc(), row.event_id).limit(limit)
        return tuple(_delivery(each) for each in connection.execute(ordered).mappings())

    def holds_old(self, connection: Connection, *, settled_before: int) -> bool:
        """Say whether there is anything to erase."""
        old = select(self.deliveries.c.event_id).where(self.deliveries.c.settled_at < settled_before).limit(1)
        return connection.execute(old).first() is not None

    def erase(self, connection: Connection, *, settled_before: int) -> int:
        """Erase the log of what was heard or given up before an instant; return how many lines."""
        old = self.deliveries.c.settled_at < settled_before
        return connection.execute(delete(self.deliveries).where(old)).rowcount

    def _is_due(self, now: int) -> ColumnElement[bool]:
        row = self.deliveries.c
        return (row.state == State.WAITING.value) & (row.next_at <= now)

    def _is(self, event_id: str, endpoint_id: str) -> ColumnElement[bool]:
        return (self.deliveries.c.event_id == event_id) & (self.deliveries.c.endpoint_id == endpoint_id)


def outbox(metadata: MetaData) -> Outbox:
    """Return the outbox among the tables of one service."""
    endpoints = Table(
        "webhook_endpoints",
        metadata,
        Column("id", String(43), primary_key=True),
        Column("scope", String(200), nullable=False),
        Column("url", String(2048), nullable=False),
        Column("types", Text, nullable=False),  # each between two spaces; all when empty
        Column("sealed_secret", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
    deliveries = Table(
        "webhook_deliveries",
        metadata,
        Column("event_id", String(43), nullable=False),
        Column("endpoint_id", String(43), nullable=False),
        Column("type", String(64), nullable=False),
        Column("body", Text, nullable=False),
        Column("state", String(16), nullable=False),  # waiting | delivered | given_up
        Column("attempts", Integer, nullable=False),
        Column("next_at", BigInteger, nullable=False),
        Column("log", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("settled_at", BigInteger),
        PrimaryKeyConstraint("event_id", "endpoint_id"),
        Index("ix_webhook_deliveries_due", "state", "next_at"),
        Index("ix_webhook_deliveries_endpoint", "endpoint_id", "created_at"),
        Index("ix_webhook_deliveries_settled", "settled_at"),
    )
    return Outbox(endpoints=endpoints, deliveries=deliveries)


@cache
def _telling(endpoints: Table, deliveries: Table) -> Insert:
    """Return the statement of :meth:`Outbox.tell`, built once: it goes with everything that is collected."""
    who, at = endpoints.c, bindparam("told_at", type_=BigInteger)
    wants = or_(who.types == "", who.types.like(bindparam("wanted"), escape=_ESCAPE))
    lines = select(
        bindparam("told", type_=String),
        who.id,
        bindparam("told_type", type_=String),
        bindparam("told_body", type_=Text),
        literal(State.WAITING.value),
        literal(0),
        at,
        literal(""),
        at,
    ).where(or_(who.scope == EVERYONE, who.scope == bindparam("whose")), wants)
    names = ("event_id", "endpoint_id", "type", "body", "state", "attempts", "next_at", "log", "created_at")
    return insert(deliveries).from_select(names, lines).inline()


_ESCAPE = "/"


def _escaped(text: str) -> str:
    """Return what stands for exactly ``text`` in a pattern of LIKE."""
    return "".join(_ESCAPE + each if each in {_ESCAPE, "%", "_"} else each for each in text)


def _words(types: tuple[str, ...]) -> str:
    """Return the types as they are stored and looked for: each between two spaces."""
    return f" {'  '.join(types)} " if types else ""


def _endpoint(row: RowMapping) -> Endpoint:
    return Endpoint(**{**row, "types": tuple(row["types"].split())})


def _delivery(row: RowMapping) -> Delivery:
    lines = (line.partition(":") for line in row["log"].split())
    log = tuple((int(at), said) for at, _, said in lines)
    return Delivery(**{**row, "state": State(row["state"]), "log": log})
