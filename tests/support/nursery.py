"""Services that start at once: a process that has imported everything forks, so that a kill costs no second start.

What is forked is a real process: own settings, own log, killed for real, started anew from what it left on the disk.
Run as a program this module is the nursery itself: one order (a line of JSON) in, one process id out.
"""

import asyncio
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comity.demo import processes
from comity.demo.processes import Process
from comity.errors import Code, Misconfigured
from comity.runtime import failpoints

IMPORTED = (
    "issuer.app",
    "issuer.cli",
    "issuer.clerk_cli",
    "wallet.app",
    "wallet.cli",
    "verifier.app",
    "verifier.cli",
    "comity.commands.registry",
    "comity.web.serving",
    "comity.runtime.alembic_history",
    "comity.runtime.http",
    "comity.runtime.migrations",
    "comity.runtime.postgres",
    "sqlalchemy.dialects.postgresql",
    "asyncpg",
    "httptools",
    "uvloop",
)
NOT_REACHED = "never reached:"
_DIE_WITH_PARENT = 1


class Nursery:
    """The parent of services; one for each process that runs tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def fork(self, arguments: list[str], settings: Mapping[str, str], log: Path) -> int:
        """Start ``comity`` with these arguments; returns its process id."""
        order = {"arguments": arguments, "settings": processes.environment(settings), "log": str(log)}
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        with self._lock:
            self._parent.stdin.write(json.dumps(order).encode() + b"\n")
            self._parent.stdin.flush()
            return int(self._parent.stdout.readline())

    def close(self) -> None:
        """End the parent; the children are stopped by who started them."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()


class Child:
    """One process of a nursery, as :class:`subprocess.Popen` would show it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._end = _end_of(pid)

    def poll(self) -> int | None:
        """Return 0 when it has ended, however; None while it runs."""
        return 0 if select.select([self._end], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if not select.select([self._end], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return 0

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing when it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._end, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        os.close(self._end)


def _end_of(pid: int) -> int:
    """Return a descriptor that is readable when a process has ended, whoever reaps it; it may be gone already."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        ended, nobody = os.pipe()
        os.close(nobody)
        return ended


class Grown(Process):
    """A service that a nursery starts."""

    nursery: Nursery
    __slots__ = ()

    def start(self) -> None:
        """Start it; returns at once."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        child: Any = Child(current().fork(list(self.arguments), self.settings, self.log))
        self._process = child


_nurseries: list[Nursery] = []


def current() -> Nursery:
    """Return the nursery of this process, started if need be."""
    if not _nurseries:
        _nurseries.append(Nursery())
    return _nurseries[0]


def close() -> None:
    """End the nursery of this process, if any."""
    while _nurseries:
        _nurseries.pop().close()


async def run(*arguments: str, settings: Mapping[str, str] | None = None) -> str:
    """Run one ``comity`` command to its end and return what it printed, as :func:`comity.demo.processes.run`."""
    out = Path(os.environ.get("TMPDIR", "/tmp")) / f"comity-nursery-{os.getpid()}-{time.monotonic_ns()}"
    child = Child(current().fork(list(arguments), settings or {}, out))
    await asyncio.to_thread(child.wait, 60)
    printed = out.read_text("utf-8")
    out.unlink()
    if "\n!" in f"\n{printed}":
        raise Misconfigured(Code.MISCONFIGURED, printed)
    return printed


def main() -> None:
    """Import everything, then fork for each order until there are none."""
    for name in IMPORTED:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children: the kernel reaps them
    for line in sys.stdin.buffer:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    os._exit(0)  # there is nothing to tidy up, and much that was imported


def _live(order: Mapping[str, Any]) -> None:
    """Become ``comity`` with its own settings and log."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)  # whoever interrupts the tests leaves nothing behind
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["settings"])
    sys.argv = ["comity", *order["arguments"]]
    code: Any = 70
    try:
        from comity.cli import main as comity

        if "serve" not in order["arguments"]:
            _arm(order["settings"])
        comity()
    except SystemExit as end:
        code = end.code or 0
    except BaseException as error:  # noqa: BLE001  (told, whatever it is)
        sys.stderr.write(f"!{error!r}\n")
    if code:
        sys.stderr.write(f"!ended with {code}\n")
    if "serve" not in order["arguments"]:
        _tell_what_was_not_reached()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))


def _arm(settings: Mapping[str, Any]) -> None:
    """Arm the places of a command; a service does so by itself, at its first request."""
    for each in (value for name, value in settings.items() if name.endswith("_FAILPOINT")):
        failpoints.arm(each)


def _tell_what_was_not_reached() -> None:
    """Say of a command that came to its end where it should have broken; its log is quiet."""
    for each in failpoints._armed:
        sys.stderr.write(f"!{NOT_REACHED} {each}\n")


if __name__ == "__main__":
    main()
