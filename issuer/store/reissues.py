"""What a lost key signed, and what became of giving it out anew: one line for each thing that somebody holds.

A thing is what came of one offer or one sign-in in one format, with all its copies and renewals. Credentials from
before the issuer wrote down which key signed them count as signed by any key of their authority and format.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    PrimaryKeyConstraint,
    RowMapping,
    Select,
    String,
    Subquery,
    Table,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)

from comity.credential import CredentialType, Format, Status
from comity.runtime.inserting import insert_on
from issuer.store.offers import OfferState
from issuer.store.tables import credentials, issuances, metadata, offers

reissues = Table(
    "reissues",
    metadata,
    Column("key_thumbprint", String(43), nullable=False),
    Column("first_id", String(43), nullable=False),  # of the offer or the sign-in that the thing came of
    Column("configuration_id", String(120), nullable=False),
    Column("authority", String(200), nullable=False),
    Column("type_slug", String(64), nullable=False),
    Column("type_version", Integer, nullable=False),
    Column("format", String(16), nullable=False),
    Column("record_reference", String(200)),
    Column("state", String(16), nullable=False),  # ready | offered | refused
    Column("problem", String(64)),
    Column("offer_id", String(43)),
    Column("planned_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("was_suspended", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("key_thumbprint", "first_id", "configuration_id"),
    Index("ix_reissues_state", "key_thumbprint", "state"),
)


class ItemState(StrEnum):
    """Where a thing stands."""

    READY = "ready"
    OFFERED = "offered"
    REFUSED = "refused"


class Scope(Struct, frozen=True, kw_only=True):
    """Credentials of one authority in one format."""

    authority: str
    format: Format


class PlanLine(Struct, frozen=True, kw_only=True):
    """How much is to be given out anew, of one type.

    Attributes:
        authority: whose.
        type: what.
        format: in which format.
        things: things that people hold.
        records: credentials, all copies counted.
        unknown_key: credentials from before keys were written down.
        without_reference: things without a file number: for the counter.
        suspended: things that are suspended: revoked, and not given out anew.
    """

    authority: str
    type: CredentialType
    format: Format
    things: int
    records: int
    unknown_key: int
    without_reference: int
    suspended: int


class Item(Struct, frozen=True, kw_only=True):
    """One thing to be given out anew. ``problem`` is the code of why it could not be."""

    key_thumbprint: str
    first_id: str
    configuration_id: str
    authority: str
    type: CredentialType
    format: Format
    record_reference: str | None
    state: ItemState
    problem: str | None
    offer_id: str | None
    was_suspended: bool


def signed_in(connection: Connection, key: str) -> frozenset[Scope]:
    """Return of which authorities, in which formats, there are credentials that are known to be signed by a key."""
    rows = connection.execute(
        select(credentials.c.authority, credentials.c.format)
        .join(issuances, issuances.c.id == credentials.c.issuance_id)
        .where(issuances.c.signed_by == key)
        .distinct()
    )
    return frozenset(Scope(authority=row.authority, format=Format(row.format)) for row in rows)


def plan(
    connection: Connection, key: str, scopes: Sequence[Scope], *, only_known: bool, now: int
) -> tuple[PlanLine, ...]:
    """Return what is to be given out anew because of a key, by authority, type and format; nothing is changed."""
    thing = _things(key, scopes, only_known=only_known, now=now)
    names = (thing.c.authority, thing.c.type_slug, thing.c.type_version, thing.c.format)
    lines = select(
        *names,
        func.count().label("things"),
        func.sum(thing.c.records).label("records"),
        func.sum(thing.c.unknown_key).label("unknown_key"),
        func.sum(case((thing.c.record_reference.is_(None), 1), else_=0)).label("without_reference"),
        func.sum(thing.c.suspended).label("suspended"),
    )
    rows = connection.execute(lines.group_by(*names).order_by(*names))
    return tuple(
        PlanLine(
            authority=row.authority,
            type=CredentialType(slug=row.type_slug, version=row.type_version),
            format=Format(row.format),
            things=int(row.things),
            records=int(row.records),
            unknown_key=int(row.unknown_key),
            without_reference=int(row.without_reference),
            suspended=int(row.suspended),
        )
        for row in rows
    )


def begin(connection: Connection, key: str, scopes: Sequence[Scope], *, only_known: bool, now: int) -> int:
    """Write down every thing of the plan that is not written down yet, by one statement; return how many."""
    thing = _things(key, scopes, only_known=only_known, now=now)
    same = ("first_id", "configuration_id", "authority", "type_slug", "type_version", "format", "record_reference")
    lines = select(
        literal(key),
        *(thing.c[name] for name in same),
        literal(ItemState.READY.value),
        literal(now, BigInteger),
        thing.c.suspended > 0,
    ).where(thing.c.records > 0)
    names = ["key_thumbprint", *same, "state", "planned_at", "was_suspended"]
    return connection.execute(
        insert_on(reissues, connection.dialect.name).from_select(names, lines).on_conflict_do_nothing()
    ).rowcount


def next_ready(connection: Connection, key: str) -> Item | None:
    """Return a thing that nothing was done about yet."""
    return next(iter(_items(connection, (reissues.c.key_thumbprint == key) & _in(ItemState.READY), limit=1)), None)


def settle(
    connection: Connection, item: Item, *, state: ItemState, problem: str | None = None, offer_id: str | None = None
) -> bool:
    """Say by one statement what came of a thing that was ready; False when another process was faster."""
    changed = connection.execute(
        update(reissues)
        .where(_is(item), _in(ItemState.READY))
        .values(state=state.value, problem=problem, offer_id=offer_id)
    )
    return changed.rowcount == 1


def again(connection: Connection, key: str, *, now: int) -> int:
    """Make ready again what was offered, and neither collected nor can be any more; return how many."""
    is_open = (offers.c.state == OfferState.OPEN.value) & (offers.c.expires_at > now)
    held = exists().where(offers.c.id == reissues.c.offer_id, or_(is_open, _was_collected()))
    over = (reissues.c.key_thumbprint == key) & _in(ItemState.OFFERED) & ~held
    return connection.execute(update(reissues).where(over).values(state=ItemState.READY.value, offer_id=None)).rowcount


def to_revoke(connection: Connection, key: str, *, only_collected: bool, limit: int) -> tuple[Item, ...]:
    """Return things whose old credentials are to be revoked: all that are settled, or those that were collected."""
    wanted = (reissues.c.key_thumbprint == key) & reissues.c.revoked_at.is_(None) & ~_in(ItemState.READY)
    if only_collected:
        wanted &= exists().where(offers.c.id == reissues.c.offer_id, _was_collected())
    return _items(connection, wanted, limit=limit)


def mark_revoked(connection: Connection, item: Item, *, now: int) -> None:
    """Note that the old credentials of a thing are revoked."""
    connection.execute(update(reissues).where(_is(item)).values(revoked_at=now))


def old_records(connection: Connection, item: Item) -> tuple[str, ...]:
    """Return the ids of the credentials of a thing that the key signed and that are not revoked.

    The search begins at the offers of this thing. Its authority is not asked for: whose an offer is, is whose
    its credentials are, and SQLite would read all that this authority ever issued, once for each thing.
    """
    same = (offers.c.id, offers.c.renews, offers.c.authorization_id)
    of_this = union_all(*(select(offers.c.id).where(each == item.first_id) for each in same))
    rows = connection.execute(
        _signed(item.key_thumbprint, only_known=False)
        .with_only_columns(credentials.c.id)
        .where(
            issuances.c.offer_id.in_(of_this),
            issuances.c.configuration_id == item.configuration_id,
            credentials.c.format == item.format.value,
            _first() == item.first_id,
        )
        .order_by(credentials.c.list_id, credentials.c.id)  # so that two transactions never wait for each other's lists
    )
    return tuple(rows.scalars())


def counts(connection: Connection, key: str) -> dict[str, int]:
    """Return how many things stand where; ``collected`` and ``revoked`` are counted besides."""
    mine = reissues.c.key_thumbprint == key
    found = dict.fromkeys((each.value for each in ItemState), 0)
    rows = connection.execute(select(reissues.c.state, func.count()).where(mine).group_by(reissues.c.state))
    found |= {row[0]: row[1] for row in rows}
    collected = exists().where(offers.c.id == reissues.c.offer_id, _was_collected())
    for name, condition in (("collected", collected), ("revoked", reissues.c.revoked_at.is_not(None))):
        number = connection.execute(select(func.count()).select_from(reissues).where(mine, condition)).scalar_one()
        found[name] = int(number)
    return found


def in_state(connection: Connection, key: str, state: ItemState) -> tuple[Item, ...]:
    """Return every thing in one state."""
    return _items(connection, (reissues.c.key_thumbprint == key) & _in(state), limit=None)


def _things(key: str, scopes: Sequence[Scope], *, only_known: bool, now: int) -> Subquery:
    """Everything that is not revoked and has not ended, in these scopes, one row for each thing."""
    within = [(credentials.c.authority == each.authority) & (credentials.c.format == each.format) for each in scopes]
    same: tuple[Any, ...] = (
        issuances.c.configuration_id,
        credentials.c.authority,
        credentials.c.type_slug,
        credentials.c.type_version,
        credentials.c.format,
    )
    is_suspended = case((credentials.c.status == Status.SUSPENDED.value, 1), else_=0)
    return (
        _signed(key, only_known=only_known)
        .with_only_columns(
            _first().label("first_id"),
            *same,
            func.min(credentials.c.record_reference).label("record_reference"),
            func.count().label("records"),
            func.sum(case((issuances.c.signed_by.is_(None), 1), else_=0)).label("unknown_key"),
            func.max(is_suspended).label("suspended"),
        )
        .where(or_(false(), *within), credentials.c.valid_until > now)
        .group_by(_first(), *same)
        .subquery()
    )


def _signed(key: str, *, only_known: bool) -> "Select[Any]":
    by_it = issuances.c.signed_by == key
    with_its_offer = credentials.join(issuances, issuances.c.id == credentials.c.issuance_id).join(
        offers, offers.c.id == issuances.c.offer_id
    )
    return (
        select(credentials.c.id)
        .select_from(with_its_offer)
        .where(by_it if only_known else or_(by_it, issuances.c.signed_by.is_(None)))
        .where(credentials.c.status != Status.REVOKED.value)
    )


def _first() -> ColumnElement[str]:
    """What a credential came of in the first place: the sign-in, or the offer that was renewed, or its offer."""
    return func.coalesce(offers.c.authorization_id, offers.c.renews, offers.c.id)


def _was_collected() -> ColumnElement[bool]:
    left = exists().where(issuances.c.offer_id == offers.c.id, issuances.c.delivered_at.is_not(None))
    return (offers.c.state == OfferState.REDEEMED.value) & left.correlate(offers)


def _in(state: ItemState) -> ColumnElement[bool]:
    return reissues.c.state == state.value


def _is(item: Item) -> ColumnElement[bool]:
    return and_(
        reissues.c.key_thumbprint == item.key_thumbprint,
        reissues.c.first_id == item.first_id,
        reissues.c.configuration_id == item.configuration_id,
    )


def _items(connection: Connection, wanted: ColumnElement[bool], *, limit: int | None) -> tuple[Item, ...]:
    ordered = select(reissues).where(wanted).order_by(reissues.c.first_id, reissues.c.configuration_id).limit(limit)
    return tuple(_item(row) for row in connection.execute(ordered).mappings())


def _item(row: RowMapping) -> Item:
    return Item(
        key_thumbprint=row["key_thumbprint"],
        first_id=row["first_id"],
        configuration_id=row["configuration_id"],
        authority=row["authority"],
        type=CredentialType(slug=row["type_slug"], version=row["type_version"]),
        format=Format(row["format"]),
        record_reference=row["record_reference"],
        state=ItemState(row["state"]),
        problem=row["problem"],
        offer_id=row["offer_id"],
        was_suspended=row["was_suspended"],
    )
