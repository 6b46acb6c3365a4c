"""Work that comes again, whatever the round before did."""

import asyncio

from comity.errors import Code, Unreachable
from comity.runtime.periodic import periodic
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
