"""Status at the size of a country: 41 million people with five credentials each, in lists of 2^20 entries.

Real here: every list is packed and signed once in its three forms by the issuer's own publisher, read back, and
compared with what was revoked; bytes and CPU are of those. Simulated: a day of revocations and ten minutes of a storm,
as a queue in front of one publisher that takes the measured time for each list (rows are not read from a database); and
the verifiers, who read every list again on their timer, by ETag.

``python -m benchmarks.nation`` takes a few minutes, ``--small`` some seconds.
"""

import heapq
import itertools
import math
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random  # noqa: TID251  (events of a simulation, repeatable by their seed)
from typing import Any, cast

from comity.credential import Status
from comity.runtime.clock import FixedClock
from comity.runtime.keystore import FileKeyStore
from comity.status import token_list
from issuer import authorities
from issuer.authorities import Authority, Description
from issuer.status_lists import TOKEN_FILE, ListRules, Publisher
from issuer.store.status_lists import ListState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NOT_MODIFIED_BYTES = 180
"""Of a 304 with its headers, and of the request that asked for it; TLS records and TCP are not counted."""
ANSWER_HEADER_BYTES = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Nation:
    """How large it is.

    Attributes:
        people: holders.
        each: credentials of each.
        list_size: entries of a list.
        revoked: share that is revoked already.
        yearly: share that is revoked in a year.
        storm: credentials revoked within ten minutes, as after a breach.
        verifiers: installations that check status.
        gather_seconds: how long changes are gathered before lists are written (``PUBLISH_SECONDS``).
    """

    people: int = 41_000_000
    each: int = 5
    list_size: int = 1 << 20
    revoked: float = 0.01
    yearly: float = 0.02
    storm: int = 100_000
    verifiers: int = 50_000
    gather_seconds: float = 1.0

    @property
    def entries(self) -> int:
        """Credentials."""
        return self.people * self.each

    @property
    def lists(self) -> int:
        """Lists; one closes when three quarters of it are given."""
        return math.ceil(self.entries / (self.list_size * 3 // 4))


SMALL = Nation(people=100_000, list_size=1 << 17, storm=2_000, verifiers=500)
DAY, STORM = 86_400.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """All lists, signed once: seconds of CPU of each, and bytes of each token."""

    seconds: Sequence[float]
    token_bytes: Sequence[int]
    all_bytes: int
    revoked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What came of a stream of revocations: seconds from each to its publication, lists written, and CPU."""

    delays: Sequence[float]
    written: int
    cpu_seconds: float
    lasted: float


def build(nation: Nation, folder: Path) -> Built:
    """Pack, sign, read back and compare every list."""
    authority, publisher = _publisher(nation, folder)
    seconds, sizes, every, revoked = [], [], 0, 0
    for number in range(1, nation.lists + 1):
        given = min(nation.list_size * 3 // 4, nation.entries - (number - 1) * (nation.list_size * 3 // 4))
        entries = _entries(nation.list_size, round(given * nation.revoked))
        state = _state(authority, number, nation.list_size)
        started = time.process_time()
        documents = publisher.documents(authority, state, entries, NOW)
        seconds.append(time.process_time() - started)
        _require_right(documents[TOKEN_FILE], entries)
        sizes.append(len(documents[TOKEN_FILE]))
        every += sum(map(len, documents.values()))
        revoked += len(entries)
    return Built(seconds=seconds, token_bytes=sizes, all_bytes=every, revoked=revoked)


def _state(authority: Authority, number: int, size: int) -> ListState:
    return ListState(
        id=number, authority=authority.path, number=number, size=size, changes=1, published_at=None, fence=1
    )


def _entries(size: int, count: int) -> list[tuple[int, Status]]:
    chosen: set[int] = set()
    while len(chosen) < count:
        chosen.add(secrets.randbelow(size))
    return [(index, Status.REVOKED) for index in chosen]


def _require_right(token: str, entries: Sequence[tuple[int, Status]]) -> None:
    values = token_list.decode(token_list.open(token)).values
    marked = sum((byte & 0x55).bit_count() + (byte >> 1 & 0x55).bit_count() for byte in values.data)
    if marked != len(entries) or any(values.value(index) != 1 for index, _ in entries[:200]):
        raise AssertionError("a published list does not say what was revoked")


def _publisher(nation: Nation, folder: Path) -> tuple[Authority, Publisher]:
    names = {"en": "Nation (DEMO)", "fr": "Nation (DÉMO)"}
    description = Description(path="ca/nation", jurisdiction="ca", name=names, types=())
    where = {"public_url": "https://issuer.example", "status_public_url": "https://status.example"}
    store = FileKeyStore(folder / "keys")
    authorities.create_keys(store, description, at=NOW, **where)
    authority = authorities.open_authority(store, description, at=NOW, **where)
    rules = ListRules(
        directory=folder,
        ttl_seconds=300,
        valid_seconds=86_400,
        size=nation.list_size,
        open_lists=2,
        publish_seconds=nation.gather_seconds,
    )
    publisher = Publisher(
        authorities={authority.path: authority}, database=cast("Any", None), clock=FixedClock(NOW), rules=rules
    )
    return authority, publisher


def simulate(nation: Nation, costs: Sequence[float], *, events: int, seconds: float, random: Random) -> Queue:
    """Let ``events`` revocations come at random moments within ``seconds`` to one publisher.

    The publisher works as the real one: it waits for a change, gathers, takes every marked list, and writes one after
    the other; what is marked meanwhile waits for the next round.
    """
    coming = [(random.random() * seconds, random.randrange(nation.lists)) for _ in range(events)]
    heapq.heapify(coming)
    now, written, cpu, delays = 0.0, 0, 0.0, []
    while coming:
        now = max(now, coming[0][0]) + nation.gather_seconds
        marked: dict[int, list[float]] = {}
        while coming and coming[0][0] <= now:
            at, number = heapq.heappop(coming)
            marked.setdefault(number, []).append(at)
        for moments in marked.values():
            cost = random.choice(costs)
            now, cpu, written = now + cost, cpu + cost, written + 1
            delays += [now - at for at in moments]
    return Queue(delays=sorted(delays), written=written, cpu_seconds=cpu, lasted=max(now, seconds))


def at_share(delays: Sequence[float], share: float) -> float:
    """Return the delay that ``share`` of all stay below."""
    return delays[min(len(delays) - 1, int(len(delays) * share))]


def traffic(nation: Nation, built: Built, queue: Queue, ttl: int) -> tuple[float, float]:
    """Return requests and megabits a second at the origin or its CDN: every verifier reads every list each ``ttl``."""
    requests = nation.verifiers * nation.lists / ttl
    changes_per_list = queue.written / nation.lists / queue.lasted * ttl
    changed = 1 - math.exp(-changes_per_list)
    size = sum(built.token_bytes) / len(built.token_bytes) + ANSWER_HEADER_BYTES
    return requests, requests * (changed * size + (1 - changed) * NOT_MODIFIED_BYTES) * 8 / 1e6


def report(nation: Nation, seed: int = 7) -> str:
    """Run everything and return it as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        built = build(nation, Path(folder))
    random = Random(seed)  # noqa: S311
    usual = simulate(
        nation, built.seconds, events=round(nation.entries * nation.yearly / 365), seconds=DAY, random=random
    )
    storm = simulate(nation, built.seconds, events=nation.storm, seconds=STORM, random=random)
    return "\n".join(_lines(nation, built, usual, storm)) + "\n"


def _lines(nation: Nation, built: Built, usual: Queue, storm: Queue) -> Iterator[str]:
    lists = f"{nation.lists} lists of {nation.list_size:,} entries"
    yield f"{nation.entries:,} credentials in {lists}, {built.revoked:,} revoked."
    yield ""
    yield "| measure | value |"
    yield "|---|---|"
    for measure, value in (
        *_of_lists(nation, built),
        *_of_queue("a usual day", usual),
        *_of_queue(f"storm of {nation.storm:,} in 10 min", storm),
        *_of_verifiers(nation, built, usual, storm),
    ):
        yield f"| {measure} | {value} |"


def _of_lists(nation: Nation, built: Built) -> Iterator[tuple[str, str]]:
    cost, tokens = sorted(built.seconds), sum(built.token_bytes)
    yield "one signed token list, mean", f"{tokens / nation.lists / 1024:.1f} KiB"
    yield "all lists, token form / all three forms", f"{tokens / 1e6:.2f} / {built.all_bytes / 1e6:.2f} MB"
    middle, worst = cost[len(cost) // 2] * 1e3, cost[-1] * 1e3
    yield "CPU to pack and sign one list in three forms, median / worst", f"{middle:.0f} / {worst:.0f} ms"
    yield "CPU to write every list anew", f"{sum(cost):.1f} s"


def _of_queue(name: str, queue: Queue) -> Iterator[tuple[str, str]]:
    middle, most, worst = (at_share(queue.delays, share) for share in (0.5, 0.99, 1.0))
    yield f"{name}: revocations → lists written", f"{len(queue.delays):,} → {queue.written:,}"
    yield f"{name}: publisher busy", f"{queue.cpu_seconds / queue.lasted:.2%} of one core"
    yield f"{name}: published after, p50 / p99 / worst", f"{middle:.1f} / {most:.1f} / {worst:.1f} s"


def _of_verifiers(nation: Nation, built: Built, usual: Queue, storm: Queue) -> Iterator[tuple[str, str]]:
    for ttl, (name, queue) in itertools.product((300, 900, 3600), (("usual", usual), ("storm", storm))):
        requests, megabits = traffic(nation, built, queue, ttl)
        measure = f"{nation.verifiers:,} verifiers, read every {ttl} s, {name}"
        yield measure, f"{requests:,.0f} requests/s, {megabits:,.2f} Mbit/s"


if __name__ == "__main__":
    if "--small" in sys.argv:
        print(report(SMALL))
    else:
        text = "# Status at national scale\n\n" + report(Nation())
        (Path(__file__).parent / "nation.md").write_text(text, encoding="utf-8")
        print(text)
