"""What a person's sign-in gives: an offer with the claims of that person's file, and the token that is good for it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from comity.errors import Code
from comity.openid.oauth import GrantedConfiguration, TokenResponse
from comity.openid.refusal import OAuthError, OAuthErrorCode
from issuer import catalog
from issuer.authorities import Authority
from issuer.catalog import CatalogEntry
from issuer.deployment import Deployment
from issuer.secrecy import hashed
from issuer.store import audit, credentials
from issuer.store.authorizations import Authorization
from issuer.store.offers import Offer, OfferState
from issuer.tokens import Proof

WALLET, PERSON = "wallet", "person"
"""The actors of what wallets and people at their browser do."""


async def draft(
    deployment: Deployment,
    authority: Authority,
    found: Authorization,
    *,
    offer_id: str,
    configuration_ids: Sequence[str],
) -> Offer:
    """Return the offer of what the signed-in person's file says now; nothing is stored.

    Raises:
        NotFound: the authority has no such record for this type.
        Malformed: ``claims_invalid``: what its source said does not fit the type, or has ended.
        Unreachable: the authority's own system does not answer.
    """
    reference = found.record_reference or ""
    entries = [deployment.catalogs[authority.path][each] for each in configuration_ids]
    credential_type = entries[0].type
    claims = await deployment.sources[authority.path].claims(credential_type.slug, reference)
    catalog.check_claims(credential_type, claims)
    now = deployment.now()
    ends_at = catalog.end_of_validity(credential_type, claims, None, datetime.fromtimestamp(now, tz=UTC))
    secrecy, limits = deployment.secrecy, deployment.limits
    number, name = catalog.number_of(credential_type, claims), catalog.name_of(credential_type, claims)
    return Offer(
        id=offer_id,
        authority=authority.path,
        type=credential_type,
        configuration_ids=tuple(configuration_ids),
        batch_size=limits.batch_size,
        state=OfferState.APPROVED,
        code_hash=no_code(),
        transaction_code_hash=None,
        sealed_claims=secrecy.seal(claims, offer_id),
        erase_at=now + limits.code_seconds,
        record_reference=reference,
        number_index=secrecy.number_index(authority.path, number) if number else None,
        name_index=secrecy.name_index(authority.path, name) if name else None,
        credential_valid_until=int(ends_at.timestamp()),
        created_at=now,
        expires_at=now + limits.code_seconds,
        by_sign_in=True,
        authorization_id=found.id,
        identified_ids=tuple(each for each in found.identified_ids if each in configuration_ids),
    )


def new_secret() -> str:
    """Return 256 random bits as text, for codes and tokens."""
    return credentials.new_id() + credentials.new_id()


def no_code() -> str:
    """Return what stands where the hash of a pre-authorized code would: the hash of something that nobody knows."""
    return hashed(new_secret())


def token_response(
    deployment: Deployment,
    offer_id: str,
    token: str,
    proof: Proof | None,
    *,
    configuration_ids: Sequence[str],
    identified_ids: Sequence[str],
    refresh_token: str | None,
) -> TokenResponse:
    """Return the answer of the token endpoint (RFC 6749 §5.1, OpenID4VCI §6.2)."""
    scopes = [each for each in configuration_ids if each not in identified_ids]
    return TokenResponse(
        access_token=token,
        expires_in=deployment.limits.token_seconds,
        is_bound=proof is not None,
        refresh_token=refresh_token,
        scope=" ".join(scopes) or None,
        granted=identified(offer_id, identified_ids),
    )


def identified(offer_id: str, configuration_ids: Sequence[str]) -> tuple[GrantedConfiguration, ...]:
    """Return the credential identifiers of a token, one for each configuration (OpenID4VCI §6.2)."""
    return tuple(
        GrantedConfiguration(configuration_id=each, credential_identifiers=(identifier_of(offer_id, each),))
        for each in configuration_ids
    )


def identifier_of(offer_id: str, configuration_id: str) -> str:
    """Return the credential identifier of a configuration; of no use with the token of anybody else (I10)."""
    return f"{configuration_id}:{offer_id}"


def entry_of(
    deployment: Deployment, offer: Offer, *, configuration_id: str | None, identifier: str | None
) -> CatalogEntry:
    """Return the configuration that a credential request asks for, if the token covers it (OpenID4VCI §8.2, VCI-40).

    Exactly one of the two is given. Where identifiers were given out they are the only way to ask.

    Raises:
        OAuthError: ``unknown_credential_identifier``, ``unknown_credential_configuration``, ``insufficient_scope``,
            ``invalid_credential_request``.
    """
    if identifier is not None:
        known = {identifier_of(offer.id, each): each for each in offer.identified_ids}
        if identifier not in known:
            detail = "this credential identifier is not one of this access token"
            code = OAuthErrorCode.UNKNOWN_CREDENTIAL_IDENTIFIER
            raise OAuthError(Code.CREDENTIAL_CONFIGURATION_UNKNOWN, detail, error=code)
        return deployment.catalogs[offer.authority][known[identifier]]
    entry = deployment.catalogs[offer.authority].get(configuration_id or "")
    if entry is None:
        detail = "this issuer has no such credential configuration"
        code = OAuthErrorCode.UNKNOWN_CREDENTIAL_CONFIGURATION
        raise OAuthError(Code.CREDENTIAL_CONFIGURATION_UNKNOWN, detail, error=code)
    if entry.id not in offer.configuration_ids:
        detail = "the access token is for another credential"
        raise OAuthError(Code.NOT_PERMITTED, detail, error=OAuthErrorCode.INSUFFICIENT_SCOPE)
    if entry.id in offer.identified_ids:
        detail = "a credential identifier was given out for this; ask by it"
        raise OAuthError(Code.REQUEST_INVALID, detail, error=OAuthErrorCode.INVALID_CREDENTIAL_REQUEST)
    return entry


def event(found: Authorization, action: str, *, actor: str, at: int) -> audit.Event:
    """Return the line of the audit log that tells of an authorization."""
    return audit.Event(at=at, actor=actor, action=action, authority=found.authority, subject=found.id)
