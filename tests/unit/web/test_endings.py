"""Routes that are found by the last part of their path answer what they would answer when tried in turn."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.routing import NoMatchFound

from comity.errors import Code, ComityError, Denied
from comity.web import counted
from comity.web.counted import DirectRoute
from comity.web.endings import Endings

ROUTES = APIRouter(route_class=DirectRoute)


@ROUTES.post("/{path:path}/token")
async def token(request: Request, path: str) -> Response:
    return Response(f"token of {path} at {request.scope['route'].path}")


@ROUTES.get("/fixed/{path:path}")
async def fixed(request: Request, path: str) -> Response:
    return Response(f"{request.method} {path}")


@ROUTES.post("/{path:path}/refused")
async def refused(request: Request, path: str) -> Response:
    raise Denied(Code.NOT_PERMITTED)


@pytest.fixture(params=[True, False], ids=["by their endings", "in turn"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(redirect_slashes=False)
    if request.param:
        app.router.routes.insert(0, Endings(ROUTES.routes))
    app.include_router(ROUTES)
    app.state.told = []
    counted.install(app, lambda _request, error: app.state.told.append(error.code), ROUTES.routes)

    @app.exception_handler(ComityError)
    async def show(_request: Request, error: Exception) -> Response:
        assert isinstance(error, ComityError)
        return Response(error.code.value, 403)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as found:
        yield found


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/a/b/token", 200, "token of a/b at /{path:path}/token"),
        ("POST", "/a%20b/token", 200, "token of a b at /{path:path}/token"),
        ("POST", "/token", 404, ""),
        ("POST", "/a/token/", 404, ""),
        ("POST", "/a/tokens", 404, ""),
        ("GET", "/a/token", 405, ""),
        ("GET", "/fixed/a/token", 200, "GET a/token"),
        ("POST", "/a/refused", 403, "not_permitted"),
    ],
)
async def test_the_answer_is_the_same(
    client: httpx.AsyncClient, method: str, path: str, status: int, text: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert text in answer.text


def test_a_name_is_looked_up_where_the_routes_are() -> None:
    app = FastAPI()
    app.router.routes.insert(0, Endings(ROUTES.routes))
    app.include_router(ROUTES)
    assert app.url_path_for("token", path="a") == "/a/token"
    with pytest.raises(NoMatchFound):
        app.url_path_for("nothing")
