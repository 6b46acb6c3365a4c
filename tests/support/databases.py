"""Which databases a test runs on: fixtures, imported by ``tests/conftest.py``."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)
Copy = Callable[[str], str]
"""Given the URL of a PostgreSQL database, the URL of a new one like it, that is dropped after the test."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test of a service on both databases when it is marked ``both_databases``, or in a long run.

    What looks into SQLite's own files is marked ``sqlite_files`` and runs on SQLite only.
    """
    if "database_kind" not in metafunc.fixturenames:
        return
    marked = {mark.name for mark in metafunc.definition.iter_markers()}
    wanted = "both_databases" in marked or os.environ.get("COMITY_LONG") == "1"
    if wanted and "sqlite_files" not in marked:
        metafunc.parametrize("database_kind", KINDS, indirect=True)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """What the service under test keeps its data in."""
    kind: str = getattr(request, "param", SQLITE)
    need(kind)
    return kind


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, empty database: the test runs on SQLite and on PostgreSQL."""
    need(request.param)
    if request.param == SQLITE:
        yield f"sqlite:///{tmp_path}/data/database.sqlite3"
        return
    with postgres.database() as url:
        yield url


@pytest.fixture
def empty_database(database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of the kind that the service under test runs on."""
    if database_kind == SQLITE:
        yield f"sqlite:///{tmp_path}/another/database.sqlite3"
        return
    with postgres.database() as url:
        yield url


@pytest.fixture
def copied() -> Iterator[Copy]:
    """Copy databases for one test."""
    with contextlib.ExitStack() as made:
        yield lambda template: made.enter_context(postgres.database(template))


@pytest.fixture(scope="session")
def created() -> Iterator[Callable[[], str]]:
    """Create databases that live as long as this process runs tests."""
    with contextlib.ExitStack() as made:
        yield lambda: made.enter_context(postgres.database())


def need(kind: str) -> None:
    """Skip the test, and say why, when it needs a PostgreSQL that is not there."""
    reason = postgres.why_not() if kind == POSTGRESQL else None
    if reason:
        pytest.skip(reason)
