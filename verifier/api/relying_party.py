"""What relying parties call: start a request, watch it, read its result. Bearer tokens; JSON; problem documents."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from comity.errors import Code, Malformed
from comity.web import body, live, qr
from verifier.api import described
from verifier.deployment import Deployment
from verifier.policies import POLICIES
from verifier.requesting import Flow, Terms

TERMS = {"policy", "place", "flow", "same_holder", "redirect_uri"}


def router(deployment: Deployment) -> APIRouter:
    """Return the routes for relying parties."""
    routes = APIRouter(prefix="/api/v1")
    requesting, verifying = deployment.requesting, deployment.verifying

    def party(request: Request) -> str:
        return deployment.relying_parties.authenticate(request.headers.get("authorization")).name

    @routes.get("/policies", openapi_extra=described.POLICIES_LIST)
    async def list_policies() -> dict[str, Any]:
        """List the policies by name."""
        return {"policies": list(POLICIES)}

    @routes.post("/requests", status_code=201, openapi_extra=described.START)
    async def start(request: Request) -> Response:
        """Start a request: ``{policy, place?, flow?, same_holder?, redirect_uri?}``."""
        name = party(request)
        started = await requesting.start(_terms(await body.json_object(request)), relying_party=name)
        base = deployment.settings.public_url
        answer = {
            "request_id": started.request_id,
            "transaction_id": started.transaction_id,
            "link": started.link,
            "request_uri": started.request_uri,
            "qr_url": f"{base}/api/v1/qr/{started.request_id}.png",
            "expires_at": started.expires_at.isoformat(),
        }
        location = f"{base}/api/v1/requests/{started.transaction_id}"
        return JSONResponse(answer, 201, headers={"location": location})

    @routes.get("/qr/{request_id}.png", openapi_extra=described.DRAW)
    async def draw(request_id: str) -> Response:
        """Return the QR code of a request; it holds no more than the request's own unguessable address."""
        image = await qr.png_async(await requesting.link_of(request_id))
        return Response(image, media_type="image/png", headers={"cache-control": "no-store"})

    @routes.get("/requests/{transaction_id}", openapi_extra=described.READ)
    async def read(transaction_id: str, request: Request, response_code: str | None = None) -> dict[str, Any]:
        """Return the state of a request, and its report once it is answered."""
        return await verifying.outcome(transaction_id, relying_party=party(request), response_code=response_code)

    @routes.get("/requests/{transaction_id}/events", openapi_extra=described.WATCH)
    async def watch(transaction_id: str, request: Request) -> Response:
        """Tell each change of state as a server-sent event, until the request is answered or expired."""
        name = party(request)
        state = await verifying.state(transaction_id, relying_party=name)
        return live.stream(
            live.changes(
                lambda: verifying.state(transaction_id, relying_party=name),
                is_final=lambda now: now["state"] in {"answered", "expired"},
                topic=state["request_id"],
                bell=deployment.bell,
            )
        )

    return routes


def _terms(members: dict[str, Any]) -> Terms:
    """Read what a relying party asks for; whether it makes sense is judged by :mod:`verifier.requesting`."""
    unknown = sorted(set(members) - TERMS)
    if unknown:
        raise Malformed(Code.REQUEST_INVALID, f"unknown members: {', '.join(unknown)[:200]}")
    texts = {name: _text(members, name) for name in ("policy", "place", "redirect_uri")}
    same_holder, flow = members.get("same_holder", False), members.get("flow", Flow.CROSS_DEVICE.value)
    if not isinstance(same_holder, bool):
        raise Malformed(Code.REQUEST_INVALID, "same_holder is true or false")
    if flow not in list(Flow):
        raise Malformed(Code.REQUEST_INVALID, f"flow is one of {', '.join(Flow)}")
    return Terms(
        policy=texts["policy"] or "",
        place=texts["place"],
        flow=Flow(flow),
        same_holder=same_holder,
        redirect_uri=texts["redirect_uri"],
    )


def _text(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(Code.REQUEST_INVALID, f"{name} is text")
    return value
