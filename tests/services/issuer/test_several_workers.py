"""``comity issuer serve --workers``: several processes behind one address, and keys that are made once."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from comity.demo.processes import environment
from comity.runtime.clock import FixedClock, SystemClock
from issuer.keyring import open_authorities
from tests.services.issuer.deployed import Deployed, Place
from tests.services.issuer.test_workers import settings
from tests.support import databases
from tests.support.databases import POSTGRESQL
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.xdist_group("issuer-several-workers")


@pytest.fixture(scope="module")
def place(created: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Place:
    databases.need(POSTGRESQL)
    found = Place(tmp_path_factory.mktemp("several") / "place", database=created())
    found.prepare()
    return found


@pytest.fixture(scope="module")
def service(place: Place) -> Iterator[tuple[subprocess.Popen[str], str]]:
    log = place.folder / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "comity", "issuer", "serve", "--port", "0", "--workers", "2"],
            env=environment(settings(place)),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert "http" in line, log.read_text()
            yield process, f"http{line.strip().rpartition('http')[2]}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.close()
            assert process.wait(PATIENCE_SECONDS) == 0


def children(process: subprocess.Popen[str]) -> set[int]:
    """Return the workers: children of the process that serve (another one tracks resources of Python's own)."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {int(each) for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()}


def deployed(place: Place, client: httpx.AsyncClient) -> Deployed:
    from fastapi import FastAPI

    clock = FixedClock(SystemClock().now())
    return Deployed(app=FastAPI(), client=client, settings=place.settings(), clock=clock, tokens=place.tokens)


async def test_two_workers_answer_on_one_address_and_a_dead_one_is_replaced(
    place: Place, service: tuple[subprocess.Popen[str], str]
) -> None:
    process, url = service
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        issuer = deployed(place, client)
        offers = [await issuer.offer() for _ in range(6)]
        answers = await asyncio.gather(*(issuer.receive(offer) for offer in offers))
        assert [each.status_code for each in answers] == [200] * 6
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(workers := children(process)) < 2 and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        assert len(workers) == 2
    os.kill(min(workers), signal.SIGKILL)
    deadline += PATIENCE_SECONDS
    while (children(process) == workers or len(children(process)) < 2) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert len(children(process)) == 2
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        issuer = deployed(place, client)
        assert (await issuer.receive(await issuer.offer())).status_code == 200


def test_several_workers_over_sqlite_are_refused_in_words(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.prepare()
    values = {name: value for name, value in settings(place).items() if not name.endswith("DATABASE_URL")}
    done = subprocess.run(
        [sys.executable, "-m", "comity", "issuer", "serve", "--workers", "2"],
        env=environment(values),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "PostgreSQL" in done.stderr


def test_of_several_processes_that_start_without_keys_one_makes_them(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.prepare()
    values = {name: value for name, value in settings(place).items() if not name.endswith("DATABASE_URL")}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "comity", "issuer", "keys", "init"],
            env=environment(values),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    told = [each.communicate(timeout=60) for each in started]
    assert [each.returncode for each in started] == [0, 0, 0], told
    made = [line for out, _ in told for line in out.splitlines() if line.startswith("made: ")]
    assert len(made) == len(set(made)) == 2 * 5 + 1
    assert len(open_authorities(place.settings(), SystemClock().now())) == 2
