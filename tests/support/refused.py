"""Every refused request of a protocol endpoint is judged, whichever test sent it: how it is told, what it changed.

Issue 3, "Bad input": 4xx with the code of the specification, one plain sentence, no state change. A test says which
code it expects; what holds for *all* refusals is judged here, beneath the HTTP client, so that no test can forget it.
What counts as a protocol endpoint is not listed: it is each route whose refusals are counted.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from sqlalchemy import Connection, event
from starlette.types import Message, Receive, Scope, Send

from comity import strict_json
from comity.errors import Code, ComityError
from comity.openid.issuance import attempts
from comity.openid.refusal import OAuthErrorCode
from comity.runtime.postgres import PostgresDatabase
from comity.runtime.refusals import Refusals
from comity.runtime.sqlite import SqliteDatabase
from comity.runtime.unit import Database
from comity.web.counted import CountedRoute, endpoint_of_template
from comity.web.forms import TOKEN
from issuer.store import audit
from tests.support import refused_pages, refused_redirects
from verifier.bridge_store import Client
from verifier.clients import Clients

PROBLEM, JSON, PAGE = "application/problem+json", "application/json", "text/html"
FOR_BROWSERS = frozenset({"start", "complete", "events"})
"""Where a browser comes, and is answered with a page if it asks for one."""
FOR_PEOPLE = frozenset({"authorize", "sign-in", "callback", "leave"})
"""Where a person comes, who is answered with a page in their language, whatever the browser says that it takes."""
FEWEST_ECHOED = 10
"""From this length on a text that was sent must not be in the answer; shorter ones may be there by chance."""

_SENTENCE = re.compile(r"[A-Za-z][\x20-\x21\x23-\x5B\x5D-\x7E]{7,159}\Z")  # RFC 6749 §5.2: no quotes, no backslash
_TWO_SENTENCES = re.compile(r"[.!?](?:\s|\Z)")
_OF_A_PROGRAM = re.compile(r"Traceback|\bFile |\w+(?:Error|Exception)\b|\b0x[0-9a-f]{6}|<[a-z_]+ |\bNone\b|\.py\b")

CHANGES: Mapping[tuple[str, str | None], str] = {
    ("token", "the transaction code is wrong"): "guesses are counted (OpenID4VCI §13.6.2)",
    ("token", "too many wrong transaction codes; ask for a new offer"): "the last guess ends the offer",
    ("token", "the code was used before"): "what the first got is taken back (RFC 6749 §4.1.2)",
    ("token", "the refresh token was used before; sign in again"): "everything of it ends (RFC 9700 §4.14.2)",
    (
        "complete",
        "the request was started in another browser; start again in this one",
    ): "an answer that came back to a stranger is nobody's (OpenID4VP §14.2)",
    ("complete", "session_mismatch"): "the same, told to a person on a page",
}
"""The refusals that change something, by endpoint and sentence (on a page: its code), with the reason; no others do."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request, as it was seen from beneath the client.

    Attributes:
        scope: as the server left it; it names the route.
        sent: what was read of the body.
        status: of the answer.
        headers: of the answer, in lower case.
        body: of the answer.
        changed: names of the units of the database that changed rows for this request.
        noted: how often it was noted as refused (decision record 0036).
        audited: how many events of the audit log of acts its units wrote.
        registered: the addresses of the website that was looked up for it; None for no website.
    """

    scope: Scope
    sent: bytes = b""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    changed: list[str] = field(default_factory=list)
    noted: int = 0
    audited: int = 0
    registered: tuple[str, ...] | None = None

    @property
    def endpoint(self) -> str:
        """The last fixed part of the route's template."""
        return endpoint_of_template(str(getattr(self.scope.get("route"), "path", "")))

    @property
    def is_page(self) -> bool:
        """Whether it was answered with something to read."""
        return self.headers.get("content-type", "").partition(";")[0] == PAGE

    @property
    def is_of_a_website(self) -> bool:
        """Whether a website asked, whose own affair it is what it asks wrongly; what it hands on is a wallet's."""
        return str(self.scope["path"]).startswith("/api/")

    @property
    def is_refused(self) -> bool:
        """Whether a protocol endpoint said no."""
        return self.status >= 400 and isinstance(self.scope.get("route"), CountedRoute)

    @property
    def is_sent_away(self) -> bool:
        """Whether a browser was sent back with an error to who had sent it; only our services count refusals."""
        is_ours = hasattr(getattr(self.scope.get("app"), "state", None), "count_refusal")
        return is_ours and refused_redirects.is_refusal(self.status, self.headers)


def judge(exchange: Exchange) -> list[str]:
    """Return what is wrong with a refusal, in words; nothing when it is told and done as all of them are."""
    found = [] if 400 <= exchange.status < 500 or exchange.status == 503 else [f"status {exchange.status}"]
    if exchange.headers.get("cache-control") != "no-store":
        found.append("it may be kept by a cache")
    if exchange.status == 401 and "www-authenticate" not in exchange.headers:
        found.append("401 without a challenge")
    told, complaints = _told(exchange)
    found += complaints
    if told is not None:
        answer = exchange.body.decode("utf-8", "replace")
        if exchange.is_page:
            answer = unescape(refused_pages.without_own_address(answer, exchange.scope))
        else:
            found += _judge_sentence(told)
        own = {TOKEN, *exchange.scope.get("path_params", {})} if told == refused_pages.FORM else set()
        sent = ((name, value) for name, value in _texts(exchange) if name not in own)  # a form leads where it lies
        found += [f"it repeats what was sent: {name}" for name, value in sent if value in answer]
    if exchange.noted != 1 and not exchange.is_of_a_website:
        found.append(f"it is {exchange.noted} events of the audit")
    if exchange.changed and (exchange.endpoint, told) not in CHANGES:
        found.append(f"it changed something: {', '.join(exchange.changed)}")
    return [f"{exchange.endpoint} {exchange.status} {told!r}: {each}" for each in found]


def judge_redirect(exchange: Exchange, earlier: Sequence[Exchange]) -> list[str]:
    """Return what is wrong with a refusal that a browser carries back; ``earlier`` holds what was asked."""
    told, found = refused_redirects.judge(exchange, earlier)
    if exchange.headers.get("cache-control") != "no-store":
        found.append("it may be kept by a cache")
    found += _judge_sentence(told)
    found += [f"it repeats what was sent: {name}" for name, value in _texts(exchange) if value in told]
    return [f"{exchange.endpoint} {exchange.status} {told!r}: {each}" for each in found]


def _told(exchange: Exchange) -> tuple[str | None, list[str]]:
    """Return the sentence of an answer, and what is wrong with the rest of its body."""
    kind = exchange.headers.get("content-type", "").partition(";")[0]
    if exchange.status == 401 and not exchange.body:
        return None, []  # no token at all: a challenge, and no code (RFC 6750 §3.1)
    if exchange.is_page and exchange.endpoint in FOR_PEOPLE | FOR_BROWSERS:
        return refused_pages.judge(exchange.body.decode("utf-8", "replace"), exchange.headers)
    if exchange.endpoint in FOR_PEOPLE:
        return None, [f"a person is answered with {kind or 'nothing'}"]
    if kind not in {JSON, PROBLEM}:
        return None, [f"no error code in {kind or 'nothing'}"]
    try:
        members = strict_json.parse_object(exchange.body)
    except ComityError:
        return None, ["its body is not a JSON object"]
    return (_problem if kind == PROBLEM else _oauth_error)(members)


def _oauth_error(members: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    found = []
    if members.get("error") not in set(OAuthErrorCode):
        found.append("error is no code of the protocols")
    if not members.keys() <= {"error", "error_description", "code", attempts.MEMBER}:
        found.append("it has members that nobody expects")
    if "code" in members and members["code"] not in set(Code):
        found.append("code is none of ours")
    return str(members.get("error_description", "")), found


def _problem(members: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    found = [] if members.get("code") in set(Code) else ["code is none of ours"]
    return str(members.get("detail", "")), found


def _judge_sentence(told: str) -> list[str]:
    found = []
    if not _SENTENCE.match(told):
        found.append("no plain sentence of 8 to 160 letters that RFC 6749 allows")
    if _TWO_SENTENCES.search(told):
        found.append("more than one sentence, or a full stop, which none of ours has")
    if _OF_A_PROGRAM.search(told):
        found.append("it speaks as a program does")
    return found


def _texts(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield every text of a request that is long enough to be somebody's: header, address, form and JSON."""
    headers = {name.decode(): value.decode("latin-1") for name, value in exchange.scope["headers"]}
    secret = [name for name in ("authorization", "dpop", "cookie") if name in headers]
    pairs = [(name, headers[name].rpartition(" ")[2]) for name in secret]
    pairs += [(name, str(value)) for name, value in exchange.scope.get("path_params", {}).items() if name != "path"]
    pairs += parse_qsl(exchange.scope["query_string"].decode("latin-1"))
    pairs += parse_qsl(exchange.sent.decode("latin-1"))
    with suppress(ComityError):  # a form, or nothing that can be read
        pairs += _leaves("body", strict_json.parse(exchange.sent))
    return ((name, value) for name, value in pairs if len(value) >= FEWEST_ECHOED)


def _leaves(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(str(key), each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(name, each)


# --- watching

_NOW: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
_EVENTS: ContextVar[list[str] | None] = ContextVar("events", default=None)
_WATCHING: list[list[Exchange]] = []


def seen() -> list[Exchange]:
    """Return what was seen since the test began that asks."""
    return _WATCHING[-1]


def sent_away() -> int:
    """Return how many refusals by redirect are judged so far in the test that asks."""
    return sum(each.is_sent_away for each in seen())


class _Watched:
    """An application whose exchanges are written down."""

    def __init__(self, app: Any, into: list[Exchange]) -> None:
        self._app, self._into = app, into

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = Exchange(scope=scope)
        self._into.append(seen)

        async def watching_receive() -> Message:
            message = await receive()
            seen.sent += message.get("body", b"")
            return message

        async def watching_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                seen.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
            elif seen.is_refused or seen.endpoint == "par":  # a stream of news has no end, and is no refusal
                seen.body += message.get("body", b"")
            await send(message)

        before = _NOW.set(seen)
        try:
            await self._app(scope, watching_receive, watching_send)
        finally:
            _NOW.reset(before)


# What is not a change for PostgreSQL. A word that is missing here is taken for one, and a test says so.
_CHANGES_NOTHING = re.compile(r"\s*(?:SELECT|SAVEPOINT|RELEASE|ROLLBACK)\b", re.IGNORECASE)


def _counting_rows(connection: Connection) -> Callable[[], int]:
    """Return what says how many rows were changed over ``connection`` since now; none is asked of the database.

    SQLite counts by itself. PostgreSQL tells with each statement how many rows it changed, which costs nothing; whether
    the transaction has a number (``pg_current_xact_id_if_assigned``) would cost a way there and back for each unit, and
    a row that was only locked gives it one. A statement sent for many at once is not told of, and counts.
    """
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        before = driver.total_changes
        return lambda: int(driver.total_changes - before)
    changed: list[int] = []

    def executed(_connection: Connection, cursor: Any, statement: str, *_more: object) -> None:
        if not _CHANGES_NOTHING.match(statement):
            changed.append(abs(cursor.rowcount))

    event.listen(connection, "after_cursor_execute", executed)  # for this unit: the next one has its own connection
    return lambda: sum(changed)


def _watching(write: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """Return ``write`` of a database, which now tells the exchange of units that changed rows."""

    async def watching(self: Database, unit: Any) -> Any:
        seen, rows, named = _NOW.get(), 0, getattr(unit, "func", unit)
        events: list[str] = []
        name = getattr(named, "__qualname__", type(named).__qualname__)

        def counting(connection: Connection) -> Any:
            nonlocal rows
            rows, counted = 0, _counting_rows(connection)  # a unit that lost a race on PostgreSQL begins again
            events.clear()
            before = _EVENTS.set(events)
            try:
                result = unit(connection)
            finally:
                _EVENTS.reset(before)
            rows = counted()
            return result

        counting.__module__, counting.__qualname__ = named.__module__, name  # queues and failpoints go by it
        result = await write(self, counting)
        if seen is not None and rows:
            seen.changed.append(name)
            seen.audited += len(events)
        return result

    return watching


@contextmanager
def watched() -> Iterator[list[Exchange]]:
    """Write down every request that reaches an application in this process, and which of them changed the database."""
    exchanges: list[Exchange] = []
    send = httpx.ASGITransport.handle_async_request

    async def handle(self: httpx.ASGITransport, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(
            app=_Watched(self.app, exchanges), raise_app_exceptions=self.raise_app_exceptions, client=self.client
        )
        return await send(transport, request)

    note = Refusals.note

    def noting(self: Refusals, error: ComityError, **where: str) -> None:
        seen = _NOW.get()
        if seen is not None:
            seen.noted += 1
        note(self, error, **where)

    record, find = audit.record, Clients.find

    def recording(connection: Connection, event: audit.Event) -> None:
        events = _EVENTS.get()
        if events is not None:
            events.append(event.action)
        record(connection, event)

    async def finding(self: Clients, client_id: str) -> Client | None:
        found, seen = await find(self, client_id), _NOW.get()
        if found is not None and seen is not None:
            seen.registered = found.redirect_uris
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Refusals, "note", noting)
        patch.setattr(audit, "record", recording)
        patch.setattr(Clients, "find", finding)
        patch.setattr(httpx.ASGITransport, "handle_async_request", handle)
        for kind in (SqliteDatabase, PostgresDatabase):
            patch.setattr(kind, "write", _watching(kind.write))
        _WATCHING.append(exchanges)
        try:
            yield exchanges
        finally:
            _WATCHING.pop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Fail a test with a refusal that was told or done otherwise than all of them are, for a ``conftest.py``."""
    with watched() as exchanges:
        result = yield
    wrong = {each for exchange in exchanges if exchange.is_refused for each in judge(exchange)}
    away = ((at, each) for at, each in enumerate(exchanges) if each.is_sent_away)
    wrong.update(each for at, exchange in away for each in judge_redirect(exchange, exchanges[:at]))
    if wrong:
        pytest.fail("refused requests:\n" + "\n".join(sorted(wrong)), pytrace=False)
    return result
