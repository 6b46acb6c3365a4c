"""Tables, units and gates that the tests of the database share."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    event,
    func,
    insert,
    select,
)

from comity.runtime.database import Database
from comity.runtime.sqlite import SqliteDatabase
from tests.support.waiting import PATIENCE_SECONDS

METADATA = MetaData()
PARENTS = Table("parents", METADATA, Column("id", Integer, primary_key=True))
ROWS = Table(
    "rows",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("word", String, unique=True),
    Column("parent", ForeignKey("parents.id")),
    Column("late", ForeignKey("parents.id", deferrable=True, initially="DEFERRED")),
)


def put(number: int, **values: Any) -> Callable[[Connection], int]:
    def unit(connection: Connection) -> int:
        connection.execute(insert(ROWS).values(id=number, **values))
        return number

    return unit


def numbers(connection: Connection) -> set[int]:
    return set(connection.execute(select(ROWS.c.id)).scalars())


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(ROWS)).scalar_one()


class Gate:
    """A unit that holds the writer until it is let go, so that others queue up behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self.entered.set()
        assert self.released.wait(PATIENCE_SECONDS)


async def queued(database: Database, gate: Gate, *units: Callable[[Connection], Any]) -> list[asyncio.Task[Any]]:
    """Let the writer stand in ``gate`` and queue ``units`` behind it, so that they form one group."""
    tasks = [asyncio.create_task(database.write(gate))]
    await asyncio.to_thread(gate.entered.wait, PATIENCE_SECONDS)
    tasks += [asyncio.create_task(database.write(unit)) for unit in units]
    await asyncio.sleep(0.02)
    return tasks


def commits(database: Database) -> list[int]:
    """Count the transactions that the writer commits from now on."""
    assert isinstance(database, SqliteDatabase)
    counted = [0]

    @event.listens_for(database._writes, "commit")
    def on_commit(_connection: Connection) -> None:
        counted[0] += 1

    return counted
