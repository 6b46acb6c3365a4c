"""What wallets call: the request object and the response (OpenID4VP 1.0 §5.10, §8.2), and the DID document.

Whatever goes wrong on these routes is told as OAuth 2.0 writes errors, with our own code beside.
"""

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from comity.errors import Code, ComityError, Malformed
from comity.openid.presentation.link import RequestUriPost
from comity.web import problems
from comity.web.body import media_type
from comity.web.counted import CountedRoute
from verifier import identity
from verifier.api import described
from verifier.deployment import Deployment

REQUEST_OBJECT_TYPE = "application/oauth-authz-req+jwt"
FORM = "application/x-www-form-urlencoded"

_log = structlog.get_logger("verifier")


class ProtocolRoute(CountedRoute):
    """A route whose errors wallets understand, and whose refusals are counted."""

    async def refuse(self, _request: Request, error: ComityError) -> Response:
        """Answer as the protocol wants."""
        _log.info("wallet refused", route=self.name, code=error.code.value)
        return problems.protocol_error(error)


def router(deployment: Deployment) -> APIRouter:
    """Return the routes for wallets."""
    routes = APIRouter(route_class=ProtocolRoute)
    requesting, verifying = deployment.requesting, deployment.verifying

    @routes.get("/openid/requests/{request_id}", openapi_extra=described.FETCH)
    async def fetch_request(request_id: str) -> Response:
        """Return the signed request object (VP-1); it may be fetched more than once."""
        return _request_object(await requesting.open(request_id))

    @routes.post("/openid/requests/{request_id}", openapi_extra=described.FETCH_WITH_NONCE)
    async def fetch_request_with_nonce(request_id: str, request: Request) -> Response:
        """Return the signed request object with the wallet's nonce in it (VP-3)."""
        posted = RequestUriPost.parse(await _form(request))
        return _request_object(await requesting.open(request_id, posted))

    @routes.post("/openid/responses/{request_id}", openapi_extra=described.RECEIVE)
    async def receive_response(request_id: str, request: Request) -> Response:
        """Take the wallet's answer (VP-20 to VP-22): 200 and a JSON object, whatever the verdict."""
        received = await verifying.receive_response(request_id, await _form(request))
        return JSONResponse(received.to_dict())

    @routes.get(identity.did_path(deployment.settings.public_url), openapi_extra=described.DOCUMENT)
    async def did_document() -> Response:
        """Return the verifier's DID document."""
        document = identity.did_document(deployment.keys, deployment.settings.public_url)
        return JSONResponse(document, media_type="application/did+json", headers={"cache-control": "max-age=300"})

    return routes


async def _form(request: Request) -> bytes:
    """Return the body of a form, which may be empty."""
    body = await request.body()
    if body and media_type(request) != FORM:
        raise Malformed(Code.UNSUPPORTED_MEDIA_TYPE, f"the body must be sent as {FORM}")
    return body


def _request_object(encoded: str) -> Response:
    return Response(encoded, media_type=REQUEST_OBJECT_TYPE, headers={"cache-control": "no-store"})
