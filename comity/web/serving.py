"""Runs an application under uvicorn: uvloop and httptools, no access log (URLs hold secrets), graceful end.

How long clients may take their time is in :mod:`comity.web.patience`.
"""

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from comity.errors import Code, Misconfigured
from comity.web.patience import PatientProtocol

GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 15
MAX_CONCURRENT = 10_000
"""Connections of one process; what is worked on at one time is bounded long before (``comity.web.admission``)."""
WORKER_SECONDS = 60
"""How long a worker may take to start, or to say that it lives."""


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    name: str = "comity",
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve ``app`` until SIGTERM or SIGINT; then finish running requests for up to five seconds.

    When the first request can be taken, ``say`` is called with one line that ends with the base URL really listened on
    (``port`` 0 takes a free one); by default the line is printed.

    Raises:
        Misconfigured: the address cannot be listened on, or the application failed to start.
    """
    sockets = listen(host, port)
    line = f"{name} http://{_bracketed(host)}:{sockets[0].getsockname()[1]}"
    server = _Server(configuration(app), lambda: (say or _print)(line))
    try:
        server.run(sockets)
    except SystemExit:
        raise Misconfigured(Code.MISCONFIGURED, f"{name} could not start; its log says why") from None
    except KeyboardInterrupt:
        pass  # Ctrl-C is how people end it; uvicorn has finished gracefully by now
    finally:
        for each in sockets:
            each.close()


@contextlib.asynccontextmanager
async def beside(app: ASGIApp, host: str, port: int) -> AsyncIterator[None]:
    """Serve ``app`` in the running event loop while the context lasts; signals stay with whoever handles them.

    Raises:
        Misconfigured: the address cannot be listened on.
    """
    sockets = listen(host, port)
    ready = asyncio.Event()
    server = _Guest(configuration(app), ready.set)
    task = asyncio.create_task(server.serve(sockets))
    try:
        await asyncio.wait((task, waiting := asyncio.create_task(ready.wait())), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        for each in sockets:
            each.close()


def serve_workers(factory: str, host: str, port: int, *, workers: int, name: str) -> None:
    """Serve with several processes on one address until SIGTERM or SIGINT; one that dies is replaced.

    ``factory`` is ``module:function``: each process calls it for its application. The first one starts alone, so
    that a mistake is told once; the line is printed when it is ready. All share the listening sockets.

    Raises:
        Misconfigured: the address cannot be listened on, or the application failed to start.
    """
    sockets = listen(host, port)
    line = f"{name} http://{_bracketed(host)}:{sockets[0].getsockname()[1]}"
    try:
        supervisor = _Workers(configuration(factory, workers=workers), sockets, lambda: _print(line))
        supervisor.run()
    finally:
        for each in sockets:
            each.close()
    if not supervisor.was_ready:
        raise Misconfigured(Code.MISCONFIGURED, f"{name} could not start; its log says why")


def configuration(app: ASGIApp | str, *, workers: int = 1) -> uvicorn.Config:
    """Return how uvicorn runs here; forwarding headers are not believed, server and date headers say nothing."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        timeout_worker_healthcheck=WORKER_SECONDS,
        loop="uvloop",
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=MAX_CONCURRENT,
    )


def listen(host: str, port: int) -> list[socket.socket]:
    """Open listening sockets on every address of ``host``: ``localhost`` is both ::1 and 127.0.0.1.

    Raises:
        Misconfigured: not one of them can be listened on, or one is taken by another program.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise Misconfigured(Code.MISCONFIGURED, f"there is no address for the host {host}") from None
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in sorted(set(found), key=lambda each: each[0] != socket.AF_INET):
            # With port 0 the second address takes the port that the first one was given.
            wanted = sockets[0].getsockname()[1] if sockets else port
            opened = _open(family, (str(address[0]), wanted))
            if opened is not None:
                sockets.append(opened)
    except OSError as error:
        for each in sockets:
            each.close()
        raise Misconfigured(Code.MISCONFIGURED, f"cannot listen on {host}:{port}: {error.strerror}") from None
    if not sockets:
        raise Misconfigured(Code.MISCONFIGURED, f"cannot listen on {host}:{port}")
    return sockets


def _open(family: int, address: tuple[str, int]) -> socket.socket | None:
    """Return a listening socket, or None when this machine does not have the address (IPv6 is often absent)."""
    try:
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return None
        raise
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.listen(1024)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return opened


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _print(line: str) -> None:
    with contextlib.suppress(OSError):  # a full disk behind the log is no reason not to serve (catalogue F36)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


class _Server(uvicorn.Server):
    """Says when the first request can be taken."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


class _Guest(_Server):
    """Leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Workers(Multiprocess):
    """Starts one worker, says when it is ready, then starts the others."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], announce: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._announce = announce
        self.was_ready = False

    def init_processes(self) -> None:
        wanted, self.processes_num = self.processes_num, 1
        super().init_processes()
        self.was_ready = self.processes[0].wait_until_ready(WORKER_SECONDS)
        if not self.was_ready:
            self.should_exit.set()
            return
        self._announce()
        self.processes_num = wanted - 1
        super().init_processes()
