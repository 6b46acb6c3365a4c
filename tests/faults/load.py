"""A crowd that costs little: requests of ready-made bytes at a rate of its own, whatever the answers."""

import asyncio
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

    def rate(self, status: int, seconds: float) -> float:
        """Return answers of this status a second."""
        return self.statuses[status] / seconds


async def ask(port: int, request: bytes, told: Told) -> int:
    """Send one request on a connection of its own, and note what came."""
    try:
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
    except OSError:
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
