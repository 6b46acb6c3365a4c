"""One stage for all journeys of a run: registry, status host, issuer, wallet and verifier as real processes."""

from collections.abc import Callable, Iterator

import pytest

from comity.demo.founding import Stage
from tests.support import databases
from tests.support.stage import standing


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with standing(tmp_path_factory.mktemp("stage") / "demo", forked=False) as stage:
        yield stage


@pytest.fixture(scope="session")
def postgres_stage(tmp_path_factory: pytest.TempPathFactory, created: Callable[[], str]) -> Iterator[Stage]:
    """The same, with each service on a PostgreSQL database of its own."""
    databases.need(databases.POSTGRESQL)
    services = {service: created() for service in ("issuer", "wallet", "verifier")}
    with standing(tmp_path_factory.mktemp("postgres-stage") / "demo", databases=services) as stage:
        yield stage
