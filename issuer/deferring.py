"""Deferring: a credential that somebody has yet to decide about (OpenID4VCI 1.0 §9, decision record 0025).

The key proof of the first request is checked and pins the holder keys; what is kept until the decision is those keys,
sealed. Nothing is signed and no place in a status list is taken before an operator approves.
"""

import hmac

from comity import keys, strict_json
from comity.errors import Code, Conflict
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Deferred, Issued
from comity.openid.issuance.deferred import DeferredRequest
from comity.openid.key_proof import CheckedProof
from comity.openid.refusal import OAuthError, OAuthErrorCode
from issuer import issuing, tokens
from issuer.authorities import Authority
from issuer.catalog import CatalogEntry
from issuer.deployment import Deployment
from issuer.granted import WALLET
from issuer.issuing import Checked
from issuer.offering import event
from issuer.store import Connection, audit, deferrals, offers
from issuer.store.deferrals import Deferral
from issuer.store.offers import Decision, Offer
from issuer.tokens import Access


async def request(
    deployment: Deployment, authority: Authority, access: Access, wanted: CredentialRequest
) -> Issued | Deferred:
    """Answer a credential request: with credentials, or with a transaction id while the decision is open (§8.3).

    Raises:
        OAuthError: as :func:`issuer.issuing.issue`; ``credential_request_denied`` once it was decided against.
    """
    checked = await issuing.examine(deployment, authority, access, wanted)
    if access.offer.decision is Decision.DENIED:
        raise _denied()
    if access.offer.decision is not Decision.WAITING:
        return await issuing.complete(deployment, authority, access, checked)
    await _keep(deployment, authority, access, checked)
    return _later(deployment, access.offer, checked.entry.id)


async def collect(
    deployment: Deployment, authority: Authority, access: Access, wanted: DeferredRequest
) -> Issued | Deferred:
    """Answer a deferred credential request (§9): the same id until the credentials are delivered, and never after.

    Raises:
        OAuthError: ``invalid_transaction_id`` for an id that is not this token's or was delivered;
            ``credential_request_denied``.
    """
    offer = access.offer
    entry = _entry_of(deployment, offer, wanted.transaction_id)
    found = None
    if entry is not None:
        configuration_id = entry.id
        found = await deployment.database.read(
            lambda connection: deferrals.find(connection, offer.id, configuration_id)
        )
    if entry is None or found is None or found.delivered_at is not None:
        detail = "the transaction id is not one of this access token, or its credentials were delivered"
        raise OAuthError(Code.REQUEST_INVALID, detail, error=OAuthErrorCode.INVALID_TRANSACTION_ID)
    if offer.decision is Decision.WAITING:
        return _later(deployment, offer, entry.id)
    if offer.decision is not Decision.APPROVED or found.sealed_keys is None:
        raise _denied()
    checked = Checked(entry=entry, proofs=_kept_proofs(deployment, found), at=deployment.clock.now())
    return await issuing.complete(deployment, authority, access, checked)


async def waiting(deployment: Deployment, authority: str) -> tuple[Offer, ...]:
    """Return the offers of an authority that wait for a decision, the oldest first; at most a hundred."""
    now = deployment.now()
    return await deployment.database.read(lambda connection: deferrals.waiting(connection, authority, now=now))


async def decide(deployment: Deployment, offer: Offer, decision: Decision, *, actor: str) -> None:
    """Approve or deny what an offer waits for; deciding the same again changes nothing.

    Raises:
        Conflict: ``status_change_not_allowed``: nothing is to be decided, it was decided otherwise, or it is over.
    """
    now = deployment.now()

    def apply(connection: Connection) -> Offer | None:
        if offers.decide(connection, offer.id, decision):
            if decision is Decision.DENIED:
                deferrals.erase_keys(connection, offer.id)
            audit.record(connection, event(offer, f"offer_{decision}", actor=actor, at=now))
        return offers.find(connection, offer.id, now=now)

    decided = await deployment.database.write(apply)
    if decided is None or decided.decision is not decision:
        raise Conflict(Code.STATUS_CHANGE_NOT_ALLOWED, "this offer waits for no decision, or for none any more")


async def _keep(deployment: Deployment, authority: Authority, access: Access, checked: Checked) -> None:
    """Commit that these keys wait for this configuration."""
    now = int(checked.at.timestamp())
    offer_id, configuration_id = access.offer.id, checked.entry.id
    jwks = strict_json.serialise([dict(proof.jwk) for proof in checked.proofs])
    kept = Deferral(
        offer_id=offer_id,
        configuration_id=configuration_id,
        holder_digests=issuing.digests_of(deployment, access, checked),
        sealed_keys=deployment.secrecy.seal_holder_keys(jwks, offer_id, configuration_id),
        created_at=now,
    )

    def record(connection: Connection) -> None:
        offer = offers.by_token(
            connection, authority=authority.path, token_hash=access.token_hash, now=now, for_update=True
        )
        if offer is None:
            raise tokens.refuse()
        tokens.use_up(connection, access.proof)
        if deferrals.record(connection, kept, issuing.nonces_of(deployment, checked)):
            audit.record(connection, event(offer, "credential_deferred", actor=WALLET, at=now))

    try:
        await deployment.database.write(record)
    except Conflict as error:
        raise issuing.refusal_of(error) from None


def _kept_proofs(deployment: Deployment, found: Deferral) -> tuple[CheckedProof, ...]:
    """Return the proofs that were checked when the request came, by the keys that were kept of them."""
    sealed = found.sealed_keys or b""
    opened = deployment.secrecy.unseal_holder_keys(sealed, found.offer_id, found.configuration_id)
    return tuple(
        CheckedProof(jwk=jwk, thumbprint=keys.thumbprint(jwk), nonce=None, issued_at=issuing.instant(found.created_at))
        for jwk in strict_json.parse(opened)
    )


def _entry_of(deployment: Deployment, offer: Offer, transaction_id: str) -> CatalogEntry | None:
    """Return the configuration that the token's offer has under this id; the ids are derived, not stored."""
    given = transaction_id.encode("utf-8", "replace")
    for configuration_id in offer.configuration_ids:
        own = deployment.secrecy.transaction_id(offer.id, configuration_id)
        if hmac.compare_digest(own.encode(), given):
            return deployment.catalogs[offer.authority].get(configuration_id)
    return None


def _later(deployment: Deployment, offer: Offer, configuration_id: str) -> Deferred:
    return Deferred(
        transaction_id=deployment.secrecy.transaction_id(offer.id, configuration_id),
        interval=deployment.limits.deferred_interval_seconds,
    )


def _denied() -> OAuthError:
    detail = "the authority has decided not to issue this credential"
    return OAuthError(Code.NOT_PERMITTED, detail, error=OAuthErrorCode.CREDENTIAL_REQUEST_DENIED)
