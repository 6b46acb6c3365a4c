"""A fetcher that is made when something is fetched for the first time."""

import asyncio
import threading
from datetime import UTC, datetime

from comity.ports import Fetched, FetchRequest
from comity.runtime.clock import FixedClock
from comity.runtime.fetching import FetcherAtFirstUse
from comity.runtime.http import GuardedFetcher

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Counted(GuardedFetcher):
    """Answers with an empty body; keeps which thread made it, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__(FixedClock(NOW))
        self.thread, self.is_closed = threading.current_thread(), False

    async def fetch(self, request: FetchRequest) -> Fetched:
        await asyncio.sleep(0)
        return Fetched(url=request.url, status=200, content_type="", body=b"", headers={}, fetched_at=NOW)

    async def close(self) -> None:
        self.is_closed = True
        await super().close()


async def test_it_is_made_once_in_a_thread_and_closed() -> None:
    made: list[Counted] = []

    def make() -> Counted:
        made.append(Counted())
        return made[-1]

    fetcher = FetcherAtFirstUse(make)
    assert made == []
    asked = [FetchRequest(url=f"https://status.example/{number}") for number in range(3)]
    answers = await asyncio.gather(*(fetcher.fetch(each) for each in asked))
    assert [each.url for each in answers] == [each.url for each in asked]
    (only,) = made
    assert only.thread is not threading.current_thread()
    await fetcher.close()
    assert only.is_closed


async def test_what_was_never_used_is_closed_without_being_made() -> None:
    def make() -> Counted:
        raise AssertionError

    await FetcherAtFirstUse(make).close()
