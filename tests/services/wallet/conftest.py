import asyncio
import functools
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services.wallet.town import Ground, Person, Town, running
from tests.support.databases import POSTGRESQL, Copy
from wallet import vault
from wallet.vault import Cost

SERVICES = ("issuer", "wallet", "verifier")
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
def template(tmp_path_factory: pytest.TempPathFactory, created: Callable[[], str]) -> Iterator[Callable[[str], Ground]]:
    """Everything after a first start: keys, databases, lists, a registry. One for each kind of database."""
    folders = []

    @functools.cache
    def make(kind: str) -> Ground:
        found = Ground(tmp_path_factory.mktemp("wallet") / "ground")
        folders.append(found.folder)
        found.databases = {service: created() for service in SERVICES} if kind == POSTGRESQL else {}
        found.prepare()
        with ThreadPoolExecutor(1) as thread:  # a loop of its own, that no test shares
            thread.submit(lambda: asyncio.run(_start_and_stop(found))).result()
        return found

    yield make
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def ground(template: Callable[[str], Ground], database_kind: str, copied: Copy, tmp_path: Path) -> Ground:
    found = template(database_kind)
    shutil.copytree(found.folder, tmp_path / "ground")
    databases = {service: copied(url) for service, url in found.databases.items()}
    return Ground(tmp_path / "ground", dict(found.tokens), databases)


@pytest.fixture
async def town(ground: Ground) -> AsyncIterator[Town]:
    async with running(ground) as opened:
        yield opened


@pytest.fixture
async def maya(town: Town) -> Person:
    return await town.arrive("maya")
