"""Offers made to be decided later: whoever approves revocations decides about these too (decision record 0025)."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.errors import Code, Conflict, NotFound
from issuer import deferring, offering
from issuer.api.access import deployment_of
from issuer.console.desk import Desk
from issuer.operators import Right
from issuer.store.offers import Decision

_WISHES = {"approve": Decision.APPROVED, "deny": Decision.DENIED}


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the two buttons of an offer that waits; the list stands on the page of approvals."""

    @routes.post("/approvals/offers")
    async def decide(request: Request) -> Response:
        form = await desk.pages.form(request)
        clerk, deployment = await desk.clerk(request, Right.CHANGE_STATUS), deployment_of(request)
        which, wish = form.text("offer", most=43), form.choice("wish", _WISHES)
        if not form.is_ok:
            return desk.to(request, "/approvals")
        offer = await offering.find_offer(deployment, which)
        if offer.authority != clerk.authority:
            raise NotFound(Code.OFFER_UNKNOWN, "there is no such offer")
        try:
            await deferring.decide(deployment, offer, _WISHES[wish], actor=clerk.name)
        except Conflict:
            return desk.to(request, "/approvals?decided=meanwhile")
        return desk.to(request, f"/approvals?decided={wish}")
