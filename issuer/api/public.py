"""Documents for everybody: DID documents, and offers by reference for whoever holds their address."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from comity.web.routes import LateRoute
from issuer import offering
from issuer.api.access import deployment_of

router = APIRouter(include_in_schema=False, route_class=LateRoute)


@router.get("/{path:path}/did.json")
async def did_document(request: Request, path: str) -> Response:
    """Publish the authority's DID document (did:web §2.5.2)."""
    authority = deployment_of(request).authority(path)
    return JSONResponse(
        authority.did_document(),
        headers={"cache-control": "public, max-age=300"},
        media_type="application/did+json",
    )


@router.get("/{path:path}/offers/{link}")
async def offer(request: Request, path: str, link: str) -> Response:
    """Hand out an offer while it is open (OpenID4VCI §4.1.3); never cached."""
    deployment = deployment_of(request)
    found = await offering.open_offer(deployment, deployment.authority(path), link)
    return JSONResponse(found.to_dict())
