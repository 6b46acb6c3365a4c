"""What relying parties call: start a request, watch it, read its result. Bearer tokens; JSON; problem documents."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from comity.errors import Code, Malformed
from comity.web import body, i18n, live, qr
from comity.web.counted import CountedRoute
from comity.web.problems import language_of
from comity.web.routes import LateRoute
from verifier.api import described
from verifier.deployment import Deployment
from verifier.policies import POLICIES
from verifier.requesting import Flow, Started, Terms

_T = TypeVar("_T")

TERMS = {"policy", "place", "flow", "same_holder", "redirect_uri", "transactions", "trusted_only", "origins"}


def router(deployment: Deployment) -> APIRouter:
    """Return the routes for relying parties."""
    routes = APIRouter(prefix="/api/v1", route_class=LateRoute)
    requesting = deployment.requesting

    def party(request: Request) -> str:
        return deployment.relying_parties.authenticate(request.headers.get("authorization")).name

    @routes.get("/policies", openapi_extra=described.POLICIES_LIST)
    async def list_policies() -> dict[str, Any]:
        """List the policies by name."""
        return {"policies": [*POLICIES, *requesting.own_policies]}

    @routes.post("/requests", status_code=201, openapi_extra=described.START)
    async def start(request: Request) -> Response:
        """Start a request by what :data:`TERMS` names; only ``policy`` must be there."""
        name = party(request)
        started = await requesting.start(_terms(await body.json_object(request)), relying_party=name)
        base = deployment.settings.public_url
        answer = _told(started, base, language_of(request))
        location = f"{base}/api/v1/requests/{started.transaction_id}"
        return JSONResponse(answer, 201, headers={"location": location})

    @routes.get("/qr/{request_id}.png", openapi_extra=described.DRAW)
    async def draw(request_id: str) -> Response:
        """Return the QR code of a request; it holds no more than the request's own unguessable address."""
        image = await qr.png_async(await requesting.link_of(request_id))
        return Response(image, media_type="image/png", headers={"cache-control": "no-store"})

    _add_reading(routes, deployment, party)
    return routes


def answers(deployment: Deployment) -> APIRouter:
    """Return the route to which a website hands on what a wallet answered; its refusals are counted like a wallet's."""
    routes, verifying = APIRouter(prefix="/api/v1", route_class=CountedRoute), deployment.verifying

    @routes.post("/requests/{transaction_id}/digital-credential", openapi_extra=described.RECEIVE_DIGITAL)
    async def receive_digital(transaction_id: str, request: Request) -> dict[str, Any]:
        """Take what the website got from the Digital Credentials API: ``{data, origin?}``; returns the report."""
        name = deployment.relying_parties.authenticate(request.headers.get("authorization")).name
        sent = await body.json_object(request)
        data = sent.get("data")
        if not isinstance(data, dict):
            raise Malformed(Code.RESPONSE_INVALID, "data is the object that the browser returned")
        await verifying.receive_digital(transaction_id, data, relying_party=name, origin=_text(sent, "origin"))
        return await verifying.outcome(transaction_id, relying_party=name, response_code=None)

    return routes


def _add_reading(routes: APIRouter, deployment: Deployment, party: Callable[[Request], str]) -> None:
    verifying = deployment.verifying

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


def _terms(members: dict[str, Any]) -> Terms:
    """Read what a relying party asks for; whether it makes sense is judged by :mod:`verifier.requesting`."""
    unknown = sorted(set(members) - TERMS)
    if unknown:
        raise Malformed(Code.REQUEST_INVALID, f"unknown members: {', '.join(unknown)[:200]}")
    texts = {name: _text(members, name) for name in ("policy", "place", "redirect_uri")}
    flow = members.get("flow", Flow.CROSS_DEVICE.value)
    if flow not in list(Flow):
        raise Malformed(Code.REQUEST_INVALID, f"flow is one of {', '.join(Flow)}")
    return Terms(
        policy=texts["policy"] or "",
        place=texts["place"],
        flow=Flow(flow),
        same_holder=_flag(members, "same_holder"),
        redirect_uri=texts["redirect_uri"],
        transactions=tuple(_list(members, "transactions", dict)),
        trusted_only=_flag(members, "trusted_only"),
        origins=tuple(_list(members, "origins", str)),
    )


def _told(started: Started, base: str, language: str) -> dict[str, Any]:
    """Return what a relying party is told: a link and its QR code, or the messages for the browser's API."""
    told: dict[str, Any] = {
        "request_id": started.request_id,
        "transaction_id": started.transaction_id,
        "expires_at": started.expires_at.isoformat(),
    }
    if started.messages:
        return {**told, "digital": {"requests": [dict(each) for each in started.messages]}}
    qr_url = f"{base}/api/v1/qr/{started.request_id}.png"
    told |= {"link": started.link, "request_uri": started.request_uri, "qr_url": qr_url}
    if started.flow is Flow.SAME_DEVICE:
        return {**told, "start_url": f"{base}/start/{started.request_id}"}
    return {**told, "warning": i18n.text("verifier.cross_device_warning", language)}


def _flag(members: dict[str, Any], name: str) -> bool:
    value = members.get(name, False)
    if not isinstance(value, bool):
        raise Malformed(Code.REQUEST_INVALID, f"{name} is true or false")
    return value


def _list(members: dict[str, Any], name: str, kind: type[_T]) -> list[_T]:
    value = members.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, kind) for each in value):
        raise Malformed(Code.REQUEST_INVALID, f"{name} is a list of {'objects' if kind is dict else 'texts'}")
    if len(value) > described.MAX_TRANSACTIONS:
        raise Malformed(Code.REQUEST_INVALID, f"{name} has {described.MAX_TRANSACTIONS} entries at most")
    return value


def _text(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(Code.REQUEST_INVALID, f"{name} is text")
    return value
