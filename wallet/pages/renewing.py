"""Having a card anew from its issuer without signing in again, where the issuer lets the wallet (RFC 6749 §6)."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from wallet.holdings import Held
from wallet.pages.face import Face
from wallet.records import GRANT, OpenWallet


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.post("/cards/{credential_id}/renew")
    async def renew(request: Request) -> Response:
        form = await pages.form(request)
        wallet, credential_id = await face.wallet(request), request.path_params["credential_id"]
        if not form.is_genuine:
            return pages.to(request, f"/cards/{credential_id}")
        received = await face.deployment.authorizing.renew(wallet, credential_id)
        if received is None:  # the issuer wants time: home says what is on its way
            return pages.to(request, "/")
        return pages.to(request, f"/cards/{received.credential_id}?new=renewed")

    return routes


async def can_renew(wallet: OpenWallet, held: Held) -> bool:
    """Say whether the issuer left a grant with which the card can be had anew; whether it still takes it, it says."""
    grant = held.about.get("grant")
    return grant is not None and await wallet.find(GRANT, str(grant)) is not None
