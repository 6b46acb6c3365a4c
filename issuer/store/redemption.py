"""Redemption: a pre-authorized code for an access token, by one statement."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    false,
    literal,
    null,
    select,
    true,
    update,
)

from issuer.store.offers import OfferState
from issuer.store.tables import offers


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
class Redeemed:
    """What a code gave: an access token for this offer, with its last second."""

    offer_id: str
    token_expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A transaction code that was wrong: how many were by now, this one included."""

    attempts: int


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
) -> tuple[Redemption, Redeemed | Missed | None]:
    """Exchange a code for a token by one statement, so that exactly one of any number of callers succeeds.

    The same statement counts a wrong transaction code and kills the offer at the limit, and erases its claims then.
    Where a decision is awaited, the token must be bound to a key, and lives until ``deferred_until``.
    Returns what happened, and for what offer and how long the token is good when granted; after a wrong transaction
    code, how many there were.
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
        .returning(offers.c.id, offers.c.token_expires_at, offers.c.state, offers.c.attempts)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return _why_not(
            connection, authority, code_hash, transaction_code_hash, now, has_key=token_key is not None
        ), None
    if row.state == OfferState.REDEEMED.value:
        return Redemption.GRANTED, Redeemed(offer_id=row.id, token_expires_at=row.token_expires_at)
    is_dead = row.state == OfferState.DEAD.value
    missed = Missed(attempts=row.attempts)
    return (Redemption.CODE_DEAD if is_dead else Redemption.TRANSACTION_CODE_WRONG), missed


def _offered_by(authority: str, code_hash: str, now: int) -> ColumnElement[bool]:
    """An open offer; one that is had by signing in has no pre-authorized code, whatever its hash."""
    return and_(
        offers.c.code_hash == code_hash,
        offers.c.authority == authority,
        offers.c.state == OfferState.OPEN.value,
        offers.c.by_sign_in.is_(False),
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
