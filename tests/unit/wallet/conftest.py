from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from comity.runtime import migrations
from comity.runtime.clock import FixedClock
from comity.runtime.database import Database, open_database
from tests.support.world import NOW
from wallet import vault
from wallet.custody import Custody
from wallet.vault import Cost

PEPPER = bytes(range(32))


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real costs are tried once, in test_vault."""
    monkeypatch.setattr(vault, "SERVICE_COST", Cost(memory_kib=64, passes=1, lanes=1))
    monkeypatch.setattr(vault, "LOCAL_COST", Cost(memory_kib=128, passes=1, lanes=1))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'wallet.sqlite3'}"
    migrations.upgrade(url, "wallet")
    opened = open_database(url)
    yield opened
    await opened.close()


@pytest.fixture
async def custody(database: Database, clock: FixedClock) -> AsyncIterator[Custody]:
    made = Custody(database, clock, pepper=PEPPER)
    yield made
    made.close()
