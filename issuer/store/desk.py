"""What a desk reads: what was offered lately, what ends soon, what happened to one record, and who did what."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from comity.credential import CredentialType, Status
from issuer.store.audit import Event
from issuer.store.credentials import IssuedCredential, family, find
from issuer.store.offers import OfferState
from issuer.store.tables import audit, credentials, issuances, offers


class OfferLine(Struct, frozen=True, kw_only=True):
    """An offer as a list shows it. ``state`` is as it is seen, not only as it is stored."""

    id: str
    type: CredentialType
    state: OfferState
    record_reference: str | None
    created_at: int
    expires_at: int


class LogLine(Struct, frozen=True, kw_only=True):
    """A line of the audit log with its number, which a next page begins after."""

    number: int
    event: Event


class LogFilter(Struct, frozen=True, kw_only=True):
    """Which lines of the audit log are wanted; None is no wish. Instants are Unix seconds, ``until`` excluded."""

    actor: str | None = None
    action: str | None = None
    since: int | None = None
    until: int | None = None


def recent_offers(connection: Connection, authority: str, *, since: int, now: int, limit: int) -> tuple[OfferLine, ...]:
    """Return the offers of one authority since an instant, newest first."""
    statement = select(offers).where(offers.c.authority == authority, offers.c.created_at >= since)
    rows = connection.execute(statement.order_by(offers.c.created_at.desc(), offers.c.id).limit(limit)).all()
    delivered = _delivered(connection, [row.id for row in rows])
    return tuple(
        OfferLine(
            id=row.id,
            type=CredentialType(slug=row.type_slug, version=row.type_version),
            state=_seen(row, delivered.get(row.id, 0), now),
            record_reference=row.record_reference,
            created_at=row.created_at,
            expires_at=row.expires_at,
        )
        for row in rows
    )


def _delivered(connection: Connection, offer_ids: Sequence[str]) -> Mapping[str, int]:
    """Return how many configurations of each offer left."""
    statement = (
        select(issuances.c.offer_id, func.count())
        .where(issuances.c.offer_id.in_(list(offer_ids)), issuances.c.delivered_at.is_not(None))
        .group_by(issuances.c.offer_id)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def _seen(row: "Row[tuple[object, ...]]", delivered: int, now: int) -> OfferState:
    state = OfferState(row.state)
    if state in {OfferState.OPEN, OfferState.APPROVED} and row.expires_at <= now:
        return OfferState.EXPIRED
    if state is OfferState.REDEEMED and delivered >= len(row.configuration_ids.split(" ")):
        return OfferState.DELIVERED
    return state


def expiring(
    connection: Connection, authority: str, *, since: int, until: int, limit: int
) -> tuple[IssuedCredential, ...]:
    """Return credentials that are not revoked and end in a period, soonest first; one for each offer."""
    statement = (
        select(credentials.c.id, issuances.c.offer_id)
        .join(issuances, issuances.c.id == credentials.c.issuance_id)
        .where(
            credentials.c.authority == authority,
            credentials.c.valid_until >= since,
            credentials.c.valid_until < until,
            credentials.c.status != Status.REVOKED.value,
        )
        .order_by(credentials.c.valid_until, credentials.c.id)
        .limit(limit)
    )
    firsts: dict[str, str] = {}
    for row in connection.execute(statement):
        firsts.setdefault(row.offer_id, row.id)
    found = (find(connection, credential_id) for credential_id in firsts.values())
    return tuple(each for each in found if each is not None)


def offers_of(connection: Connection, credential_ids: Sequence[str]) -> Mapping[str, str]:
    """Return of which offer each credential came."""
    statement = (
        select(credentials.c.id, issuances.c.offer_id)
        .join(issuances, issuances.c.id == credentials.c.issuance_id)
        .where(credentials.c.id.in_(list(credential_ids)))
    )
    return {row.id: row.offer_id for row in connection.execute(statement)}


def copies(connection: Connection, credential_id: str) -> tuple[str, ...]:
    """Return the ids of everything that is one thing for its holder: copies, formats and renewals, of one type.

    They came of the same offer, of what renews it, or of the same sign-in, by its refresh tokens too.
    """
    own = (
        select(func.coalesce(offers.c.renews, offers.c.id), credentials.c.type_slug, credentials.c.type_version)
        .join(issuances, issuances.c.offer_id == offers.c.id)
        .join(credentials, credentials.c.issuance_id == issuances.c.id)
        .where(credentials.c.id == credential_id)
    )
    found = connection.execute(own).one_or_none()
    if found is None:
        return ()
    first, slug, version = found
    same_type = (credentials.c.type_slug == slug) & (credentials.c.type_version == version)
    statement = (
        select(credentials.c.id)
        .join(issuances, issuances.c.id == credentials.c.issuance_id)
        .where(issuances.c.offer_id.in_(family(first)), same_type)
        .order_by(credentials.c.list_id, credentials.c.id)  # so that two transactions never wait for each other's lists
    )
    return tuple(connection.execute(statement).scalars())


def happened_to(connection: Connection, subjects: Sequence[str]) -> tuple[Event, ...]:
    """Return the lines of the audit log about some records, oldest first."""
    rows = connection.execute(select(audit).where(audit.c.subject.in_(list(subjects))).order_by(audit.c.id))
    return tuple(_event(row) for row in rows)


def log(
    connection: Connection, authority: str, wanted: LogFilter, *, before: int | None, limit: int
) -> tuple[LogLine, ...]:
    """Return lines of one authority's audit log, newest first, from the one before number ``before`` on."""
    statement: Select[tuple[object, ...]] = select(audit).where(audit.c.authority == authority)
    for condition in _conditions(wanted, before):
        statement = statement.where(condition)
    rows = connection.execute(statement.order_by(audit.c.id.desc()).limit(limit))
    return tuple(LogLine(number=row.id, event=_event(row)) for row in rows)


def _conditions(wanted: LogFilter, before: int | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.actor is not None:
        found.append(audit.c.actor == wanted.actor)
    if wanted.action is not None:
        found.append(audit.c.action == wanted.action)
    if wanted.since is not None:
        found.append(audit.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(audit.c.at < wanted.until)
    if before is not None:
        found.append(audit.c.id < before)
    return found


def _event(row: "Row[tuple[object, ...]]") -> Event:
    return Event(at=row.at, actor=row.actor, action=row.action, authority=row.authority, subject=row.subject)
