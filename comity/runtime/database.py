"""One way to read and write, on SQLite and on PostgreSQL.

Stores are synchronous functions over a SQLAlchemy ``Connection``; a *unit* is such a function with its arguments bound.
A unit is atomic. It may run more than once (a serialization failure is retried), so it draws no consequences outside
the database, and it returns plain values, never open cursors.
"""

import asyncio
import os
import queue
import secrets
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from comity.errors import Code, Misconfigured, Unreachable
from comity.runtime.files import make_private_folder

T = TypeVar("T")
Unit = Callable[[Connection], T]

MAX_GROUP = 256
"""Units in one SQLite transaction at most."""
MAX_WAITING = 4096
"""Units that may wait for the writer before callers are told to come back later."""
READERS = 4
BUSY_MILLISECONDS = 5000
POOL = 10
"""Connections to PostgreSQL that are kept; as many again are opened when needed."""
POOL_SECONDS = 5.0
"""How long a unit waits for a free connection to PostgreSQL before its caller is told to come back later."""
_RETRIES = 24
_SERIALIZATION_FAILURES = frozenset({"40001", "40P01"})


class Database(Protocol):
    """An open database."""

    @property
    def url(self) -> URL:
        """The URL it was opened with, driver included."""
        ...

    async def write(self, unit: Unit[T]) -> T:
        """Run ``unit`` in one transaction and return its result once that is durable.

        Whatever the unit raises is raised here, after its changes were undone. A caller that is cancelled leaves no
        half state: the unit ran as a whole, or not at all.

        Raises:
            Unreachable: ``busy``: another process holds the database, or too many units wait.
        """
        ...

    async def read(self, unit: Unit[T]) -> T:
        """Run ``unit`` over one consistent snapshot and return its result; an attempt to write raises."""
        ...

    async def close(self) -> None:
        """Finish what waits, then close every connection."""
        ...


def open_database(url: str) -> Database:
    """Open ``url``: ``sqlite:///file`` (created when absent) or ``postgresql://…`` (through asyncpg).

    Raises:
        Misconfigured: another kind of database, no file name, or a file that cannot be opened safely.
    """
    parsed = parse_url(url)
    return SqliteDatabase(parsed) if is_sqlite(parsed) else PostgresDatabase(parsed)


def parse_url(url: str) -> URL:
    """Return ``url`` with the driver the house uses; refuses what it does not support.

    Raises:
        Misconfigured: not an SQLAlchemy URL of SQLite on disk or of PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Misconfigured(Code.MISCONFIGURED, "the database URL is not a URL") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed.set(drivername="sqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+asyncpg")
    raise Misconfigured(Code.MISCONFIGURED, "the database must be PostgreSQL or an SQLite file")


def is_sqlite(url: URL) -> bool:
    """Say whether ``url`` names an SQLite file."""
    return url.get_backend_name() == "sqlite"


# --- SQLite ----------------------------------------------------------------------------------------------------------


def sqlite_engine(url: URL, *, read_only: bool = False, pool_size: int = 1) -> Engine:
    """Return an engine over the file of ``url`` whose transactions begin when SQLAlchemy says so.

    Writers begin with ``BEGIN IMMEDIATE``, so that two never deadlock on an upgrade; readers with ``BEGIN``.
    """
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=0, connect_args={"check_same_thread": False, "isolation_level": None}
    )
    pragmas = (
        f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA secure_delete = ON",
        "PRAGMA trusted_schema = OFF",
        f"PRAGMA query_only = {'ON' if read_only else 'OFF'}",
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        try:
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(pragma)
            cursor.close()
        except BaseException:  # a file that is no database: SQLAlchemy forgets a connection whose set-up failed
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


@dataclass(slots=True)
class _Job:
    """A unit that waits for the writer, and where its outcome goes."""

    unit: Unit[Any]
    future: "Future[Any]" = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        """Run the unit under a SAVEPOINT and keep its outcome; raises only when the whole transaction is lost."""
        savepoint = connection.begin_nested()
        try:
            self.result, self.error = self.unit(connection), None
            savepoint.commit()
        except BaseException as error:  # noqa: BLE001  (handed to the caller, whatever it is)
            self.error = error
            # SQLite undoes the whole transaction on a full disk or an I/O error. Then no savepoint is left, this
            # raises, and nothing of the group is acknowledged.
            savepoint.rollback()

    def tell(self, failure: BaseException | None = None) -> None:
        """Hand the outcome to whoever waits; ``failure`` means that the transaction did not become durable."""
        error = self.error if failure is None else failure
        if error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(error)


class SqliteDatabase(Database):
    """SQLite in WAL mode: one writer thread with group commit, a few reader threads.

    Units that wait while a commit is written to disk go together into the next transaction, each under its own
    SAVEPOINT, and are acknowledged only after COMMIT with ``synchronous=FULL``.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        use_file(url)
        self._writes = sqlite_engine(url)
        self._reads = sqlite_engine(url, read_only=True, pool_size=READERS)
        try:
            _require_durable(self._writes)
        except BaseException:
            self._writes.dispose()
            self._reads.dispose()
            raise
        self._waiting: queue.Queue[_Job | None] = queue.Queue()
        self._accepting = True
        self._gate = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="comity-read")
        self._writer = threading.Thread(target=self._write_until_closed, name="comity-write", daemon=True)
        self._writer.start()

    @property
    def url(self) -> URL:
        """The URL it was opened with."""
        return self._url

    async def write(self, unit: Unit[T]) -> T:
        """See :meth:`Database.write`."""
        job = _Job(unit)
        with self._gate:
            if not self._accepting or self._waiting.qsize() >= MAX_WAITING:
                raise Unreachable(Code.BUSY, "the database takes no more work now", retry_after=1)
            self._waiting.put(job)
        result: T = await asyncio.wrap_future(job.future)
        return result

    async def read(self, unit: Unit[T]) -> T:
        """See :meth:`Database.read`."""
        with self._gate:
            if not self._accepting:
                raise Unreachable(Code.BUSY, "the database takes no more work now", retry_after=1)
            reading = self._readers.submit(self._read, unit)
        return await asyncio.wrap_future(reading)

    async def close(self) -> None:
        """See :meth:`Database.close`."""
        with self._gate:
            if self._accepting:
                self._accepting = False
                self._waiting.put(None)
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        self._writer.join()
        self._readers.shutdown(wait=True)
        self._reads.dispose()
        self._writes.dispose()

    def _read(self, unit: Unit[T]) -> T:
        with self._reads.connect() as connection, connection.begin():
            return unit(connection)

    def _write_until_closed(self) -> None:
        closing = False
        while not closing:
            group, closing = self._next_group()
            running = [job for job in group if job.future.set_running_or_notify_cancel()]
            if running:
                self._commit(running)

    def _next_group(self) -> tuple[list[_Job], bool]:
        """Wait for work, then take all that waits; the flag says that nothing comes after it."""
        group: list[_Job] = []
        job = self._waiting.get()
        while job is not None:
            group.append(job)
            if len(group) == MAX_GROUP:
                return group, False
            try:
                job = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Job]) -> None:
        """Commit ``group`` in one transaction, then tell every caller."""
        failure = self._failure_of(group)
        if isinstance(failure, IntegrityError) and len(group) > 1:
            # A deferred constraint spoke at COMMIT and everything was undone: find out whose it was, one by one.
            for job in group:
                self._commit([job])
            return
        for job in group:
            job.tell(failure)

    def _failure_of(self, group: list[_Job]) -> BaseException | None:
        """Run and commit ``group``; return why the transaction as a whole failed, or None."""
        try:
            with self._writes.connect() as connection, connection.begin():
                for job in group:
                    job.run(connection)
        except BaseException as error:  # noqa: BLE001  (a caller must never wait for ever)
            return _busy_or(error)
        return None


def _busy_or(error: BaseException) -> BaseException:
    if isinstance(error, OperationalError) and "locked" in str(error.orig):
        return Unreachable(Code.BUSY, "another process holds the database", retry_after=1)
    return error


def use_file(url: URL) -> None:
    """Create the file of ``url`` unless it exists, readable by its owner only, before SQLite makes it for everyone.

    Raises:
        Misconfigured: it cannot be opened.
    """
    path = Path(url.database or "")
    try:
        make_private_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Misconfigured(
            Code.MISCONFIGURED, f"the database file {path} cannot be opened: {error.strerror}"
        ) from None


def _require_durable(engine: Engine) -> None:
    """Refuse a file on which an acknowledged change could be lost (catalogue F14)."""
    try:
        with engine.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    except SQLAlchemyError:
        raise Misconfigured(Code.MISCONFIGURED, "the database file is not an SQLite database") from None
    if mode != "wal" or synchronous != 2:
        raise Misconfigured(Code.MISCONFIGURED, "the database file cannot be written durably (WAL, synchronous=FULL)")


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def postgres_engine(url: URL, *, pooled: bool = True) -> AsyncEngine:
    """Return a serializable engine: units see the same isolation as under SQLite's single writer."""
    if pooled:
        return create_async_engine(
            url,
            isolation_level="SERIALIZABLE",
            pool_pre_ping=True,
            pool_size=POOL,
            max_overflow=POOL,
            pool_timeout=POOL_SECONDS,
        )
    return create_async_engine(url, isolation_level="SERIALIZABLE", poolclass=NullPool)


async def retry_serialization(attempt: Callable[[], Awaitable[T]], queue_of_losers: asyncio.Lock | None = None) -> T:
    """Await ``attempt`` again, some times, while the database says that another transaction came between.

    Those who lost once try again one after the other (``queue_of_losers``), so that they do not beat each other.

    Raises:
        Unreachable: ``busy``: every attempt was refused, there was no free connection, or it was lost.
    """
    for number in range(_RETRIES):
        try:
            if number == 0 or queue_of_losers is None:
                return await attempt()
            async with queue_of_losers:
                return await attempt()
        except PoolTimeoutError as error:
            raise Unreachable(Code.BUSY, "every database connection is taken", retry_after=1) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unreachable(Code.BUSY, "the database connection was lost", retry_after=1) from error
            if getattr(error.orig, "sqlstate", None) not in _SERIALIZATION_FAILURES:
                raise
        except OSError as error:
            raise Unreachable(Code.BUSY, "the database cannot be reached", retry_after=1) from error
        await asyncio.sleep(min(0.05, 0.01 * 2**number) * (1 + secrets.randbelow(100) / 100))
    raise Unreachable(Code.BUSY, "other transactions kept coming between", retry_after=1)


class PostgresDatabase(Database):
    """PostgreSQL through asyncpg; synchronous units run in SQLAlchemy's greenlet."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engine = postgres_engine(url)
        self._losers = asyncio.Lock()

    @property
    def url(self) -> URL:
        """The URL it was opened with."""
        return self._url

    async def write(self, unit: Unit[T]) -> T:
        """See :meth:`Database.write`."""

        async def attempt() -> T:
            async with self._engine.begin() as connection:
                return await connection.run_sync(unit)

        return await retry_serialization(attempt, self._losers)

    async def read(self, unit: Unit[T]) -> T:
        """See :meth:`Database.read`."""

        async def attempt() -> T:
            async with self._engine.connect() as connection:
                await connection.execution_options(postgresql_readonly=True)
                async with connection.begin():
                    return await connection.run_sync(unit)

        return await retry_serialization(attempt)

    async def close(self) -> None:
        """See :meth:`Database.close`."""
        with suppress(SQLAlchemyError):
            await self._engine.dispose()
