"""Every refused request in the tests of services is judged (``tests/support/refused.py``): planted defects are seen."""

import html
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, MetaData, text

from comity.errors import Code, NotFound
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.runtime.clock import SystemClock
from comity.runtime.database import Database, open_database
from comity.runtime.refusals import Refusals, refusals_tables
from comity.web import counted, i18n, problems
from comity.web.counted import CountedRoute
from tests.support import refused_redirects
from tests.support.refused import CHANGES, Exchange, judge, judge_redirect, watched

URL, SENT = "http://door.example", "a-secret-that-was-sent-4711"
GOOD = OAuthError(Code.REQUEST_INVALID, "the code is not known", error=OAuthErrorCode.INVALID_GRANT)
NOTED = Refusals(database=Mock(), tables=refusals_tables(MetaData()), clock=SystemClock())
Door = Callable[[Request], Awaitable[Response]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """One table, on SQLite and on PostgreSQL."""
    opened = open_database(database_url)

    def create(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE seen (what TEXT)"))

    await opened.write(create)
    yield opened
    await opened.close()


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotFound)
    return problems.problem(request, error)


async def judged(door: Door, path: str = "/token") -> list[str]:
    """Send one bad request to a door and return what is wrong with how it is refused."""
    app, routes = FastAPI(), APIRouter(route_class=CountedRoute)
    routes.add_api_route(path, door, methods=["POST"], response_model=None)
    app.include_router(routes)
    counted.install(app, lambda _request, error: NOTED.note(error, endpoint="door"), routes.routes)
    app.exception_handler(NotFound)(_problem)
    with watched() as exchanges:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:
            await client.post(path, data={"code": SENT})
    return [each for exchange in exchanges if exchange.is_refused for each in judge(exchange)]


def door(answer: Response, *, times: int = 1) -> Door:
    async def refuse(request: Request) -> Response:
        await request.body()
        for _ in range(times):
            NOTED.note(GOOD, endpoint="door")
        return answer

    return refuse


def page(language: str = "en", *, said: str = "en", more: str = "", without: str = "") -> Door:
    """Return a door that refuses with a page."""
    words = {each: i18n.text(f"codes.client_unknown.{each}", said) for each in ("title", "meaning", "next_step")}
    title, meaning, next_step = (html.escape("" if each == without else text) for each, text in words.items())
    told = f"<html lang={language}><h1>{title}</h1><p>{meaning}<p>{next_step}{more}</html>"
    return door(HTMLResponse(told, 404, {"cache-control": "no-store", "content-language": language}))


def told(sentence: str, status: int = 400) -> Door:
    return door(problems.oauth_error("invalid_grant", sentence, status))


async def test_a_refusal_as_it_should_be_is_the_good_twin() -> None:
    unknown = NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
    challenge = {"www-authenticate": "DPoP", "cache-control": "no-store"}
    for answer in (
        problems.protocol_error(GOOD),
        problems.protocol_error(unknown),
    ):
        assert await judged(door(answer)) == []
    assert await judged(door(Response(status_code=401, headers=challenge), times=0)) == [], "counted by the route"
    for language in ("en", "fr"):
        assert await judged(page(language, said=language), "/authorize") == []


@pytest.mark.parametrize(
    ("planted", "seen"),
    [
        (told(""), "no plain sentence"),
        (told("no"), "no plain sentence"),
        (told("x" * 161), "no plain sentence"),
        (told("the code is not known. Ask for another"), "more than one sentence"),
        (told("the code is not known."), "more than one sentence"),
        (told("ValueError in line 4"), "it speaks as a program does"),
        (told("the code is None of ours"), "it speaks as a program does"),
        (told(f"nobody knows {SENT} here"), "it repeats what was sent: code"),
        (told("the client is not known", 401), "401 without a challenge"),
        (told("the code is not known", 500), "status 500"),
        (door(problems.oauth_error("bad_code", "the code is not known")), "error is no code of the protocols"),
        (door(Response("the code is not known", 400, {"cache-control": "no-store"})), "no error code in nothing"),
        (door(Response("[]", 400, {"cache-control": "no-store"}, "application/json")), "not a JSON object"),
        (door(Response("{}", 400, media_type="application/json")), "it may be kept by a cache"),
        (door(problems.protocol_error(GOOD), times=0), "it is 0 events"),
        (door(problems.protocol_error(GOOD), times=2), "it is 2 events"),
    ],
)
async def test_a_planted_defect_is_seen(planted: Door, seen: str) -> None:
    assert any(seen in each for each in await judged(planted)), seen


@pytest.mark.parametrize(
    ("planted", "seen"),
    [
        (page("fr"), "cause and next step in fr"),
        (page(without="title"), "cause and next step in en"),
        (page(without="meaning"), "cause and next step in en"),
        (page(without="next_step"), "cause and next step in en"),
        (page("de"), "does not say its language"),
        (page(more=f"<a href=/fr/?code={SENT}>Français</a>"), "it repeats what was sent: code"),
        (told("the client is not known"), "a person is answered with application/json"),
    ],
)
async def test_a_planted_defect_of_a_page_is_seen(planted: Door, seen: str) -> None:
    assert any(seen in each for each in await judged(planted, "/authorize")), seen


async def test_a_change_is_seen_unless_its_reason_is_written_down(database: Database) -> None:
    def change(connection: Connection) -> None:
        connection.execute(text("INSERT INTO seen VALUES ('x')"))

    def change_many(connection: Connection) -> None:
        connection.execute(text("INSERT INTO seen VALUES (:what)"), [{"what": "y"}, {"what": "z"}])

    def look(connection: Connection) -> None:
        with connection.begin_nested():
            assert connection.execute(text("SELECT what FROM seen")).all()
        connection.execute(text("DELETE FROM seen WHERE what = 'nothing'"))

    def undone(connection: Connection) -> None:
        change(connection)
        raise GOOD

    async def refuse(unit: Callable[[Connection], None], sentence: str) -> list[str]:
        async def act(request: Request) -> Response:
            try:
                await database.write(unit)
            except OAuthError as error:
                return await door(problems.protocol_error(error))(request)
            return await door(problems.oauth_error("invalid_grant", sentence))(request)

        return await judged(act)

    for unit in (change, change_many):
        (seen,) = await refuse(unit, "the code is not known")
        assert seen.endswith("it changed something: " + unit.__qualname__)
    assert await refuse(look, "the code is not known") == []
    assert await refuse(undone, "") == []
    assert await refuse(change, "the transaction code is wrong") == []
    assert all(reason for reason in CHANGES.values())


# --- refusals that a browser carries back


NAME, WALLET, SHOP = "urn:request:4711", "https://wallet.example/back?session=7", "https://shop.example/back"
TOLD = {"error": "access_denied", "error_description": "nobody agreed here", "state": "s t&ate", "iss": f"{URL}/ca-on"}


def exchange(path: str, fields: dict[str, str], **seen: Any) -> Exchange:
    """Return a request with ``fields`` in its address, and what was seen of it."""
    headers = [(b"host", b"door.example")]
    scope = {"scheme": "http", "path": path, "headers": headers, "query_string": urlencode(fields).encode()}
    return Exchange(scope=scope, **seen)


def to_wallet(begin: str = f"{WALLET}&", *, name: str = NAME, **changes: Any) -> list[str]:
    """Judge an answer to a wallet; ``changes`` of capital letters are of what is told, others of what was seen."""
    told = TOLD | {key.lower(): value for key, value in changes.items() if key.isupper()}
    seen = {"status": 303, "audited": 1} | {key: value for key, value in changes.items() if not key.isupper()}
    headers = {"location": begin + urlencode(told), "cache-control": "no-store"} | seen.pop("headers", {})
    asked = urlencode({"redirect_uri": WALLET, "state": "s t&ate"}).encode()
    pushed = exchange("/ca-on/par", {}, sent=asked, status=201, body=f'{{"request_uri":"{NAME}"}}'.encode())
    away = exchange("/ca-on/authorize", {"request_uri": name, "scope": SENT}, headers=headers, **seen)
    assert refused_redirects.is_refusal(away.status, away.headers)
    return judge_redirect(away, [pushed])


def to_website(**changes: Any) -> list[str]:
    asked = {"redirect_uri": SHOP, "state": "s t&ate"}
    headers = {"location": f"{SHOP}?{urlencode(TOLD | {'iss': f'{URL}/oidc'})}", "cache-control": "no-store"}
    seen = {"status": 303, "noted": 1, "registered": (SHOP,), "headers": headers} | changes
    return judge_redirect(exchange("/oidc/authorize", asked, **seen), [])


def test_a_refusal_that_is_carried_back_as_it_should_be_is_the_good_twin() -> None:
    assert to_wallet() == []
    assert to_wallet(changed=["refuse.<locals>.end"]) == []
    assert to_website() == []
    assert not refused_redirects.is_refusal(303, {"location": f"{WALLET}&code=error"})


@pytest.mark.parametrize(
    ("planted", "seen"),
    [
        ({"ERROR": "invalid_grant"}, "error is no code of the specification"),
        ({"ERROR": "login_required"}, "error is no code of the specification"),
        ({"ERROR_DESCRIPTION": ""}, "no plain sentence"),
        ({"ERROR_DESCRIPTION": 'nobody "agreed" here'}, "no plain sentence"),
        ({"ERROR_DESCRIPTION": f"nobody knows {SENT} here"}, "it repeats what was sent: scope"),
        ({"STATE": "s t"}, "state is not the one"),
        ({"ISS": URL}, "iss is not the issuer"),
        ({"CODE": "c0de"}, "members that nobody expects"),
        ({"begin": "https://evil.example/?session=7&"}, "it goes elsewhere"),
        ({"begin": f"{WALLET}#"}, "it goes elsewhere"),
        ({"name": "urn:request:4712"}, "nobody is known to have asked"),
        ({"status": 307}, "a form would be sent on"),
        ({"headers": {"cache-control": "private"}}, "kept by a cache"),
        ({"audited": 0}, "it is 0 events"),
        ({"noted": 1}, "it is 2 events"),
        ({"changed": ["give"]}, "it changed something: give"),
        ({"changed": ["end_sign_in", "end_sign_in"]}, "it changed something: end_sign_in, end_sign_in"),
    ],
)
def test_a_planted_defect_of_what_is_carried_back_is_seen(planted: dict[str, Any], seen: str) -> None:
    assert any(seen in each for each in to_wallet(**planted)), seen


def test_a_website_is_answered_where_it_is_registered() -> None:
    for registered in ((), None, (f"{SHOP}/",)):
        (seen,) = to_website(registered=registered)
        assert seen.endswith("it goes to an address that is not registered")
