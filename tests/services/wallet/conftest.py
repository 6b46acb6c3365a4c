import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services.wallet.town import Ground, Person, Town, running
from wallet import vault
from wallet.vault import Cost

CHEAP = Cost(memory_kib=64, passes=1, lanes=1)


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one guess costs is tested in tests/unit/wallet; here it would only take time."""
    monkeypatch.setattr(vault, "SERVICE_COST", CHEAP)
    monkeypatch.setattr(vault, "LOCAL_COST", CHEAP)


async def _start_and_stop(ground: Ground) -> None:
    async with running(ground):
        pass


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Everything after a first start: keys, databases, lists, a registry."""
    found = Ground(tmp_path_factory.mktemp("wallet") / "ground")
    found.prepare()
    with ThreadPoolExecutor(1) as thread:  # a loop of its own, that no test shares
        thread.submit(lambda: asyncio.run(_start_and_stop(found))).result()
    yield found
    shutil.rmtree(found.folder)


@pytest.fixture
def ground(template: Ground, tmp_path: Path) -> Ground:
    shutil.copytree(template.folder, tmp_path / "ground")
    return Ground(tmp_path / "ground", dict(template.tokens))


@pytest.fixture
async def town(ground: Ground) -> AsyncIterator[Town]:
    async with running(ground) as opened:
        yield opened


@pytest.fixture
async def maya(town: Town) -> Person:
    return await town.arrive("maya")
