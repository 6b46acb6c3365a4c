"""Refreshing: a wallet gets the same credential again, with what the person's file says now (RFC 6749 §6).

A refresh token is good once; its answer brings the next one. One that comes a second time was copied, and nobody can
tell by whom: then everything that came of the sign-in ends (RFC 9700 §4.14.2).
"""

from collections.abc import Sequence

from msgspec.structs import replace

from comity.credential import Status
from comity.errors import Code, Malformed, NotFound, Unreachable
from comity.openid.oauth import TokenResponse
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.openid.token_request import RefreshRequest
from issuer import clients, granted, tokens, wanted
from issuer.authorities import Authority
from issuer.clients import Client
from issuer.deployment import Deployment
from issuer.granted import WALLET, Grant, event
from issuer.secrecy import hashed, new_secret
from issuer.store import Connection, audit, authorizations, credentials, given, offers
from issuer.store.authorizations import Authorization
from issuer.store.offers import Offer, OfferState
from issuer.tokens import Proof


async def refresh(
    deployment: Deployment, authority: Authority, request: RefreshRequest, *, client: Client, proof: Proof | None
) -> TokenResponse:
    """Exchange a refresh token for a new access token and the next refresh token.

    Raises:
        OAuthError: ``invalid_grant`` for everything that is wrong with the token, for a person whose file is gone or
            gives no such credential any more, and while a credential that came of the sign-in is revoked or suspended;
            ``invalid_dpop_proof``, ``invalid_scope``, ``invalid_target``; ``temporarily_unavailable`` when the
            authority's source does not answer. The token is not used up then.
    """
    wanted.require_resource(authority, request.resource)
    now, token_hash = deployment.now(), hashed(request.refresh_token)
    known = await deployment.database.read(
        lambda connection: authorizations.of_refresh_token(
            connection, authority=authority.path, token_hash=token_hash, now=now
        )
    )
    if known is None or not client.is_bound_to(known[0].client_id, known[0].client_key):
        raise _refuse("the refresh token is not known, or has ended")
    found, was_used = known
    # Before the replay counts: who lacks the key is not the wallet, and cannot end what the wallet has.
    tokens.require_key(found.dpop_key, proof)
    if was_used:
        raise await _replayed(deployment, found)
    await _require_good_standing(deployment, found)
    drafts = await _drafts(deployment, authority, found, _scope(found, request.scope))
    given = await _rotate(deployment, found, drafts, token_hash=token_hash, client=client, proof=proof)
    if given is None:
        raise await _replayed(deployment, found)
    return given


async def _rotate(
    deployment: Deployment,
    found: Authorization,
    drafts: Sequence[Offer],
    *,
    token_hash: str,
    client: Client,
    proof: Proof | None,
) -> TokenResponse | None:
    """Use the token up and store what comes of it, in one transaction; None when somebody was faster."""
    now, limits = deployment.now(), deployment.limits
    token, next_token = new_secret(), new_secret()
    redeemed = [
        replace(
            each,
            state=OfferState.REDEEMED,
            token_key=None if proof is None else proof.thumbprint,
            token_expires_at=now + limits.token_seconds,
            erase_at=now + limits.token_seconds,
        )
        for each in drafts
    ]

    def give(connection: Connection) -> bool:
        tokens.use_up(connection, proof)
        clients.use_up(connection, client)
        if not authorizations.use_refresh_token(connection, token_hash, authorization_id=found.id, now=now):
            return False
        for number, offer in enumerate(redeemed):
            part = granted.part_hash(hashed(token), offer.type) if number else hashed(token)
            given.save_offer(connection, offer, token_hash=part)
            offers.note_client(connection, part, client_id=client.client_id, client_key=client.key)
        authorizations.add_refresh_token(connection, hashed(next_token), found.id, expires_at=found.expires_at)
        audit.record(connection, event(found, "token_refreshed", actor=WALLET, at=now))
        return True

    if not await deployment.database.write(give):
        return None
    grants = [
        Grant(
            named_after=granted.root_of(each),
            configuration_ids=each.configuration_ids,
            identified_ids=each.identified_ids,
        )
        for each in redeemed
    ]
    return granted.token_response(deployment, token, proof, grants=grants, refresh_token=next_token)


async def _drafts(
    deployment: Deployment, authority: Authority, found: Authorization, configuration_ids: Sequence[str]
) -> tuple[Offer, ...]:
    try:
        return await granted.drafts(
            deployment,
            authority,
            found,
            offer_id=credentials.new_id(),
            configuration_ids=configuration_ids,
        )
    except NotFound:
        raise _refuse("the authority has no such record any more") from None
    except Malformed:
        raise _refuse("what the authority's file says does not give this credential any more") from None
    except Unreachable as error:
        raise OAuthError(error.code, error.detail, error=OAuthErrorCode.TEMPORARILY_UNAVAILABLE) from None


async def _require_good_standing(deployment: Deployment, found: Authorization) -> None:
    """What a clerk revoked or suspended does not come back by itself; a new sign-in asks the authority anew."""
    standing = await deployment.database.read(lambda connection: authorizations.statuses(connection, found.id))
    if standing & {Status.REVOKED, Status.SUSPENDED}:
        raise _refuse("a credential of this sign-in is revoked or suspended")


def _scope(found: Authorization, scope: Sequence[str]) -> tuple[str, ...]:
    """RFC 6749 §6: less than was granted, or all of it; never more."""
    if not set(scope) <= set(found.configuration_ids):
        detail = "scope asks for more than was granted"
        raise OAuthError(Code.REQUEST_INVALID, detail, error=OAuthErrorCode.INVALID_SCOPE)
    return tuple(each for each in found.configuration_ids if not scope or each in scope)


async def _replayed(deployment: Deployment, found: Authorization) -> OAuthError:
    now = deployment.now()

    def end(connection: Connection) -> None:
        if authorizations.revoke(connection, found.id, now=now):
            audit.record(connection, event(found, "refresh_token_replayed", actor=WALLET, at=now))

    await deployment.database.write(end)
    return _refuse("the refresh token was used before; sign in again")


def _refuse(detail: str) -> OAuthError:
    return OAuthError(Code.TOKEN_INVALID, detail, error=OAuthErrorCode.INVALID_GRANT)
