"""Live updates: server-sent events that tell a page what became of something (WHATWG HTML §9.2).

The state is read again at intervals, so that any worker may answer; a :class:`Bell` rung in the same process only
makes it quicker.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from starlette.responses import StreamingResponse

from comity import strict_json

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
LONGEST_SECONDS = 600.0
_HEARTBEAT = b": still here\n\n"

State = Mapping[str, Any]


class Bell:
    """Wakes, in this process, whoever waits for a change of one topic."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def ring(self, topic: str) -> None:
        """Say that ``topic`` changed. To be called in the event loop."""
        for event in self._waiting.get(topic, ()):
            event.set()

    async def wait(self, topic: str, seconds: float) -> None:
        """Return when ``topic`` rings, or after ``seconds``."""
        event = asyncio.Event()
        self._waiting[topic].add(event)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            self._waiting[topic].discard(event)
            if not self._waiting[topic]:
                del self._waiting[topic]


def event(state: State) -> bytes:
    """Return ``state`` as one event of the stream; JSON never holds a line break."""
    return b"data: " + strict_json.serialise(dict(state)) + b"\n\n"


async def changes(
    current: Callable[[], Awaitable[State]],
    *,
    is_final: Callable[[State], bool],
    topic: str = "",
    bell: Bell | None = None,
    poll_seconds: float = POLL_SECONDS,
    longest_seconds: float = LONGEST_SECONDS,
) -> AsyncIterator[bytes]:
    """Yield an event for the state now and for each state that differs from the one before, until the final one.

    Between events a comment keeps the connection open. After ``longest_seconds`` the stream ends; browsers connect
    again by themselves.
    """
    bell = bell or Bell()
    ends, beat, last = time.monotonic() + longest_seconds, time.monotonic(), None
    while time.monotonic() < ends:
        state = await current()
        piece = event(state) if state != last else _HEARTBEAT
        if state != last or time.monotonic() - beat >= HEARTBEAT_SECONDS:
            yield piece
            last, beat = state, time.monotonic()
        if is_final(state):
            return
        await bell.wait(topic, poll_seconds)


def stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Answer with the events of :func:`changes`; proxies are told not to hold them back."""
    return StreamingResponse(
        events, media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"}
    )
