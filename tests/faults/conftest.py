import contextlib
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comity.demo.founding import Stage
from comity.runtime.clock import SystemClock
from issuer.keyring import create_missing_keys
from tests.faults import federation
from tests.services.issuer.deployed import Place
from tests.support.databases import POSTGRESQL


@pytest.fixture
def place(database_kind: str, empty_database: str, tmp_path: Path) -> Place:
    """A deployment that never ran; its keys hold now, for real processes have the real time."""
    found = Place(tmp_path / "place", database=empty_database if database_kind == POSTGRESQL else None)
    found.prepare()
    create_missing_keys(found.settings(), SystemClock().now())
    return found


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory, created: Callable[[], str]) -> Iterator[Callable[[str], Stage]]:
    """Found one federation for each kind of database; trials of a process share it."""
    with contextlib.ExitStack() as opened:

        @functools.cache
        def found(kind: str) -> Stage:
            databases = {name: created() for name in ("wallet", "verifier")} if kind == POSTGRESQL else {}
            folder = tmp_path_factory.mktemp("federation") / "stage"
            with ThreadPoolExecutor(1) as thread:  # a loop of its own, that no test shares
                return thread.submit(opened.enter_context, federation.standing(folder, databases)).result()

        yield found


@pytest.fixture
async def stage(stages: Callable[[str], Stage], database_kind: str) -> Stage:
    found = stages(database_kind)
    await federation.all_up(found)
    return found
