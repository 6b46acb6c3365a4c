"""https in front of services that speak http on loopback: bytes in, bytes out, as a reverse proxy would do it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any

from comity.errors import Code, Misconfigured

_CHUNK = 1 << 16
_CONNECT_SECONDS = 10.0


@contextlib.asynccontextmanager
async def forwarding(ports: Mapping[int, int], tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    """Listen on every address at the keys of ``ports`` and hand connections on to loopback at their values.

    Raises:
        Misconfigured: a port cannot be listened on.
    """
    async with contextlib.AsyncExitStack() as stack:
        for port, inner in ports.items():
            try:
                server = await asyncio.start_server(_handler(inner), None, port, ssl=tls)
            except OSError as error:
                raise Misconfigured(Code.MISCONFIGURED, f"cannot listen on port {port}: {error.strerror}") from None
            stack.callback(server.close)
        yield


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _handler(inner: int) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    there, here = await asyncio.open_connection("127.0.0.1", inner)
            except (OSError, TimeoutError):
                return
            with contextlib.closing(here):
                await _both(_pump(reader, here), _pump(there, writer))

    return handle


async def _both(*pumps: Coroutine[Any, Any, None]) -> None:
    """Run until the first of them ends, and end the others."""
    tasks = [asyncio.create_task(each) for each in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends; whatever a connection does wrong ends that connection only."""
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
