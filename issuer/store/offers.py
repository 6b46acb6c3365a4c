"""Offers, their codes and their access tokens: one row from the clerk's click to the erasure of the claims."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    false,
    func,
    insert,
    literal,
    null,
    select,
    true,
    update,
)

from comity.credential import CredentialType
from issuer.store.tables import credentials, deferrals, dpop_proofs, encryption_keys, issuances, nonces, offers


class OfferState(StrEnum):
    """Where an offer stands. ``EXPIRED`` and ``DELIVERED`` are seen, not stored."""

    OPEN = "open"
    REDEEMED = "redeemed"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Decision(StrEnum):
    """What an authority says to an offer that it decides about after the wallet asked."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"


class Redemption(StrEnum):
    """What came of presenting a pre-authorized code."""

    GRANTED = "granted"
    CODE_UNKNOWN = "code_unknown"
    CODE_EXPIRED = "code_expired"
    CODE_USED = "code_used"
    CODE_DEAD = "code_dead"
    TRANSACTION_CODE_WRONG = "transaction_code_wrong"
    TRANSACTION_CODE_MISSING = "transaction_code_missing"
    TRANSACTION_CODE_UNEXPECTED = "transaction_code_unexpected"
    PROOF_NEEDED = "proof_needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One stored offer.

    Attributes:
        id: 128 random bits, also its address.
        authority: who offers.
        type: what is offered.
        configuration_ids: in which configurations.
        batch_size: most copies of each.
        state: where it stands.
        code_hash: hash of the pre-authorized code.
        transaction_code_hash: keyed hash of the transaction code; None when none is asked for.
        sealed_claims: None once erased.
        erase_at: when the claims go, at the latest.
        record_reference: the authority's own file number.
        number_index: keyed blind index of the document number.
        name_index: keyed blind index of the name.
        credential_valid_until: last second of the credential's validity.
        created_at: Unix seconds.
        expires_at: last second at which the code can be used.
        token_expires_at: end of the access token, once there is one.
        token_key: thumbprint of the key that the access token is bound to; None for a bearer token.
        decision: what was decided about it; None when it needs no decision.
        renews: id of the offer whose credentials this one issues once more.
    """

    id: str
    authority: str
    type: CredentialType
    configuration_ids: tuple[str, ...]
    batch_size: int
    state: OfferState
    code_hash: str
    transaction_code_hash: str | None
    sealed_claims: bytes | None
    erase_at: int
    record_reference: str | None
    number_index: str | None
    name_index: str | None
    credential_valid_until: int
    created_at: int
    expires_at: int
    token_expires_at: int | None = None
    token_key: str | None = None
    decision: Decision | None = None
    renews: str | None = None


def save(connection: Connection, offer: Offer) -> None:
    """Store a new offer."""
    connection.execute(
        insert(offers).values(
            id=offer.id,
            authority=offer.authority,
            type_slug=offer.type.slug,
            type_version=offer.type.version,
            configuration_ids=" ".join(offer.configuration_ids),
            batch_size=offer.batch_size,
            state=offer.state.value,
            code_hash=offer.code_hash,
            transaction_code_hash=offer.transaction_code_hash,
            attempts=0,
            sealed_claims=offer.sealed_claims,
            erase_at=offer.erase_at,
            record_reference=offer.record_reference,
            number_index=offer.number_index,
            name_index=offer.name_index,
            credential_valid_until=offer.credential_valid_until,
            created_at=offer.created_at,
            expires_at=offer.expires_at,
            decision=offer.decision,
            renews=offer.renews,
        )
    )


def find(connection: Connection, offer_id: str, *, now: int) -> Offer | None:
    """Return the offer as it is seen at ``now``: an open one past its end is ``EXPIRED``."""
    row = connection.execute(select(offers).where(offers.c.id == offer_id)).one_or_none()
    if row is None:
        return None
    offer = _offer(row)
    if offer.state is OfferState.OPEN and offer.expires_at <= now:
        return _offer(row, OfferState.EXPIRED)
    if offer.state is OfferState.REDEEMED and _all_delivered(connection, offer):
        return _offer(row, OfferState.DELIVERED)
    return offer


def _all_delivered(connection: Connection, offer: Offer) -> bool:
    delivered = connection.execute(
        select(issuances.c.configuration_id).where(
            issuances.c.offer_id == offer.id, issuances.c.delivered_at.is_not(None)
        )
    ).scalars()
    return set(delivered) >= set(offer.configuration_ids)


def redeem(
    connection: Connection,
    *,
    authority: str,
    code_hash: str,
    transaction_code_hash: str | None,
    token_hash: str,
    token_expires_at: int,
    token_key: str | None,
    attempt_limit: int,
    now: int,
    deferred_until: int | None = None,
) -> tuple[Redemption, int | None]:
    """Exchange a code for a token by one statement, so that exactly one of any number of callers succeeds.

    The same statement counts a wrong transaction code and kills the offer at the limit, and erases its claims then.
    Where a decision is awaited, the token must be bound to a key, and lives until ``deferred_until``.
    Returns what happened, and the last second of the token when granted.
    """
    lives = _lives_until(token_expires_at, deferred_until)
    wrong = _is_wrong(transaction_code_hash)
    last = and_(wrong, offers.c.attempts + 1 >= attempt_limit)
    statement = (
        update(offers)
        .where(_offered_by(authority, code_hash, now), _expects_code(transaction_code_hash), _may_wait(token_key))
        .values(
            attempts=offers.c.attempts + case((wrong, 1), else_=0),
            state=case((last, OfferState.DEAD.value), (wrong, OfferState.OPEN.value), else_=OfferState.REDEEMED.value),
            token_hash=case((wrong, null()), else_=literal(token_hash)),
            token_expires_at=case((wrong, null()), else_=lives),
            token_key=null() if token_key is None else case((wrong, null()), else_=literal(token_key)),
            erase_at=case((wrong, offers.c.erase_at), else_=lives),
            sealed_claims=case((last, null()), else_=offers.c.sealed_claims),
        )
        .returning(offers.c.token_expires_at, offers.c.state)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return _why_not(
            connection, authority, code_hash, transaction_code_hash, now, has_key=token_key is not None
        ), None
    if row.state == OfferState.REDEEMED.value:
        return Redemption.GRANTED, row.token_expires_at
    return (Redemption.CODE_DEAD if row.state == OfferState.DEAD.value else Redemption.TRANSACTION_CODE_WRONG), None


def _offered_by(authority: str, code_hash: str, now: int) -> ColumnElement[bool]:
    return and_(
        offers.c.code_hash == code_hash,
        offers.c.authority == authority,
        offers.c.state == OfferState.OPEN.value,
        offers.c.expires_at > now,
    )


def _may_wait(token_key: str | None) -> ColumnElement[bool]:
    """A token that outlives minutes, because a decision is awaited, is bound to a key (VCI-24)."""
    return offers.c.decision.is_(None) if token_key is None else true()


def _lives_until(token_expires_at: int, deferred_until: int | None) -> ColumnElement[int]:
    later = token_expires_at if deferred_until is None else deferred_until
    return case(
        (offers.c.decision.is_not(None), literal(later, BigInteger)), else_=literal(token_expires_at, BigInteger)
    )


def _expects_code(given: str | None) -> ColumnElement[bool]:
    stored = offers.c.transaction_code_hash
    return stored.is_(None) if given is None else stored.is_not(None)


def _is_wrong(transaction_code_hash: str | None) -> ColumnElement[bool]:
    if transaction_code_hash is None:
        return false()
    return offers.c.transaction_code_hash != transaction_code_hash


def _why_not(
    connection: Connection,
    authority: str,
    code_hash: str,
    transaction_code_hash: str | None,
    now: int,
    *,
    has_key: bool,
) -> Redemption:
    row = connection.execute(
        select(offers.c.state, offers.c.expires_at, offers.c.decision).where(
            offers.c.code_hash == code_hash, offers.c.authority == authority
        )
    ).one_or_none()
    if row is None or row.state == OfferState.CANCELLED.value:
        return Redemption.CODE_UNKNOWN
    if row.state == OfferState.DEAD.value:
        return Redemption.CODE_DEAD
    if row.state == OfferState.REDEEMED.value:
        return Redemption.CODE_USED
    if row.expires_at <= now:
        return Redemption.CODE_EXPIRED
    if row.decision is not None and not has_key:
        return Redemption.PROOF_NEEDED
    if transaction_code_hash is None:
        return Redemption.TRANSACTION_CODE_MISSING
    return Redemption.TRANSACTION_CODE_UNEXPECTED


def by_token(
    connection: Connection, *, authority: str, token_hash: str, now: int, for_update: bool = False
) -> Offer | None:
    """Return the offer that an access token belongs to, while the token lives. ``for_update`` locks the row."""
    statement = select(offers).where(
        offers.c.token_hash == token_hash,
        offers.c.authority == authority,
        offers.c.state == OfferState.REDEEMED.value,
        offers.c.token_expires_at > now,
    )
    row = connection.execute(statement.with_for_update() if for_update else statement).one_or_none()
    return None if row is None else _offer(row)


def cancel(connection: Connection, offer_id: str) -> bool:
    """Withdraw an offer: its code and its token die, its claims are erased. False when it was over already."""
    changed = connection.execute(
        update(offers)
        .where(offers.c.id == offer_id, offers.c.state.in_((OfferState.OPEN.value, OfferState.REDEEMED.value)))
        .values(state=OfferState.CANCELLED.value, token_hash=None, sealed_claims=None)
    )
    return changed.rowcount == 1


def count_renewals(connection: Connection, offer_id: str) -> int:
    """Return how often an offer's credentials were issued again."""
    return connection.execute(select(func.count()).where(offers.c.renews == offer_id)).scalar_one()


def decide(connection: Connection, offer_id: str, decision: Decision) -> bool:
    """Decide about an offer that waits, by one statement; False when it does not. Denied claims are erased."""
    alive = offers.c.state.in_((OfferState.OPEN.value, OfferState.REDEEMED.value))
    changed = connection.execute(
        update(offers)
        .where(offers.c.id == offer_id, offers.c.decision == Decision.WAITING.value, alive)
        .values(
            decision=decision.value,
            sealed_claims=null() if decision is Decision.DENIED else offers.c.sealed_claims,
        )
    )
    return changed.rowcount == 1


def erase_after(connection: Connection, offer_id: str, *, at: int) -> None:
    """Bring the erasure of an offer's claims forward to ``at``; never move it back."""
    connection.execute(update(offers).where(offers.c.id == offer_id, offers.c.erase_at > at).values(erase_at=at))


def erase_due(connection: Connection, *, now: int) -> int:
    """Erase the claims and holder digests of offers whose time has come, and what was spent. Returns offers erased."""
    due = select(offers.c.id).where(offers.c.erase_at <= now)
    connection.execute(
        update(credentials)
        .where(
            credentials.c.holder_digest.is_not(None),
            credentials.c.issuance_id.in_(select(issuances.c.id).where(issuances.c.offer_id.in_(due))),
        )
        .values(holder_digest=None)
    )
    connection.execute(
        update(deferrals)
        .where(deferrals.c.sealed_keys.is_not(None), deferrals.c.offer_id.in_(due))
        .values(sealed_keys=None)
    )
    for spent in (nonces, dpop_proofs, encryption_keys):
        connection.execute(spent.delete().where(spent.c.expires_at <= now))
    erased = connection.execute(
        update(offers).where(offers.c.erase_at <= now, offers.c.sealed_claims.is_not(None)).values(sealed_claims=None)
    )
    return erased.rowcount


def of_row(row: "Row[tuple[object, ...]]") -> Offer:
    """Return the offer in a row of its table."""
    return _offer(row)


def _offer(row: "Row[tuple[object, ...]]", state: OfferState | None = None) -> Offer:
    return Offer(
        id=row.id,
        authority=row.authority,
        type=CredentialType(slug=row.type_slug, version=row.type_version),
        configuration_ids=tuple(row.configuration_ids.split(" ")),
        batch_size=row.batch_size,
        state=state or OfferState(row.state),
        code_hash=row.code_hash,
        transaction_code_hash=row.transaction_code_hash,
        sealed_claims=row.sealed_claims,
        erase_at=row.erase_at,
        record_reference=row.record_reference,
        number_index=row.number_index,
        name_index=row.name_index,
        credential_valid_until=row.credential_valid_until,
        created_at=row.created_at,
        expires_at=row.expires_at,
        token_expires_at=row.token_expires_at,
        token_key=row.token_key,
        decision=None if row.decision is None else Decision(row.decision),
        renews=row.renews,
    )
