"""What the tests of this folder share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from comity.runtime.http import GuardedFetcher
from tests.unit.runtime.loopback import CLOCK
from tests.unit.runtime.registry_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A registry of its own, and its host."""
    return World(tmp_path)


@pytest.fixture
async def fetcher() -> AsyncIterator[GuardedFetcher]:
    """Patient, so that a busy machine changes no answer."""
    async with GuardedFetcher(CLOCK, allow_loopback_http=True, connect_seconds=10, total_seconds=20) as made:
        yield made


@pytest.fixture
async def hurried_fetcher() -> AsyncIterator[GuardedFetcher]:
    """Gives a server 0.4 s in all."""
    async with GuardedFetcher(CLOCK, allow_loopback_http=True, total_seconds=0.4) as made:
        yield made
