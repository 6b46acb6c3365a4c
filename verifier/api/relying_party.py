"""What relying parties call: start a request, watch it, read its result. Bearer tokens; JSON; problem documents."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from comity.errors import Code, Malformed
from comity.web import body, live, qr
from verifier.deployment import Deployment
from verifier.policies import POLICIES
from verifier.requesting import CROSS_DEVICE, Terms

TERMS = {"policy", "place", "flow", "same_holder", "redirect_uri"}


def router(deployment: Deployment) -> APIRouter:
    """Return the routes for relying parties."""
    routes = APIRouter(prefix="/api/v1")
    requesting, verifying = deployment.requesting, deployment.verifying

    def party(request: Request) -> str:
        return deployment.relying_parties.authenticate(request.headers.get("authorization")).name

    @routes.get("/policies")
    async def list_policies() -> dict[str, Any]:
        """List the policies by name."""
        return {"policies": list(POLICIES)}

    @routes.post("/requests", status_code=201)
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

    @routes.get("/qr/{request_id}.png")
    async def draw(request_id: str) -> Response:
        """Return the QR code of a request; it holds no more than the request's own unguessable address."""
        image = await qr.png_async(await requesting.link_of(request_id))
        return Response(image, media_type="image/png", headers={"cache-control": "no-store"})

    @routes.get("/requests/{transaction_id}")
    async def read(transaction_id: str, request: Request, response_code: str | None = None) -> dict[str, Any]:
        """Return the state of a request, and its report once it is answered."""
        return await verifying.outcome(transaction_id, relying_party=party(request), response_code=response_code)

    @routes.get("/requests/{transaction_id}/events")
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
    unknown = sorted(set(members) - TERMS)
    if unknown:
        raise Malformed(Code.REQUEST_INVALID, f"unknown members: {', '.join(unknown)[:200]}")
    policy, same_holder = members.get("policy"), members.get("same_holder", False)
    texts = {name: members.get(name) for name in ("place", "flow", "redirect_uri")}
    wrong = [name for name, value in texts.items() if value is not None and not isinstance(value, str)]
    if not isinstance(policy, str) or not isinstance(same_holder, bool) or wrong:
        raise Malformed(Code.REQUEST_INVALID, "policy must be a name, same_holder true or false, the rest text")
    return Terms(
        policy=policy,
        place=texts["place"],
        flow=texts["flow"] or CROSS_DEVICE,
        same_holder=same_holder,
        redirect_uri=texts["redirect_uri"],
    )
