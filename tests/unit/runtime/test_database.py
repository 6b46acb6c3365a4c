"""Group commit, isolation and durability on a real SQLite file."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Connection,
    insert,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from comity.errors import Code, Unreachable
from comity.runtime import sqlite as module
from comity.runtime.database import (
    Database,
    open_database,
)
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.runtime.rows import METADATA, ROWS, Gate, commits, count, numbers, put, queued


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/data/rows.sqlite3")
    await opened.write(METADATA.create_all)
    yield opened
    await opened.close()


async def test_what_is_written_is_read(database: Database) -> None:
    assert await database.write(put(1, word="a")) == 1
    assert await database.read(numbers) == {1}
    assert database.url.database is not None


async def test_the_file_is_the_owners_alone(database: Database) -> None:
    path = Path(database.url.database or "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.fault("F14")
async def test_every_connection_is_set_for_durability(database: Database) -> None:
    def pragmas(connection: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "query_only", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await database.write(pragmas) == ["wal", 2, 1, 1, 0, 5000]
    assert await database.read(pragmas) == ["wal", 2, 1, 1, 1, 5000]


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(OperationalError):
        await database.read(put(1))
    assert await database.read(numbers) == set()


async def test_a_reader_sees_one_snapshot(database: Database) -> None:
    await database.write(put(1))
    seen: list[int] = []
    started, go_on = threading.Event(), threading.Event()

    def twice(connection: Connection) -> None:
        seen.append(count(connection))
        started.set()
        assert go_on.wait(PATIENCE_SECONDS)
        seen.append(count(connection))

    reading = asyncio.create_task(database.read(twice))
    await asyncio.to_thread(started.wait, PATIENCE_SECONDS)
    await database.write(put(2))
    go_on.set()
    await reading
    assert seen == [1, 1]
    assert await database.read(count) == 2


async def test_waiting_units_share_one_transaction(database: Database) -> None:
    gate, counted = Gate(), commits(database)
    tasks = await queued(database, gate, *(put(number) for number in range(50)))
    gate.released.set()
    await asyncio.gather(*tasks)
    assert await database.read(numbers) == set(range(50))
    assert counted[0] == 2, "one for the gate, one for the fifty"


async def test_groups_are_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GROUP", 10)
    gate, counted = Gate(), commits(database)
    tasks = await queued(database, gate, *(put(number) for number in range(30)))
    gate.released.set()
    await asyncio.gather(*tasks)
    assert counted[0] == 1 + 3


async def test_a_failing_unit_hurts_nobody_else_and_leaves_nothing(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(ROWS).values(id=100))
        raise ValueError("no")

    def nothing_next(_connection: Connection) -> object:
        return next(iter(()))

    gate, units = Gate(), (put(1, word="a"), half, put(2, word="a"), put(3, parent=9), put(4), put(4), put(5))
    tasks = await queued(database, gate, nothing_next, *units)
    gate.released.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in outcomes[1:]] == [
        RuntimeError, int, ValueError, IntegrityError, IntegrityError, int, IntegrityError, int
    ]  # fmt: skip
    assert await database.read(numbers) == {1, 4, 5}


async def test_a_constraint_that_speaks_at_commit_hurts_only_its_own_unit(database: Database) -> None:
    gate = Gate()
    tasks = await queued(database, gate, put(1), put(2, late=99), put(3))
    gate.released.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in outcomes[1:]] == [int, IntegrityError, int]
    assert await database.read(numbers) == {1, 3}
    with pytest.raises(IntegrityError):
        await database.write(put(4, late=99))


@pytest.mark.fault("F15")
async def test_nothing_is_acknowledged_when_the_whole_transaction_is_lost(database: Database) -> None:
    def lose(connection: Connection) -> None:
        # What SQLite does by itself when the disk is full: the transaction is gone, savepoints and all.
        connection.exec_driver_sql("ROLLBACK")
        raise ValueError("disk full")

    gate = Gate()
    tasks = await queued(database, gate, put(1), lose, put(2))
    gate.released.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, SQLAlchemyError) for each in outcomes[1:])
    assert await database.read(numbers) == set()
    assert await database.write(put(3)) == 3, "the writer lives on"
    assert await database.read(numbers) == {3}


async def test_acknowledgement_comes_after_commit(database: Database) -> None:
    path = Path(database.url.database or "")

    async def write_then_look(number: int) -> bool:
        await database.write(put(number))
        with sqlite3.connect(path) as other:
            found = other.execute("SELECT 1 FROM rows WHERE id = ?", (number,)).fetchone()
        other.close()
        return found is not None

    assert all(await asyncio.gather(*(write_then_look(number) for number in range(100))))


async def test_many_writers_and_readers_lose_nothing(database: Database) -> None:
    async def one(number: int) -> bool:
        def unit(connection: Connection) -> int:
            connection.execute(insert(ROWS).values(id=number))
            if number % 7 == 0:
                raise LookupError(number)
            return number

        try:
            written = await database.write(unit)
        except LookupError:
            return False
        assert written == number
        return number in await database.read(numbers)

    outcomes = await asyncio.gather(*(one(number) for number in range(1, 400)))
    kept = {number for number in range(1, 400) if number % 7}
    assert sum(outcomes) == len(kept)
    assert await database.read(numbers) == kept


async def test_a_counter_counts_every_concurrent_unit_once(database: Database) -> None:
    await database.write(put(1, word="0"))

    def increase(connection: Connection) -> int:
        now = int(connection.execute(select(ROWS.c.word)).scalar_one()) + 1
        connection.execute(ROWS.update().values(word=str(now)))
        return now

    assert sorted(await asyncio.gather(*(database.write(increase) for _ in range(200)))) == list(range(1, 201))


async def test_a_cancelled_caller_leaves_all_or_nothing(database: Database) -> None:
    gate = Gate()
    tasks = await queued(database, gate, *(put(number) for number in range(40)))
    for task in tasks[1::2]:
        task.cancel()
    await asyncio.sleep(0.02)
    gate.released.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    acknowledged = {each for each in outcomes if isinstance(each, int)}
    assert len(acknowledged) == 20
    assert await database.read(numbers) == acknowledged, "what was still waiting when cancelled never ran"


@pytest.mark.attack("W16")
@pytest.mark.good_twin("W16")
async def test_a_cancelled_reader_does_not_spoil_its_connection(database: Database) -> None:
    await database.write(put(1))

    async def read_one() -> set[int]:
        return await database.read(numbers)

    tasks = [asyncio.create_task(read_one()) for _ in range(50)]
    for task in tasks[::2]:
        await asyncio.sleep(0)
        task.cancel()
    done = [each for each in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(each, set)]
    assert done == [{1}] * len(done)
    assert len(done) >= 25


@pytest.mark.fault("F16")
async def test_too_much_waiting_work_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    gate = Gate()
    tasks = await queued(database, gate, *(put(number) for number in range(3)))
    with pytest.raises(Unreachable) as refused:
        await database.write(put(9))
    assert (refused.value.code, refused.value.retry_after) == (Code.BUSY, 1)
    gate.released.set()
    await asyncio.gather(*tasks)
    assert await database.read(numbers) == {0, 1, 2}


@pytest.mark.fault("F16")
async def test_a_file_held_by_another_process_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_MILLISECONDS", 50)
    database = open_database(f"sqlite:///{tmp_path}/rows.sqlite3")
    await database.write(METADATA.create_all)
    other = sqlite3.connect(tmp_path / "rows.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unreachable) as refused:
        await database.write(put(1))
    assert refused.value.code is Code.BUSY
    other.execute("ROLLBACK")
    other.close()
    assert await database.write(put(1)) == 1
    await database.close()


async def test_closing_finishes_what_waits(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/rows.sqlite3")
    await database.write(METADATA.create_all)
    gate = Gate()
    tasks = await queued(database, gate, *(put(number) for number in range(5)))
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0.02)
    for refused in (database.write(put(9)), database.read(numbers)):
        with pytest.raises(Unreachable):
            await refused
    gate.released.set()
    await closing
    assert await asyncio.gather(*tasks) == [None, 0, 1, 2, 3, 4]
    await database.close()
    again = open_database(f"sqlite:///{tmp_path}/rows.sqlite3")
    assert await again.read(numbers) == {0, 1, 2, 3, 4}
    await again.close()


_WRITE_UNTIL_KILLED = """
import asyncio, sys
from sqlalchemy import text
from comity.runtime.database import open_database

async def main():
    database = open_database(sys.argv[1])
    await database.write(lambda c: c.execute(text("CREATE TABLE acked (id INTEGER PRIMARY KEY)")) and None)
    async def one(number):
        await database.write(lambda c: c.execute(text("INSERT INTO acked VALUES (:n)"), {"n": number}) and None)
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
    for start in range(0, 10**9, 8):
        await asyncio.gather(*(one(start + each) for each in range(8)))

asyncio.run(main())
"""


@pytest.mark.fault("F14")
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/acked.sqlite3"
    with subprocess.Popen(
        [sys.executable, "-c", _WRITE_UNTIL_KILLED, url], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(30)]
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().splitlines(keepends=True)
        acknowledged += [int(line) for line in rest if line.endswith("\n")]

    async def survivors() -> set[int]:
        database = open_database(url)
        try:
            return await database.read(lambda c: set(c.execute(text("SELECT id FROM acked")).scalars()))
        finally:
            await database.close()

    assert set(acknowledged) <= asyncio.run(survivors())


_READ = """
import sqlite3, sys

file = sqlite3.connect(sys.argv[1])
print(*file.execute("SELECT id FROM rows"))
file.close()
"""


@pytest.mark.fault("F14", "F16")
async def test_another_program_that_closes_the_file_takes_nothing_along(tmp_path: Path) -> None:
    """A second look at the file in this process (a migration at the start) must not give up SQLite's locks on it."""
    path = tmp_path / "rows.sqlite3"

    def other() -> str:
        done = subprocess.run([sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    database = open_database(f"sqlite:///{path}")
    await database.write(METADATA.create_all)
    module.use_file(make_url(f"sqlite:///{path}"))
    assert await asyncio.to_thread(other) == ""
    await database.write(put(1))
    assert await asyncio.to_thread(other) == "(1,)"
    await database.close()
