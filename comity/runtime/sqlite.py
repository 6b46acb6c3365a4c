"""SQLite: one writer thread with group commit, a few reader threads, and a file that loses nothing acknowledged."""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from comity.errors import Code, Misconfigured, Unreachable
from comity.runtime import failpoints
from comity.runtime.files import make_private_folder
from comity.runtime.unit import Database, T, Unit
from comity.runtime.written import rows

MAX_GROUP = 256
"""Units in one SQLite transaction at most."""
MAX_WAITING = 4096
"""Units that may wait for the writer before callers are told to come back later."""
READERS = 4
BUSY_MILLISECONDS = 5000


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
                _set(cursor, pragma)
            cursor.close()
        except BaseException:  # a file that is no database: SQLAlchemy forgets a connection whose set-up failed
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _set(cursor: Any, pragma: str) -> None:
    """Run ``pragma``, patiently: SQLite's own timeout is not heeded while two make a new file WAL."""
    ends = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            cursor.execute(pragma)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= ends:
                raise
            time.sleep(0.005)
        else:
            return


@dataclass(slots=True)
class _Job:
    """A unit that waits for a thread, and where its outcome goes; ``future`` is touched by its own event loop alone."""

    unit: Unit[Any]
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        """Run the unit under a SAVEPOINT and keep its outcome; raises only when the whole transaction is lost."""
        driver = connection.connection.cursor()
        driver.execute("SAVEPOINT unit")
        try:
            self.result, self.error = self.unit(connection), None
            failpoints.reach_unit(self.unit, "run")
            driver.execute("RELEASE unit")
        except BaseException as error:  # noqa: BLE001  (handed to the caller, whatever it is)
            self.error = error
            # SQLite undoes the whole transaction on a full disk or an I/O error. Then no savepoint is left, this
            # raises, and nothing of the group is acknowledged.
            connection.exec_driver_sql("ROLLBACK TO unit")

    def settle(self) -> None:
        """Hand the outcome to whoever waits, unless nobody does any more."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        elif isinstance(self.error, StopIteration):  # which no future takes
            self.future.set_exception(RuntimeError("a unit raised StopIteration"))
        else:
            self.future.set_exception(self.error)


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
        job = _Job(unit, asyncio.get_running_loop().create_future())
        with self._gate:
            if not self._accepting or self._waiting.qsize() >= MAX_WAITING:
                raise Unreachable(Code.BUSY, "the database takes no more work now", retry_after=1)
            self._waiting.put(job)
        result: T = await job.future
        failpoints.reach_unit(unit, "committed")
        return result

    async def read(self, unit: Unit[T]) -> T:
        """See :meth:`Database.read`."""
        job = _Job(unit, asyncio.get_running_loop().create_future())
        with self._gate:
            if not self._accepting:
                raise Unreachable(Code.BUSY, "the database takes no more work now", retry_after=1)
            self._readers.submit(self._read, job)
        result: T = await job.future
        return result

    async def look(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> list[Any]:
        """See :meth:`Database.look`."""
        return await self.read(lambda connection: rows(connection, statement, values))

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

    def _read(self, job: _Job) -> None:
        if job.future.cancelled():
            return
        try:
            with self._reads.connect() as connection, connection.begin():
                job.result = job.unit(connection)
        except BaseException as error:  # noqa: BLE001  (handed to the caller, whatever it is)
            job.error = error
        _tell([job])

    def _write_until_closed(self) -> None:
        closing = False
        while not closing:
            group, closing = self._next_group()
            running = [job for job in group if not job.future.cancelled()]
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
        if failure is not None:  # nothing of it became durable
            for job in group:
                job.error = failure
        _tell(group)

    def _failure_of(self, group: list[_Job]) -> BaseException | None:
        """Run and commit ``group``; return why the transaction as a whole failed, or None."""
        try:
            with self._writes.connect() as connection, connection.begin():
                for job in group:
                    job.run(connection)
        except BaseException as error:  # noqa: BLE001  (a caller must never wait for ever)
            return _busy_or(error)
        return None


def _tell(group: list[_Job]) -> None:
    """Let each event loop settle what it waits for, all at once; one that was closed meanwhile waits for nothing."""
    for loop in {job.future.get_loop() for job in group}:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, [job for job in group if job.future.get_loop() is loop])


def _settle(group: list[_Job]) -> None:
    for job in group:
        job.settle()


def _busy_or(error: BaseException) -> BaseException:
    if isinstance(error, OperationalError) and "locked" in str(error.orig):
        return Unreachable(Code.BUSY, "another process holds the database", retry_after=1)
    return error


def use_file(url: URL) -> None:
    """Create the file of ``url`` unless it exists, readable by its owner only, before SQLite makes it for everyone.

    A file that exists is never opened here: whoever closes any descriptor of a file gives up all locks that this
    process has on it (fcntl), those of SQLite too. Then another program that closes the database takes itself for the
    last one and removes the write-ahead log, and what this process commits after that is lost (decision record 0033).

    Raises:
        Misconfigured: it cannot be opened.
    """
    path = Path(url.database or "")
    try:
        make_private_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
            raise Misconfigured(Code.MISCONFIGURED, f"the database file {path} cannot be opened") from None
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
