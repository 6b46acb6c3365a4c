"""Two workers of one issuer: two processes, one PostgreSQL, one folder of published lists, one promise."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from comity.demo.processes import Process, free_ports
from comity.keys import KeySigner
from comity.runtime.clock import FixedClock, SystemClock
from comity.runtime.database import open_database
from comity.status import token_list
from issuer.keyring import create_missing_keys
from issuer.list_folder import FENCE_FILE
from issuer.store import status_lists as store
from tests.services.issuer.deployed import PUBLIC_URL, STATUS_URL, Deployed, Place
from tests.support import databases
from tests.support.databases import POSTGRESQL

pytestmark = pytest.mark.xdist_group("issuer-workers")
BATCH = 8


def settings(place: Place) -> dict[str, str]:
    values = {
        "ENVIRONMENT": "development",
        "PUBLIC_URL": PUBLIC_URL,
        "STATUS_PUBLIC_URL": STATUS_URL,
        "STATUS_DIRECTORY": place.folder / "published",
        "AUTHORITIES_FILE": place.folder / "authorities.json",
        "OPERATORS_FILE": place.folder / "operators.json",
        "DATA_DIR": place.folder / "data",
        "DATABASE_URL": place.database,
        "PUBLISH_SECONDS": "0.05",
        "ALLOW_LOOPBACK_HTTP": "true",
    }
    return {f"ISSUER_{name}": str(value) for name, value in values.items()}


@pytest.fixture(scope="module")
def place(created: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Place:
    databases.need(POSTGRESQL)
    found = Place(tmp_path_factory.mktemp("workers") / "place", database=created())
    found.prepare()
    create_missing_keys(found.settings(), SystemClock().now())
    return found


@pytest.fixture(scope="module")
def processes(place: Place) -> Iterator[tuple[Process, Process]]:
    """Two workers that start at the same moment on an empty database."""
    made = [
        Process(
            name=f"issuer-{number}",
            url=f"http://localhost:{port}",
            arguments=["issuer", "serve", "--port", str(port)],
            settings=settings(place),
            log=place.folder / f"{number}.log",
        )
        for number, port in enumerate(free_ports(2))
    ]

    async def ready() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            await asyncio.gather(*(each.wait_ready(client) for each in made))

    for each in made:
        each.start()
    try:
        asyncio.run(ready())
        yield made[0], made[1]
    finally:
        for each in made:
            each.stop()


@pytest.fixture
async def workers(place: Place, processes: tuple[Process, Process]) -> AsyncIterator[tuple[Deployed, Deployed]]:
    limits = httpx.Limits(max_connections=100)
    clients = [httpx.AsyncClient(base_url=each.url, trust_env=False, timeout=60, limits=limits) for each in processes]
    clock = FixedClock(SystemClock().now())
    first, second = (
        Deployed(app=FastAPI(), client=each, settings=place.settings(), clock=clock, tokens=place.tokens)
        for each in clients
    )
    yield first, second
    for client in clients:
        await client.aclose()


async def issued(workers: Sequence[Deployed], reference: str, offers: int) -> list[dict[str, Any]]:
    """Let the workers issue batches at the same time; return all records."""

    async def one(worker: Deployed, number: int) -> list[dict[str, Any]]:
        offer = await worker.offer(record_reference=f"{reference}-{number}")
        answer = await worker.receive(offer, *(KeySigner.generate() for _ in range(BATCH)))
        assert answer.status_code == 200, answer.text
        return await worker.records(record_reference=f"{reference}-{number}")

    found = await asyncio.gather(*(one(workers[number % len(workers)], number) for number in range(offers)))
    return [record for records in found for record in records]


async def revoked(worker: Deployed, record: dict[str, Any]) -> bool:
    """Say whether the worker acknowledged the revocation."""
    path, body = f"/api/v1/credentials/{record['id']}/revoke", {"reason": "lost"}
    try:
        answer = await worker.client.post(path, json=body, headers=worker.as_role("supervisor"))
    except httpx.TransportError:
        return False
    assert answer.status_code in {200, 503}, answer.text
    return answer.status_code == 200


async def published(place: Place) -> list[store.ListState]:
    """Wait until nothing is marked; return the lists."""
    assert place.database is not None
    database = open_database(place.database)
    try:
        async with asyncio.timeout(30):
            while await database.read(lambda connection: store.due(connection, now=0)):
                await asyncio.sleep(0.05)
        return list(await database.read(store.all_lists))
    finally:
        await database.close()


def listed(place: Place, record: dict[str, Any]) -> int:
    """Return what the published list says of a credential."""
    file = place.folder / "published" / record["status_list"].removeprefix(f"{STATUS_URL}/") / "token"
    return token_list.decode(token_list.open(file.read_text())).value(record["status_index"])


@pytest.mark.attack("I01")
@pytest.mark.good_twin("I01")
@pytest.mark.fault("F37")
async def test_a_code_is_redeemed_once_whichever_worker_is_asked(workers: tuple[Deployed, Deployed]) -> None:
    for _ in range(5):
        offer = await workers[0].offer()
        answers = await asyncio.gather(*(worker.redeem(offer) for worker in workers * 5))
        assert sorted(each.status_code for each in answers) == [200, *[400] * 9], [each.text for each in answers]


@pytest.mark.fault("F37")
@pytest.mark.attack("L14")
@pytest.mark.good_twin("L14")
async def test_an_index_is_given_once_whichever_worker_is_asked(workers: tuple[Deployed, Deployed]) -> None:
    records = await issued(workers, "parallel", 16)
    places = {(each["status_list"], each["status_index"]) for each in records}
    assert len(places) == len(records) == 16 * BATCH


@pytest.mark.attack("L13")
@pytest.mark.good_twin("L13")
async def test_fifty_revocations_at_each_of_two_workers_all_arrive(
    workers: tuple[Deployed, Deployed], place: Place
) -> None:
    records = await issued(workers, "hundred", 15)
    ended, kept = records[: 13 * BATCH], records[13 * BATCH :]  # whole cards: all copies of one share their fate
    said = await asyncio.gather(*(revoked(workers[number % 2], record) for number, record in enumerate(ended)))
    assert said == [True] * 104
    lists = await published(place)
    assert [listed(place, each) for each in ended] == [1] * 104
    assert [listed(place, each) for each in kept] == [0] * 16
    for each in lists:
        fence = place.folder / "published" / each.authority / "status" / str(each.number) / FENCE_FILE
        assert int(fence.read_text()) == each.fence > 0


@pytest.mark.fault("F11")
async def test_what_a_killed_worker_acknowledged_is_published_by_the_other(
    workers: tuple[Deployed, Deployed], processes: tuple[Process, Process], place: Place
) -> None:
    first, second = workers
    *records, last = await issued(workers, "killed", 6)
    acknowledged: list[dict[str, Any]] = []

    async def end(record: dict[str, Any]) -> None:
        if await revoked(first, record):
            acknowledged.append(record)
        if len(acknowledged) == 10 and processes[0]._process is not None:
            processes[0]._process.kill()

    await asyncio.gather(*(end(each) for each in records))
    assert len(acknowledged) >= 10
    assert await revoked(second, last)
    await published(place)
    assert {listed(place, each) for each in (*acknowledged, last)} == {1}
