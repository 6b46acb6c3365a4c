"""Which databases are opened, and what a failing PostgreSQL means to a caller."""

import asyncio
import contextlib
import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    event,
)
from sqlalchemy.exc import DBAPIError

from comity.errors import Code, Misconfigured, Unreachable
from comity.runtime import postgres, sqlite
from comity.runtime.database import open_database, parse_url
from comity.runtime.postgres import PostgresDatabase, retry_serialization
from tests.unit.runtime.rows import numbers

# --- opening


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "sqlite://", "sqlite:///:memory:", "sqlite:///", "mysql://a/b", "oracle://a", "postgres://a/b"],
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(Misconfigured):
        parse_url(url)


def test_the_driver_is_chosen_here() -> None:
    assert parse_url("sqlite+aiosqlite:////tmp/x").drivername == "sqlite"
    assert parse_url("postgresql://u:p@h/d").drivername == "postgresql+asyncpg"
    assert parse_url("postgresql+psycopg://u:p@h/d").drivername == "postgresql+asyncpg"


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"not a database, but long enough to be looked at " * 40)
    with pytest.raises(Misconfigured):
        open_database(f"sqlite:///{path}")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        open_database(f"sqlite:///{tmp_path}")


@pytest.mark.fault("F14")
def test_a_connection_that_is_not_durable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite.sqlite_engine

    def lax(url: Any, **options: Any) -> Any:
        engine = real(url, **options)

        @event.listens_for(engine, "connect")
        def loosen(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA synchronous = NORMAL").close()

        return engine

    monkeypatch.setattr(sqlite, "sqlite_engine", lax)
    with pytest.raises(Misconfigured) as refused:
        open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    assert "durably" in refused.value.detail


@pytest.mark.fault("F30")
def test_several_processes_open_one_new_file(tmp_path: Path) -> None:
    code = """
import sys, time
from comity.runtime.sqlite import sqlite_engine
from sqlalchemy.engine import make_url
for number in range(40):
    engine = sqlite_engine(make_url(f"sqlite:///{sys.argv[1]}/{number}.sqlite3"))
    sys.stdin.readline()
    engine.connect().close()
    print("opened", flush=True)
"""
    with contextlib.ExitStack() as running:
        command = [sys.executable, "-c", code, str(tmp_path)]
        piped = functools.partial(subprocess.Popen, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started = [running.enter_context(piped(command)) for _ in range(3)]
        for _ in range(40):
            for each in started:
                print(file=each.stdin, flush=True)
            assert [each.stdout.readline() for each in started if each.stdout] == ["opened\n"] * 3


# --- PostgreSQL's part that needs no server


class Refused(Exception):
    """What a driver raises."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def failing(*errors: Exception) -> tuple[Callable[[], Any], list[int]]:
    left, calls = list(errors), [0]

    async def attempt() -> str:
        calls[0] += 1
        if left:
            raise left.pop(0)
        return "done"

    return attempt, calls


@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.fault("F17")
async def test_a_serialization_failure_is_tried_again(state: str) -> None:
    attempt, calls = failing(*[DBAPIError("x", None, Refused(state))] * 2)
    assert await retry_serialization(attempt) == "done"
    assert calls == [3]


async def test_it_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, calls = failing(*[DBAPIError("x", None, Refused("40001"))] * 99)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(Unreachable) as refused:
        await retry_serialization(attempt)
    assert refused.value.code is Code.BUSY
    assert calls == [postgres._RETRIES]
    assert sum(slept) < 5


async def test_other_failures_are_not_tried_again() -> None:
    for error, expected in (
        (DBAPIError("x", None, Refused("23505")), DBAPIError),
        (DBAPIError("x", None, Refused("08006"), connection_invalidated=True), Unreachable),
        (ConnectionRefusedError(), Unreachable),
        (LookupError(), LookupError),
    ):
        attempt, calls = failing(error)
        with pytest.raises(expected):
            await retry_serialization(attempt)
        assert calls == [1]


@pytest.mark.fault("F17")
async def test_a_postgresql_that_is_not_there_is_unreachable() -> None:
    database = open_database("postgresql://nobody@127.0.0.1:1/nothing")
    assert isinstance(database, PostgresDatabase)
    assert database.url.drivername == "postgresql+asyncpg"
    for attempt in (database.write(numbers), database.read(numbers)):
        with pytest.raises(Unreachable):
            await attempt
    await database.close()
