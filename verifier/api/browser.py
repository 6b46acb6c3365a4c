"""What the person's own browser calls in the same-device flow: start here, open the wallet, come back here."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from comity.web import i18n
from comity.web.counted import CountedRoute
from comity.web.problems import language_of
from verifier.deployment import Deployment
from verifier.same_device import COOKIE
from verifier.same_device import cookie as binding


def router(deployment: Deployment) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(route_class=CountedRoute, include_in_schema=False)
    same_device, public_url = deployment.same_device, deployment.settings.public_url

    @routes.get("/start/{request_id}")
    async def start(request_id: str) -> Response:
        """Bind the request to this browser and open the wallet; a relying party redirects its customer here."""
        begun = await same_device.begin(request_id)
        response = RedirectResponse(begun.link, 303, headers={"cache-control": "no-store"})
        seconds = deployment.settings.request_seconds + deployment.settings.result_seconds
        response.set_cookie(**binding(begun, request_id, public_url=public_url, seconds=seconds))
        return response

    @routes.get("/complete/{request_id}")
    async def come_back(request_id: str, request: Request, response_code: str | None = None) -> Response:
        """Where the wallet sends the browser; on to the relying party, if it is the one that started."""
        secret = request.cookies.get(COOKIE)
        target = await same_device.come_back(request_id, secret=secret, response_code=response_code)
        headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
        if target is None:
            return PlainTextResponse(i18n.text("verifier.complete", language_of(request)), headers=headers)
        return RedirectResponse(target, 303, headers=headers)

    return routes
