"""Issuing: from a clerk's offer to a signed credential in a wallet.

Three durable commits per credential: the token (:mod:`issuer.redeeming` and others), the intent (before any signature
exists), the delivery.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import Struct

from comity import jose, keys
from comity.credential import Credential, Format, SignedCredential, StatusEntry
from comity.errors import Code, ComityError, Conflict, Misconfigured
from comity.formats import FORMATS
from comity.openid import key_attestation
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Issued
from comity.openid.issuance.notification import Notification
from comity.openid.key_proof import CheckedProof
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.ports import Jwk
from comity.runtime import failpoints
from comity.status.status_list import REVOCATION, SUSPENSION
from issuer import catalog, granted, holder_keys, tokens
from issuer.authorities import Authority
from issuer.catalog import CatalogEntry
from issuer.deployment import Deployment
from issuer.granted import WALLET
from issuer.offering import event
from issuer.secrecy import hashed
from issuer.store import Connection, audit, authorizations, credentials, deferrals, offers, webhooks
from issuer.store.credentials import Noted, Reservation, Slot
from issuer.store.offers import Offer
from issuer.store.open_lists import OpenLists
from issuer.tokens import Access

_Error = OAuthErrorCode
Found = TypeVar("Found")


# --- nonces


def new_nonce(deployment: Deployment, authority: Authority) -> str:
    """Return a nonce for key proofs (OpenID4VCI §7). Nothing is stored until it is used."""
    expires_at = deployment.now() + deployment.limits.nonce_seconds
    return deployment.secrecy.new_nonce(authority.path, expires_at=expires_at)


# --- credentials


class Checked(Struct, frozen=True, kw_only=True):
    """A request that may be answered: for which configuration and keys, judged at which instant."""

    entry: CatalogEntry
    proofs: tuple[CheckedProof, ...]
    at: datetime


async def examine(deployment: Deployment, authority: Authority, access: Access, request: CredentialRequest) -> Checked:
    """Judge a credential request (OpenID4VCI §8.2); nothing is changed.

    Raises:
        OAuthError: with the codes of OpenID4VCI §8.3.1.2 and RFC 6750; ``temporarily_unavailable`` where it cannot be
            looked up whether a key attestation was taken back.
    """
    at = deployment.clock.now()
    offer = access.offer
    entry = granted.entry_of(
        deployment, offer, configuration_id=request.configuration_id, identifier=request.credential_identifier
    )
    proofs = holder_keys.examine(
        deployment, authority, entry, request, most=offer.batch_size, client_id=offer.client_id, at=at
    )
    places = (each.attestation_status for each in proofs)
    await deployment.attestation_status.require_valid(places, key_attestation.refuse_status)
    return Checked(entry=entry, proofs=proofs, at=at)


async def complete(deployment: Deployment, authority: Authority, access: Access, checked: Checked) -> Issued:
    """Issue what was judged, one credential for each key.

    Raises:
        OAuthError: with the codes of OpenID4VCI §8.3.1.2 and RFC 6750. Nothing was changed then.
    """
    if access.offer.credential_valid_until <= int(checked.at.timestamp()):
        detail = "the credential has ended before it was fetched"
        raise OAuthError(Code.OFFER_EXPIRED, detail, error=_Error.CREDENTIAL_REQUEST_DENIED)
    reservation, locked = await _reserve(deployment, authority, access, checked)
    return await finish(deployment, authority, locked, checked, reservation)


async def finish(
    deployment: Deployment, authority: Authority, offer: Offer, checked: Checked, reservation: Reservation
) -> Issued:
    """Sign what was reserved for an offer, and note that it left."""
    entry = checked.entry
    if offer.sealed_claims is None:
        detail = "the claims of this offer are erased already; ask for a new offer"
        raise OAuthError(Code.CODE_ALREADY_USED, detail, error=_Error.CREDENTIAL_REQUEST_DENIED)
    claims = deployment.secrecy.unseal(offer.sealed_claims, offer.id)
    issued_at, valid_until = instant(reservation.issued_at), instant(offer.credential_valid_until)
    signed = tuple(
        sign(
            authority,
            entry,
            claims,
            holder_jwk=proof.jwk,
            slot=slot,
            issued_at=issued_at,
            valid_until=valid_until,
        )
        for proof, slot in zip(checked.proofs, reservation.slots, strict=True)
    )
    failpoints.reach("credential.signed")
    await _deliver(deployment, offer, entry, reservation, int(checked.at.timestamp()))
    return Issued(credentials=tuple(each.encoded for each in signed), notification_id=reservation.notification_id)


def digests_of(deployment: Deployment, access: Access, checked: Checked) -> tuple[str, ...]:
    """Return what recognises the holder keys of a request on its repetition."""
    digest, token_hash = deployment.secrecy.holder_digest, access.token_hash
    return tuple(digest(token_hash, checked.entry.id, proof.thumbprint) for proof in checked.proofs)


def nonces_of(deployment: Deployment, checked: Checked) -> dict[str, int]:
    """Return the nonces of a request by their hashes, each with the second until which it must be remembered."""
    until = int(checked.at.timestamp()) + deployment.limits.nonce_seconds
    return {hashed(nonce): until for proof in checked.proofs for nonce in proof.nonces}


class Intent(Struct, frozen=True, kw_only=True):
    """What is to be signed, as it is recorded before any signature exists."""

    entry: CatalogEntry
    digests: tuple[str, ...]
    nonces: Mapping[str, int]
    signed_by: str
    open_lists: OpenLists
    at: int

    @classmethod
    def of(cls, deployment: Deployment, authority: Authority, access: Access, checked: Checked) -> "Intent":
        """Return the intent to answer a request that was judged."""
        return cls(
            entry=checked.entry,
            digests=digests_of(deployment, access, checked),
            nonces=nonces_of(deployment, checked),
            signed_by=authority.signer_of(checked.entry.format).thumbprint,
            open_lists=deployment.open_lists,
            at=int(checked.at.timestamp()),
        )

    def record(self, connection: Connection, offer: Offer, *, action: str) -> Reservation:
        """Reserve a place for each key; a repetition for the same keys gets the places of the first time.

        Raises:
            Conflict: as :func:`issuer.store.credentials.reserve`.
        """
        reservation = credentials.reserve(
            connection,
            offer,
            configuration_id=self.entry.id,
            credential_format=self.entry.format,
            holder_digests=self.digests,
            nonce_digests=self.nonces,
            signed_by=self.signed_by,
            open_lists=self.open_lists,
            now=self.at,
        )
        if reservation.is_new:
            audit.record(connection, event(offer, action, actor=WALLET, at=self.at))
        return reservation


async def _reserve(
    deployment: Deployment, authority: Authority, access: Access, checked: Checked
) -> tuple[Reservation, Offer]:
    """Commit the intent to sign, before any signature exists; return it with the offer as it stands then."""
    token_hash, now = access.token_hash, int(checked.at.timestamp())
    intent = Intent.of(deployment, authority, access, checked)

    def reserve(connection: Connection) -> tuple[Reservation, Offer]:
        offer = offers.by_token(connection, authority=authority.path, token_hash=token_hash, now=now, for_update=True)
        if offer is None:
            raise tokens.refuse()
        tokens.use_up(connection, access.proof)
        deferrals.require_released(connection, offer, checked.entry.id, intent.digests)
        if offer.sealed_claims is None:
            raise Conflict(Code.CODE_ALREADY_USED, "the claims of this offer are erased already; ask for a new offer")
        return intent.record(connection, offer, action="credential_issued"), offer

    return await reserved(deployment, reserve)


async def reserved(deployment: Deployment, reserve: Callable[[Connection], Found]) -> Found:
    """Run a transaction that reserves places in status lists; a conflict becomes the protocol's refusal.

    Raises:
        OAuthError: see :func:`refusal_of`.
    """
    try:
        return await deployment.database.write(reserve)
    except Conflict as error:
        if error.code is Code.STATUS_LISTS_FULL:
            deployment.publisher.wake()  # it opens new lists
        raise refusal_of(error) from None


def refusal_of(error: Conflict) -> OAuthError:
    """Return the protocol's refusal for a conflict that the store found."""
    return OAuthError(error.code, error.detail, error=_ERROR_OF_CONFLICT[error.code])


_ERROR_OF_CONFLICT: Mapping[Code, OAuthErrorCode] = {
    Code.NONCE_INVALID: _Error.INVALID_NONCE,
    Code.CODE_ALREADY_USED: _Error.CREDENTIAL_REQUEST_DENIED,
    Code.STATUS_LISTS_FULL: _Error.TEMPORARILY_UNAVAILABLE,
    Code.NOT_PERMITTED: _Error.CREDENTIAL_REQUEST_DENIED,
}


def sign(
    authority: Authority,
    entry: CatalogEntry,
    claims: Mapping[str, Any],
    *,
    holder_jwk: Jwk,
    slot: Slot,
    issued_at: datetime,
    valid_until: datetime,
) -> SignedCredential:
    """Sign one credential for one holder key, and verify the signature before anybody sees it.

    Raises:
        Misconfigured: ``signature_invalid``: the key store signed with another key than it names.
    """
    uri, is_sd_jwt = authority.list_uri(slot.list_number), entry.format is Format.DC_SD_JWT
    purposes = (None,) if is_sd_jwt else (REVOCATION, SUSPENSION)
    credential = Credential(
        issuer=authority.issuer_id if is_sd_jwt else authority.did,
        type=entry.type,
        claims=claims,
        disclosable=catalog.disclosable(entry.type),
        holder_jwk=holder_jwk,
        issued_at=issued_at,
        valid_from=issued_at,
        valid_until=valid_until,
        status=tuple(
            StatusEntry(list_uri=uri if purpose is None else f"{uri}/{purpose}", index=slot.index, purpose=purpose)
            for purpose in purposes
        ),
    )
    signer = authority.signer_of(entry.format)
    key = authority.credential_chain if is_sd_jwt else authority.credential_kid
    signed = FORMATS[entry.format].sign(credential, signer, key)
    try:
        jose.verify(jose.parse(signed.encoded.partition("~")[0]), keys.public_key(signer.public_jwk))
    except ComityError:
        raise Misconfigured(Code.SIGNATURE_INVALID, "a credential was signed by another key than named") from None
    return signed


async def _deliver(
    deployment: Deployment, offer: Offer, entry: CatalogEntry, reservation: Reservation, now: int
) -> None:
    def deliver(connection: Connection) -> None:
        if credentials.mark_delivered(connection, reservation.issuance_id, now=now):
            webhooks.tell_collected(connection, authority=offer.authority, offer_id=offer.id, at=now)
        if offer.decision is not None:
            deferrals.mark_delivered(connection, offer.id, entry.id, now=now)
        offers.erase_after(connection, offer.id, at=now + deployment.limits.retry_seconds)

    await deployment.database.write(deliver)


async def notify(deployment: Deployment, access: Access, notification: Notification) -> None:
    """Keep what the wallet says became of its credentials (OpenID4VCI §11); saying it again changes nothing.

    Raises:
        OAuthError: ``invalid_notification_id``, ``invalid_dpop_proof`` for a proof that was used before.
    """
    now = deployment.now()

    def note(connection: Connection) -> bool:
        notification_id, told = notification.notification_id, notification.event.value
        noted = credentials.note_event(connection, access.offer.id, notification_id, told)
        if noted is not Noted.UNKNOWN:
            tokens.use_up(connection, access.proof)
        if noted is Noted.NEW:
            audit.record(connection, event(access.offer, told, actor=WALLET, at=now))
        return noted is not Noted.UNKNOWN

    if not await deployment.database.write(note):
        detail = "the notification id is not one of this access token"
        raise OAuthError(Code.REQUEST_INVALID, detail, error=_Error.INVALID_NOTIFICATION_ID)


async def erase_due(deployment: Deployment) -> int:
    """Erase claims whose time has come, and sign-ins that are over; return of how many offers."""
    now = deployment.now()

    def erase(connection: Connection) -> int:
        authorizations.forget_due(connection, now=now)
        return offers.erase_due(connection, now=now)

    return await deployment.database.write(erase)


def instant(seconds: int) -> datetime:
    """Return an instant of the store in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC)
