"""A crowd that costs little: requests of ready-made bytes at a rate of its own, whatever the answers."""

import asyncio
import errno
import time
from collections import Counter
from dataclasses import dataclass, field

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


class _Asking(asyncio.Protocol):
    """One request on a connection of its own."""

    def __init__(self, request: bytes, answered: asyncio.Future[bytes]) -> None:
        self._request = request
        self._answer = b""
        self._answered = answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Keep what comes."""
        self._answer += data

    def connection_lost(self, exc: Exception | None) -> None:
        """The service closes when it has answered."""
        if not self._answered.done():
            self._answered.set_result(self._answer)


async def ask(port: int, request: bytes, told: Told) -> int:
    """Send one request on a connection of its own, and note what came.

    By address and without streams: looking a name up takes a thread, and the crowd shares its processors with what it
    tries to overwhelm.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    try:
        await loop.create_connection(lambda: _Asking(request, answered), "127.0.0.1", port)
        answer = await answered
    except OSError as error:
        told.problems[errno.errorcode.get(error.errno or 0, str(error))] += 1
        answer = b""
    head = answer.partition(b"\r\n\r\n")[0]
    status = int(head.split(b" ", 2)[1]) if head else LOST
    told.statuses[status] += 1
    if status == 503 and b"\r\nretry-after: " not in head.lower():
        told.without_retry_after += 1
    return status


async def steady(port: int, request: bytes, *, people: int, seconds: float) -> Told:
    """Let so many people ask one after the other: what a service can do when nobody pushes."""
    told, end = Told(), time.monotonic() + seconds

    async def one() -> None:
        while time.monotonic() < end:
            await ask(port, request, told)

    await asyncio.gather(*(one() for _ in range(people)))
    return told


async def storm(port: int, request: bytes, *, rate: float, seconds: float) -> Told:
    """Send ``rate`` requests a second for so long, whether or not anybody is answered."""
    told, begun, sent = Told(), time.monotonic(), 0
    running: set[asyncio.Task[int]] = set()
    while (now := time.monotonic() - begun) < seconds:
        while sent < rate * now:
            task = asyncio.create_task(ask(port, request, told))
            running.add(task)
            task.add_done_callback(running.discard)
            sent += 1
        await asyncio.sleep(0.005)
    await asyncio.gather(*running)
    return told


def post(path: str, body: bytes, *, token: str) -> bytes:
    """Return a request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n"
    return f"{head}authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
