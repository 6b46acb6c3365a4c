"""OpenID4VCI 1.0 for wallets: metadata, token, nonce, credential, deferred credential, notification.

Bodies are parsed strictly by ``comity.openid``; an :class:`OAuthError` becomes the answer the protocol wants.
"""

from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from comity.errors import Code, NotFound
from comity.openid import client_attestation, dpop, token_request
from comity.openid.issuance import signed_metadata
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Deferred, Issued
from comity.openid.issuance.deferred import DeferredRequest
from comity.openid.issuance.display import Display
from comity.openid.issuance.encryption import (
    CONTENT_ALGORITHMS,
    CONTENT_TYPE,
    AnswerKey,
    RequestEncryption,
    ResponseEncryption,
)
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.notification import Notification
from comity.openid.oauth import PRE_AUTHORIZED_GRANT, AuthorizationServerMetadata, TokenRequest, nonce_response
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.web import problems
from issuer import clients, deferring, issuing, redeeming, renewing, tokens
from issuer.api import authorization, described_discovery, described_protocol, messages
from issuer.api.access import deployment_of, shown_by
from issuer.api.messages import FORM, JSON, require_type
from issuer.api.negotiation import prefers
from issuer.api.protocol import ProtocolRoute
from issuer.authorities import Authority
from issuer.deployment import Deployment
from issuer.tokens import Access

router = APIRouter(route_class=ProtocolRoute)

_METADATA_LIFETIME = timedelta(days=1)
_CACHED = {"cache-control": "public, max-age=300"}
_ABOUT_PROOFS = {OAuthErrorCode.INVALID_DPOP_PROOF, OAuthErrorCode.USE_DPOP_NONCE}
_ALGORITHMS = f'algs="{" ".join(dpop.algorithms())}"'


@router.get("/.well-known/openid-credential-issuer/{path:path}", **described_discovery.ISSUER_METADATA)
async def issuer_metadata(request: Request, path: str) -> Response:
    """Describe the credential issuer (OpenID4VCI §12.2; the well-known name stands before the path).

    As a signed JWT for whoever asks for one (§12.2.3), else as JSON.
    """
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    metadata, headers = await describe(deployment, authority), {**_CACHED, "vary": "Accept"}
    if not prefers(request.headers.get("accept", ""), signed_metadata.CONTENT_TYPE, JSON):
        return JSONResponse(metadata.to_dict(), headers=headers)
    token = signed_metadata.build(
        metadata,
        authority.metadata_signer,
        authority.metadata_chain,
        at=deployment.clock.now(),
        lifetime=_METADATA_LIFETIME,
    )
    return Response(token, headers=headers, media_type=signed_metadata.CONTENT_TYPE)


@router.get("/.well-known/oauth-authorization-server/{path:path}", **described_discovery.SERVER_METADATA)
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
        status_list_aggregation_endpoint=authority.aggregation_uri,
    )
    return JSONResponse(metadata.to_dict(), headers=_CACHED)


async def describe(deployment: Deployment, authority: Authority) -> IssuerMetadata:
    """Return the metadata of one authority, in English and French."""
    issuer, name = authority.issuer_id, authority.description.name
    key, required = await deployment.request_keys.current(authority.path), deployment.encryption_required
    return IssuerMetadata(
        credential_issuer=issuer,
        credential_endpoint=f"{issuer}/credential",
        nonce_endpoint=f"{issuer}/nonce",
        notification_endpoint=f"{issuer}/notification",
        deferred_credential_endpoint=f"{issuer}/deferred_credential",
        request_encryption=RequestEncryption(keys=(key,), enc_values=CONTENT_ALGORITHMS, is_required=required),
        response_encryption=ResponseEncryption(is_required=required),
        configurations={key: entry.configuration for key, entry in deployment.catalogs[authority.path].items()},
        batch_size=deployment.limits.batch_size,
        display=(Display(name=name["en"], locale="en-CA"), Display(name=name["fr"], locale="fr-CA")),
    )


@router.post("/{path:path}/token", **described_protocol.TOKEN)
async def token(request: Request, path: str) -> Response:
    """Exchange a code or a refresh token (OpenID4VCI §6); with a DPoP proof the token is bound to it (RFC 9449 §5)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    require_type(request, OAuthErrorCode.INVALID_REQUEST, FORM)
    body = await request.body()
    client = await clients.authenticate(deployment, authority, token_request.read_form(body), request.headers.getlist)
    wanted = token_request.parse(body)
    proofs = request.headers.getlist(dpop.HEADER)
    proof = tokens.check_for_token(deployment, authority, proofs, attested_key=client.dpop_key)
    if isinstance(wanted, TokenRequest):
        answer = await redeeming.exchange_code(deployment, authority, wanted, proof, client)
    else:
        answer = await authorization.answer_token(deployment, authority, wanted, client, proof)
    return JSONResponse(answer.to_dict(), headers=_with_nonce(deployment, authority) if proof else None)


@router.post("/{path:path}/nonce", **described_protocol.NONCE)
async def nonce(request: Request, path: str) -> Response:
    """Give out a nonce for key proofs (OpenID4VCI §7), and one for DPoP proofs (§7.2, RFC 9449 §8)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    body = nonce_response(issuing.new_nonce(deployment, authority))
    return JSONResponse(body, headers=_with_nonce(deployment, authority))


@router.post("/{path:path}/challenge", **described_protocol.CHALLENGE)
async def challenge(request: Request, path: str) -> Response:
    """Give out a challenge for the proof of possession of a client attestation (the draft's "Challenges")."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    if deployment.client_trust.described(authority.issuer_id).challenge_endpoint is None:
        raise NotFound(Code.NOT_FOUND, "no challenges are given out here")
    body = client_attestation.challenge_response(clients.new_challenge(deployment, authority))
    return JSONResponse(body, headers=_with_nonce(deployment, authority))


@router.post("/{path:path}/credential", **described_protocol.CREDENTIAL)
async def credential(request: Request, path: str) -> Response:
    """Issue, or say when to ask again (OpenID4VCI §8)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    if (shown := shown_by(request)) is None:
        return _challenge(deployment)
    require_type(request, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, JSON, CONTENT_TYPE)
    # The token is judged before the body: whoever has none learns nothing about what a request may say.
    access = await tokens.require(deployment, authority, shown, "credential")
    sent, most = await messages.read(deployment, authority, request), deployment.limits.batch_size
    wanted = CredentialRequest.parse(sent.document, batch_size=most, is_encrypted=sent.is_encrypted)
    messages.require_answer_key(deployment, wanted.answer_key)
    answer = await renewing.request(deployment, authority, access, wanted)
    return _answer(deployment, authority, access, answer, wanted.answer_key)


@router.post("/{path:path}/deferred_credential", **described_protocol.DEFERRED_CREDENTIAL)
async def deferred_credential(request: Request, path: str) -> Response:
    """Deliver what was promised under a transaction id, or say when to ask again (OpenID4VCI §9)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    if (shown := shown_by(request)) is None:
        return _challenge(deployment)
    require_type(request, OAuthErrorCode.INVALID_CREDENTIAL_REQUEST, JSON, CONTENT_TYPE)
    access = await tokens.require(deployment, authority, shown, "deferred_credential")
    sent = await messages.read(deployment, authority, request)
    wanted = DeferredRequest.parse(sent.document, is_encrypted=sent.is_encrypted)
    messages.require_answer_key(deployment, wanted.answer_key)
    answer = await deferring.collect(deployment, authority, access, wanted)
    return _answer(deployment, authority, access, answer, wanted.answer_key)


@router.post("/{path:path}/notification", status_code=204, **described_protocol.NOTIFICATION)
async def notification(request: Request, path: str) -> Response:
    """Hear what became of the credentials (OpenID4VCI §11)."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    if (shown := shown_by(request)) is None:
        return _challenge(deployment)
    require_type(request, OAuthErrorCode.INVALID_NOTIFICATION_REQUEST, JSON)
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
    return problems.oauth_error(error.error, error.detail, status, headers, error.more)


def _answer(
    deployment: Deployment, authority: Authority, access: Access, answer: Issued | Deferred, key: AnswerKey | None
) -> Response:
    """OpenID4VCI §8.3: credentials with 200, a transaction id with 202; encrypted to the key of this request (§10)."""
    status = 200 if isinstance(answer, Issued) else 202
    headers = _with_nonce(deployment, authority) if access.proof else None
    return messages.reply(answer.to_dict(), key, status, headers)


def _with_nonce(deployment: Deployment, authority: Authority) -> dict[str, str]:
    return {dpop.NONCE_HEADER: tokens.new_nonce(deployment, authority)}


def _challenge(deployment: Deployment) -> Response:
    """Ask for a token; a request without one gets no error code (RFC 6750 §3.1)."""
    accepted = f"DPoP {_ALGORITHMS}" if deployment.require_dpop else f"Bearer, DPoP {_ALGORITHMS}"
    return Response(status_code=401, headers={"www-authenticate": accepted})
