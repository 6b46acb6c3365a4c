"""No route of any service has a function that FastAPI refuses: it would say so only when somebody asks."""

from comity.web.routes import LateRoute
from tests.services.wallet.town import Town


async def test_every_route_can_be_asked(town: Town) -> None:
    verifier_app = town.counter._transport.app  # type: ignore[attr-defined]
    for app in (town.issuer_app, town.wallet_app, verifier_app):
        late = [each for each in app.routes if isinstance(each, LateRoute)]
        assert len(late) > 40, app.title
        for each in late:
            assert each.dependant.call is each.endpoint, each.path
