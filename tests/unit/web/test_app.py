"""The base application, through HTTP without sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import httpx
import pytest
import structlog
from fastapi import FastAPI, Query, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import Message

from comity.errors import Code, Conflict, Misconfigured, Unreachable
from comity.openid.refusal import OAuthError
from comity.runtime.settings import ServiceSettings
from comity.web import app as module
from comity.web import body
from comity.web.app import create_base


class LampSettings(ServiceSettings):
    """The settings of a made-up service."""

    service: ClassVar[str] = "lamp"


READY: dict[str, module.ReadyCheck] = {}


def build(public_url: str = "https://lamp.example", **options: Any) -> FastAPI:
    environment = options.pop("environment", "production")
    settings = LampSettings(public_url=public_url, environment=environment)
    made = create_base(settings, title="lamp", version="1.2.3", **options)

    @made.post("/json")
    async def take(request: Request) -> dict[str, Any]:
        return await body.json_object(request)

    @made.get("/where")
    async def where(request: Request) -> dict[str, str]:
        forwarded = [name for name in request.headers if "forwarded" in name]
        return {"url": str(request.url), "for": str(request.url_for("where")), "forwarded": str(forwarded)}

    @made.get("/conflict")
    async def conflict() -> None:
        raise Conflict(Code.CODE_ALREADY_USED, "the code was used already")

    @made.get("/oauth")
    async def oauth() -> None:
        raise OAuthError(Code.OFFER_INVALID, "the offer is of another issuer")

    @made.get("/broken")
    async def broken() -> None:
        raise ValueError("Marguerite DEMO 1990-01-01")

    @made.get("/half")
    async def half() -> Any:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            raise ValueError("Marguerite DEMO 1990-01-01")

        return StreamingResponse(pieces())

    @made.get("/number")
    async def number(n: int = Query()) -> int:
        return n

    @made.get("/cached")
    async def cached() -> PlainTextResponse:
        return PlainTextResponse("x", headers={"cache-control": "max-age=300"})

    @made.get("/http/{status}")
    async def http(status: int) -> None:
        raise HTTPException(status, detail="secret", headers={"x-more": "y"})

    return made


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example")


async def get(app: FastAPI, path: str, **options: Any) -> httpx.Response:
    async with client(app) as asking:
        return await asking.get(path, **options)


@pytest.mark.attack("W09")
async def test_every_answer_carries_the_security_headers() -> None:
    app = build()
    for path in ("/healthz", "/nothing", "/broken", "/conflict", "/oauth"):
        headers = (await get(app, path)).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=(self)" in headers["permissions-policy"]
        assert headers["cache-control"] == "no-store"
        assert "max-age" in headers["strict-transport-security"]
        assert len(headers["x-request-id"]) == 16


async def test_a_route_may_allow_caching_and_http_makes_no_promise_of_https() -> None:
    app = build("http://localhost:8101", content_security_policy="default-src 'none'")
    answer = await get(app, "/cached")
    assert answer.headers["cache-control"] == "max-age=300"
    assert "strict-transport-security" not in answer.headers
    assert answer.headers["content-security-policy"] == "default-src 'none'"


async def test_request_ids_are_ours_and_new_each_time() -> None:
    app = build()
    first, second = [await get(app, "/conflict", headers={"x-request-id": "evil"}) for _ in range(2)]
    assert first.headers["x-request-id"] == first.json()["request_id"]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert "evil" not in first.text


@pytest.mark.attack("W06")
@pytest.mark.good_twin("W06")
async def test_links_never_follow_what_the_client_says_of_us() -> None:
    answer = await get(
        build(),
        "/where",
        headers={
            "host": "evil.example",
            "x-forwarded-host": "evil.example",
            "x-forwarded-proto": "gopher",
            "forwarded": "host=evil.example",
        },
    )
    assert answer.json() == {
        "url": "https://lamp.example/where",
        "for": "https://lamp.example/where",
        "forwarded": "[]",
    }


async def test_errors_are_problems_in_the_language_asked_for() -> None:
    app = build()
    english = await get(app, "/conflict")
    assert (english.status_code, english.json()["code"]) == (409, "code_already_used")
    assert english.headers["content-type"] == "application/problem+json"
    french = await get(app, "/conflict", headers={"accept-language": "fr-CA"})
    assert french.json()["title"] != english.json()["title"]


async def test_a_protocol_error_is_a_problem_where_the_route_does_not_answer_it_itself() -> None:
    answer = await get(build(), "/oauth")
    assert (answer.status_code, answer.json()["code"]) == (400, "offer_invalid")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("environment", ["production", "development"])
async def test_the_unforeseen_is_500_without_detail(environment: str) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await get(build(environment=environment), "/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "Marguerite" not in answer.text
    assert "detail" not in answer.json()
    (record,) = logs
    assert record["error_type"] == "ValueError"
    assert ("Marguerite" in str(record)) == (environment == "development")


async def test_why_it_could_not_start_is_in_the_log() -> None:
    @asynccontextmanager
    async def refusing(app: FastAPI) -> AsyncIterator[None]:
        if app.title == "lamp":
            raise Misconfigured(Code.MISCONFIGURED, "a certificate names another URL")
        yield

    app = build(lifespan=refusing)
    with structlog.testing.capture_logs() as logs, pytest.raises(Misconfigured):
        async with app.router.lifespan_context(app):
            pass
    (record,) = logs
    assert (record["event"], record["code"]) == ("could not start", "misconfigured")
    assert record["why"] == "a certificate names another URL"


async def test_an_answer_that_broke_half_way_is_not_followed_by_another() -> None:
    with structlog.testing.capture_logs() as logs:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            await asyncio.sleep(60)
            raise AssertionError

        scope = {
            "type": "http", "method": "GET", "path": "/half", "raw_path": b"/half", "query_string": b"",
            "headers": [], "scheme": "http", "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        await build()(scope, receive, send)
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert len(logs) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/healthz/", 404, "not_found"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("GET", "/http/401", 401, "not_authenticated"),
        ("GET", "/http/403", 403, "not_permitted"),
        ("GET", "/http/413", 413, "too_large"),
        ("GET", "/http/415", 415, "unsupported_media_type"),
        ("GET", "/http/418", 400, "malformed"),
        ("GET", "/docs", 404, "not_found"),
    ],
)
async def test_http_errors_are_problems_too(method: str, path: str, status: int, code: str) -> None:
    async with client(build()) as asking:
        answer = await asking.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "secret" not in answer.text
    if path.startswith("/http/"):
        assert answer.headers["x-more"] == "y"
    if status == 405:
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_wrong_parameters_are_named_but_not_repeated() -> None:
    answer = await get(build(), "/number", params={"n": "swordfish"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert "query.n" in answer.json()["detail"]
    assert "swordfish" not in answer.text


# --- bodies


async def post(app: FastAPI, content: Any, **headers: str) -> httpx.Response:
    async with client(app) as asking:
        return await asking.post("/json", content=content, headers={"content-type": "application/json", **headers})


def padded(size: int) -> bytes:
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


async def pieces(size: int) -> AsyncIterator[bytes]:
    data = padded(size)
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


@pytest.mark.good_twin("Q01")
async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    app = build(max_body_bytes=5000)
    assert (await post(app, padded(5000))).status_code == 200
    assert (await post(app, pieces(5000))).status_code == 200


@pytest.mark.attack("Q01")
async def test_a_body_over_the_limit_is_413_declared_or_not() -> None:
    app = build(max_body_bytes=5000)
    for content in (padded(5001), pieces(5001)):
        answer = await post(app, content)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert (await post(build(), padded((1 << 20) + 1))).status_code == 413


@pytest.mark.parametrize("length", ["-1", "5e3", "abc", "", "9" * 5000])
@pytest.mark.attack("Q02")
async def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    assert (await post(build(), b"{}", **{"content-length": length})).status_code == 413


@pytest.mark.attack("Q01")
async def test_a_declared_length_over_the_limit_is_answered_before_reading() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/json", "raw_path": b"/json", "query_string": b"",
        "headers": [(b"content-length", b"99999999")], "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    await build()(scope, receive, send)
    assert sent[0]["status"] == 413


# --- health


async def test_a_living_service_says_so() -> None:
    app = build()
    assert (await get(app, "/healthz")).json() == {"status": "ok"}
    assert (await get(app, "/version")).json() == {"service": "lamp", "version": "1.2.3"}
    assert (await get(app, "/openapi.json")).json()["info"]["title"] == "lamp"


async def fine() -> None:
    return


async def busy() -> None:
    raise Unreachable(Code.REGISTRY_UNAVAILABLE, "at https://internal.example/")


async def bug() -> None:
    raise ValueError("at https://internal.example/")


async def stuck() -> None:
    await asyncio.sleep(60)


async def test_readiness_names_what_is_missing_and_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_SECONDS", 0.05)
    checks: dict[str, module.ReadyCheck] = {"keys": fine}
    app = build(ready=checks)
    ready = await get(app, "/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {"keys": "ok"}})
    checks |= {"registry": busy, "database": bug, "lists": stuck}
    with structlog.testing.capture_logs() as logs:
        unready = await get(app, "/readyz")
    assert unready.status_code == 503
    assert unready.json() == {
        "status": "not_ready",
        "checks": {"keys": "ok", "registry": "registry_unavailable", "database": "internal", "lists": "busy"},
    }
    assert "internal.example" not in json.dumps(logs)


async def test_the_lifespan_is_passed_on() -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        steps.append("open")
        yield
        steps.append("close")

    app = build(lifespan=lifespan)
    received = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(received)

    async def send(message: Message) -> None:
        steps.append(message["type"])

    await app({"type": "lifespan", "state": {}}, receive, send)
    assert steps == ["open", "lifespan.startup.complete", "close", "lifespan.shutdown.complete"]
