"""No route of any service has a function that FastAPI refuses: it would say so only when somebody asks."""

from fastapi.routing import APIRoute
from starlette.routing import Route

from comity.web.endings import Endings
from comity.web.routes import LateRoute
from tests.services.wallet.town import Town


async def test_every_route_can_be_asked(town: Town) -> None:
    verifier_app = town.counter._transport.app  # type: ignore[attr-defined]
    for app in (town.issuer_app, town.wallet_app, verifier_app):
        # Taken over, none included: who looks for pages among the routes of an application finds all of them.
        assert {type(each) for each in app.routes if not isinstance(each, Route)} <= {Endings}, app.title
        found = [each for each in app.routes if isinstance(each, APIRoute)]
        assert len(found) > 40, app.title
        for each in found:
            assert isinstance(each, LateRoute), each.path
            assert each.dependant.call is each.endpoint, each.path
