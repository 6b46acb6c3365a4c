"""*Later*, said at the door: the same answer as the application's, for programs only, and the connection goes on."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from comity import strict_json
from comity.runtime.settings import ServiceSettings
from comity.web.app import create_base
from comity.web.patience import BODY_SECONDS
from tests.unit.web.test_patience import Connection

REQUEST = b"POST /work HTTP/1.1\r\nhost: a.example\r\naccept-language: fr-CA\r\ncontent-length: 2\r\n\r\n{}"


@pytest.fixture
def full() -> Iterator[Connection]:
    """A connection to a service that has no room."""
    app = create_base(ServiceSettings(public_url="http://localhost:1", max_in_flight=1), title="lamp", version="1")
    app.state.room.running = 1
    opened = Connection(app=app)
    yield opened
    for task in opened.loop.tasks:
        task.close()


def told(answer: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return int(first.split(" ")[1]), headers, strict_json.parse_object(body)


@pytest.mark.parametrize("language", ["en", "fr-CA"])
async def test_the_words_are_the_applications(full: Connection, language: str) -> None:
    app: FastAPI = full.app
    full.send(REQUEST.replace(b"fr-CA", language.encode()))
    status, headers, document = told(full.line.written)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:1") as client:
        asked = await client.post("/work", headers={"accept-language": language})
    theirs = {**asked.headers}
    for only_of_one in ("x-request-id", "content-length"):  # the application names each request
        theirs.pop(only_of_one)
    assert theirs.pop("retry-after") == headers.pop("retry-after") == "1"
    assert headers.pop("content-length")
    assert (status, headers) == (asked.status_code, theirs)
    assert document == {name: value for name, value in asked.json().items() if name != "request_id"}


def test_the_connection_goes_on_and_is_served_when_there_is_room(full: Connection) -> None:
    full.send(REQUEST[:-1])
    full.send(REQUEST[-1:], REQUEST)
    assert (full.line.written.count(b"HTTP/1.1 503 "), full.loop.tasks, full.line.ended) == (2, [], "")
    full.app.state.room.running = 0
    full.send(REQUEST)
    assert len(full.loop.tasks) == 1


@pytest.mark.parametrize(
    "request_", [REQUEST.replace(b"host", b"connection: close\r\nhost"), REQUEST.replace(b"/1.1", b"/1.0")]
)
def test_a_connection_that_was_to_end_ends(full: Connection, request_: bytes) -> None:
    full.send(request_)
    status, headers, _ = told(full.line.written)
    assert (status, headers["connection"], full.line.ended, full.loop.tasks) == (503, "close", "closed", [])


@pytest.mark.parametrize(
    "request_",
    [
        *(
            f"GET {path} HTTP/1.1\r\n\r\n".encode()
            for path in ("/healthz", "/readyz?x", "/metrics", "/fr/", "/en/cards")
        ),
        b"GET /work HTTP/1.1\r\naccept: text/html\r\n\r\n",
        b"HEAD /work HTTP/1.1\r\n\r\n",  # whose answer has no body: one would be read as the next answer's beginning
    ],
)
def test_health_and_people_are_let_through(full: Connection, request_: bytes) -> None:
    full.send(request_)
    assert (full.line.written, len(full.loop.tasks)) == (b"", 1)


def test_nobody_is_answered_before_whoever_asked_first(full: Connection) -> None:
    """Requests that come in one breath on one connection are answered in their order (RFC 9112 §9.3.2)."""
    full.app.state.room.running = 0
    full.send(REQUEST)
    full.app.state.room.running = 1
    full.send(REQUEST)
    assert (full.line.written, len(full.loop.tasks), len(full.protocol.pipeline)) == (b"", 1, 1)
    full.protocol.pipeline.clear()


def test_a_body_that_does_not_end_is_not_waited_for(full: Connection) -> None:
    full.send(REQUEST[:-1])
    full.loop.advance(BODY_SECONDS + 2)
    assert (full.line.written.count(b"HTTP/1.1 503 "), full.line.ended) == (1, "closed")


def test_it_is_counted(full: Connection) -> None:
    full.send(REQUEST, REQUEST)
    lines = full.app.state.metrics.text().decode().splitlines()
    assert 'comity_requests_total{method="POST",route="unknown",status="5xx"} 2.0' in lines
