"""Admission: a bounded number of requests at one time, and an honest *later* for the rest.

A queue that grows faster than it is worked off helps nobody: everybody waits, and gives up just before the answer. So
one process works on so many requests at a time, and tells the others at once to come back (RFC 9110 §15.6.4,
§10.2.3). Health is always answered: a full service is not a broken one, and must not be restarted for it. So are its
metrics, which tell its operators how full.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comity.errors import Code, Unreachable

ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/version", "/metrics"})
RETRY_SECONDS = 1
_STREAM = b"text/event-stream"


class Full(Unreachable):
    """There is no room for another request now."""

    def __init__(self) -> None:
        super().__init__(Code.BUSY, "too many requests at this moment", retry_after=RETRY_SECONDS)


@dataclass(slots=True, kw_only=True)
class Room:
    """How many requests one process works on, and what the others are told at its very door.

    Attributes:
        most: so many at one time.
        running: those that it works on now.
        later: returns the whole answer *later* in a language, as bytes; see :mod:`comity.web.doorstep`.
        count: takes note of one that was sent away there, by its method.
    """

    most: int
    running: int = 0
    later: Callable[[str], bytes]
    count: Callable[[str], None]

    @property
    def is_full(self) -> bool:
        """Whether another request has to come back later."""
        return self.running >= self.most


class Admission:
    """Counts the requests that one process works on."""

    def __init__(self, app: ASGIApp, *, room: Room) -> None:
        """Let requests into ``app`` as long as there is ``room``."""
        self._app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on.

        Raises:
            Full: there is no room; nothing was read of it.
        """
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        if self._room.is_full:
            raise Full
        self._room.running += 1
        is_counted = True

        def leave() -> None:
            nonlocal is_counted
            if is_counted:
                is_counted = False
                self._room.running -= 1

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
