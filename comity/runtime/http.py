"""The one door through which HTTP requests leave the house (profile C4; catalogue R01 to R06, R18)."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpcore
import httpx

from comity.errors import Code, ComityError, Malformed, Unreachable
from comity.ports import Clock, Fetched, Fetcher, FetchRequest
from comity.runtime.address_guard import AddressGuard, Resolver, system_resolver
from comity.runtime.neighbour import Neighbour
from comity.runtime.urls import AllowedUrl, require_allowed

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_ANSWER = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    OSError,  # with TimeoutError and ssl.SSLError
)
_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


@cache
def _system_trust() -> ssl.SSLContext:
    """Return the system's list of authorities, read once for the process: that takes longer than most requests."""
    return ssl.create_default_context()


class GuardedFetcher(Fetcher):
    """Fetches from public https addresses only, within limits of bytes and time.

    https only (loopback http with ``allow_loopback_http``); the name is resolved once, every address must be public and
    the connection goes to a checked address while Host and SNI stay; no redirects unless the request allows them, each
    hop checked again; identity encoding; no cookies, no proxy or netrc from the environment, neutral headers.
    Connections are kept and reused. One instance belongs to one event loop.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        allow_loopback_http: bool = False,
        total_seconds: float = 5.0,
        connect_seconds: float = 2.0,
        resolve: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
        max_connections: int = 50,
        neighbour: Neighbour | None = None,
    ) -> None:
        """Make a fetcher.

        Args:
            clock: stamps each answer.
            allow_loopback_http: let requests go to this machine, also without TLS; development only.
            total_seconds: for one request from resolving to the last byte, all redirects included.
            connect_seconds: for one attempt to connect to one address.
            resolve: how host names become addresses.
            tls: whom to trust; the system's list of authorities when absent.
            max_connections: open at one time.
            neighbour: this machine under another name; demonstrations only.
        """
        self._clock = clock
        self._allow_loopback = allow_loopback_http
        self._total_seconds = total_seconds
        self._neighbour = neighbour.host if neighbour else ""
        tls = tls or (neighbour.tls if neighbour else _system_trust())
        guard = AddressGuard(resolve=resolve, allow_loopback=allow_loopback_http, neighbour=self._neighbour)
        self._client = httpx.AsyncClient(
            transport=_GuardedTransport(guard, tls, connect_seconds, max_connections),
            headers={"accept": "*/*", "accept-encoding": "identity", "user-agent": "comity"},
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            timeout=total_seconds,
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def fetch(self, request: FetchRequest) -> Fetched:
        """Send ``request``; see :class:`comity.ports.Fetcher`.

        Raises:
            Unreachable: ``unreachable``, ``url_not_allowed``, ``address_not_public`` or ``redirect_refused``.
            Malformed: ``too_large``, ``content_type_wrong``.
        """
        target = self._allowed(request.url)
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._follow(target, request)
        except _NO_ANSWER as error:
            raise Unreachable(Code.UNREACHABLE, f"{target.host} did not answer ({type(error).__name__})") from None

    async def _follow(self, target: AllowedUrl, request: FetchRequest) -> Fetched:
        for hop in range(request.max_redirects + 1):
            sent = self._outgoing(target, request, first=hop == 0)
            response = await self._client.send(sent, stream=True)
            try:
                if response.status_code not in _REDIRECTS:
                    return await self._answer(target, request, response)
                target = self._next_hop(target, request, response)
            finally:
                await response.aclose()
        raise Unreachable(Code.REDIRECT_REFUSED, f"{target.host} redirects further than is allowed")

    def _outgoing(self, target: AllowedUrl, request: FetchRequest, *, first: bool) -> httpx.Request:
        headers = dict(request.headers) if first else {}
        if request.accept:
            headers["accept"] = ", ".join(request.accept)
        if request.etag is not None:
            headers["if-none-match"] = request.etag
        outgoing = self._client.build_request(request.method, target.text, headers=headers, content=request.body)
        # Two URL parsers must not read two hosts into one text.
        host = outgoing.url.raw_host.decode("ascii").lower()
        if (outgoing.url.scheme, host, outgoing.url.port or target.port) != target.origin:
            raise Unreachable(Code.URL_NOT_ALLOWED, "the address can be read in two ways")
        return outgoing

    def _next_hop(self, target: AllowedUrl, request: FetchRequest, response: httpx.Response) -> AllowedUrl:
        location = response.headers.get("location", "")
        if request.max_redirects == 0 or request.method != "GET" or not location:
            raise Unreachable(Code.REDIRECT_REFUSED, f"{target.host} redirects, which is not allowed here")
        try:
            joined = urljoin(target.text, location)
        except ValueError:
            raise Unreachable(Code.URL_NOT_ALLOWED, f"{target.host} redirects to an address that is none") from None
        return self._allowed(joined)

    def _allowed(self, url: str) -> AllowedUrl:
        return require_allowed(url, allow_loopback_http=self._allow_loopback, neighbour=self._neighbour)

    async def _answer(self, target: AllowedUrl, request: FetchRequest, response: httpx.Response) -> Fetched:
        content_type = _media_type(response.headers.get("content-type", ""))
        _require_media_type(request, response.status_code, content_type)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Malformed(Code.CONTENT_TYPE_WRONG, f"{target.host} answered in an encoding that was not asked for")
        return Fetched(
            url=target.text,
            status=response.status_code,
            content_type=content_type,
            body=await _read(response, request.max_bytes),
            headers={name.lower(): value for name, value in response.headers.items()},
            fetched_at=self._clock.now(),
        )


class TableFetcher(Fetcher):
    """Answers known beforehand, by URL: for tests, and for judging evidence that was kept.

    An answer may be an error, which is raised. ``requests`` lists what was asked for, in order. A request whose ETag
    equals the answer's ``etag`` header gets 304. Size and content type are judged as by :class:`GuardedFetcher`;
    addresses are not.
    """

    def __init__(self, answers: Mapping[str, Fetched | ComityError]) -> None:
        self._answers = answers
        self.requests: list[FetchRequest] = []

    async def fetch(self, request: FetchRequest) -> Fetched:
        """Return the answer listed for ``request.url``.

        Raises:
            Unreachable: ``unreachable`` when none is listed.
            Malformed: ``too_large``, ``content_type_wrong``.
        """
        self.requests.append(request)
        answer = self._answers.get(request.url)
        if answer is None:
            raise Unreachable(Code.UNREACHABLE, "no answer is known for this address")
        if isinstance(answer, ComityError):
            raise answer
        etag = answer.headers.get("etag")
        if etag is not None and etag == request.etag:
            return Fetched(
                url=answer.url,
                status=304,
                content_type="",
                body=b"",
                headers=answer.headers,
                fetched_at=answer.fetched_at,
            )
        _require_media_type(request, answer.status, answer.content_type)
        if len(answer.body) > request.max_bytes:
            raise Malformed(Code.TOO_LARGE, "the answer is larger than allowed")
        return answer


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _require_media_type(request: FetchRequest, status: int, content_type: str) -> None:
    if request.accept and 200 <= status < 300 and content_type not in request.accept:
        raise Malformed(Code.CONTENT_TYPE_WRONG, "the answer is of a type that was not asked for")


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    """Read the body piece by piece, and stop at the first byte too many."""
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise Malformed(Code.TOO_LARGE, "the answer is larger than allowed")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > max_bytes:
            raise Malformed(Code.TOO_LARGE, "the answer is larger than allowed")
    return bytes(body)


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses; this is where the guard cannot be walked around."""

    def __init__(self, guard: AddressGuard, connect_seconds: float) -> None:
        self._guard = guard
        self._connect_seconds = connect_seconds
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        deadline = time.monotonic() + (self._connect_seconds if timeout is None else timeout)
        failure: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectTimeout("no time left")
        for address in await self._guard.addresses(host, port):
            left = min(self._connect_seconds, deadline - time.monotonic())
            if left <= 0:
                break
            try:
                return await self._network.connect_tcp(
                    address, port, timeout=left, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _BodyStream(httpx.AsyncByteStream):
    """httpcore's body as httpx wants it."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.aiter_stream()

    async def aclose(self) -> None:
        await self._answer.aclose()


class _GuardedTransport(httpx.AsyncBaseTransport):
    """A connection pool whose every connection is opened by :class:`_GuardedBackend`."""

    def __init__(self, guard: AddressGuard, tls: ssl.SSLContext, connect_seconds: float, max_connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=max_connections,
            max_keepalive_connections=max_connections // 2,
            keepalive_expiry=4.0,
            network_backend=_GuardedBackend(guard, connect_seconds),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=url,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_BodyStream(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()
