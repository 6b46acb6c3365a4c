"""Histories of two made-up packages, migrated on real databases."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, inspect, text

from comity.errors import Misconfigured, Unreachable
from comity.runtime import migrations
from comity.runtime.database import open_database
from tests.support import databases, postgres

ENV = """
from sqlalchemy import Column, Integer, MetaData, String, Table
from comity.runtime.alembic_history import run_environment
metadata = MetaData()
Table("lamps", metadata, Column("id", Integer, primary_key=True), Column("colour", String))
run_environment(metadata)
"""
FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "0001", None, None, None
def upgrade():
    op.create_table("lamps", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO lamps (id) VALUES (1)")
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None
def upgrade():
    with op.batch_alter_table("lamps") as batch:
        batch.add_column(sa.Column("colour", sa.String))
"""
BROKEN = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "0003", "0002", None, None
def upgrade():
    op.execute("DELETE FROM lamps")
    op.execute("SELECT * FROM nothing")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make an importable package called ``lamp_service`` with one migration, and return its versions folder."""
    versions = tmp_path / "code%20" / "lamp_service" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions.parents[1] / "__init__.py").write_text("")
    (versions.parent / "env.py").write_text(ENV)
    (versions / "0001_lamps.py").write_text(FIRST)
    monkeypatch.syspath_prepend(tmp_path / "code%20")
    yield versions
    sys.modules.pop("lamp_service", None)


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


def columns(url: str) -> set[str]:
    async def read() -> set[str]:
        database = open_database(url)
        try:
            return await database.read(lambda c: {each["name"] for each in inspect(c).get_columns("lamps")})
        finally:
            await database.close()

    return asyncio.run(read())


def test_a_new_database_is_brought_up_and_stays(package: Path, url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        migrations.check(url, "lamp_service")
    assert "comity lamp_service migrate" in refused.value.detail
    migrations.upgrade(url, "lamp_service")
    migrations.upgrade(url, "lamp_service")
    migrations.check(url, "lamp_service")
    assert columns(url) == {"id"}


def test_the_next_version_is_added_to_what_is_there(package: Path, url: str) -> None:
    migrations.upgrade(url, "lamp_service")
    (package / "0002_colour.py").write_text(SECOND)
    with pytest.raises(Misconfigured):
        migrations.check(url, "lamp_service")
    migrations.upgrade(url, "lamp_service")
    migrations.check(url, "lamp_service")
    assert columns(url) == {"id", "colour"}


@pytest.mark.fault("F30")
def test_a_migration_that_fails_changes_nothing(package: Path, url: str) -> None:
    (package / "0002_colour.py").write_text(SECOND)
    migrations.upgrade(url, "lamp_service")
    (package / "0003_broken.py").write_text(BROKEN)
    with pytest.raises(Exception, match="nothing"):
        migrations.upgrade(url, "lamp_service")
    with pytest.raises(Misconfigured):
        migrations.check(url, "lamp_service")
    (package / "0003_broken.py").unlink()
    migrations.check(url, "lamp_service")

    async def rows() -> int:
        database = open_database(url)
        try:
            return await database.read(lambda c: c.execute(text("SELECT count(*) FROM lamps")).scalar_one())
        finally:
            await database.close()

    assert asyncio.run(rows()) == 1


@pytest.mark.fault("F30")
def test_a_database_of_newer_software_is_left_alone(package: Path, url: str) -> None:
    (package / "0002_colour.py").write_text(SECOND)
    migrations.upgrade(url, "lamp_service")
    (package / "0002_colour.py").unlink()
    for act in (migrations.upgrade, migrations.check):
        with pytest.raises(Misconfigured):
            act(url, "lamp_service")
    assert columns(url) == {"id", "colour"}


@pytest.mark.fault("F30", "F37")
def test_several_who_start_at_once_migrate_once(package: Path, url: str, tmp_path: Path) -> None:
    (package / "0002_colour.py").write_text(SECOND)
    code = "import sys; from comity.runtime import migrations; migrations.upgrade(sys.argv[1], 'lamp_service')"

    async def start() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, url, env={"PYTHONPATH": str(tmp_path / "code%20")}
        )
        return await process.wait()

    async def start_all() -> list[int]:
        return await asyncio.gather(*(start() for _ in range(2)))

    assert asyncio.run(start_all()) == [0, 0]
    migrations.check(url, "lamp_service")
    assert columns(url) == {"id", "colour"}


async def test_who_waited_for_the_lock_sees_what_was_done_meanwhile(package: Path, tmp_path: Path) -> None:
    databases.need(databases.POSTGRESQL)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    code = "import sys; from comity.runtime import migrations; migrations.upgrade(sys.argv[1], 'lamp_service')"
    with postgres.database() as url:
        holder = await asyncpg.connect(url)
        await holder.execute("SELECT pg_advisory_lock($1)", migrations._LOCK_NUMBER)
        env = {"PYTHONPATH": str(tmp_path / "code%20")}
        started = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", code, url, env=env, stderr=subprocess.PIPE)
            for _ in range(3)
        ]
        while await holder.fetchval(f"{waiting} AND objid = $1", migrations._LOCK_NUMBER & 0xFFFFFFFF) < 3:
            assert all(each.returncode is None for each in started)
            await asyncio.sleep(0.05)
        await holder.close()
        said = [(await each.communicate())[1].decode()[-400:] for each in started]
        assert [each.returncode for each in started] == [0, 0, 0], said


def test_threads_migrate_their_own_databases(package: Path, tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{number}.sqlite3" for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda url: migrations.upgrade(url, "lamp_service"), urls))
    for url in urls:
        migrations.check(url, "lamp_service")


def test_a_history_is_compared_with_the_tables_it_should_lead_to(package: Path, url: str) -> None:
    wanted = MetaData()
    Table("lamps", wanted, Column("id", Integer, primary_key=True), Column("colour", String))
    migrations.upgrade(url, "lamp_service")
    assert migrations.differences(url, wanted)
    (package / "0002_colour.py").write_text(SECOND)
    migrations.upgrade(url, "lamp_service")
    assert migrations.differences(url, wanted) == []


async def test_it_runs_in_a_thread_beside_an_event_loop(package: Path, url: str) -> None:
    await asyncio.to_thread(migrations.upgrade, url, "lamp_service")
    await asyncio.to_thread(migrations.check, url, "lamp_service")


def test_a_package_without_migrations_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured):
        migrations.upgrade(url, "schemas")


def test_postgresql_is_migrated_through_asyncpg(package: Path) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(Unreachable):
        pool.submit(migrations.upgrade, "postgresql://nobody@127.0.0.1:1/nothing", "lamp_service").result()


def test_the_lock_is_taken_before_anything_else() -> None:
    said: list[str] = []

    class Recorder(Connection):
        def __init__(self) -> None:
            pass

        def execute(self, statement: object, *_: object, **__: object) -> None:  # type: ignore[override]
            said.append(str(statement))

    assert migrations.locked(lambda _connection: len(said))(Recorder()) == 1
    assert "pg_advisory_xact_lock" in said[0]
