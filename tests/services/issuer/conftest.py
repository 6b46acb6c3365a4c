import asyncio
import functools
import shutil
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services.issuer.deployed import Deployed, Place, running
from tests.support.databases import POSTGRESQL, Copy


@pytest.fixture
def empty_place(tmp_path: Path) -> Place:
    """A folder in which nothing ran yet."""
    found = Place(tmp_path / "place")
    found.prepare()
    return found


@pytest.fixture
def environment(empty_place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder in which nothing ran yet, named in the variables that commands read."""
    for name, value in empty_place.settings().model_dump(exclude_none=True).items():
        monkeypatch.setenv(f"ISSUER_{name.upper()}", str(value))
    return empty_place


async def _start_and_stop(place: Place) -> None:
    async with running(place):
        pass


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, created: Callable[[], str]) -> Callable[[str], Place]:
    """A deployment that ran once: keys, database and lists are there. One for each kind of database."""

    @functools.cache
    def make(kind: str) -> Place:
        found = Place(tmp_path_factory.mktemp("issuer") / "place")
        found.database = created() if kind == POSTGRESQL else None
        found.prepare()
        with ThreadPoolExecutor(1) as thread:  # a loop of its own, that no test shares
            thread.submit(lambda: asyncio.run(_start_and_stop(found))).result()
        return found

    return make


@pytest.fixture
def place(template: Callable[[str], Place], database_kind: str, copied: Copy, tmp_path: Path) -> Place:
    found = template(database_kind)
    shutil.copytree(found.folder, tmp_path / "place")
    database = copied(found.database) if found.database else None
    return Place(tmp_path / "place", dict(found.tokens), database)


@pytest.fixture
async def issuer(place: Place) -> AsyncIterator[Deployed]:
    async with running(place) as deployed:
        yield deployed
