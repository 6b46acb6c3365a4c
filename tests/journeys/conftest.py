"""One stage for all journeys of a run: registry, status host, issuer, wallet and verifier as real processes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.demo import founding
from comity.demo.founding import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("stage") / "demo"
    made = asyncio.run(founding.found(folder))
    yield made
    made.stop()
