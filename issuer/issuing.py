"""Issuing: from a clerk's offer to a signed credential in a wallet.

Three durable commits per credential: the token, the intent (before any signature exists), the delivery.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from comity import jose, keys
from comity.credential import Credential, Format, SignedCredential, StatusEntry
from comity.errors import Code, ComityError, Conflict, Misconfigured
from comity.formats import FORMATS
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Issued
from comity.openid.issuance.notification import Notification
from comity.openid.key_proof import CheckedProof
from comity.openid.oauth import TokenRequest, TokenResponse
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.ports import Jwk
from comity.runtime import failpoints
from comity.status.status_list import REVOCATION, SUSPENSION
from issuer import catalog, clients, granted, holder_keys, tokens, wanted
from issuer.authorities import Authority
from issuer.catalog import CatalogEntry
from issuer.clients import Client
from issuer.deployment import Deployment
from issuer.granted import WALLET
from issuer.offering import event
from issuer.secrecy import hashed
from issuer.store import Connection, audit, authorizations, credentials, given, offers
from issuer.store.credentials import Reservation, Slot
from issuer.store.offers import Offer, Redemption
from issuer.tokens import Access, Proof

_Error = OAuthErrorCode
_ANYBODY = Client()


# --- tokens and nonces


async def exchange_code(
    deployment: Deployment,
    authority: Authority,
    request: TokenRequest,
    proof: Proof | None = None,
    client: Client = _ANYBODY,
) -> TokenResponse:
    """Exchange a pre-authorized code for an access token (OpenID4VCI §6), bound to the key of ``proof`` (RFC 9449 §5).

    Raises:
        OAuthError: ``invalid_request`` for a transaction code that is missing or not expected, ``invalid_grant`` for
            everything that is wrong with a code, ``invalid_dpop_proof`` for a proof that was used before,
            ``invalid_authorization_details`` for more than was offered.
            ``invalid_client_attestation`` or ``invalid_client`` for a proof of the client that was.
    """
    wanted.require_resource(authority, request.resource)
    narrowed = tuple(each.configuration_id for each in request.details)
    token, now = credentials.new_id() + credentials.new_id(), deployment.now()
    code_hash = hashed(request.pre_authorized_code)
    typed = request.tx_code
    typed_hash = None if typed is None else deployment.secrecy.transaction_code_hash(code_hash, typed)

    def redeem(connection: Connection) -> tuple[Redemption, str | None]:
        done = offers.redeem(
            connection,
            authority=authority.path,
            code_hash=code_hash,
            transaction_code_hash=typed_hash,
            token_hash=hashed(token),
            token_expires_at=now + deployment.limits.token_seconds,
            token_key=None if proof is None else proof.thumbprint,
            attempt_limit=deployment.limits.transaction_code_attempts,
            now=now,
        )
        if done[0] in _EFFECTIVE:
            tokens.use_up(connection, proof)
            clients.use_up(connection, client)
            offers.note_client(connection, hashed(token), client_id=client.client_id, client_key=client.key)
        if done[1] is not None and narrowed:  # refused, and with it undone, where it is more than was offered
            offer = offers.find(connection, done[1], now=now)
            wanted.require_subset(narrowed, offer.configuration_ids if offer else ())
            given.narrow(connection, done[1], narrowed)
        return done

    outcome, offer_id = await deployment.database.write(redeem)
    if offer_id is None:
        raise _REFUSED_CODE[outcome]
    limits = deployment.limits
    return TokenResponse(
        access_token=token,
        expires_in=limits.token_seconds,
        is_bound=proof is not None,
        granted=granted.identified(offer_id, narrowed),
    )


_EFFECTIVE = {Redemption.GRANTED, Redemption.TRANSACTION_CODE_WRONG, Redemption.CODE_DEAD}
"""What may have changed an offer, and so uses the proofs of the request up."""


def _refused_code(code: Code, detail: str, error: OAuthErrorCode = _Error.INVALID_GRANT) -> OAuthError:
    return OAuthError(code, detail, error=error)


_REFUSED_CODE: Mapping[Redemption, OAuthError] = {
    Redemption.CODE_UNKNOWN: _refused_code(Code.OFFER_UNKNOWN, "the pre-authorized code is not known"),
    Redemption.CODE_EXPIRED: _refused_code(Code.OFFER_EXPIRED, "the pre-authorized code has ended"),
    Redemption.CODE_USED: _refused_code(Code.CODE_ALREADY_USED, "the pre-authorized code was used before"),
    Redemption.CODE_DEAD: _refused_code(
        Code.TRANSACTION_CODE_ATTEMPTS_EXHAUSTED, "too many wrong transaction codes; ask for a new offer"
    ),
    Redemption.TRANSACTION_CODE_WRONG: _refused_code(Code.TRANSACTION_CODE_WRONG, "the transaction code is wrong"),
    Redemption.TRANSACTION_CODE_MISSING: _refused_code(
        Code.TRANSACTION_CODE_REQUIRED, "a transaction code is needed", _Error.INVALID_REQUEST
    ),
    Redemption.TRANSACTION_CODE_UNEXPECTED: _refused_code(
        Code.REQUEST_INVALID, "no transaction code is expected", _Error.INVALID_REQUEST
    ),
}


def new_nonce(deployment: Deployment, authority: Authority) -> str:
    """Return a nonce for key proofs (OpenID4VCI §7). Nothing is stored until it is used."""
    expires_at = deployment.now() + deployment.limits.nonce_seconds
    return deployment.secrecy.new_nonce(authority.path, expires_at=expires_at)


# --- credentials


async def issue(deployment: Deployment, authority: Authority, access: Access, request: CredentialRequest) -> Issued:
    """Issue what a token was given for, one credential for each key proof (OpenID4VCI §8).

    Raises:
        OAuthError: with the codes of OpenID4VCI §8.3.1.2 and RFC 6750. Nothing was changed then.
    """
    at = deployment.clock.now()
    offer = access.offer
    entry = granted.entry_of(
        deployment, offer, configuration_id=request.configuration_id, identifier=request.credential_identifier
    )
    if offer.credential_valid_until <= int(at.timestamp()):
        detail = "the credential has ended before it was fetched"
        raise OAuthError(Code.OFFER_EXPIRED, detail, error=_Error.CREDENTIAL_REQUEST_DENIED)
    now = int(at.timestamp())
    proofs = holder_keys.examine(
        deployment, authority, entry, request, most=offer.batch_size, client_id=offer.client_id, at=at
    )
    reservation, sealed = await _reserve(deployment, authority, access, entry, proofs=proofs, now=now)
    claims = deployment.secrecy.unseal(sealed, offer.id)
    issued_at, valid_until = _instant(reservation.issued_at), _instant(offer.credential_valid_until)
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
        for proof, slot in zip(proofs, reservation.slots, strict=True)
    )
    failpoints.reach("credential.signed")
    await _deliver(deployment, offer, reservation, now)
    return Issued(credentials=tuple(each.encoded for each in signed), notification_id=reservation.notification_id)


async def _reserve(
    deployment: Deployment,
    authority: Authority,
    access: Access,
    entry: CatalogEntry,
    *,
    proofs: tuple[CheckedProof, ...],
    now: int,
) -> tuple[Reservation, bytes]:
    """Commit the intent to sign, before any signature exists; return it with the sealed claims."""
    token_hash, secrecy = access.token_hash, deployment.secrecy
    digests = [secrecy.holder_digest(token_hash, entry.id, proof.thumbprint) for proof in proofs]
    nonces = {hashed(nonce): now + deployment.limits.nonce_seconds for proof in proofs for nonce in proof.nonces}

    def reserve(connection: Connection) -> tuple[Reservation, bytes]:
        offer = offers.by_token(connection, authority=authority.path, token_hash=token_hash, now=now, for_update=True)
        if offer is None:
            raise tokens.refuse()
        tokens.use_up(connection, access.proof)
        if offer.sealed_claims is None:
            raise Conflict(Code.CODE_ALREADY_USED, "the claims of this offer are erased already; ask for a new offer")
        reservation = credentials.reserve(
            connection,
            offer,
            configuration_id=entry.id,
            credential_format=entry.format,
            holder_digests=digests,
            nonce_digests=nonces,
            now=now,
        )
        if reservation.is_new:
            audit.record(connection, event(offer, "credential_issued", actor=WALLET, at=now))
        return reservation, offer.sealed_claims

    try:
        return await deployment.database.write(reserve)
    except Conflict as error:
        if error.code is Code.STATUS_LISTS_FULL:
            deployment.publisher.wake()  # it opens new lists
        raise OAuthError(error.code, error.detail, error=_ERROR_OF_CONFLICT[error.code]) from None


_ERROR_OF_CONFLICT: Mapping[Code, OAuthErrorCode] = {
    Code.NONCE_INVALID: _Error.INVALID_NONCE,
    Code.CODE_ALREADY_USED: _Error.CREDENTIAL_REQUEST_DENIED,
    Code.STATUS_LISTS_FULL: _Error.TEMPORARILY_UNAVAILABLE,
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
    signer = authority.credential_signer if is_sd_jwt else authority.did_signer
    key = authority.credential_chain if is_sd_jwt else authority.credential_kid
    signed = FORMATS[entry.format].sign(credential, signer, key)
    try:
        jose.verify(jose.parse(signed.encoded.partition("~")[0]), keys.public_key(signer.public_jwk))
    except ComityError:
        raise Misconfigured(Code.SIGNATURE_INVALID, "a credential was signed by another key than named") from None
    return signed


async def _deliver(deployment: Deployment, offer: Offer, reservation: Reservation, now: int) -> None:
    def deliver(connection: Connection) -> None:
        credentials.mark_delivered(connection, reservation.issuance_id, now=now)
        offers.erase_after(connection, offer.id, at=now + deployment.limits.retry_seconds)

    await deployment.database.write(deliver)


async def notify(deployment: Deployment, access: Access, notification: Notification) -> None:
    """Keep what the wallet says became of its credentials (OpenID4VCI §11); saying it again changes nothing.

    Raises:
        OAuthError: ``invalid_notification_id``, ``invalid_dpop_proof`` for a proof that was used before.
    """

    def note(connection: Connection) -> bool:
        notification_id, told = notification.notification_id, notification.event.value
        known = credentials.note_event(connection, access.offer.id, notification_id, told)
        if known:
            tokens.use_up(connection, access.proof)
        return known

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


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
