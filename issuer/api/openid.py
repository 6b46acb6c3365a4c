"""OpenID4VCI 1.0 for wallets: metadata, token, nonce, credential, notification.

Bodies are parsed strictly by ``comity.openid``; an :class:`OAuthError` becomes the answer the protocol wants.
"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from comity.errors import Code
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.display import Display
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.notification import Notification
from comity.openid.oauth import AuthorizationServerMetadata, TokenRequest, nonce_response
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.web import problems
from comity.web.body import media_type
from issuer import issuing
from issuer.api.access import bearer_token, deployment_of
from issuer.authorities import Authority
from issuer.deployment import Deployment

router = APIRouter(include_in_schema=False)

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_CACHED = {"cache-control": "public, max-age=300"}
_CHALLENGED = {OAuthErrorCode.INVALID_TOKEN, OAuthErrorCode.INSUFFICIENT_SCOPE}


@router.get("/.well-known/openid-credential-issuer/{path:path}")
async def issuer_metadata(request: Request, path: str) -> Response:
    """Describe the credential issuer (OpenID4VCI §12.2; the well-known name stands before the path)."""
    deployment = deployment_of(request)
    metadata = describe(deployment, deployment.authority(path))
    return JSONResponse(metadata.to_dict(), headers=_CACHED)


@router.get("/.well-known/oauth-authorization-server/{path:path}")
async def authorization_server_metadata(request: Request, path: str) -> Response:
    """Describe the authorization server, which is the issuer itself (RFC 8414)."""
    issuer = deployment_of(request).authority(path).issuer_id
    metadata = AuthorizationServerMetadata(issuer=issuer, token_endpoint=f"{issuer}/token")
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
    """Exchange a pre-authorized code (OpenID4VCI §6)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    _require_type(request, _FORM, OAuthErrorCode.INVALID_REQUEST)
    wanted = TokenRequest.parse(await request.body())
    answer = await issuing.exchange_code(deployment, authority, wanted)
    return JSONResponse(answer.to_dict())


@router.post("/{path:path}/nonce")
async def nonce(request: Request, path: str) -> Response:
    """Give out a nonce (OpenID4VCI §7)."""
    deployment = deployment_of(request)
    return JSONResponse(nonce_response(issuing.new_nonce(deployment, deployment.authority(path))))


@router.post("/{path:path}/credential")
async def credential(request: Request, path: str) -> Response:
    """Issue (OpenID4VCI §8)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    access_token = bearer_token(request)
    if access_token is None:
        return _challenge()
    _require_type(request, _JSON, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST)
    body = await request.body()
    # The token is judged before the body: whoever has none learns nothing about what a request may say.
    await issuing.require_token(deployment, authority, access_token)
    wanted = CredentialRequest.parse(body, batch_size=deployment.limits.batch_size)
    issued = await issuing.issue(deployment, authority, access_token, wanted)
    return JSONResponse(issued.to_dict())


@router.post("/{path:path}/notification")
async def notification(request: Request, path: str) -> Response:
    """Hear what became of the credentials (OpenID4VCI §11)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    access_token = bearer_token(request)
    if access_token is None:
        return _challenge()
    _require_type(request, _JSON, OAuthErrorCode.INVALID_NOTIFICATION_REQUEST)
    await issuing.notify(deployment, authority, access_token, Notification.parse(await request.body()))
    return Response(status_code=204)


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """Answer an :class:`OAuthError` as RFC 6749 §5.2 and RFC 6750 §3 write it; for ``app.exception_handler``."""
    if not isinstance(error, OAuthError):
        raise error
    headers = {}
    if error.error in _CHALLENGED:
        headers["www-authenticate"] = f'Bearer error="{error.error}"'
    if error.error is OAuthErrorCode.TEMPORARILY_UNAVAILABLE:
        headers["retry-after"] = "2"
    return problems.oauth_error(error.error, error.detail, error.error.status, headers)


def _challenge() -> Response:
    """Ask for a token; a request without one gets no error code (RFC 6750 §3.1)."""
    return Response(status_code=401, headers={"www-authenticate": "Bearer"})


def _require_type(request: Request, wanted: str, error: OAuthErrorCode) -> None:
    if media_type(request) != wanted:
        raise OAuthError(Code.UNSUPPORTED_MEDIA_TYPE, f"the body must be sent as {wanted}", error=error)
