"""What wallets call: the request object and the response (OpenID4VP 1.0 §5.10, §8.2), and the DID document."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from comity.errors import Conflict, NotFound
from comity.openid.presentation.link import RequestUriPost
from comity.openid.refusal import OAuthError
from comity.web import body, problems
from verifier import identity
from verifier.deployment import Deployment

REQUEST_OBJECT_TYPE = "application/oauth-authz-req+jwt"


def router(deployment: Deployment) -> APIRouter:
    """Return the routes for wallets."""
    routes = APIRouter()
    requesting, verifying = deployment.requesting, deployment.verifying

    @routes.get("/openid/requests/{request_id}")
    async def fetch_request(request_id: str) -> Response:
        """Return the signed request object (VP-1)."""
        return _request_object(await requesting.open(request_id))

    @routes.post("/openid/requests/{request_id}")
    async def fetch_request_with_nonce(request_id: str, request: Request) -> Response:
        """Return the signed request object with the wallet's nonce in it (VP-3)."""
        posted = RequestUriPost.parse(await request.body())
        return _request_object(await requesting.open(request_id, wallet_nonce=posted.wallet_nonce))

    @routes.post("/openid/responses/{request_id}")
    async def receive_response(request_id: str, request: Request) -> Response:
        """Take the wallet's answer (VP-20 to VP-22): 200 and a JSON object, whatever the verdict."""
        if body.media_type(request) != "application/x-www-form-urlencoded":
            return problems.oauth_error("invalid_request", "the answer must be posted as a form")
        try:
            received = await verifying.receive_response(request_id, await request.body())
        except OAuthError as error:
            return JSONResponse({**error.to_dict(), "code": error.code.value}, 400)
        except (Conflict, NotFound) as error:
            status = 404 if isinstance(error, NotFound) else 400
            told = {"error": "invalid_request", "error_description": error.detail, "code": error.code.value}
            return JSONResponse(told, status)
        return JSONResponse(received.to_dict())

    @routes.get(identity.did_path(deployment.settings.public_url))
    async def did_document() -> Response:
        """Return the verifier's DID document."""
        document = identity.did_document(deployment.keys, deployment.settings.public_url)
        return JSONResponse(document, media_type="application/did+json", headers={"cache-control": "max-age=300"})

    return routes


def _request_object(encoded: str) -> Response:
    return Response(encoded, media_type=REQUEST_OBJECT_TYPE, headers={"cache-control": "no-store"})
