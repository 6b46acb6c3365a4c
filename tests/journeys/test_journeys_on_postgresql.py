"""Journeys with all three services on PostgreSQL: the main job and revocation, or every one of them in a long run."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from comity.demo.founding import Stage
from comity.demo.journeys import JOURNEYS
from comity.runtime.database import open_database
from tests.journeys.test_journeys import played

pytestmark = pytest.mark.xdist_group("postgresql-journeys")
LETTERS = tuple(JOURNEYS) if os.environ.get("COMITY_LONG") == "1" else ("a", "b")
FILLED: Mapping[str, str] = {"issuer": "credentials", "wallet": "records", "verifier": "requests"}


@pytest.mark.parametrize("letter", LETTERS)
async def test_a_journey_comes_out_as_on_sqlite(postgres_stage: Stage, letter: str) -> None:
    steps = await played(postgres_stage, letter, without_cause=False)
    assert steps
    assert [(step.words, step.expected, step.seen) for step in steps if not step.is_as_expected] == []


async def test_it_was_really_kept_there(postgres_stage: Stage) -> None:
    """Otherwise the journeys above would have shown SQLite once more."""
    await played(postgres_stage, "a", without_cause=False)
    assert list(Path(postgres_stage.folder).rglob("*.sqlite3*")) == []
    for service, table in FILLED.items():
        assert await rows(postgres_stage.databases[service], table) > 0, service


async def rows(url: str, table: str) -> int:
    def count(connection: Connection) -> int:
        found: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
        return found

    database = open_database(url)
    try:
        return await database.read(count)
    finally:
        await database.close()
