"""How long a connection may take its time: heads, bodies, answers that nobody reads (catalogue Q04; RFC 9112 §9.5).

uvicorn by itself ends a connection that lies idle *between* two requests, and no other. Whoever opens one and says
nothing, sends a head or a body byte by byte, or does not read the answer, would hold it for ever; and a request that is
being worked on holds one of the few places that :mod:`comity.web.admission` has.

What a proxy in front does about it is its own matter; this holds without one.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from comity.web.doorstep import Doorstep

HEAD_SECONDS = 15
"""From the opening of a connection, or from the first byte of a later request, to the end of the request's head."""
MAX_HEAD_BYTES = 64 << 10
"""Of a head that comes in several pieces."""
BODY_SECONDS = 15
BODY_BYTES_A_SECOND = 8 << 10
"""A body may take :data:`BODY_SECONDS`, and a second more for every so many bytes that have come."""
LAST_SECONDS = 1
"""Of these, what is left for what may have come while this process itself stood still: timers run before sockets."""
READ_SECONDS = 30
"""For how long the other side may read nothing while more waits for it than the system buffers."""


class PatientProtocol(Doorstep):
    """The protocol of a service: uvicorn's, whose patience has an end.

    What we are slow at ourselves, such as taking a body that is there already, is nobody else's delay.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn calls it."""
        super().__init__(config, server_state, app_state, _loop)
        self._awaits_head = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_since = 0.0
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    # --- what comes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that has begun must end in time and within its size."""
        if self._awaits_head:
            self._head_bytes += len(data)
            before: RequestResponseCycle | None = self.cycle
            if self._reading is None and (before is None or before.response_complete):
                self._await_head()
        super().data_received(data)
        if self._awaits_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is larger than allowed.")

    def on_headers_complete(self) -> None:
        """The head is here: the body has its own time."""
        self._awaits_head, self._head_bytes = False, 0
        self._body_bytes, self._body_since = 0, self.loop.time()
        self._wait(BODY_SECONDS, self._look_at_body)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count what has come."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._awaits_head = True
        self._stop_reading()
        super().on_message_complete()

    # --- what goes

    def pause_writing(self) -> None:
        """More waits for the other side than the buffer holds."""
        super().pause_writing()
        self._writing = self._writing or self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The other side has read on."""
        super().resume_writing()
        self._stop_writing()

    def on_response_complete(self) -> None:
        """The answer is written; on a connection that ends with it, what is left must be read in time as well."""
        super().on_response_complete()
        if self.transport.is_closing() and self._writing is None:
            self._writing = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection; one whose last answer is still not read is not waited for."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        super().connection_lost(exc)
        self._stop_reading()
        self._stop_writing()

    # --- inside

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_reading()
        self._reading = self.loop.call_later(seconds, then)

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _await_head(self) -> None:
        self._wait(HEAD_SECONDS - LAST_SECONDS, partial(self._wait, LAST_SECONDS, self._give_up))

    def _look_at_body(self, *, is_last: bool = False) -> None:
        if self.flow.read_paused:  # what has come is not taken yet: begin anew when it is
            self._body_bytes, self._body_since = 0, self.loop.time()
        end = self._body_since + BODY_SECONDS + self._body_bytes / BODY_BYTES_A_SECOND
        if end > self.loop.time():
            self._wait(end - self.loop.time(), self._look_at_body)
        elif is_last:
            self._give_up()
        else:
            self._wait(LAST_SECONDS, partial(self._look_at_body, is_last=True))

    def _give_up(self) -> None:
        self._reading = None
        self.transport.close()
