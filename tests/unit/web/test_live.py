import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from comity.web import live
from comity.web.live import Bell, State, changes
from tests.support.waiting import PATIENCE_SECONDS


class Thing:
    """Something whose state is read."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.read = 0

    async def current(self) -> State:
        self.read += 1
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"state": state}


def is_final(state: State) -> bool:
    return bool(state["state"] == "done")


async def collect(events: AsyncIterator[bytes]) -> list[bytes]:
    return [each async for each in events]


def said(*states: str) -> list[bytes]:
    return [f'data: {{"state":"{state}"}}\n\n'.encode() for state in states]


async def test_each_change_is_told_once_until_the_end() -> None:
    thing = Thing("open", "open", "fetched", "fetched", "done", "after")
    assert await collect(changes(thing.current, is_final=is_final, poll_seconds=0)) == said("open", "fetched", "done")
    assert thing.read == 5


async def test_a_state_that_is_final_already_is_told() -> None:
    assert await collect(changes(Thing("done").current, is_final=is_final)) == said("done")


async def test_a_bell_makes_it_quick() -> None:
    thing, bell = Thing("open"), Bell()
    events = asyncio.create_task(
        collect(changes(thing.current, is_final=is_final, topic="t", bell=bell, poll_seconds=3600))
    )
    await asyncio.sleep(0.05)
    bell.ring("another")
    await asyncio.sleep(0.02)
    assert thing.read == 1
    thing.states = ["done"]
    bell.ring("t")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await events == said("open", "done")
    assert not bell._waiting


async def test_one_ring_wakes_everyone() -> None:
    bell = Bell()
    waiting = [asyncio.create_task(bell.wait("t", 3600)) for _ in range(3)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    bell.ring("t")
    await asyncio.wait_for(asyncio.gather(*waiting[1:]), PATIENCE_SECONDS)
    assert not bell._waiting
    bell.ring("t")


async def test_a_quiet_stream_is_kept_open_and_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0.0

    class Quick(Bell):
        async def wait(self, _topic: str, longest: float) -> None:
            nonlocal seconds
            seconds += longest

    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: seconds))
    following = changes(Thing("open").current, is_final=is_final, bell=Quick(), poll_seconds=10, longest_seconds=100)
    assert await collect(following) == [*said("open"), *[b": still here\n\n"] * 4], "each second look is 15 s later"


def test_events_are_one_line_whatever_they_hold() -> None:
    state: dict[str, Any] = {"words": "a\nb\r\u2028data: x"}
    assert live.event(state).count(b"\n") == 2
    assert b"\r" not in live.event(state)


async def test_the_stream_is_told_not_to_be_held_back() -> None:
    answer = live.stream(changes(Thing("done").current, is_final=is_final))
    assert answer.media_type == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert [each async for each in answer.body_iterator] == said("done")
