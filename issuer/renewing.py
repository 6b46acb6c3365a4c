"""Renewing: the same credential once more, with today's claims, for other keys (OpenID4VCI 1.0 §13.5, VCI-46).

The claims of the first issuance are erased; new ones come from the authority's own system by its file number. Without
one the answer is: ask at the counter. What is issued again ends when the first one would have, at the latest, is
revoked together with it, and is not issued when it was.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from comity.credential import Status
from comity.errors import Code, ComityError, Conflict, Unreachable
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Deferred, Issued
from comity.openid.refusal import OAuthError, OAuthErrorCode
from issuer import catalog, deferring, granted, issuing, tokens
from issuer.authorities import Authority
from issuer.deployment import Deployment
from issuer.issuing import Checked, Intent
from issuer.secrecy import no_code
from issuer.store import Connection, credentials, offers
from issuer.store.credentials import Reservation
from issuer.store.offers import Offer, OfferState
from issuer.tokens import Access

MOST = 64
"""How often one offer's credentials are issued again; a wallet that asks more often is asked to come to the counter."""


async def request(
    deployment: Deployment, authority: Authority, access: Access, wanted: CredentialRequest
) -> Issued | Deferred:
    """Answer a credential request: the first time from the offer, then from the authority's own system.

    Raises:
        OAuthError: as :func:`issuer.deferring.request`; ``credential_request_denied`` where nobody but the counter can
            help; ``temporarily_unavailable`` when the authority's own system does not answer.
    """
    access = await granted.covering(deployment, authority, access, wanted)
    try:
        return await deferring.request(deployment, authority, access, wanted)
    except OAuthError as refusal:
        # Only a token that is bound to a key: with one that was overheard, others would be served for their own keys.
        if refusal.code is not Code.CODE_ALREADY_USED or access.offer.decision is not None or access.proof is None:
            raise
    checked = await issuing.examine(deployment, authority, access, wanted)
    claims = await _claims(deployment, access.offer)
    offer = _successor(deployment, access.offer, claims, int(checked.at.timestamp()))
    offer, reservation = await _reserve(deployment, authority, access, checked, offer)
    return await issuing.finish(deployment, authority, offer, checked, reservation)


async def _claims(deployment: Deployment, offer: Offer) -> Mapping[str, Any]:
    """Return today's claims of the record; they fit the type."""
    source = deployment.sources.get(offer.authority)
    if source is None or offer.record_reference is None:
        raise _at_the_counter()
    try:
        claims = await source.claims(offer.type.slug, offer.record_reference)
        catalog.check_claims(offer.type, claims)
    except Unreachable as error:
        raise OAuthError(error.code, error.detail, error=OAuthErrorCode.TEMPORARILY_UNAVAILABLE) from None
    except ComityError:
        raise _at_the_counter() from None
    return claims


def _successor(deployment: Deployment, offer: Offer, claims: Mapping[str, Any], now: int) -> Offer:
    """Return what the new records belong to: an offer that nobody can redeem, with the claims of today."""
    secrecy, offer_id = deployment.secrecy, credentials.new_id()
    try:
        ends_at = catalog.end_of_validity(offer.type, claims, None, issuing.instant(now))
    except ComityError:
        raise _at_the_counter() from None
    number, name = catalog.number_of(offer.type, claims), catalog.name_of(offer.type, claims)
    return replace(
        offer,
        id=offer_id,
        state=OfferState.REDEEMED,
        code_hash=no_code(),
        transaction_code_hash=None,
        sealed_claims=secrecy.seal(claims, offer_id),
        erase_at=now + deployment.limits.retry_seconds,
        number_index=secrecy.number_index(offer.authority, number) if number else None,
        name_index=secrecy.name_index(offer.authority, name) if name else None,
        credential_valid_until=min(offer.credential_valid_until, int(ends_at.timestamp())),
        created_at=now,
        expires_at=now,
        token_expires_at=None,
        token_key=None,
        renews=offer.renews or offer.id,
    )


async def _reserve(
    deployment: Deployment, authority: Authority, access: Access, checked: Checked, successor: Offer
) -> tuple[Offer, Reservation]:
    """Commit the intent to sign once more; a repetition for the same keys gets the records of the first time."""
    now, intent = int(checked.at.timestamp()), Intent.of(deployment, authority, access, checked)

    def reserve(connection: Connection) -> tuple[Offer, Reservation]:
        first = offers.by_token(
            connection, authority=authority.path, token_hash=access.token_hash, now=now, for_update=True
        )
        if first is None:
            raise tokens.refuse()
        tokens.use_up(connection, access.proof)
        if any(each is not Status.VALID for each in credentials.statuses_of_family(connection, first.id)):
            raise Conflict(Code.NOT_PERMITTED, "a copy of this credential is revoked or suspended")
        offer = credentials.renewal_of(connection, first.id, checked.entry.id, intent.digests, now=now)
        if offer is None:
            if offers.count_renewals(connection, first.id) >= MOST:
                raise Conflict(Code.NOT_PERMITTED, "this credential was issued too often; ask for it at the counter")
            offer = successor
            offers.save(connection, offer)
        return offer, intent.record(connection, offer, action="credential_reissued")

    return await issuing.reserved(deployment, reserve)


def _at_the_counter() -> OAuthError:
    detail = "the authority cannot issue this again by itself; ask for it at the counter"
    return OAuthError(Code.CODE_ALREADY_USED, detail, error=OAuthErrorCode.CREDENTIAL_REQUEST_DENIED)
