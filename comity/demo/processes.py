"""The services as ordinary processes on loopback, each with its own settings, log and data folder."""

import asyncio
import itertools
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from comity.errors import Code, Misconfigured, Unreachable

HOST = "localhost"
START_SECONDS = 40.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, which would take one that was just found free."""
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE")


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on now, each once.

    They are taken a moment later, by services. Until then nobody but another one who asks like this is given them.

    Raises:
        Misconfigured: there are not so many.
    """
    free = (port for port in secrets.SystemRandom().sample(_PORTS, len(_PORTS)) if _is_free(port))
    ports = list(itertools.islice(free, count))
    if len(ports) < count:
        raise Misconfigured(Code.MISCONFIGURED, "this machine has no free ports")
    return ports


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def command(*arguments: str) -> list[str]:
    """Return the ``comity`` command line of this very installation."""
    return [sys.executable, "-m", "comity", *arguments]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return ``settings`` with what a process needs from this one, and nothing else of ours."""
    inherited = {name: os.environ[name] for name in _KEPT if name in os.environ}  # noqa: TID251  (handed on, not read)
    return {**inherited, **settings}


async def run(*arguments: str, settings: Mapping[str, str] | None = None) -> str:
    """Run one ``comity`` command to its end and return what it printed.

    Raises:
        Misconfigured: it failed; the detail is its last line.
    """
    process = await asyncio.create_subprocess_exec(
        *command(*arguments),
        env=environment(settings or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        last = (err.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise Misconfigured(Code.MISCONFIGURED, f"comity {' '.join(arguments[:2])}: {last}")
    return out.decode()


@dataclass(slots=True, kw_only=True)
class Process:
    """One running service.

    Attributes:
        name: shown to people.
        url: its base URL.
        arguments: what it was started with.
        settings: its environment variables.
        log: where it writes.
        probe: path that answers 200 when it is ready.
    """

    name: str
    url: str
    arguments: Sequence[str]
    settings: Mapping[str, str]
    log: Path
    probe: str = "/readyz"
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns at once."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: S603  (our own command line)
                command(*self.arguments),
                env=environment(self.settings),
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    async def wait_ready(self, client: httpx.AsyncClient) -> None:
        """Return when it answers its probe.

        Raises:
            Unreachable: it ended, or did not answer in time; the detail names its log.
        """
        async with asyncio.timeout(START_SECONDS):
            while True:
                if self._process is None or self._process.poll() is not None:
                    raise Unreachable(Code.UNREACHABLE, f"{self.name} ended at once; see {self.log}")
                try:
                    if (await client.get(self.url + self.probe)).status_code == httpx.codes.OK:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(_POLL_SECONDS)

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return 0 if self._process is None else self._process.pid

    def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
