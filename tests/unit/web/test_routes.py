"""Routes that are analysed late answer, refuse and are described like FastAPI's own."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import FastAPIError
from fastapi.routing import APIRoute

from comity.web.routes import LateRoute, take_over


def build(route_class: type[APIRoute], put: Callable[[FastAPI, APIRouter], None]) -> FastAPI:
    app, router = FastAPI(redirect_slashes=False), APIRouter(prefix="/a", route_class=route_class)

    @router.get("/{number}", status_code=202)
    async def show(request: Request, number: int, more: str = "") -> dict[str, str]:
        """Show a number."""
        return {"number": str(number), "more": more, "found": request.scope["route"].path}

    @router.post("/{number}", name="another", include_in_schema=False)
    async def change(number: int) -> None:
        return None

    put(app, router)
    return app


def late() -> FastAPI:
    return build(LateRoute, take_over)


@pytest.fixture(params=["late", "as ever"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    app = late() if request.param == "late" else build(APIRoute, FastAPI.include_router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as found:
        yield found


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/a/7?more=yes", 202, '{"number":"7","more":"yes","found":"/a/{number}"}'),
        ("GET", "/a/seven", 422, '"loc":["path","number"]'),
        ("POST", "/a/7", 200, "null"),
        ("PUT", "/a/7", 405, "Method Not Allowed"),
        ("GET", "/a/7/", 404, "Not Found"),
        ("GET", "/b", 404, "Not Found"),
    ],
)
async def test_the_answer_is_the_same(
    client: httpx.AsyncClient, method: str, path: str, status: int, text: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert text in answer.text
    assert answer.headers.get("allow") == {405: "GET"}.get(status)


def test_the_description_is_the_same() -> None:
    app = late()
    assert app.openapi() == build(APIRoute, FastAPI.include_router).openapi()
    assert app.openapi()["paths"]["/a/{number}"].keys() == {"get"}
    assert app.url_path_for("another", number="7") == "/a/7"


async def test_a_route_that_nobody_asks_is_not_analysed() -> None:
    app = late()
    found = [each for each in app.routes if isinstance(each, LateRoute)]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        await client.get("/a/7")
    assert ["dependant" in vars(each) for each in found] == [True, False]


def nothing() -> None:
    return None


def nonsense() -> FastAPI:
    return FastAPI()


def test_what_is_wrong_with_a_function_is_said_when_it_is_looked_at() -> None:
    route = LateRoute("/", nonsense)
    with pytest.raises(FastAPIError, match="Invalid args for response field"):
        _ = route.dependant


def test_a_route_has_no_other_attributes() -> None:
    route = LateRoute("/", nothing)
    assert route.dependant.call is nothing
    with pytest.raises(AttributeError, match="nonsense"):
        _ = route.nonsense
