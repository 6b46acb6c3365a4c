"""Requests that wait for a decision: for whose keys, of which offer and configuration. Nothing is signed yet."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from comity.errors import Code, Conflict
from comity.record import Discreet
from issuer.store.insert import insert_if_absent
from issuer.store.offers import Decision, Offer, OfferState, of_row
from issuer.store.tables import deferrals, nonces, offers

_MOST = 100


class Deferral(Discreet, frozen=True, kw_only=True):
    """One request. ``sealed_keys`` are the holder keys; None once they are erased."""

    UNPRINTED = frozenset({"sealed_keys"})
    offer_id: str
    configuration_id: str
    holder_digests: tuple[str, ...]
    sealed_keys: bytes | None
    created_at: int
    delivered_at: int | None = None


def record(connection: Connection, deferral: Deferral, nonce_digests: Mapping[str, int]) -> bool:
    """Keep a request, and use its nonces up; False when the same keys asked before, and then nothing changes.

    The caller has locked the offer in this transaction.

    Raises:
        Conflict: ``nonce_invalid`` when a nonce was used before; ``code_already_used`` when other keys asked first: the
            first proof decides whose credential it will be (catalogue I14).
    """
    fresh = [
        insert_if_absent(connection, nonces, {"digest": digest, "expires_at": expires_at})
        for digest, expires_at in nonce_digests.items()
    ]
    earlier = find(connection, deferral.offer_id, deferral.configuration_id)
    if earlier is not None:
        _require_same(earlier, deferral.holder_digests)
        return False
    if not all(fresh):
        raise Conflict(Code.NONCE_INVALID, "the nonce of the key proof was used before")
    values = {
        "offer_id": deferral.offer_id,
        "configuration_id": deferral.configuration_id,
        "holder_digests": " ".join(deferral.holder_digests),
        "sealed_keys": deferral.sealed_keys,
        "created_at": deferral.created_at,
    }
    return insert_if_absent(connection, deferrals, values)


def find(connection: Connection, offer_id: str, configuration_id: str) -> Deferral | None:
    """Return the request that waits, or waited, for one configuration of an offer."""
    row = connection.execute(select(deferrals).where(_this(offer_id, configuration_id))).one_or_none()
    if row is None:
        return None
    return Deferral(
        offer_id=row.offer_id,
        configuration_id=row.configuration_id,
        holder_digests=tuple(row.holder_digests.split(" ")),
        sealed_keys=row.sealed_keys,
        created_at=row.created_at,
        delivered_at=row.delivered_at,
    )


def require_released(connection: Connection, offer: Offer, configuration_id: str, digests: Sequence[str]) -> None:
    """Check, in the transaction that reserves, that nothing is signed before its decision or for other keys.

    Raises:
        Conflict: ``not_permitted`` without an approval; ``code_already_used`` for other keys than those that waited.
    """
    if offer.decision is None:
        return
    if offer.decision is not Decision.APPROVED:
        raise Conflict(Code.NOT_PERMITTED, "the authority has not agreed to issue this credential")
    earlier = find(connection, offer.id, configuration_id)
    if earlier is not None:
        _require_same(earlier, digests)


def mark_delivered(connection: Connection, offer_id: str, configuration_id: str, *, now: int) -> None:
    """Note that what was waited for has left, and erase the holder keys: the transaction id is spent."""
    waiting = _this(offer_id, configuration_id) & deferrals.c.delivered_at.is_(None)
    connection.execute(update(deferrals).where(waiting).values(delivered_at=now, sealed_keys=None))


def erase_keys(connection: Connection, offer_id: str) -> None:
    """Erase the holder keys of an offer that nothing will be issued for."""
    connection.execute(update(deferrals).where(deferrals.c.offer_id == offer_id).values(sealed_keys=None))


def _require_same(earlier: Deferral, digests: Sequence[str]) -> None:
    if set(earlier.holder_digests) != set(digests):
        raise Conflict(Code.CODE_ALREADY_USED, "this credential was asked for before, for other keys")


def _this(offer_id: str, configuration_id: str) -> ColumnElement[bool]:
    return (deferrals.c.offer_id == offer_id) & (deferrals.c.configuration_id == configuration_id)


def waiting(connection: Connection, authority: str, *, now: int) -> tuple[Offer, ...]:
    """Return the living offers of ``authority`` that wait for a decision, the oldest first; at most a hundred."""
    is_open = and_(offers.c.state == OfferState.OPEN.value, offers.c.expires_at > now)
    statement = (
        select(offers)
        .where(
            offers.c.authority == authority,
            offers.c.decision == Decision.WAITING.value,
            or_(is_open, offers.c.state == OfferState.REDEEMED.value),
        )
        .order_by(offers.c.created_at, offers.c.id)
        .limit(_MOST)
    )
    return tuple(of_row(row) for row in connection.execute(statement))
