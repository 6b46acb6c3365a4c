"""Admission: a bounded number of requests at one time, and an honest *later* for the rest.

A queue that grows faster than it is worked off helps nobody: everybody waits, and gives up just before the answer. So
one process works on so many requests at a time, and tells the others at once to come back (RFC 9110 §15.6.4,
§10.2.3). Health is always answered: a full service is not a broken one, and must not be restarted for it. So are its
metrics, which tell its operators how full.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comity.errors import Code, Unreachable

ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/version", "/metrics"})
RETRY_SECONDS = 1
_STREAM = b"text/event-stream"


class Full(Unreachable):
    """There is no room for another request now."""

    def __init__(self) -> None:
        super().__init__(Code.BUSY, "too many requests at this moment", retry_after=RETRY_SECONDS)


class Admission:
    """Counts the requests that one process works on."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        """Let at most ``most`` requests into ``app`` at one time."""
        self._app = app
        self._most = most
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on.

        Raises:
            Full: there is no room; nothing was read of it.
        """
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        if self._running >= self._most:
            raise Full
        self._running += 1
        is_counted = True

        def leave() -> None:
            nonlocal is_counted
            if is_counted:
                is_counted = False
                self._running -= 1

        async def watching_send(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_stream(message):
                leave()  # a page that waits for news costs nothing while it waits
            await send(message)

        try:
            await self._app(scope, receive, watching_send)
        finally:
            leave()


def _is_stream(message: Message) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(_STREAM) for name, value in message["headers"])
