"""What an authorization request asks for, and whether this authority has it (OpenID4VCI 1.0 §5.1, VCI-20).

One authorization may be for several credential types, each in one or more formats; a clerk's offer is for one type.
"""

from collections.abc import Sequence

from msgspec import Struct

from comity.errors import Code, Denied
from comity.openid.authorization import AuthorizationRequest
from comity.openid.authorization_details import CredentialDetail
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from issuer.authorities import Authority
from issuer.deployment import Deployment
from issuer.store import offers
from issuer.store.authorizations import Authorization
from issuer.store.offers import Offer, OfferState

_SCOPE = Refusal(code=Code.CREDENTIAL_CONFIGURATION_UNKNOWN, error=OAuthErrorCode.INVALID_SCOPE)
_DETAILS = Refusal(code=Code.CREDENTIAL_CONFIGURATION_UNKNOWN, error=OAuthErrorCode.INVALID_AUTHORIZATION_DETAILS)
_OFFER = Refusal(code=Code.OFFER_UNKNOWN)


class Asked(Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        configuration_ids: all of it.
        identified_ids: what ``authorization_details`` named; where a scope names the same, they win (VCI-20).
        offer_id: the clerk's offer that ``issuer_state`` belongs to; None for none.
    """

    configuration_ids: tuple[str, ...]
    identified_ids: tuple[str, ...]
    offer_id: str | None


async def resolve(deployment: Deployment, authority: Authority, request: AuthorizationRequest) -> Asked:
    """Return what a pushed request asks for.

    Raises:
        OAuthError: ``invalid_target``; ``invalid_scope`` where nothing that is known is asked for;
            ``invalid_authorization_details``; ``invalid_request`` for an ``issuer_state`` of no open offer, or of one
            for something else.
    """
    require_resource(authority, request.resource)
    catalog = deployment.catalogs[authority.path]
    for each in request.details:
        if each.configuration_id not in catalog:
            raise _DETAILS("this issuer has no such credential configuration")
        if each.locations and authority.issuer_id not in each.locations:
            raise _DETAILS("locations name another issuer")
    identified = tuple(each.configuration_id for each in request.details)
    # RFC 6749 §3.3: scopes that nobody knows are ignored; a scope is named like its configuration.
    by_scope = [entry.id for entry in catalog.values() if entry.configuration.scope in request.scope]
    ids = (*identified, *(each for each in by_scope if each not in identified))
    if not ids:
        raise _SCOPE("neither scope nor authorization_details name a credential of this issuer")
    offer = await _offer(deployment, authority, request.issuer_state)
    if offer is not None and not set(ids) <= set(offer.configuration_ids):
        raise _OFFER("the offer is for another credential")
    return Asked(configuration_ids=ids, identified_ids=identified, offer_id=offer.id if offer else None)


async def _offer(deployment: Deployment, authority: Authority, issuer_state: str | None) -> Offer | None:
    """Return the offer of an ``issuer_state``. It grants nothing: whoever planted it, the person signs in (VCI-12)."""
    if issuer_state is None:
        return None
    offer_id = deployment.secrecy.offer_of_link(issuer_state, "state")
    found = None
    if offer_id is not None:
        found = await deployment.database.read(
            lambda connection: offers.find(connection, offer_id, now=deployment.now())
        )
    if found is None or found.authority != authority.path or found.state is not OfferState.OPEN or not found.by_sign_in:
        raise _OFFER("issuer_state belongs to no open offer")
    return found


async def require_same_person(deployment: Deployment, found: Authorization) -> None:
    """Check that who signed in is whom the offer was made for, where it names a file.

    Raises:
        Denied: ``not_permitted``.
    """
    offer = await deployment.database.read(
        lambda connection: offers.find(connection, found.offer_id, now=deployment.now())
    )
    if offer is None or offer.record_reference not in {None, found.record_reference}:
        raise Denied(Code.NOT_PERMITTED, "the offer was made for somebody else")


def narrowed(found: Authorization, details: Sequence[CredentialDetail]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a token is for, and which of it has an identifier, where the token request asks for less.

    Raises:
        OAuthError: ``invalid_authorization_details``: more than was granted.
    """
    if not details:
        return found.configuration_ids, found.identified_ids
    ids = tuple(each.configuration_id for each in details)
    require_subset(ids, found.configuration_ids)
    return ids, ids


def require_subset(ids: Sequence[str], of: Sequence[str]) -> None:
    """Check that nothing is asked for but what was granted; raises ``OAuthError(invalid_authorization_details)``."""
    if not set(ids) <= set(of):
        raise _DETAILS("authorization_details ask for more than was granted")


def require_resource(authority: Authority, resource: str | None) -> None:
    """Check that ``resource``, where it is given, names this issuer (RFC 8707 §2); raises ``OAuthError``."""
    if resource not in {None, authority.issuer_id}:
        detail = "resource names another issuer"
        raise OAuthError(Code.REQUEST_INVALID, detail, error=OAuthErrorCode.INVALID_TARGET)
