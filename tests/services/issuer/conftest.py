from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.issuer.deployed import Deployed, Place, running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    found.prepare()
    return found


@pytest.fixture
async def issuer(place: Place) -> AsyncIterator[Deployed]:
    async with running(place) as deployed:
        yield deployed
