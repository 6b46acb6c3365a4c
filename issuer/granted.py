"""What a person's sign-in gives: offers with the claims of that person's file, and the token that is good for them.

There is one offer for each credential type, so that claims, records, renewals and erasure are those of any other
offer. One access token stands for all of them: the first is found by the hash of the token, each other one by a hash
that is made of it and of the type.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from comity.credential import CredentialType
from comity.errors import Code, NotFound
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.oauth import GrantedConfiguration, TokenResponse
from comity.openid.refusal import OAuthError, OAuthErrorCode
from issuer import catalog
from issuer.authorities import Authority
from issuer.catalog import CatalogEntry
from issuer.clients import Client
from issuer.deployment import Deployment
from issuer.secrecy import hashed, no_code
from issuer.store import Connection, audit, credentials, given, offers
from issuer.store.authorizations import Authorization
from issuer.store.offers import Offer, OfferState
from issuer.tokens import Access, Proof

WALLET, PERSON = "wallet", "person"
"""The actors of what wallets and people at their browser do."""


class Grant(Struct, frozen=True, kw_only=True):
    """What a token gives of one offer.

    Attributes:
        named_after: what its credential identifiers name; see :func:`root_of`.
        configuration_ids: what it is for.
        identified_ids: which of it is asked for by a credential identifier.
    """

    named_after: str
    configuration_ids: tuple[str, ...]
    identified_ids: tuple[str, ...]


async def drafts(
    deployment: Deployment,
    authority: Authority,
    found: Authorization,
    *,
    offer_id: str,
    configuration_ids: Sequence[str],
) -> tuple[Offer, ...]:
    """Return one offer for each type among what is asked for; ``offer_id`` is the first one's. Nothing is stored.

    What is asked for is given as a whole: a person who has no record for one of the types gets none.

    Raises:
        NotFound: ``credential_type_unknown``: the authority gave one of them up since it was asked for.
        NotFound, Malformed, Unreachable: as :func:`draft`.
    """
    entries = deployment.catalogs[authority.path]
    if authority.path not in deployment.sources or not set(configuration_ids) <= set(entries):
        raise NotFound(Code.CREDENTIAL_TYPE_UNKNOWN, "the authority does not issue this any more")
    types = dict.fromkeys(entries[each].type for each in configuration_ids)
    made: list[Offer] = []
    for credential_type in types:
        own = [each for each in configuration_ids if entries[each].type == credential_type]
        named = credentials.new_id() if made else offer_id
        made.append(await draft(deployment, authority, found, offer_id=named, configuration_ids=own))
    return tuple(made)


async def draft(
    deployment: Deployment,
    authority: Authority,
    found: Authorization,
    *,
    offer_id: str,
    configuration_ids: Sequence[str],
) -> Offer:
    """Return the offer of what the signed-in person's file says now about one type; nothing is stored.

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


def token_response(
    deployment: Deployment, token: str, proof: Proof | None, *, grants: Sequence[Grant], refresh_token: str | None
) -> TokenResponse:
    """Return the answer of the token endpoint (RFC 6749 §5.1, OpenID4VCI §6.2)."""
    scopes = [id_ for each in grants for id_ in each.configuration_ids if id_ not in each.identified_ids]
    return TokenResponse(
        access_token=token,
        expires_in=deployment.limits.token_seconds,
        is_bound=proof is not None,
        refresh_token=refresh_token,
        scope=" ".join(scopes) or None,
        granted=tuple(named for each in grants for named in identified(each.named_after, each.identified_ids)),
    )


def give(
    connection: Connection,
    found: Authorization,
    client: Client,
    token_hash: str,
    *,
    key: str | None,
    expires_at: int,
    ids: Sequence[str],
    identified: Sequence[str],
) -> tuple[Grant, ...]:
    """Let one token stand for every offer that was approved; what the wallet does not want after all is withdrawn.

    Returns what was given; nothing when every offer was withdrawn meanwhile.
    """
    grants: list[Grant] = []
    for offer in given.approved_of(connection, found.id):
        own = tuple(each for each in ids if each in offer.configuration_ids)
        if not own:
            offers.cancel(connection, offer.id)
            continue
        named = tuple(each for each in identified if each in own)
        part = part_hash(token_hash, offer.type) if grants else token_hash
        given.give_token(
            connection,
            offer.id,
            token_hash=part,
            token_key=key,
            token_expires_at=expires_at,
            configuration_ids=own,
            identified_ids=named,
        )
        offers.note_client(connection, part, client_id=client.client_id, client_key=client.key)
        grants.append(Grant(named_after=root_of(offer), configuration_ids=own, identified_ids=named))
    return tuple(grants)


def part_hash(token_hash: str, credential_type: CredentialType) -> str:
    """Return what recognises a token in the offer of a further type.

    Of no use as a token, and neither is what it is made of: no token that is shown holds a space.
    """
    return hashed(f"{token_hash} {credential_type.slug}/{credential_type.version}")


async def covering(deployment: Deployment, authority: Authority, access: Access, request: CredentialRequest) -> Access:
    """Return the access with the offer that a request falls under, where the token is for several types.

    As it is where the token covers nothing of the kind: then :func:`entry_of` refuses.
    """
    wanted = request.configuration_id or (request.credential_identifier or "").rpartition(":")[0]
    entry = deployment.catalogs[authority.path].get(wanted)
    if entry is None or entry.type == access.offer.type or access.offer.authorization_id is None:
        return access
    token_hash, now = part_hash(access.token_hash, entry.type), deployment.now()
    offer = await deployment.database.read(
        lambda connection: offers.by_token(connection, authority=authority.path, token_hash=token_hash, now=now)
    )
    return access if offer is None else replace(access, token_hash=token_hash, offer=offer)


def root_of(offer: Offer) -> str:
    """Return what credential identifiers name: the sign-in, or the offer where nobody signed in.

    Each refreshed token has an offer of its own; wallets keep the identifiers of the first answer.
    """
    return offer.authorization_id or offer.id


def identified(root: str, configuration_ids: Sequence[str]) -> tuple[GrantedConfiguration, ...]:
    """Return the credential identifiers of a token, one for each configuration (OpenID4VCI §6.2)."""
    return tuple(
        GrantedConfiguration(configuration_id=each, credential_identifiers=(identifier_of(root, each),))
        for each in configuration_ids
    )


def identifier_of(root: str, configuration_id: str) -> str:
    """Return the credential identifier of a configuration; of no use with the token of anybody else (I10)."""
    return f"{configuration_id}:{hashed(f'{root} {configuration_id}')}"


def entry_of(
    deployment: Deployment, offer: Offer, *, configuration_id: str | None, identifier: str | None
) -> CatalogEntry:
    """Return the configuration that a credential request asks for, if the token covers it (OpenID4VCI §8.2, VCI-40).

    Exactly one of the two is given. Where identifiers were given out they are the only way to ask.

    Raises:
        OAuthError: ``unknown_credential_identifier``, ``unknown_credential_configuration``, ``insufficient_scope``,
            ``invalid_credential_request``.
    """
    catalog_ = deployment.catalogs[offer.authority]
    if identifier is not None:
        known = {identifier_of(root_of(offer), each): catalog_.get(each) for each in offer.identified_ids}
        if (named := known.get(identifier)) is None:
            detail = "this credential identifier is not one of this access token"
            code = OAuthErrorCode.UNKNOWN_CREDENTIAL_IDENTIFIER
            raise OAuthError(Code.CREDENTIAL_CONFIGURATION_UNKNOWN, detail, error=code)
        return named
    entry = catalog_.get(configuration_id or "")
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
