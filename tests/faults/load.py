"""A crowd that costs little: requests of ready-made bytes at a rate of its own, whatever the answers."""

import asyncio
import errno
import re
import time
from collections import Counter
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")
LOST = 0
"""What counts as an answer where the connection was refused, or ended without one."""


@dataclass
class Told:
    """What a crowd was told: how often each status, and how many *later* came without a word of when."""

    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    """Why a connection could not be had, by the system's name for it."""

    def rate(self, status: int, seconds: float) -> float:
        """Return answers of this status a second."""
        return self.statuses[status] / seconds


class _Line(asyncio.Protocol):
    """A connection on which one request after the other is asked, as a load balancer keeps them."""

    def __init__(self) -> None:
        self._answer = b""
        self._answered: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        """Send a request; the future is its answer, empty when the connection ends before."""
        self._answer, self._answered = b"", asyncio.get_running_loop().create_future()
        assert self._transport is not None
        self._transport.write(request)
        return self._answered

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what comes, until it is as long as its head says."""
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if end and len(body) >= int(_LENGTH.search(head.lower() + b"\r\n")[1]):  # type: ignore[index]
            self._tell(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._transport = None
        self._tell(b"")

    def _tell(self, answer: bytes) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(answer)


@dataclass
class Crowd:
    """Everybody who asks at one port. Connections are kept, and there are as many as wait for an answer at one time.

    By address and without streams: looking a name up takes a thread, and the crowd shares its processors with what it
    tries to overwhelm.
    """

    port: int
    told: Told = field(default_factory=Told)
    _idle: list[_Line] = field(default_factory=list)

    async def ask(self, request: bytes) -> int:
        """Send one request, and note what came."""
        answer = b""
        try:
            line, is_new = await self._line()
            answer = await line.ask(request)
            if not answer and not is_new:  # it may have ended while nobody looked (RFC 9112 §9.3.1)
                line = await self._new_line()
                answer = await line.ask(request)
            self._idle.append(line)
        except OSError as error:
            self.told.problems[errno.errorcode.get(error.errno or 0, str(error))] += 1
        head = answer.partition(b"\r\n\r\n")[0]
        status = int(head.split(b" ", 2)[1]) if head else LOST
        self.told.statuses[status] += 1
        if status == 503 and b"\r\nretry-after: " not in head.lower():
            self.told.without_retry_after += 1
        return status

    def leave(self) -> None:
        """Hang up."""
        for line in self._idle:
            line.close()

    async def _line(self) -> tuple[_Line, bool]:
        while self._idle:
            line = self._idle.pop()
            if line.is_open:
                return line, False
        return await self._new_line(), True

    async def _new_line(self) -> _Line:
        _, line = await asyncio.get_running_loop().create_connection(_Line, "127.0.0.1", self.port)
        return line


async def ask(port: int, request: bytes) -> int:
    """Send one request on a connection of its own, and return the status of its answer."""
    crowd = Crowd(port)
    try:
        return await crowd.ask(request)
    finally:
        crowd.leave()


async def steady(port: int, request: bytes, *, people: int, seconds: float) -> Told:
    """Let so many people ask one after the other: what a service can do when nobody pushes."""
    crowd, end = Crowd(port), time.monotonic() + seconds

    async def one() -> None:
        while time.monotonic() < end:
            await crowd.ask(request)

    await asyncio.gather(*(one() for _ in range(people)))
    crowd.leave()
    return crowd.told


async def storm(port: int, request: bytes, *, rate: float, seconds: float) -> Told:
    """Send ``rate`` requests a second for so long, whether or not anybody is answered."""
    crowd, begun, sent = Crowd(port), time.monotonic(), 0
    running: set[asyncio.Task[int]] = set()
    while (now := time.monotonic() - begun) < seconds:
        while sent < rate * now:
            task = asyncio.create_task(crowd.ask(request))
            running.add(task)
            task.add_done_callback(running.discard)
            sent += 1
        await asyncio.sleep(0.005)
    await asyncio.gather(*running)
    crowd.leave()
    return crowd.told


def post(path: str, body: bytes, *, token: str) -> bytes:
    """Return a request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
