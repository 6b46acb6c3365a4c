"""Real services in one process: a fetcher that hands requests to ASGI applications instead of the network.

It keeps the promises of the guarded fetcher that callers rely on (no redirects, size, content type), and lets a test
break in: by URL, once or always, before or after the other side did its work.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from starlette.types import ASGIApp

from comity.errors import Code, ComityError, Malformed, Unreachable
from comity.ports import Clock, Fetched, Fetcher, FetchRequest

Answer = Fetched | ComityError
Change = Callable[[FetchRequest, Fetched | None], Answer | None]
"""Given a request, and the answer where the other side was asked, returns what comes back; None leaves it alone."""


@dataclass
class InProcess(Fetcher):
    """Sends each request to the application that lives at its origin; anywhere else nobody answers.

    Attributes:
        clock: stamps answers.
        hosts: origin → application.
        asked: every request, in order.
    """

    clock: Clock
    hosts: dict[str, ASGIApp] = field(default_factory=dict)
    asked: list[FetchRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._before: dict[str, Change] = {}
        self._after: dict[str, Change] = {}

    def instead(self, part: str, answer: Answer | Change) -> None:
        """Answer requests whose URL contains ``part`` without asking anybody."""
        self._before[part] = _change(answer)

    def afterwards(self, part: str, answer: Answer | Change) -> None:
        """Ask, then return something else: the other side did its work and its answer was lost or changed."""
        self._after[part] = _change(answer)

    def heal(self) -> None:
        """Let everything work again."""
        self._before.clear()
        self._after.clear()

    async def close(self) -> None:
        """Nothing is held open."""

    async def fetch(self, request: FetchRequest) -> Fetched:
        self.asked.append(request)
        answer = self._apply(self._before, request, None)
        if answer is None:
            fetched = await self._ask(request)
            answer = self._apply(self._after, request, fetched) or fetched
        if isinstance(answer, ComityError):
            raise answer
        return _judged(request, answer)

    def _apply(self, changes: Mapping[str, Change], request: FetchRequest, fetched: Fetched | None) -> Answer | None:
        for part, change in changes.items():
            if part in request.url:
                return change(request, fetched)
        return None

    async def _ask(self, request: FetchRequest) -> Fetched:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self.hosts:
            raise Unreachable(Code.UNREACHABLE, "nobody lives at this address")
        headers = dict(request.headers)
        if request.accept:
            headers["accept"] = ", ".join(request.accept)
        if request.etag is not None:
            headers["if-none-match"] = request.etag
        headers["accept-encoding"] = "identity"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.hosts[origin])) as client:
            answer = await client.request(request.method, request.url, headers=headers, content=request.body)
        return fetched(request.url, answer.content, self.clock, status=answer.status_code, headers=dict(answer.headers))


def fetched(
    url: str,
    body: bytes,
    clock: Clock,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Fetched:
    """Return an answer as the guarded fetcher would."""
    found = {"content-type": content_type} if headers is None else dict(headers)
    kind = found.get("content-type", "").partition(";")[0].strip().lower()
    return Fetched(url=url, status=status, content_type=kind, body=body, headers=found, fetched_at=clock.now())


def _change(answer: Answer | Change) -> Change:
    if isinstance(answer, Fetched | ComityError):
        given = answer
        return lambda _request, _fetched: given
    return answer


def _judged(request: FetchRequest, answer: Fetched) -> Fetched:
    if answer.status in {301, 302, 303, 307, 308} and request.max_redirects == 0:
        raise Unreachable(Code.REDIRECT_REFUSED, "the other side redirects, which is not allowed here")
    if request.accept and 200 <= answer.status < 300 and answer.content_type not in request.accept:
        raise Malformed(Code.CONTENT_TYPE_WRONG, "the answer is of a type that was not asked for")
    if len(answer.body) > request.max_bytes:
        raise Malformed(Code.TOO_LARGE, "the answer is larger than allowed")
    return answer
