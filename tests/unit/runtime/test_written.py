"""Statements handed to the driver as text do what SQLAlchemy does with them, on SQLite and on PostgreSQL alike."""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from comity.errors import Code, Unreachable
from comity.runtime import written
from comity.runtime.database import Database, open_database
from comity.runtime.written import change
from tests.support import dropping

METADATA = MetaData()
NOTES = Table(
    "notes",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("word", String(20), unique=True),
    Column("is_read", Boolean, nullable=False),
    Column("sealed", LargeBinary),
)
INSERT = insert(NOTES).inline()
FIND = select(NOTES).where(NOTES.c.id > bindparam("after")).order_by(NOTES.c.id)
READ = (
    update(NOTES)
    .where(NOTES.c.at < bindparam("before"), NOTES.c.word != "kept")
    .values(is_read=True, at=NOTES.c.at + bindparam("added"))
)
TELL = READ.returning(NOTES.c.id, NOTES.c.at, NOTES.c.is_read, NOTES.c.sealed)


class Word(StrEnum):
    """Stands for what stores write."""

    FIRST = "first"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = open_database(database_url)
    await opened.write(METADATA.create_all)
    yield opened
    await opened.close()


def note(number: int, **values: object) -> Callable[[Connection], int]:
    row = {"id": number, "at": 1 << 40, "word": None, "is_read": False, "sealed": None} | values

    def unit(connection: Connection) -> int:
        return change(connection, INSERT, row)

    return unit


def rows(connection: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(select(NOTES).order_by(NOTES.c.id))]


async def test_values_arrive_as_they_are(database: Database) -> None:
    assert await database.write(note(1, word=Word.FIRST, is_read=True, sealed=b"\x00\xff")) == 1
    assert await database.write(note(2)) == 1
    assert await database.read(rows) == [(1, 1 << 40, "first", True, b"\x00\xff"), (2, 1 << 40, None, False, None)]
    one, two = await database.read(partial(written.rows, statement=FIND, values={"after": 0}))
    assert (one.id, one.at, one.word, one.is_read, one.sealed) == (1, 1 << 40, "first", True, b"\x00\xff")
    assert isinstance(one.is_read, bool)
    assert isinstance(one.sealed, bytes)
    assert (two.word, two.is_read, two.sealed) == (None, False, None)
    assert not await database.read(partial(written.rows, statement=FIND, values={"after": 2}))


async def test_it_is_said_how_many_rows_changed_and_own_values_of_the_statement_hold(database: Database) -> None:
    for number, word in ((1, "a"), (2, "b"), (3, "kept")):
        await database.write(note(number, at=number, word=word))
    for before, changed in ((1, 0), (3, 2), (100, 2)):
        values = {"before": before, "added": 10}
        assert await database.write(partial(change, statement=READ, values=values)) == changed
    assert [row[:4] for row in await database.read(rows)] == [
        (1, 21, "a", True),
        (2, 22, "b", True),
        (3, 3, "kept", False),
    ]


async def test_a_change_tells_what_it_returns_as_python_has_it(database: Database) -> None:
    await database.write(note(1, at=5, sealed=b"\x00", word="first"))
    await database.write(note(2, at=50))
    told = await database.write(lambda connection: written.rows(connection, TELL, {"before": 10, "added": 1}))
    assert [row._asdict() for row in told] == [{"id": 1, "at": 6, "is_read": True, "sealed": b"\x00"}]
    assert await database.write(lambda connection: written.rows(connection, TELL, {"before": 2, "added": 1})) == []


async def test_errors_are_those_of_sqlalchemy_and_undo_the_unit_without_telling_its_values(database: Database) -> None:
    await database.write(note(1, word="canary"))

    def twice(connection: Connection) -> None:
        note(2)(connection)
        note(3, word="canary")(connection)

    with pytest.raises(IntegrityError) as told:
        await database.write(twice)
    assert told.value.params is None
    with pytest.raises(DBAPIError):
        await database.read(note(4))
    assert [row[0] for row in await database.read(rows)] == [1]


async def test_a_connection_on_which_a_statement_was_cut_off_is_used_by_nobody_else(database: Database) -> None:
    thrown_away: list[BaseException] = []

    class CutOff:
        def execute(self, *_: object) -> None:
            raise CancelledError

        def close(self) -> None:
            pass

    def unit(connection: Connection) -> None:
        driver = SimpleNamespace(cursor=CutOff)
        one: Any = SimpleNamespace(dialect=connection.dialect, connection=driver, invalidate=thrown_away.append)
        with pytest.raises(CancelledError):
            change(one, INSERT, {"id": 1})

    await database.write(unit)
    assert [type(each) for each in thrown_away] == [CancelledError]
    assert await database.write(note(2)) == 1


@pytest.mark.fault("F17")
async def test_a_connection_that_is_lost_in_a_unit_undoes_it_and_later_ones_go_on(database: Database) -> None:
    def unit(connection: Connection) -> None:
        note(1)(connection)
        dropping.own(connection)

    if database.url.get_backend_name() == "postgresql":
        with pytest.raises(Unreachable) as lost:
            await database.write(unit)
        assert lost.value.code is Code.BUSY
    await database.write(note(2))
    for number in range(3, 6):
        await dropping.all_but_one(database)
        assert await database.write(note(number)) == 1
    assert [row[0] for row in await database.read(rows)] == [2, 3, 4, 5]
