import asyncio
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services.verifier.deployed import Deployed, Place, running
from tests.services.verifier.federation import Federation


async def _start_and_stop(place: Place) -> None:
    async with running(place):
        pass


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A verifier that ran once: keys, database and the registry's copy are there."""
    found = Place(tmp_path_factory.mktemp("verifier") / "place", Federation())
    found.prepare()
    with ThreadPoolExecutor(1) as thread:  # a loop of its own, that no test shares
        thread.submit(lambda: asyncio.run(_start_and_stop(found))).result()
    return found


@pytest.fixture
def place(template: Place, tmp_path: Path) -> Place:
    shutil.copytree(template.folder, tmp_path / "place")
    return Place(tmp_path / "place", template.federation, dict(template.tokens))


@pytest.fixture
async def verifier(place: Place) -> AsyncIterator[Deployed]:
    async with running(place) as deployed:
        yield deployed
