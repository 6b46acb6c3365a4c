import asyncio
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services.issuer.deployed import Deployed, Place, running


@pytest.fixture
def empty_place(tmp_path: Path) -> Place:
    """A folder in which nothing ran yet."""
    found = Place(tmp_path / "place")
    found.prepare()
    return found


async def _start_and_stop(place: Place) -> None:
    async with running(place):
        pass


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A deployment that ran once: keys, database and lists are there."""
    found = Place(tmp_path_factory.mktemp("issuer") / "place")
    found.prepare()
    with ThreadPoolExecutor(1) as thread:  # a loop of its own, that no test shares
        thread.submit(lambda: asyncio.run(_start_and_stop(found))).result()
    return found


@pytest.fixture
def place(template: Place, tmp_path: Path) -> Place:
    shutil.copytree(template.folder, tmp_path / "place")
    return Place(tmp_path / "place", dict(template.tokens))


@pytest.fixture
async def issuer(place: Place) -> AsyncIterator[Deployed]:
    async with running(place) as deployed:
        yield deployed
