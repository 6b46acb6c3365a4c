"""The histories of the three services, from every version on, on SQLite and on PostgreSQL."""

import asyncio
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import Boolean, Connection, Integer, LargeBinary, MetaData, Table, insert, select

from comity.runtime import alembic_history, migrations
from comity.runtime.database import open_database

T = TypeVar("T")
SERVICES = ("issuer", "wallet", "verifier")
EVERY_VERSION = [(service, revision) for service in SERVICES for revision in migrations.revisions(service)]
AFTER_2038 = 2**31 + 5
Rows = dict[str, list[dict[str, Any]]]


def on(url: str, unit: Callable[[Connection], T]) -> T:
    """Run one unit in a loop of its own."""

    async def run() -> T:
        database = open_database(url)
        try:
            return await database.write(unit)
        finally:
            await database.close()

    return asyncio.run(run())


def metadata(service: str) -> MetaData:
    """Return every table: what backs them up names each of them, so all are loaded."""
    found: MetaData = importlib.import_module(f"{service}.backup").metadata
    return found


def tables(connection: Connection) -> list[Table]:
    """Return what is there, parents first."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def something(kind: Any) -> Any:
    """Return the one value that every column of a kind gets, so that every reference finds its row."""
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Integer):
        return 1
    return b"\x00\xff" if isinstance(kind, LargeBinary) else "é"


def fill(connection: Connection) -> Rows:
    """Put one row with a value in every column into every table; return what was put."""
    put: Rows = {}
    for table in tables(connection):
        row = {column.name: something(column.type) for column in table.columns}
        connection.execute(insert(table).values(row))
        put[table.name] = [row]
    return put


def content(connection: Connection) -> Rows:
    return {
        table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in tables(connection)
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_history_has_one_end(service: str) -> None:
    known = migrations.revisions(service)
    script = alembic_history.script(migrations.folder(service), service)
    assert known == tuple(reversed([step.revision for step in script.walk_revisions()]))
    assert script.get_heads() == [known[-1]]
    assert script.get_bases() == [known[0]]


@pytest.mark.parametrize(("service", "revision"), EVERY_VERSION)
def test_every_version_is_brought_up_and_keeps_what_it_held(database_url: str, service: str, revision: str) -> None:
    migrations.upgrade(database_url, service, to=revision)
    before = on(database_url, fill)
    migrations.upgrade(database_url, service)
    migrations.check(database_url, service)
    assert migrations.differences(database_url, metadata(service)) == []
    after = on(database_url, content)
    for name, (row,) in before.items():
        (kept,) = after[name]
        assert row.items() <= kept.items(), name


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.good_twin("C05")
def test_instants_do_not_end_in_2038(database_url: str, service: str) -> None:
    migrations.upgrade(database_url, service)
    instants = {
        (table.name, column.name)
        for table in metadata(service).sorted_tables
        for column in table.columns
        if isinstance(column.type, Integer) and column.name.rpartition("_")[2] in {"at", "until"}
    }
    assert instants

    def late(connection: Connection) -> set[tuple[str, str]]:
        kept = set()
        for table in tables(connection):
            row = {column.name: something(column.type) for column in table.columns}
            mine = {name for of, name in instants if of == table.name}
            connection.execute(insert(table).values({**row, **dict.fromkeys(mine, AFTER_2038)}))
            found = connection.execute(select(table)).mappings().one()
            kept |= {(table.name, name) for name in mine if found[name] == AFTER_2038}
        return kept

    assert on(database_url, late) == instants
