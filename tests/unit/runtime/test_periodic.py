"""Work that comes again, whatever the round before did."""

import asyncio

import pytest

from comity.errors import Code, Unreachable
from comity.runtime.periodic import SHORTEST, interval, periodic
from tests.support.waiting import PATIENCE_SECONDS


async def test_a_failing_round_does_not_end_the_series() -> None:
    rounds: list[int] = []
    enough = asyncio.Event()

    async def job() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise Unreachable(Code.UNREACHABLE, "down for now")
        if len(rounds) == 2:
            raise ZeroDivisionError
        enough.set()

    async with periodic(0.01, "test", job):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await enough.wait()
    ended_with = len(rounds)
    await asyncio.sleep(0.05)
    assert len(rounds) == ended_with, "nothing runs after the context"


@pytest.mark.attack("Q11")
@pytest.mark.good_twin("Q11")
async def test_those_who_started_together_do_not_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round waits for an interval of its own, never longer than was set."""
    drawn = [interval(100.0) for _ in range(200)]
    assert len(set(drawn)) > 20
    assert min(drawn) >= 100.0 * SHORTEST
    assert max(drawn) <= 100.0
    waits: list[float] = []
    enough, real = asyncio.Event(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 50:
            enough.set()
        await real(0)

    async def job() -> None:
        """Nothing to do."""

    monkeypatch.setattr(asyncio, "sleep", sleep)
    async with periodic(100.0, "test", job):
        await enough.wait()
    assert len(set(waits)) > 10
