"""One stage for all journeys of a run: registry, status host, issuer, wallet and verifier as real processes."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comity.demo import founding
from comity.demo.founding import Stage
from tests.support import databases


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("stage") / "demo"
    made = asyncio.run(founding.found(folder))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def postgres_stage(tmp_path_factory: pytest.TempPathFactory, created: Callable[[], str]) -> Iterator[Stage]:
    """The same, with each service on a PostgreSQL database of its own."""
    databases.need(databases.POSTGRESQL)
    folder: Path = tmp_path_factory.mktemp("postgres-stage") / "demo"
    services = {service: created() for service in ("issuer", "wallet", "verifier")}
    made = asyncio.run(founding.found(folder, databases=services))
    yield made
    made.stop()
