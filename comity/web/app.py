"""The base of every service's application: headers, limits, request ids, problems, health.

Nothing here trusts what a client says about the service itself: before any route sees a request, its ``Host`` is set to
the host of ``PUBLIC_URL`` and forwarding headers are dropped (catalogue W06).
"""

import asyncio
import functools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comity.errors import Code, ComityError, Denied, Malformed, NotFound
from comity.runtime import failpoints
from comity.runtime.logging import without_message
from comity.runtime.settings import ServiceSettings
from comity.web import counted, i18n, metrics, problems
from comity.web.admission import ALWAYS_ANSWERED, Admission, Full, Room
from comity.web.body import is_within
from comity.web.later import OF_EVERY_SERVICE, loading_later
from comity.web.metrics import Metrics
from comity.web.pages import Pages, is_page
from comity.web.routes import LateRoute

MAX_BODY_BYTES = 1 << 20
READY_SECONDS = 3.0
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'"
)
_PAGES = tuple(f"/{language}/" for language in i18n.LANGUAGES)
_UNTRUSTED = (b"host", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port")

ReadyCheck = Callable[[], Awaitable[object]]
"""Returns when the thing is ready, raises when it is not. What it returns is not read."""
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_log = structlog.get_logger("comity.web")


def create_base(
    settings: ServiceSettings,
    *,
    title: str,
    version: str,
    lifespan: Lifespan | None = None,
    ready: Mapping[str, ReadyCheck] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    max_page_bytes: int = MAX_BODY_BYTES,
    content_security_policy: str = CONTENT_SECURITY_POLICY,
    later: Iterable[str] = (),
) -> FastAPI:
    """Return an application with everything that the services share; routes are added by the caller.

    Args:
        settings: the service's settings; ``public_url`` decides what every link starts with.
        title: name of the service, shown at ``/version``.
        version: version of the software.
        lifespan: opens and closes what the service needs.
        ready: named checks behind ``/readyz``; the mapping is read at each request, so it may be filled later.
        max_body_bytes: larger request bodies are answered with 413.
        max_page_bytes: the same for pages (``/en/…``, ``/fr/…``), where people may send pictures.
        content_security_policy: for every response; pages that post to another origin name it here.
        later: modules that this service loads once it answers, beside those of every service.
    """
    app = FastAPI(
        title=title,
        version=version,
        lifespan=lifespan and _and_later(lifespan, (*OF_EVERY_SERVICE, *later)),
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.router.route_class = LateRoute
    headers = _fixed_headers(settings, content_security_policy)
    counts = Metrics(title, version)
    app.state.room = Room(most=settings.max_in_flight, later=_later(headers), count=counts.turned_away)
    app.add_middleware(
        _Base,
        settings=settings,
        max_body_bytes=max_body_bytes,
        max_page_bytes=max_page_bytes,
        headers=headers,
        room=app.state.room,
    )
    app.exception_handler(ComityError)(_on_comity_error)
    app.exception_handler(RequestValidationError)(_on_invalid_request)
    app.exception_handler(HTTPException)(_on_http_error)
    metrics.install(app, counts)
    _add_health(app, title, version, ready if ready is not None else {})
    return app


def _and_later(lifespan: Lifespan, modules: tuple[str, ...]) -> Lifespan:
    @asynccontextmanager
    async def both(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            try:
                await running.enter_async_context(lifespan(app))
                await running.enter_async_context(loading_later(modules))
            except ComityError as error:  # the trace that the server logs has no messages in it
                _log.error("could not start", code=error.code.value, why=error.detail)
                raise
            yield

    return both


def _fixed_headers(settings: ServiceSettings, policy: str) -> dict[str, str]:
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
        "cache-control": "no-store",
    }
    if settings.public_url.startswith("https://") and not settings.demo_host:  # a laptop's name outlives its demo
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    return headers


def _later(headers: Mapping[str, str]) -> Callable[[str], bytes]:
    """Return what makes, once for each language, the whole answer to a program for which there is no room."""

    @functools.cache
    def later(language: str) -> bytes:
        answer = problems.in_language(language, Full())
        own = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers]
        head = "".join(f"{name}: {value}\r\n" for name, value in (*own, *headers.items()))
        return f"HTTP/1.1 503 Service Unavailable\r\n{head}\r\n".encode("latin-1") + bytes(answer.body)

    return later


# --- what happens around every request -------------------------------------------------------------------------------


class _Base:
    """Sets request id and headers, limits the body, answers what nobody foresaw with 500 and no detail."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ServiceSettings,
        max_body_bytes: int,
        max_page_bytes: int,
        headers: Mapping[str, str],
        room: Room,
    ) -> None:
        parts = urlsplit(settings.public_url)
        self._app = Admission(app, room=room)
        self._scheme = parts.scheme
        self._host = parts.netloc.encode("ascii")
        self._max_body_bytes = max_body_bytes
        self._max_page_bytes = max_page_bytes
        self._headers = tuple((name.encode("ascii"), value.encode("ascii")) for name, value in headers.items())
        self._with_messages = not settings.is_production
        self._failpoint = settings.failpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        self._settle(scope, request_id)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = message["headers"]
                given = {name for name, _ in own}
                missing = [header for header in self._headers if header[0] not in given]
                message["headers"] = [*own, *missing, (b"x-request-id", request_id.encode("ascii"))]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._limited(scope, receive, send_with_headers)
            except Full as error:
                answer = await _answer(Request(scope), error)
                await answer(scope, receive, send_with_headers)
            except Exception as error:  # noqa: BLE001  (the outermost line of defence)
                _log.error("unexpected error", **without_message(error, with_message=self._with_messages))
                if not started:
                    answer = await _answer(Request(scope), ComityError(Code.INTERNAL))
                    await answer(scope, receive, send_with_headers)

    def _settle(self, scope: Scope, request_id: str) -> None:
        """Replace what the client says about this service by what the operator says."""
        if self._failpoint is not None and scope["path"] not in ALWAYS_ANSWERED:  # tests only, and not before it runs
            failpoints.arm(self._failpoint)
            self._failpoint = None
        kept = [(name, value) for name, value in scope["headers"] if name not in _UNTRUSTED]
        scope["headers"] = [(b"host", self._host), *kept]
        scope["scheme"] = self._scheme
        scope.setdefault("state", {})["request_id"] = request_id

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        most = self._max_page_bytes if scope["path"].startswith(_PAGES) else self._max_body_bytes
        if not is_within(declared.decode("latin-1"), most):
            if not counted.hand_over(scope, _too_large()):
                answer = await _answer(Request(scope, receive), _too_large())
                await answer(scope, receive, send)
                return
            most = 0  # the route refuses; should anybody read all the same, they are refused as well
        left = most

        async def limited_receive() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _too_large()
            return message

        await self._app(scope, limited_receive, send)


def _too_large() -> Malformed:
    return Malformed(Code.TOO_LARGE, "the request body is larger than allowed")


# --- what errors become ----------------------------------------------------------------------------------------------


async def _answer(request: Request, error: ComityError) -> Response:
    """Answer a person with a page, where the service has pages, and a program with a problem document."""
    pages: Pages | None = getattr(request.app.state, "pages", None)
    if pages is not None and is_page(request):
        return await pages.error(request, error)
    return problems.problem(request, error)


async def _on_comity_error(request: Request, error: ComityError) -> Response:
    return await _answer(request, error)


async def _on_invalid_request(request: Request, error: RequestValidationError) -> Response:
    """Name the parameters that are wrong; never what was sent."""
    places = sorted({".".join(str(part) for part in each["loc"]) for each in error.errors()})
    return await _answer(request, Malformed(Code.MALFORMED, f"not as documented: {', '.join(places)[:200]}"))


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    known: Mapping[int, ComityError] = {
        401: Denied(Code.NOT_AUTHENTICATED),
        403: Denied(Code.NOT_PERMITTED),
        404: NotFound(Code.NOT_FOUND),
        405: Malformed(Code.METHOD_NOT_ALLOWED, "this address does not take this method"),
        413: _too_large(),
        415: Malformed(Code.UNSUPPORTED_MEDIA_TYPE),
    }
    answer = await _answer(request, known.get(error.status_code, Malformed(Code.MALFORMED)))
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


# --- health ----------------------------------------------------------------------------------------------------------


def _add_health(app: FastAPI, title: str, version: str, ready: Mapping[str, ReadyCheck]) -> None:
    """Add the probes as Starlette's routes, for they take nothing.

    FastAPI analyses a route when it is first asked, and loads the whole of ``pydantic.v1`` for the first of them; a
    probe is what a service is asked first.
    """

    async def healthz(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def show_version(_request: Request) -> JSONResponse:
        return JSONResponse({"service": title, "version": version})

    async def readyz(_request: Request) -> JSONResponse:
        answers = await asyncio.gather(*(_outcome(name, check) for name, check in ready.items()))
        checks: dict[str, Any] = dict(answers)
        is_ready = all(outcome == "ok" for outcome in checks.values())
        return JSONResponse(
            {"status": "ready" if is_ready else "not_ready", "checks": checks}, 200 if is_ready else 503
        )

    for path, probe in (("/healthz", healthz), ("/version", show_version), ("/readyz", readyz)):
        app.add_route(path, probe, methods=["GET"], include_in_schema=False)


async def _outcome(name: str, check: ReadyCheck) -> tuple[str, str]:
    """Return ``ok`` or a code; details of an installation are not for everyone who asks."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await check()
    except ComityError as error:
        return name, error.code.value
    except TimeoutError:
        return name, Code.BUSY.value
    except Exception as error:  # noqa: BLE001  (a broken check is a service that is not ready)
        _log.error("readiness check failed", check=name, **without_message(error, with_message=False))
        return name, Code.INTERNAL.value
    return name, "ok"
