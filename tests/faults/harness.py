"""One real service that breaks at named places, people who do not give up, and a ledger that it cannot touch.

People walk from the first step to the last, again and again. Whatever they were told (2xx) goes into the ledger;
whatever fails they ask again, as a wallet or a clerk would. In the end the ledger is held against what the service
says and keeps (promises A to H of the catalogue, section 2; decision record 0033).
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import httpx

from comity.demo.processes import Process

FATAL = frozenset({"kill", "term"})
ACTIONS = ("kill", "term", "error", "stall", "full")
TRIES = 60
PATIENCE_SECONDS = 60.0
"""How long a place may not be reached, or a walk not end: services pause after a failure, and machines are busy."""
_LOOKS = 40
_LOOK_SECONDS = 0.025


class Walk(Protocol):
    """What one person was told."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to do."""
        ...


W = TypeVar("W", bound=Walk)


class Service:
    """The service under test, started again and again on what it left on the disk."""

    def __init__(self, make: Callable[[dict[str, str]], Process], prefix: str) -> None:
        """``make`` returns its process with further settings."""
        self._make = make
        self._prefix = prefix
        self.process: Process | None = None
        self._read_from = 0

    async def start(self, failpoints: Iterable[str]) -> None:
        """Start it with places armed; it must come up by itself whatever was done to it before (promise F)."""
        armed = ",".join(failpoints)
        self.process = self._make({f"{self._prefix}_FAILPOINT": armed} if armed else {})
        self._read_from = len(self._log())
        self.process.start()
        async with httpx.AsyncClient(trust_env=False) as client:
            await self.process.wait_ready(client)

    def is_dead(self) -> bool:
        """Say whether it ended."""
        assert self.process is not None
        running = self.process._process
        return running is None or running.poll() is not None

    def end(self) -> None:
        """Stop it, if it runs."""
        if self.process is not None:
            self.process.stop()

    def reached(self) -> set[str]:
        """Return the names of the places at which it broke since it was started."""
        lines = [line for line in self._log()[self._read_from :].splitlines() if "failpoint reached" in line]
        return {part.removeprefix("name=").strip("'\"") for line in lines for part in line.split() if "name=" in part}

    def _log(self) -> str:
        assert self.process is not None
        log: Path = self.process.log
        return log.read_text("utf-8", "replace") if log.exists() else ""


class Flow(ABC, Generic[W]):
    """What people do, and the judgement over it."""

    def __init__(self) -> None:
        self.walks: list[W] = []

    @abstractmethod
    def begin(self) -> W:
        """Return somebody new."""

    @abstractmethod
    async def step(self, walk: W) -> None:
        """Do the next thing, or find out that it has been done; may raise ``httpx.TransportError``."""

    def look(self) -> None:
        """Look at what readers see while the service lies dead."""

    @abstractmethod
    async def judge(self) -> None:
        """Hold the ledger against a service that runs again; raises AssertionError."""

    def unfinished(self) -> list[W]:
        """Return who is still on the way."""
        return [walk for walk in self.walks if not walk.is_over]

    async def round(self, is_dead: Callable[[], bool]) -> None:
        """Let everybody who is not done go on, or somebody new come, until the service dies."""
        if not self.unfinished():
            self.walks.append(self.begin())
        for walk in self.walks:
            await self.go(walk, is_dead)

    async def go(self, walk: W, is_dead: Callable[[], bool]) -> None:
        """Let one person walk on as far as it goes."""
        tried = 0
        while not walk.is_over and not is_dead() and tried < TRIES:
            tried += 1
            try:
                await self.step(walk)
            except httpx.TransportError:
                await asyncio.sleep(0.05)


@dataclass
class Trial(Generic[W]):
    """A service, people, and the failpoints (``name=action``) that are still to come."""

    service: Service
    flow: Flow[W]
    failpoints: Sequence[str]
    patience: float = PATIENCE_SECONDS

    async def run(self) -> None:
        """Walk until every failpoint was reached and every walk is over, then judge."""
        left = list(self.failpoints)
        try:
            while left:
                await self.service.start(left)
                left = await self._broken(left)
            await self.service.start([])
            await self.flow.round(self.service.is_dead)
            deadline = time.monotonic() + self.patience
            while self.flow.unfinished():
                assert time.monotonic() < deadline, self.flow.unfinished()
                await self.flow.round(self.service.is_dead)
            await self.flow.judge()
        finally:
            self.service.end()

    async def _broken(self, left: list[str]) -> list[str]:
        """Walk until the service dies or nothing is left; returns what is left."""
        deadline = time.monotonic() + self.patience
        while left:
            await self.flow.round(self.service.is_dead)
            before, left = left, await self._not_reached(left)
            if left != before:
                deadline = time.monotonic() + self.patience
            assert time.monotonic() < deadline, f"never reached: {left}"
            if self.service.is_dead():
                break
        self.service.end()
        self.flow.look()
        return left

    async def _not_reached(self, left: list[str]) -> list[str]:
        """Return which places were not reached; waits a little: a publication follows what was asked for."""
        for _ in range(_LOOKS):
            reached = self.service.reached()
            now_left = [each for each in left if each.partition("=")[0] not in reached]
            fatal = {each.partition("=")[0] for each in left if _action(each) in FATAL}
            if self.service.is_dead() or not now_left or (now_left != left and not reached & fatal):
                return now_left
            await asyncio.sleep(_LOOK_SECONDS if not reached & fatal else 10 * _LOOK_SECONDS)
        return [each for each in left if each.partition("=")[0] not in self.service.reached()]


def _action(failpoint: str) -> str:
    return failpoint.partition("=")[2].partition(":")[0]


def armed(names: Iterable[str], action: str, *, stall: str = "") -> list[str]:
    """Return every name with one action."""
    said = f"stall:{stall}" if action == "stall" and stall else action
    return [f"{name}={said}" for name in names]


def both(*units: str) -> tuple[str, ...]:
    """Return the two places of each unit: just before its commit, and just after."""
    return tuple(f"{unit}.{step}" for unit in units for step in ("run", "committed"))


def client(service_url: str, *, timeout: float = 30, **more: Any) -> httpx.AsyncClient:
    """Return somebody's connection to a service."""
    return httpx.AsyncClient(base_url=service_url, trust_env=False, timeout=timeout, **more)
