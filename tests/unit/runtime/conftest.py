"""What the tests of this folder share."""

from collections.abc import AsyncIterator

import pytest

from comity.runtime.http import GuardedFetcher
from tests.unit.runtime.loopback import CLOCK


@pytest.fixture
async def fetcher() -> AsyncIterator[GuardedFetcher]:
    async with GuardedFetcher(CLOCK, allow_loopback_http=True, total_seconds=0.6) as made:
        yield made
