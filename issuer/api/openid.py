"""OpenID4VCI 1.0 for wallets: metadata, token, nonce, credential, notification.

Bodies are parsed strictly by ``comity.openid``; an :class:`OAuthError` becomes the answer the protocol wants.
"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from comity.errors import Code, NotFound
from comity.openid import client_attestation, dpop, token_request
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.display import Display
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.notification import Notification
from comity.openid.oauth import PRE_AUTHORIZED_GRANT, AuthorizationServerMetadata, TokenRequest, nonce_response
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.web import problems
from comity.web.body import media_type
from issuer import clients, issuing, tokens
from issuer.api import authorization
from issuer.api.access import deployment_of, shown_by
from issuer.authorities import Authority
from issuer.deployment import Deployment

router = APIRouter(include_in_schema=False)

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_CACHED = {"cache-control": "public, max-age=300"}
_ABOUT_PROOFS = {OAuthErrorCode.INVALID_DPOP_PROOF, OAuthErrorCode.USE_DPOP_NONCE}
_ALGORITHMS = f'algs="{" ".join(dpop.algorithms())}"'


@router.get("/.well-known/openid-credential-issuer/{path:path}")
async def issuer_metadata(request: Request, path: str) -> Response:
    """Describe the credential issuer (OpenID4VCI §12.2; the well-known name stands before the path)."""
    deployment = deployment_of(request)
    metadata = describe(deployment, deployment.authority(path))
    return JSONResponse(metadata.to_dict(), headers=_CACHED)


@router.get("/.well-known/oauth-authorization-server/{path:path}")
async def authorization_server_metadata(request: Request, path: str) -> Response:
    """Describe the authorization server, which is the issuer itself (RFC 8414)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    metadata = AuthorizationServerMetadata(
        issuer=authority.issuer_id,
        token_endpoint=f"{authority.issuer_id}/token",
        grant_types=(PRE_AUTHORIZED_GRANT, *authorization.grants(deployment, authority)),
        anonymous_access=not deployment.client_trust.is_required,
        dpop_algorithms=dpop.algorithms(),
        code_flow=authorization.describe(deployment, authority),
        client_authentication=deployment.client_trust.described(authority.issuer_id),
    )
    return JSONResponse(metadata.to_dict(), headers=_CACHED)


def describe(deployment: Deployment, authority: Authority) -> IssuerMetadata:
    """Return the metadata of one authority, in English and French."""
    issuer, name = authority.issuer_id, authority.description.name
    return IssuerMetadata(
        credential_issuer=issuer,
        credential_endpoint=f"{issuer}/credential",
        nonce_endpoint=f"{issuer}/nonce",
        notification_endpoint=f"{issuer}/notification",
        configurations={key: entry.configuration for key, entry in deployment.catalogs[authority.path].items()},
        batch_size=deployment.limits.batch_size,
        display=(Display(name=name["en"], locale="en-CA"), Display(name=name["fr"], locale="fr-CA")),
    )


@router.post("/{path:path}/token")
async def token(request: Request, path: str) -> Response:
    """Exchange a code or a refresh token (OpenID4VCI §6); with a DPoP proof the token is bound to it (RFC 9449 §5)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    _require_type(request, _FORM, OAuthErrorCode.INVALID_REQUEST)
    body = await request.body()
    client = clients.authenticate(deployment, authority, token_request.read_form(body), request.headers.getlist)
    wanted = token_request.parse(body)
    proof = tokens.check_for_token(deployment, authority, request.headers.getlist(dpop.HEADER))
    if isinstance(wanted, TokenRequest):
        answer = await issuing.exchange_code(deployment, authority, wanted, proof, client)
    else:
        answer = await authorization.answer_token(deployment, authority, wanted, client, proof)
    return JSONResponse(answer.to_dict(), headers=_with_nonce(deployment, authority) if proof else None)


@router.post("/{path:path}/nonce")
async def nonce(request: Request, path: str) -> Response:
    """Give out a nonce for key proofs (OpenID4VCI §7), and one for DPoP proofs (§7.2, RFC 9449 §8)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    body = nonce_response(issuing.new_nonce(deployment, authority))
    return JSONResponse(body, headers=_with_nonce(deployment, authority))


@router.post("/{path:path}/challenge")
async def challenge(request: Request, path: str) -> Response:
    """Give out a challenge for the proof of possession of a client attestation (the draft's "Challenges")."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    if deployment.client_trust.described(authority.issuer_id).challenge_endpoint is None:
        raise NotFound(Code.NOT_FOUND, "no challenges are given out here")
    body = client_attestation.challenge_response(clients.new_challenge(deployment, authority))
    return JSONResponse(body, headers=_with_nonce(deployment, authority))


@router.post("/{path:path}/credential")
async def credential(request: Request, path: str) -> Response:
    """Issue (OpenID4VCI §8)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    if (shown := shown_by(request)) is None:
        return _challenge(deployment)
    _require_type(request, _JSON, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST)
    body = await request.body()
    # The token is judged before the body: whoever has none learns nothing about what a request may say.
    access = await tokens.require(deployment, authority, shown, "credential")
    wanted = CredentialRequest.parse(body, batch_size=deployment.limits.batch_size)
    issued = await issuing.issue(deployment, authority, access, wanted)
    return JSONResponse(issued.to_dict(), headers=_with_nonce(deployment, authority) if access.proof else None)


@router.post("/{path:path}/notification")
async def notification(request: Request, path: str) -> Response:
    """Hear what became of the credentials (OpenID4VCI §11)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    if (shown := shown_by(request)) is None:
        return _challenge(deployment)
    _require_type(request, _JSON, OAuthErrorCode.INVALID_NOTIFICATION_REQUEST)
    body = await request.body()
    access = await tokens.require(deployment, authority, shown, "notification")
    await issuing.notify(deployment, access, Notification.parse(body))
    return Response(status_code=204)


async def answer_refusal(request: Request, error: Exception) -> Response:
    """Answer an :class:`OAuthError` as RFC 6749 §5.2, RFC 6750 §3 and RFC 9449 §5, §7 to §9 write it.

    For ``app.exception_handler``. What is wrong with a DPoP proof is a 400 where there is no token yet, and a 401
    with a challenge where there is one; either way the answer brings a nonce to try again with.
    """
    if not isinstance(error, OAuthError):
        raise error
    deployment, status = deployment_of(request), error.error.status
    headers: dict[str, str] = {}
    if error.error in _ABOUT_PROOFS:
        headers |= _with_nonce(deployment, deployment.authority(request.path_params["path"]))
        status = 400 if request.url.path.endswith(("/token", "/par")) else 401
    if error.error is OAuthErrorCode.USE_ATTESTATION_CHALLENGE:
        authority = deployment.authority(request.path_params["path"])
        fresh = clients.new_challenge(deployment, authority)
        headers |= {client_attestation.CHALLENGE_HEADER: fresh} | _with_nonce(deployment, authority)
    if status in {401, 403}:
        shown = shown_by(request)
        is_dpop = deployment.require_dpop or (shown is not None and shown.is_dpop)
        challenge = f'DPoP error="{error.error}", {_ALGORITHMS}' if is_dpop else f'Bearer error="{error.error}"'
        headers["www-authenticate"] = challenge
    if error.error is OAuthErrorCode.TEMPORARILY_UNAVAILABLE:
        headers["retry-after"] = "2"
    return problems.oauth_error(error.error, error.detail, status, headers)


def _with_nonce(deployment: Deployment, authority: Authority) -> dict[str, str]:
    return {dpop.NONCE_HEADER: tokens.new_nonce(deployment, authority)}


def _challenge(deployment: Deployment) -> Response:
    """Ask for a token; a request without one gets no error code (RFC 6750 §3.1)."""
    accepted = f"DPoP {_ALGORITHMS}" if deployment.require_dpop else f"Bearer, DPoP {_ALGORITHMS}"
    return Response(status_code=401, headers={"www-authenticate": accepted})


def _require_type(request: Request, wanted: str, error: OAuthErrorCode) -> None:
    if media_type(request) != wanted:
        raise OAuthError(Code.UNSUPPORTED_MEDIA_TYPE, f"the body must be sent as {wanted}", error=error)
