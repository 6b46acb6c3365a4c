"""A server on loopback that behaves as a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from comity.runtime.clock import FixedClock

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLOCK = FixedClock(AT)
Writer = asyncio.StreamWriter
Behaviour = Callable[[bytes, Writer], Awaitable[None]]


class Server:
    """A loopback server that keeps what it is asked and answers as it is told."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/") -> str:
        return f"http://localhost:{self.port}{path}"

    async def connected(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                self.heads.append(head + await reader.readexactly(length))
                await self.behave(self.heads[-1], writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(behave)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


def answering(status: str = "200 OK", body: bytes = b"hello", **headers: str) -> Behaviour:
    lines = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value) + "\r\n"

    async def behave(_head: bytes, writer: Writer) -> None:
        writer.write(head.encode() + body)

    return behave
