"""Offers, their codes and their access tokens: one row from the clerk's click to the erasure of the claims."""

from enum import StrEnum

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    func,
    insert,
    null,
    select,
    update,
)

from comity.credential import CredentialType
from comity.runtime.unit import Database
from comity.runtime.written import change, rows
from issuer.store.tables import (
    client_proofs,
    credentials,
    deferrals,
    dpop_proofs,
    encryption_keys,
    issuances,
    nonces,
    offers,
)

CLOCK_SECONDS = 3600
"""How much longer than they hold spent nonces and proofs are remembered: a clock set back makes none of them good."""


ERASED = 253_402_300_799
"""``erase_at`` of what was erased, the end of the year 9999: it is not looked at again, however much there is."""
AT_ONCE = 5_000
"""Offers whose claims are erased in one transaction."""


class OfferState(StrEnum):
    """Where an offer stands. ``EXPIRED`` and ``DELIVERED`` are seen, not stored."""

    OPEN = "open"
    APPROVED = "approved"
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


class Offer(Struct, frozen=True, kw_only=True):
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
        erase_at: when the claims go, at the latest; :data:`ERASED` once they went.
        record_reference: the authority's own file number.
        number_index: keyed blind index of the document number.
        name_index: keyed blind index of the name.
        credential_valid_until: last second of the credential's validity.
        created_at: Unix seconds.
        expires_at: last second at which the code can be used.
        token_expires_at: end of the access token, once there is one.
        token_key: thumbprint of the key that the access token is bound to; None for a bearer token.
        by_sign_in: had by signing in (:mod:`issuer.store.authorizations`); there is no pre-authorized code for it.
        authorization_id: the sign-in that the access token came of; None for a pre-authorized code.
        identified_ids: the configurations that have a credential identifier, and are asked for by it.
        client_id: the client that it was given to; None for an anonymous one.
        client_key: thumbprint of that client's instance key; None for one that has none.
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
    by_sign_in: bool = False
    authorization_id: str | None = None
    identified_ids: tuple[str, ...] = ()
    client_id: str | None = None
    client_key: str | None = None
    decision: Decision | None = None
    renews: str | None = None


# Built once: to put such a statement together costs several times what SQLite needs to run it.
_SAVE = insert(offers)
_FIND = select(offers).where(offers.c.id == bindparam("this"))
_DELIVERED = select(issuances.c.configuration_id).where(
    issuances.c.offer_id == bindparam("this"), issuances.c.delivered_at.is_not(None)
)
_BY_TOKEN = select(offers).where(
    offers.c.token_hash == bindparam("token"),
    offers.c.authority == bindparam("whose"),
    offers.c.state == OfferState.REDEEMED.value,
    offers.c.token_expires_at > bindparam("now"),
)
_BY_TOKEN_LOCKED = _BY_TOKEN.with_for_update()
_NOTE_CLIENT = (
    update(offers)
    .where(offers.c.token_hash == bindparam("token"))
    .values(client_id=bindparam("client"), client_key=bindparam("key"))
)
_ERASE_AFTER = (
    update(offers)
    .where(offers.c.id == bindparam("this"), offers.c.erase_at > bindparam("at"))
    .values(erase_at=bindparam("at"))
)


def save(connection: Connection, offer: Offer) -> None:
    """Store a new offer."""
    own = {
        "transaction_code_hash": offer.transaction_code_hash,
        "by_sign_in": offer.by_sign_in,
        "decision": offer.decision,
        "renews": offer.renews,
    }
    change(connection, _SAVE, columns_of(offer) | own)


def columns_of(offer: Offer) -> dict[str, object]:
    """Return what a row holds of an offer, whoever made it: a clerk, a sign-in, a renewal."""
    return {
        "id": offer.id,
        "authority": offer.authority,
        "type_slug": offer.type.slug,
        "type_version": offer.type.version,
        "configuration_ids": " ".join(offer.configuration_ids),
        "batch_size": offer.batch_size,
        "state": offer.state.value,
        "code_hash": offer.code_hash,
        "attempts": 0,
        "sealed_claims": offer.sealed_claims,
        "erase_at": offer.erase_at,
        "record_reference": offer.record_reference,
        "number_index": offer.number_index,
        "name_index": offer.name_index,
        "credential_valid_until": offer.credential_valid_until,
        "created_at": offer.created_at,
        "expires_at": offer.expires_at,
        "authorization_id": offer.authorization_id,
    }


_BEFORE_THE_TOKEN = (OfferState.OPEN, OfferState.APPROVED)


def find(connection: Connection, offer_id: str, *, now: int) -> Offer | None:
    """Return the offer as it is seen at ``now``: one past its end that gave no token is ``EXPIRED``."""
    row = connection.execute(_FIND, {"this": offer_id}).one_or_none()
    if row is None:
        return None
    offer = _offer(row)
    if offer.state in _BEFORE_THE_TOKEN and offer.expires_at <= now:
        return _offer(row, OfferState.EXPIRED)
    if offer.state is OfferState.REDEEMED and _all_delivered(connection, offer):
        return _offer(row, OfferState.DELIVERED)
    return offer


def _all_delivered(connection: Connection, offer: Offer) -> bool:
    delivered = connection.execute(_DELIVERED, {"this": offer.id}).scalars()
    return set(delivered) >= set(offer.configuration_ids)


def by_token(
    connection: Connection, *, authority: str, token_hash: str, now: int, for_update: bool = False
) -> Offer | None:
    """Return the offer that an access token belongs to, while the token lives. ``for_update`` locks the row."""
    statement = _BY_TOKEN_LOCKED if for_update else _BY_TOKEN
    found = rows(connection, statement, {"token": token_hash, "whose": authority, "now": now})
    return _offer(found[0]) if found else None


async def look_by_token(database: Database, *, authority: str, token_hash: str, now: int) -> Offer | None:
    """Return what :func:`by_token` does, where nothing else is asked of the database in the same breath."""
    found = await database.look(_BY_TOKEN, {"token": token_hash, "whose": authority, "now": now})
    return _offer(found[0]) if found else None


_CANCELLABLE = (OfferState.OPEN, OfferState.APPROVED, OfferState.REDEEMED)


def cancel(connection: Connection, offer_id: str) -> bool:
    """Withdraw an offer: its code and its token die, its claims are erased. False when it was over already."""
    changed = connection.execute(
        update(offers)
        .where(offers.c.id == offer_id, offers.c.state.in_([each.value for each in _CANCELLABLE]))
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


def note_client(connection: Connection, token_hash: str, *, client_id: str | None, client_key: str | None) -> None:
    """Note to which client, and to which instance of it, an access token was given."""
    change(connection, _NOTE_CLIENT, {"token": token_hash, "client": client_id, "key": client_key})


def erase_after(connection: Connection, offer_id: str, *, at: int) -> None:
    """Bring the erasure of an offer's claims forward to ``at``; never move it back."""
    change(connection, _ERASE_AFTER, {"this": offer_id, "at": at})


def erase_due(connection: Connection, *, now: int) -> int:
    """Erase the claims and holder digests of offers whose time has come, and what was spent. Returns offers erased.

    The latest first, and so many at once that others can write meanwhile: the first time there may be years of them.
    """
    newest = (offers.c.erase_at.desc(), offers.c.id)  # and which of the same second, so that all below mean the same
    due = select(offers.c.id).where(offers.c.erase_at <= now).order_by(*newest).limit(AT_ONCE)
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
    for spent in (nonces, dpop_proofs, client_proofs):
        connection.execute(spent.delete().where(spent.c.expires_at <= now - CLOCK_SECONDS))
    connection.execute(encryption_keys.delete().where(encryption_keys.c.expires_at <= now))
    held = select(func.count()).where(offers.c.id.in_(due), offers.c.sealed_claims.is_not(None))
    erased = connection.execute(held).scalar_one()
    connection.execute(update(offers).where(offers.c.id.in_(due)).values(sealed_claims=None, erase_at=ERASED))
    return erased


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
        by_sign_in=row.by_sign_in,
        authorization_id=row.authorization_id,
        identified_ids=tuple((row.identified_ids or "").split()),
        client_id=row.client_id,
        client_key=row.client_key,
        decision=None if row.decision is None else Decision(row.decision),
        renews=row.renews,
    )
