"""The authorization code flow for wallets: metadata, pushed requests, the token endpoint's other two grants."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from comity.errors import Code, NotFound
from comity.openid import dpop, token_request
from comity.openid.authorization import AuthorizationRequest
from comity.openid.code_flow import CODE_GRANT, REFRESH_GRANT, CodeFlow
from comity.openid.oauth import TokenResponse
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.openid.token_request import CodeRequest, RefreshRequest
from comity.web.body import media_type
from issuer import authorizing, clients, refreshing, tokens
from issuer.api import described_protocol
from issuer.api.access import deployment_of
from issuer.api.protocol import ProtocolRoute
from issuer.authorities import Authority
from issuer.clients import Client
from issuer.deployment import Deployment
from issuer.tokens import Proof

router = APIRouter(route_class=ProtocolRoute)

MAX_PUSHED_BYTES = 16_384
"""Largest request that is kept for a browser; anybody may push one."""


def grants(deployment: Deployment, authority: Authority) -> tuple[str, ...]:
    """Return the grants of the code flow, for metadata; () where nobody can sign in."""
    if not deployment.can_sign_in(authority):
        return ()
    return (CODE_GRANT, *([REFRESH_GRANT] if deployment.limits.refresh_seconds else []))


def describe(deployment: Deployment, authority: Authority) -> CodeFlow | None:
    """Return the flow, for metadata; None where nobody can sign in."""
    if not deployment.can_sign_in(authority):
        return None
    scopes = {entry.configuration.scope for entry in deployment.catalogs[authority.path].values()}
    return CodeFlow(
        authorization_endpoint=f"{authority.issuer_id}/authorize",
        pushed_endpoint=f"{authority.issuer_id}/par",
        scopes=tuple(sorted(scope for scope in scopes if scope is not None)),
    )


@router.post("/{path:path}/par", status_code=201, **described_protocol.PUSH)
async def push(request: Request, path: str) -> Response:
    """Take an authorization request from a wallet (RFC 9126 §2.1)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    require_sign_in(deployment, authority)
    if media_type(request) != "application/x-www-form-urlencoded":
        detail = "the body must be sent as application/x-www-form-urlencoded"
        raise OAuthError(Code.UNSUPPORTED_MEDIA_TYPE, detail)
    if len(await request.body()) > MAX_PUSHED_BYTES:
        raise OAuthError(Code.TOO_LARGE, "the request is larger than is kept")
    fields = token_request.read_form(await request.body())
    client = _named(await clients.authenticate(deployment, authority, fields, request.headers.getlist))
    asked = AuthorizationRequest.parse(fields | {"client_id": client.client_id or ""})
    proofs = request.headers.getlist(dpop.HEADER)
    proof = tokens.check_for_push(deployment, authority, proofs, attested_key=client.dpop_key)
    pushed = await authorizing.push(deployment, authority, asked, client, proof)
    nonce = {dpop.NONCE_HEADER: tokens.new_nonce(deployment, authority)} if proof else None
    return JSONResponse(pushed.to_dict(), 201, headers=nonce)


async def answer_token(
    deployment: Deployment,
    authority: Authority,
    wanted: CodeRequest | RefreshRequest,
    client: Client,
    proof: Proof | None,
) -> TokenResponse:
    """Answer a token request with an authorization code or a refresh token (RFC 6749 §4.1.3, §6).

    Raises:
        OAuthError: as :func:`issuer.authorizing.redeem` and :func:`issuer.refreshing.refresh`.
    """
    named = _named(client)
    if isinstance(wanted, CodeRequest):
        return await authorizing.redeem(deployment, authority, wanted, client=named, proof=proof)
    return await refreshing.refresh(deployment, authority, wanted, client=named, proof=proof)


def _named(client: Client) -> Client:
    """Return the client, which must have a name in this flow, proven or not (RFC 6749 §3.2.1, §4.1.1)."""
    if client.client_id is None:
        raise OAuthError(Code.REQUEST_INVALID, "client_id is needed", error=OAuthErrorCode.INVALID_CLIENT)
    return client


def require_sign_in(deployment: Deployment, authority: Authority) -> None:
    """Check that people can sign in at an authority; raises ``NotFound`` where nobody can."""
    if not deployment.can_sign_in(authority):
        raise NotFound(Code.NOT_FOUND, "nobody signs in at this authority")
