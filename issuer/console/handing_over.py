"""Handing over: the QR code to one hand, the code to the other, and the word that it was collected."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.web import live, qr
from issuer import looking_up, offering, offering_once, signing_in
from issuer.api.access import deployment_of
from issuer.console.desk import Desk
from issuer.console.issuing import not_found, wallet_link
from issuer.operators import Right
from issuer.store.clerks import Clerk
from issuer.store.offers import Offer, OfferState

_SETTLED = frozenset({OfferState.DELIVERED, OfferState.DEAD, OfferState.CANCELLED, OfferState.EXPIRED})


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the page of an offer, its printed slip, and what becomes of it, live."""

    @routes.get("/offers/{offer_id}")
    async def show(request: Request, offer_id: str) -> Response:
        clerk = await desk.clerk(request, Right.LOOK_UP)
        offer = await _offer(request, clerk, offer_id)
        return desk.render(request, "hand_over.html", **await _handed(request, desk, offer))

    @routes.get("/offers/{offer_id}/events")
    async def events(request: Request, offer_id: str) -> Response:
        clerk = await desk.clerk(request, Right.LOOK_UP)
        await _offer(request, clerk, offer_id)

        async def current() -> Mapping[str, Any]:
            found = await offering.find_offer(deployment_of(request), offer_id)
            return {"state": found.state.value, "final": found.state in _SETTLED}

        return live.stream(live.changes(current, is_final=lambda state: bool(state["final"])))

    @routes.get("/offers/{offer_id}/slip")
    async def slip(request: Request, offer_id: str) -> Response:
        clerk, deployment = await desk.clerk(request, Right.ISSUE), deployment_of(request)
        offer = await _offer(request, clerk, offer_id)
        if offer.state is not OfferState.OPEN:
            return desk.to(request, f"/offers/{offer.id}")
        await looking_up.note(deployment, clerk.authority, "slip_opened", offer.id, actor=clerk.name)
        return desk.render(request, "slip.html", **await _handed(request, desk, offer))


def add_settled(routes: APIRouter, desk: Desk) -> None:
    """Add what an offer leads to: its record, or nothing any more."""

    @routes.get("/offers/{offer_id}/record")
    async def record(request: Request, offer_id: str) -> Response:
        clerk = await desk.clerk(request, Right.LOOK_UP)
        offer = await _offer(request, clerk, offer_id)
        issued = await offering.issued_by(deployment_of(request), offer)
        return desk.to(request, f"/records/{issued[0].id}" if issued else f"/offers/{offer.id}")

    @routes.post("/offers/{offer_id}")
    async def cancel(request: Request, offer_id: str) -> Response:
        form = await desk.pages.form(request)
        clerk = await desk.clerk(request, Right.ISSUE)
        offer = await _offer(request, clerk, offer_id)
        if form.is_ok:
            await offering.cancel_offer(deployment_of(request), offer, actor=clerk.name)
        return desk.to(request, f"/offers/{offer.id}")


async def _offer(request: Request, clerk: Clerk, offer_id: str) -> Offer:
    found = await offering.find_offer(deployment_of(request), offer_id)
    if found.authority != clerk.authority:
        raise not_found()
    return found


async def _handed(request: Request, desk: Desk, offer: Offer) -> dict[str, Any]:
    """Return what the pages of an offer show; link and code to those who may issue, while it is open."""
    deployment, clerk = deployment_of(request), request.state.clerk
    reference = offering.offer_reference(deployment, offer)
    language = desk.pages.language(request)
    is_shown = offer.state is OfferState.OPEN and signing_in.may(clerk, Right.ISSUE)
    return {
        "offer": offer,
        "office": deployment.authority(offer.authority).description.name,
        "link": reference.link() if is_shown else None,
        "drawn": await qr.outline_async(reference.link()) if is_shown else None,
        "transaction_code": offering_once.code_of(deployment, offer) if is_shown else None,
        "wallet": wallet_link(deployment, reference.link(), language) if is_shown else None,
        "issued": await offering.issued_by(deployment, offer),
    }
