"""What a unit may rely on, on SQLite and on PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from comity.errors import Code, Unreachable
from comity.runtime import postgres as module
from comity.runtime.database import Database, Unit, open_database
from comity.runtime.postgres import PostgresDatabase
from tests.support import databases, postgres
from tests.unit.runtime.rows import METADATA, ROWS, count, numbers, put


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = open_database(database_url)
    await opened.write(METADATA.create_all)
    yield opened
    await opened.close()


def increase(connection: Connection) -> int:
    now = int(connection.execute(select(ROWS.c.word)).scalar_one()) + 1
    connection.execute(ROWS.update().values(word=str(now)))
    return now


async def test_what_is_written_is_read(database: Database) -> None:
    assert await database.write(put(1, word="a")) == 1
    assert await database.read(numbers) == {1}


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError):
        await database.read(put(1))
    assert await database.read(numbers) == set()


async def test_a_look_sees_what_was_committed_and_nothing_else(database: Database) -> None:
    by_id = select(ROWS.c.id, ROWS.c.word).where(ROWS.c.id == bindparam("this"))
    await database.write(put(1, word="a"))
    assert await database.look(by_id, {"this": 1}) == [(1, "a")]
    assert await database.look(by_id, {"this": 2}) == []
    with pytest.raises(IntegrityError):  # the connection of a look is lent to units again, with their isolation
        await database.write(put(2, parent=9))
    assert await database.look(by_id, {"this": 2}) == []


async def test_a_failing_unit_leaves_nothing(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(ROWS).values(id=100))
        raise ValueError("no")

    outcomes = await asyncio.gather(
        database.write(put(1)), database.write(half), database.write(put(2)), return_exceptions=True
    )
    assert [type(each) for each in outcomes] == [int, ValueError, int]
    assert await database.read(numbers) == {1, 2}


async def test_constraints_of_the_statement_and_of_the_commit_are_told(database: Database) -> None:
    await database.write(put(1))
    for broken in (put(1), put(2, parent=9), put(3, late=9)):
        with pytest.raises(IntegrityError):
            await database.write(broken)
    assert await database.read(numbers) == {1}


async def test_a_counter_counts_every_concurrent_unit_once(database: Database) -> None:
    await database.write(put(1, word="0"))
    assert sorted(await asyncio.gather(*(database.write(increase) for _ in range(200)))) == list(range(1, 201))


async def test_one_of_twenty_takes_the_only_row(database: Database) -> None:
    await database.write(put(1))

    def take(connection: Connection) -> bool:
        return connection.execute(ROWS.delete().where(ROWS.c.id == 1)).rowcount == 1

    assert sorted(await asyncio.gather(*(database.write(take) for _ in range(20)))) == [False] * 19 + [True]


async def test_two_that_each_looked_before_they_wrote_do_not_both_write(database: Database) -> None:
    """Write skew: only true serializability refuses it."""

    def put_if_empty(number: int) -> Unit[bool]:
        def unit(connection: Connection) -> bool:
            if count(connection) != 0:
                return False
            put(number)(connection)
            return True

        return unit

    answers = await asyncio.gather(*(database.write(put_if_empty(number)) for number in range(20)))
    assert answers.count(True) == 1
    assert await database.read(count) == 1


@pytest.mark.fault("F39")
async def test_a_cancelled_caller_leaves_all_or_nothing(database: Database) -> None:
    tasks = [asyncio.create_task(database.write(put(number))) for number in range(40)]
    for number, task in enumerate(tasks):
        if number % 2:
            await asyncio.sleep(0)
            task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    acknowledged = {each for each in outcomes if isinstance(each, int)}
    assert acknowledged >= set(range(0, 40, 2))
    assert acknowledged <= await database.read(numbers) <= set(range(40))
    assert await database.write(put(99)) == 99, "its connections are as good as before"


@pytest.mark.fault("F39")
async def test_a_cancelled_reader_does_not_spoil_its_connection(database: Database) -> None:
    await database.write(put(1))
    tasks = [asyncio.create_task(database.read(count)) for _ in range(30)]
    for task in tasks[::2]:
        await asyncio.sleep(0)
        task.cancel()
    done = [each for each in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(each, int)]
    assert done == [1] * len(done)
    assert len(done) >= 15


@pytest.mark.fault("F17")
async def test_when_every_connection_is_taken_callers_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    databases.need(databases.POSTGRESQL)
    monkeypatch.setattr(module, "POOL", 1)
    monkeypatch.setattr(module, "POOL_SECONDS", 0.2)
    with postgres.database() as url:
        database = open_database(url)
        assert isinstance(database, PostgresDatabase)
        async with database._engine.connect(), database._engine.connect():
            for refused in (database.write(count), database.read(count)):
                with pytest.raises(Unreachable) as busy:
                    await refused
                assert (busy.value.code, busy.value.retry_after) == (Code.BUSY, 1)
        await database.close()


async def test_who_comes_while_a_loser_tries_again_waits_for_its_turn() -> None:
    queue, began = asyncio.Lock(), list[int]()

    async def attempt() -> int:
        began.append(1)
        return 1

    assert await module.retry_serialization(attempt, queue) == 1  # nobody stands there
    async with queue:
        late = asyncio.create_task(module.retry_serialization(attempt, queue))
        for _ in range(5):
            await asyncio.sleep(0)
        assert began == [1]
    assert await late == 1


async def test_units_of_another_kind_do_not_wait() -> None:
    databases.need(databases.POSTGRESQL)
    with postgres.database() as url:
        database = open_database(url)
        assert isinstance(database, PostgresDatabase)
        await database.write(METADATA.create_all)
        async with database._losers[module._kind_of(partial(increase))]:
            assert await database.write(put(1, word="7")) == 1
            waiting = asyncio.create_task(database.write(increase))
            await database.write(put(2))
            assert not waiting.done()
        assert await database.read(numbers) == {1, 2}
        with pytest.raises(Exception, match="Multiple rows"):  # its turn came
            await waiting
        await database.close()
