"""Redemption: a pre-authorized code for an access token, by one statement."""

from enum import StrEnum
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    case,
    false,
    null,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from comity.runtime.written import rows
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


class Redeemed(Struct, frozen=True, kw_only=True):
    """What a code gave: an access token for this offer, with its last second."""

    offer_id: str
    token_expires_at: int


class Missed(Struct, frozen=True, kw_only=True):
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
    asked = {"whose": authority, "code": code_hash, "now": now}
    pin = {} if transaction_code_hash is None else {"pin": transaction_code_hash, "limit": attempt_limit}
    key = {} if token_key is None else {"key": token_key}
    ends = {
        "token": token_hash,
        "until": token_expires_at,
        "later": token_expires_at if deferred_until is None else deferred_until,
    }
    statement = _redeeming(has_code=bool(pin), has_key=bool(key))
    row = next(iter(rows(connection, statement, asked | pin | key | ends)), None)
    if row is None:
        return _why_not(
            connection, authority, code_hash, transaction_code_hash, now, has_key=token_key is not None
        ), None
    if row.state == OfferState.REDEEMED.value:
        return Redemption.GRANTED, Redeemed(offer_id=row.id, token_expires_at=row.token_expires_at)
    is_dead = row.state == OfferState.DEAD.value
    missed = Missed(attempts=row.attempts)
    return (Redemption.CODE_DEAD if is_dead else Redemption.TRANSACTION_CODE_WRONG), missed


@cache
def _redeeming(*, has_code: bool, has_key: bool) -> ReturningUpdate[Any]:
    """Return the statement, by whether a transaction code came and a key to bind the token to; built once each."""
    wrong = offers.c.transaction_code_hash != bindparam("pin") if has_code else false()
    last = and_(wrong, offers.c.attempts + 1 >= bindparam("limit")) if has_code else false()
    until = bindparam("until", type_=BigInteger)
    # Where a decision is awaited the token lives longer.
    lives = case((offers.c.decision.is_not(None), bindparam("later", type_=BigInteger)), else_=until)
    token, key = bindparam("token", type_=String), bindparam("key", type_=String)
    return (
        update(offers)
        .where(_OFFERED, _expects_code(is_given=has_code), _may_wait(has_key=has_key))
        .values(
            attempts=offers.c.attempts + case((wrong, 1), else_=0),
            state=case((last, OfferState.DEAD.value), (wrong, OfferState.OPEN.value), else_=OfferState.REDEEMED.value),
            token_hash=case((wrong, null()), else_=token),
            token_expires_at=case((wrong, null()), else_=lives),
            token_key=case((wrong, null()), else_=key) if has_key else null(),
            erase_at=case((wrong, offers.c.erase_at), else_=lives),
            sealed_claims=case((last, null()), else_=offers.c.sealed_claims),
        )
        .returning(offers.c.id, offers.c.token_expires_at, offers.c.state, offers.c.attempts)
    )


_OFFERED = and_(
    offers.c.code_hash == bindparam("code"),
    offers.c.authority == bindparam("whose"),
    offers.c.state == OfferState.OPEN.value,
    offers.c.by_sign_in.is_(False),
    offers.c.expires_at > bindparam("now"),
)
"""An open offer; one that is had by signing in has no pre-authorized code, whatever its hash."""


def _may_wait(*, has_key: bool) -> ColumnElement[bool]:
    """A token that outlives minutes, because a decision is awaited, is bound to a key (VCI-24)."""
    return true() if has_key else offers.c.decision.is_(None)


def _expects_code(*, is_given: bool) -> ColumnElement[bool]:
    stored = offers.c.transaction_code_hash
    return stored.is_not(None) if is_given else stored.is_(None)


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
