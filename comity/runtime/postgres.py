"""PostgreSQL: serializable units through asyncpg, tried again when another transaction came between.

Who lost a race tries again in a queue, one after the other, so that the losers do not beat each other; while somebody
stands in it, newcomers with a unit of the same kind join it, so that they do not beat the losers (decision 0017).
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import greenlet_spawn

from comity.errors import Code, ComityError, Malformed, Unreachable
from comity.runtime import failpoints
from comity.runtime.unit import Database, T, Unit
from comity.runtime.written import rows

POOL = 10
"""Connections to PostgreSQL that are kept; as many again are opened when needed."""
POOL_SECONDS = 5.0
"""How long a unit waits for a free connection to PostgreSQL before its caller is told to come back later."""
_RETRIES = 24
_SERIALIZATION_FAILURES = frozenset({"40001", "40P01"})
_NO_TEXT = "22021"
"""SQLSTATE of a text with a NUL. SQLite has such texts, and finds nothing by them; PostgreSQL has none."""


def postgres_engine(url: URL, *, pooled: bool = True) -> AsyncEngine:
    """Return a serializable engine: units see the same isolation as under SQLite's single writer."""
    if pooled:
        return create_async_engine(
            url,
            isolation_level="SERIALIZABLE",
            pool_use_lifo=True,  # the connection used last is warm, and has its statements prepared
            pool_size=POOL,
            max_overflow=POOL,
            pool_timeout=POOL_SECONDS,
        )
    return create_async_engine(url, isolation_level="SERIALIZABLE", poolclass=NullPool)


async def retry_serialization(attempt: Callable[[], Awaitable[T]], queue_of_losers: asyncio.Lock | None = None) -> T:
    """Await ``attempt`` again, some times, while the database says that another transaction came between.

    Those who lost once try again one after the other (``queue_of_losers``), so that they do not beat each other; who
    comes while they do so waits for its turn as well.

    Raises:
        Unreachable: ``busy``: every attempt was refused, there was no free connection, or it was lost.
        Malformed: ``request_invalid``: a text with a NUL, which no PostgreSQL database holds (catalogue W14).
    """
    for number in range(_RETRIES):
        try:
            if queue_of_losers is None or (number == 0 and not queue_of_losers.locked()):
                return await attempt()
            async with queue_of_losers:
                return await attempt()
        except PoolTimeoutError as error:
            raise Unreachable(Code.BUSY, "every database connection is taken", retry_after=1) from error
        except DBAPIError as error:
            if (problem := _problem_of(error)) is not None:
                raise problem from error
            if _state_of(error) not in _SERIALIZATION_FAILURES:
                raise
        except OSError as error:
            raise Unreachable(Code.BUSY, "the database cannot be reached", retry_after=1) from error
        await asyncio.sleep(min(0.05, 0.01 * 2**number) * (1 + secrets.randbelow(100) / 100))
    raise Unreachable(Code.BUSY, "other transactions kept coming between", retry_after=1)


def _problem_of(error: DBAPIError) -> ComityError | None:
    """Return what the caller is told of an error that has an explanation; None for every other."""
    if error.connection_invalidated:
        return Unreachable(Code.BUSY, "the database connection was lost", retry_after=1)
    return Malformed(Code.REQUEST_INVALID, "a text holds a NUL character") if _state_of(error) == _NO_TEXT else None


def _state_of(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


class _LostEarlyError(Exception):
    """The connection was lost before COMMIT was sent: nothing was done, and it can be done over another one."""


def _before_commit(unit: Unit[T], connection: Connection) -> T:
    try:
        return unit(connection)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _LostEarlyError from error
        raise


def _over_another(attempt: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """Let an attempt be made once more when its connection was lost before COMMIT, as idle ones are by a restart.

    SQLAlchemy gives up all older connections with the first that is lost, so the second attempt has a new one. That
    spares asking at each unit whether the connection still stands, which costs as much as half of a small one.
    """

    async def attempt_twice() -> T:
        with suppress(_LostEarlyError):
            return await attempt()
        try:
            return await attempt()
        except _LostEarlyError as error:
            raise Unreachable(Code.BUSY, "the database connection was lost", retry_after=1) from error

    return attempt_twice


def _kind_of(unit: Unit[T]) -> str:
    """Return what tells units of one kind: the name of the function that was made a unit."""
    made_of = unit.func if isinstance(unit, partial) else unit
    return str(getattr(made_of, "__qualname__", type(made_of).__qualname__))


class PostgresDatabase(Database):
    """PostgreSQL through asyncpg; a unit and its transaction run in one greenlet of SQLAlchemy."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engine = postgres_engine(url)
        self._looks = self._engine.sync_engine.execution_options(isolation_level="AUTOCOMMIT")  # of the same pool
        self._losers: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def url(self) -> URL:
        """The URL it was opened with."""
        return self._url

    async def write(self, unit: Unit[T]) -> T:
        """See :meth:`Database.write`."""

        def attempt() -> T:
            with self._engine.sync_engine.begin() as connection:
                result = _before_commit(unit, connection)
                failpoints.reach_unit(unit, "run")
                return result

        in_greenlet = partial(greenlet_spawn, attempt)
        result = await retry_serialization(_over_another(in_greenlet), self._losers[_kind_of(unit)])
        failpoints.reach_unit(unit, "committed")
        return result

    async def read(self, unit: Unit[T]) -> T:
        """See :meth:`Database.read`."""

        def attempt() -> T:
            with self._engine.sync_engine.connect() as connection:
                connection.execution_options(postgresql_readonly=True)
                with connection.begin():
                    return _before_commit(unit, connection)

        return await retry_serialization(_over_another(partial(greenlet_spawn, attempt)))

    async def look(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> list[Any]:
        """See :meth:`Database.look`."""

        def attempt() -> list[Any]:
            with self._looks.connect() as connection:
                return _before_commit(lambda connection: rows(connection, statement, values), connection)

        return await retry_serialization(_over_another(partial(greenlet_spawn, attempt)))

    async def close(self) -> None:
        """See :meth:`Database.close`."""
        with suppress(SQLAlchemyError):
            await self._engine.dispose()
