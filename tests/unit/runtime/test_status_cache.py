import asyncio
import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.errors import Code, Malformed, Misconfigured, Unreachable
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.runtime import status_cache as module
from comity.runtime.clock import FixedClock
from comity.runtime.files import replace_file
from comity.runtime.status_cache import StatusCache, clamp_ttl
from comity.verification.evidence import NotObtained, Obtained, Source
from tests.support.waiting import PATIENCE_SECONDS

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
URI = "https://status.example/ca-on/services/status/1"
TYPE = "application/statuslist+jwt"


class Host(Fetcher):
    """A status host whose list, ETag and health can be changed."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.body = b"list-1"
        self.etag: str | None = '"1"'
        self.status = 200
        self.down: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.requests: list[FetchRequest] = []

    async def fetch(self, request: FetchRequest) -> Fetched:
        self.requests.append(request)
        if self.gate is not None:
            await self.gate.wait()
        if self.down is not None:
            raise self.down
        unchanged = self.status == 200 and request.etag is not None and request.etag == self.etag
        return Fetched(
            url=request.url,
            status=304 if unchanged else self.status,
            content_type="" if unchanged else TYPE,
            body=b"" if unchanged else self.body,
            headers={"etag": self.etag} if self.etag else {},
            fetched_at=self.clock.now(),
        )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(AT)


@pytest.fixture
def host(clock: FixedClock) -> Host:
    return Host(clock)


@pytest.fixture
def cache(tmp_path: Path, host: Host, clock: FixedClock) -> StatusCache:
    return StatusCache(tmp_path / "status", host, clock)


async def ask(cache: StatusCache, max_age_seconds: int | None = None, *, uri: str = URI) -> Obtained:
    answer = await cache.get(uri, (TYPE,), max_age_seconds)
    assert isinstance(answer, Obtained)
    return answer


DOWN = Unreachable(Code.UNREACHABLE, "down")


async def test_the_first_answer_is_fetched_and_the_next_comes_from_the_copy(cache: StatusCache, host: Host) -> None:
    first = await ask(cache)
    assert (first.body, first.source, first.fetched_at, first.newest_issued_at) == (b"list-1", Source.FETCHED, AT, None)
    (request,) = host.requests
    assert (request.accept, request.etag, request.max_redirects, request.max_bytes) == ((TYPE,), None, 3, 5 << 20)
    assert (await ask(cache)).source is Source.CACHED
    assert len(host.requests) == 1


async def test_an_old_copy_is_revalidated_by_etag(cache: StatusCache, host: Host, clock: FixedClock) -> None:
    await ask(cache)
    clock.advance(timedelta(seconds=30))
    assert (await ask(cache, 31)).source is Source.CACHED
    again = await ask(cache, 30)
    assert (again.body, again.source, again.fetched_at) == (b"list-1", Source.REVALIDATED, clock.now())
    assert host.requests[-1].etag == '"1"'
    assert (await ask(cache, 30)).source is Source.CACHED
    host.body, host.etag = b"list-2", '"2"'
    changed = await ask(cache, 0)
    assert (changed.body, changed.source) == (b"list-2", Source.FETCHED)


async def test_without_an_etag_everything_is_fetched_again(cache: StatusCache, host: Host) -> None:
    host.etag = None
    await ask(cache)
    assert (await ask(cache, 0)).source is Source.FETCHED
    assert host.requests[-1].etag is None


@pytest.mark.parametrize("etag", ['"é"', '"\r\nx: y"', '"' + "a" * 300 + '"'])
async def test_an_etag_that_cannot_be_sent_back_is_not_kept(cache: StatusCache, host: Host, etag: str) -> None:
    host.etag = etag
    await ask(cache)
    assert (await ask(cache, 0)).source is Source.FETCHED
    assert host.requests[-1].etag is None


async def test_the_lists_own_ttl_counts_where_nothing_else_is_asked(
    cache: StatusCache, host: Host, clock: FixedClock
) -> None:
    await ask(cache)
    clock.advance(timedelta(seconds=59))
    assert (await ask(cache)).source is Source.CACHED
    clock.advance(timedelta(seconds=1))
    assert (await ask(cache)).source is Source.REVALIDATED, "an unknown ttl is the shortest"
    assert cache.remember_issued_at(URI, AT, ttl_seconds=300)
    clock.advance(timedelta(seconds=299))
    assert (await ask(cache)).source is Source.CACHED
    clock.advance(timedelta(seconds=1))
    assert (await ask(cache)).source is Source.REVALIDATED


@pytest.mark.parametrize(
    ("ttl", "believed"), [(0, 60), (-5, 60), (59, 60), (60, 60), (300, 300), (86_400, 86_400), (1e12, 86_400)]
)
@pytest.mark.clause("TSL-6")
@pytest.mark.attack("L11")
@pytest.mark.good_twin("L11")
def test_ttls_are_believed_within_bounds(ttl: float, believed: int) -> None:
    assert clamp_ttl(ttl) == believed


@pytest.mark.attack("L11")
async def test_a_list_that_says_never_ask_again_is_asked_after_a_day(
    cache: StatusCache, host: Host, clock: FixedClock
) -> None:
    await ask(cache)
    cache.remember_issued_at(URI, AT, ttl_seconds=1e12)
    clock.advance(timedelta(hours=24))
    assert (await ask(cache)).source is Source.REVALIDATED


@pytest.mark.attack("L11", "Q11")
async def test_a_list_that_says_always_ask_again_causes_no_storm(cache: StatusCache, host: Host) -> None:
    await ask(cache)
    cache.remember_issued_at(URI, AT, ttl_seconds=0)
    for _ in range(50):
        await ask(cache)
    assert len(host.requests) == 1


@pytest.mark.attack("C02")
async def test_a_clock_that_jumped_back_does_not_make_copies_young(
    cache: StatusCache, host: Host, clock: FixedClock
) -> None:
    await ask(cache)
    clock.advance(timedelta(hours=-1))
    assert (await ask(cache)).source is Source.REVALIDATED


@pytest.mark.parametrize(
    "failure", [DOWN, Malformed(Code.CONTENT_TYPE_WRONG, "HTML"), Malformed(Code.TOO_LARGE, "big"), 404, 500, 304]
)
@pytest.mark.attack("L01")
@pytest.mark.good_twin("L01")
async def test_when_the_host_fails_the_old_copy_says_how_old_it_is(
    cache: StatusCache, host: Host, clock: FixedClock, failure: Exception | int
) -> None:
    never = await StatusCache(cache._folder / "other", Failing(failure, clock), clock).get(URI, (TYPE,), 0)
    assert isinstance(never, NotObtained)
    await ask(cache)
    clock.advance(timedelta(hours=5))
    host.etag = '"2"'
    if isinstance(failure, int):
        host.status = failure if failure != 304 else 503
    else:
        host.down = failure
    old = await ask(cache, 0)
    assert (old.body, old.source, old.fetched_at) == (b"list-1", Source.CACHED_HOST_DOWN, AT)


class Failing(Fetcher):
    """A host that never gave a list."""

    def __init__(self, failure: Exception | int, clock: FixedClock) -> None:
        self.failure = failure
        self.clock = clock

    async def fetch(self, request: FetchRequest) -> Fetched:
        if isinstance(self.failure, Exception):
            raise self.failure
        return Fetched(
            url=request.url,
            status=self.failure,
            content_type=TYPE,
            body=b"x",
            headers={},
            fetched_at=self.clock.now(),
        )


async def test_copies_and_their_age_survive_a_restart(
    cache: StatusCache, host: Host, clock: FixedClock, tmp_path: Path
) -> None:
    host.body = bytes(range(256)) + b"\n\n{}"
    await ask(cache)
    host.down = DOWN
    clock.advance(timedelta(seconds=45))
    again = StatusCache(tmp_path / "status", host, clock)
    assert await ask(again) == Obtained(body=host.body, fetched_at=AT, source=Source.CACHED)
    clock.advance(timedelta(hours=1))
    assert (await ask(again)).source is Source.CACHED_HOST_DOWN


@pytest.mark.clause("TSL-6")
@pytest.mark.attack("Q11")
async def test_many_who_ask_at_once_share_one_request(cache: StatusCache, host: Host) -> None:
    host.gate = asyncio.Event()
    tasks = [asyncio.create_task(ask(cache)) for _ in range(20)]
    await asyncio.sleep(0.05)
    tasks[0].cancel()
    await asyncio.sleep(0)
    host.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert all(isinstance(each, Obtained) and each.body == b"list-1" for each in outcomes[1:])
    assert len(host.requests) == 1
    await ask(cache, 0)
    assert len(host.requests) == 2


async def test_a_copy_of_another_type_is_no_copy(cache: StatusCache, host: Host) -> None:
    await ask(cache)
    answer = await cache.get(URI, ("application/vc+jwt",))
    assert isinstance(answer, Obtained)
    assert answer.source is Source.FETCHED
    assert host.requests[-1].etag is None


async def test_addresses_do_not_share_copies(cache: StatusCache, host: Host) -> None:
    await ask(cache)
    host.body = b"other"
    assert (await ask(cache, uri=URI + "2")).body == b"other"
    assert (await ask(cache)).body == b"list-1"


async def test_a_wrong_list_is_forgotten_but_not_what_was_seen(cache: StatusCache, host: Host, tmp_path: Path) -> None:
    await ask(cache)
    cache.remember_issued_at(URI, AT)
    cache.discard(URI)
    cache.discard(URI)
    host.body = b"list-2"
    fresh = await ask(cache)
    assert (fresh.body, fresh.source, fresh.newest_issued_at) == (b"list-2", Source.FETCHED, AT)
    assert host.requests[-1].etag is None


# --- rollback


async def test_an_older_list_is_told_across_restarts(
    cache: StatusCache, host: Host, clock: FixedClock, tmp_path: Path
) -> None:
    assert cache.newest_issued_at(URI) is None
    assert cache.remember_issued_at(URI, AT)
    assert cache.remember_issued_at(URI, AT), "the same list again"
    assert cache.remember_issued_at(URI, AT + timedelta(seconds=1))
    assert not cache.remember_issued_at(URI, AT)
    again = StatusCache(tmp_path / "status", host, clock)
    assert again.newest_issued_at(URI) == AT + timedelta(seconds=1)
    assert not again.remember_issued_at(URI, AT)
    assert again.remember_issued_at(URI + "x", AT)
    assert (await ask(again)).newest_issued_at == AT + timedelta(seconds=1)


async def test_of_two_who_remember_at_once_the_newer_stays(
    cache: StatusCache, host: Host, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = threading.Event()

    def slow(path: Path, data: bytes) -> None:
        writing.set()
        time.sleep(0.1)
        replace_file(path, data)

    monkeypatch.setattr(module, "replace_file", slow)
    newer = asyncio.create_task(asyncio.to_thread(cache.remember_issued_at, URI, AT))
    await asyncio.to_thread(writing.wait, PATIENCE_SECONDS)
    older = asyncio.create_task(asyncio.to_thread(cache.remember_issued_at, URI, AT - timedelta(seconds=1)))
    assert await newer
    assert not await older
    assert cache.newest_issued_at(URI) == AT
    assert StatusCache(cache._folder, host, clock).newest_issued_at(URI) == AT


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"issued_at":"x","ttl_seconds":1}', b'{"issued_at":1}'])
async def test_a_damaged_memory_is_not_a_clean_slate(cache: StatusCache, content: bytes) -> None:
    cache.remember_issued_at(URI, AT)
    (path,) = cache._folder.glob("*.seen")
    path.write_bytes(content)
    again = StatusCache(cache._folder, cache._fetcher, FixedClock(AT))
    with pytest.raises(Misconfigured):
        again.newest_issued_at(URI)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}\nx", b"nonsense\nx", b'{"uri":1,"etag":null,"content_type":"t","fetched_at":"2026-01-01T00:00:00"}\nx'],
)
async def test_a_damaged_copy_is_as_good_as_none(
    cache: StatusCache, host: Host, clock: FixedClock, content: bytes
) -> None:
    await ask(cache)
    (path,) = cache._folder.glob("*.copy")
    path.write_bytes(content)
    again = StatusCache(cache._folder, host, clock)
    assert (await ask(again)).source is Source.FETCHED


async def test_a_copy_swapped_with_anothers_is_no_copy(cache: StatusCache, host: Host, clock: FixedClock) -> None:
    await ask(cache)
    (first,) = cache._folder.glob("*.copy")
    await ask(cache, uri=URI + "2")
    (second,) = set(cache._folder.glob("*.copy")) - {first}
    second.write_bytes(first.read_bytes())
    again = StatusCache(cache._folder, host, clock)
    assert (await ask(again, uri=URI + "2")).source is Source.FETCHED


async def test_a_full_disk_costs_the_copy_but_not_the_answer(
    cache: StatusCache, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "replace_file", full)
    assert (await ask(cache)).source is Source.FETCHED
    assert (await ask(cache)).source is Source.CACHED
    assert not list(cache._folder.iterdir())
    with pytest.raises(Misconfigured):
        cache.remember_issued_at(URI, AT)
    assert cache.newest_issued_at(URI) is None


async def test_what_a_thread_forgets_meanwhile_harms_nobody(cache: StatusCache) -> None:
    """A verification forgets a wrong list in a thread, maybe in the middle of another one's keeping it."""

    class Contested(OrderedDict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key, value)
            cache.discard(key)

    cache._copies = Contested()
    assert (await ask(cache)).source is Source.FETCHED


async def test_memory_is_bounded(cache: StatusCache, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IN_MEMORY", 3)
    for number in range(6):
        await ask(cache, uri=f"{URI}{number}")
    assert len(cache._copies) == 3
    assert (await ask(cache, uri=f"{URI}0")).source is Source.CACHED, "read from disk"


@pytest.mark.attack("X03")
async def test_renewing_asks_for_every_old_copy_and_survives_a_host_that_is_down(
    cache: StatusCache, host: Host, clock: FixedClock
) -> None:
    assert await cache.renew(60) == 0
    for uri in (URI, f"{URI}/revocation"):
        await cache.get(uri, (TYPE,))
    host.requests.clear()
    assert await cache.renew(60) == 2
    assert host.requests == [], "young copies are left alone"
    clock.advance(timedelta(seconds=61))
    assert await cache.renew(60) == 2
    assert {request.url for request in host.requests} == {URI, f"{URI}/revocation"}
    clock.advance(timedelta(seconds=61))
    host.down = Unreachable(Code.UNREACHABLE, "down")
    assert await cache.renew(60) == 0
    assert isinstance(await cache.get(URI, (TYPE,)), Obtained)
