"""The first page: search, the day's work, what waits and what ends soon."""

from datetime import UTC, datetime, time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from issuer import approving, looking_up, signing_in
from issuer.api.access import deployment_of
from issuer.console import issuing
from issuer.console.desk import Desk
from issuer.deployment import Deployment
from issuer.operators import Right

SOON_DAYS = 30
MAX_SEARCH = 200
_PERIODS = (7, 30, 90)


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the first page, the search and the list of what ends soon."""

    @routes.get("/")
    async def home(request: Request) -> Response:
        session, deployment = await desk.session(request, Right.LOOK_UP), deployment_of(request)
        authority = session.clerk.authority
        return desk.render(
            request,
            "home.html",
            today=await looking_up.offers_since(deployment, authority, since=_midnight(deployment)),
            ends_soon=await looking_up.expiring(deployment, authority, days=SOON_DAYS),
            waiting=await approving.waiting(deployment, authority),
            begun=issuing.begun(deployment, session),
            searched="",
        )

    @routes.post("/search")
    async def search(request: Request) -> Response:
        form = await desk.pages.form(request)
        session = await desk.session(request, Right.LOOK_UP)
        text = form.text("search", most=MAX_SEARCH)
        if not form.is_ok:
            return desk.render(request, "found.html", status=422, form=form, found=None, searched="")
        await signing_in.keep_search(deployment_of(request), session, text)
        return desk.to(request, "/search")

    @routes.get("/search")
    async def show_found(request: Request) -> Response:
        session, deployment = await desk.session(request, Right.LOOK_UP), deployment_of(request)
        text = signing_in.kept_search(deployment, session)
        found = await looking_up.find_any(deployment, session.clerk.authority, text) if text else None
        return desk.render(request, "found.html", found=found, searched=text)

    @routes.get("/expiring")
    async def expiring(request: Request) -> Response:
        clerk, deployment = await desk.clerk(request, Right.LOOK_UP), deployment_of(request)
        asked = request.query_params.get("days")
        days = next((each for each in _PERIODS if asked == str(each)), SOON_DAYS)
        found = await looking_up.expiring(deployment, clerk.authority, days=days)
        return desk.render(request, "expiring.html", found=found, days=days, periods=_PERIODS)

    @routes.get("/help")
    async def show_help(request: Request) -> Response:
        await desk.session(request)
        return desk.render(request, "help.html")


def _midnight(deployment: Deployment) -> int:
    today = datetime.fromtimestamp(deployment.now(), tz=UTC).date()
    return int(datetime.combine(today, time(), tzinfo=UTC).timestamp())
