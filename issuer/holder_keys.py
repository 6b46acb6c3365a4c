"""To which keys credentials of one request are bound: what the wallet proves, and what is attested for it."""

from datetime import datetime

from comity.errors import Code
from comity.openid import key_proof
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.key_attestation import Rules
from comity.openid.key_proof import CheckedProof
from comity.openid.refusal import OAuthError, OAuthErrorCode
from issuer.authorities import Authority
from issuer.catalog import CatalogEntry
from issuer.deployment import Deployment


def examine(
    deployment: Deployment,
    authority: Authority,
    entry: CatalogEntry,
    request: CredentialRequest,
    *,
    most: int,
    client_id: str | None,
    at: datetime,
) -> tuple[CheckedProof, ...]:
    """Return the proven and attested keys of a request, all or nothing (OpenID4VCI §8.2, appendices D and F).

    With ``jwt`` proofs it is one for each proof, then one for each further key attested in them, as many as the offer
    allows; with a key attestation alone it is one for each attested key.

    Args:
        deployment: the deployment.
        authority: who issues.
        entry: what is asked for.
        request: the request.
        most: how many credentials the offer allows.
        client_id: to whom the access token was given; None for an anonymous client.
        at: the current instant.

    Raises:
        OAuthError: ``invalid_proof``, ``invalid_nonce``.
    """
    now = int(at.timestamp())
    request.require_proofs()
    if len(request.proofs) > most:
        raise _too_many(most)

    def is_good(nonce: str) -> bool:
        expiry = deployment.secrecy.nonce_expiry(authority.path, nonce)
        return expiry is not None and expiry > now

    rules = _rules(deployment, entry)
    if request.attestation is not None:
        found = key_proof.examine_attestation(request.attestation, rules=rules, at=at, check_nonce=is_good)
        if len(found) > most:
            raise _too_many(most)
        return found
    proven = key_proof.examine_all(
        request.proofs,
        audience=authority.issuer_id,
        at=at,
        check_nonce=is_good,
        client_id=client_id,
        rules=rules,
    )
    return key_proof.also_attested(proven, most=most)


def _rules(deployment: Deployment, entry: CatalogEntry) -> Rules | None:
    if not deployment.client_trust.attesters:
        return None
    return Rules(
        trusted=deployment.client_trust.attesters,
        demand=entry.configuration.key_attestation,
        most_keys=deployment.limits.batch_size,
    )


def _too_many(most: int) -> OAuthError:
    detail = f"at most {most} credentials can be had by this offer"
    return OAuthError(Code.BATCH_TOO_LARGE, detail, error=OAuthErrorCode.INVALID_PROOF)
