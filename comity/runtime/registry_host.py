"""The registry's published files over HTTP: a static server that knows no keys unless it is told to refresh.

Any web server or CDN can take its place: nothing here is believed by anybody, every reader verifies signatures.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from comity.errors import ComityError

_log = logging.getLogger(__name__)

_FILE = re.compile(
    r"/(metadata/(?:timestamp|[1-9][0-9]{0,9}\.[a-z][a-z0-9-]{0,127})\.json"
    r"|targets/(?:[a-z0-9-]{1,64}/){0,2}[0-9a-f]{64}\.[a-z]{1,32}\.json)\Z"
)


class RegistryHost:
    """An ASGI application that serves the published folder, and calls ``refresh`` on a timer when there is one."""

    def __init__(
        self, public: Path, *, refresh: Callable[[], object] | None = None, every_seconds: float = 3600.0
    ) -> None:
        """Serve ``public``; with ``refresh``, call it at the start and then every ``every_seconds``."""
        self._public = public
        self._refresh = refresh
        self._every_seconds = every_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's questions about start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self.answer(Request(scope))(scope, receive, send)

    def answer(self, request: Request) -> Response:
        """Return the file that a URL names, or 404 or 405."""
        if request.method not in {"GET", "HEAD"}:
            return Response(status_code=405, headers={"allow": "GET, HEAD"})
        if request.url.path == "/healthz":
            return Response(b'{"status":"ok"}', media_type="application/json")
        # The raw path: what was percent-encoded names no file here, and nothing is decoded twice.
        found = _FILE.match(request.scope["raw_path"].decode("latin-1").partition("?")[0])
        try:
            body = (self._public / found[1]).read_bytes() if found else None
        except OSError:
            body = None
        if found is None or body is None:
            return Response(b'{"status":404}', 404, {"cache-control": "no-store"}, "application/json")
        # Everything but the timestamp has its version or its hash in its name and never changes.
        lasting = "no-cache" if found[1] == "metadata/timestamp.json" else "public, max-age=31536000, immutable"
        headers = {"cache-control": lasting, "x-content-type-options": "nosniff", "access-control-allow-origin": "*"}
        return Response(body, headers=headers, media_type="application/json")

    async def _live(self, receive: Receive, send: Send) -> None:
        timer: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                timer = asyncio.create_task(self._keep_fresh()) if self._refresh else None
                await send({"type": "lifespan.startup.complete"})
                continue
            if timer is not None:
                timer.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await timer
            await send({"type": "lifespan.shutdown.complete"})
            return

    async def _keep_fresh(self) -> None:
        while self._refresh is not None:
            try:
                await asyncio.to_thread(self._refresh)
            except ComityError as error:
                _log.warning("the registry was not refreshed: %s", error.detail)
            await asyncio.sleep(self._every_seconds)
