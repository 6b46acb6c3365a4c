"""Whether a database is at the version of this software, and bringing it there; one history of steps per service.

A service keeps its steps in ``<package>/migrations/versions/<revision>_<what>.py``, the revision in four digits, one
after the other, and beside them an ``env.py`` (``comity.runtime.alembic_history``, which runs the steps). Most starts
find nothing to do, and that is found out from the names of the files and one row of the database: Alembic, which costs
as much time to load as a small web framework, is loaded only where a step has to be made.
"""

import asyncio
import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, MetaData, inspect, text

from comity.errors import Code, Misconfigured, Unreachable
from comity.runtime.database import is_sqlite, parse_url
from comity.runtime.sqlite import sqlite_engine, use_file

T = TypeVar("T")
_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps the running environment in module globals: two threads would mix their databases up."""
HEAD = "head"
_STEP = "[0-9][0-9][0-9][0-9]_*.py"
_LOCK_NUMBER = 0x636F6D697479
"""Names the advisory lock under which PostgreSQL lets one process migrate at a time."""


def upgrade(url: str, package: str, *, to: str = HEAD) -> None:
    """Bring the database at ``url`` to the newest version that ``package`` knows; does nothing when it is there.

    ``to`` names an earlier revision to stop at, for tests and for updates in several steps; it never goes down.
    All steps happen in one transaction, and of several processes that start at once one does them while the others
    wait. Must not be called from a running event loop (use ``asyncio.to_thread``).

    Raises:
        Misconfigured: the URL is not supported, the package has no migrations, or the database was written by a newer
            version of the software.
        Unreachable: the database server does not answer.
    """
    known = revisions(package)

    def run(connection: Connection) -> None:
        if to == HEAD and _found(connection) == {known[-1]}:
            return
        from comity.runtime import alembic_history  # noqa: PLC0415  (see above: most starts do without)

        alembic_history.make_steps(connection, folder(package), package, to)

    with _ONE_AT_A_TIME:
        _with_connection(url, run)


def revisions(package: str) -> tuple[str, ...]:
    """Return the revisions of ``package``, the oldest first.

    Raises:
        Misconfigured: the package has no migrations.
    """
    found = tuple(sorted(path.name.partition("_")[0] for path in (folder(package) / "versions").glob(_STEP)))
    if not found:
        raise Misconfigured(Code.MISCONFIGURED, f"{package} has no database migrations")
    return found


def check(url: str, package: str) -> None:
    """Return when the database at ``url`` is exactly at the newest version that ``package`` knows.

    Raises:
        Misconfigured: it is not; the detail says what to do.
    """
    expected = {revisions(package)[-1]}
    found = _with_connection(url, _found)
    if found != expected:
        raise Misconfigured(
            Code.MISCONFIGURED, f"the database is not at the version of this software: run `comity {package} migrate`"
        )


def differences(url: str, metadata: MetaData) -> list[Any]:
    """Return how the database at ``url`` differs from ``metadata``; empty when a history is complete. For tests."""
    from comity.runtime import alembic_history  # noqa: PLC0415  (see above)

    return _with_connection(url, lambda connection: alembic_history.differences(connection, metadata))


def folder(package: str) -> Path:
    """Return where ``package`` keeps its history."""
    return Path(importlib.import_module(package).__file__ or "").parent / "migrations"


def _found(connection: Connection) -> set[str]:
    """Return the revisions that the database says it is at; none of a new database."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def _with_connection(url: str, run: Callable[[Connection], T]) -> T:
    """Run ``run`` in one transaction that no other migration can enter."""
    parsed = parse_url(url)
    if is_sqlite(parsed):
        use_file(parsed)
        engine = sqlite_engine(parsed)
        try:
            with engine.connect() as connection, connection.begin():
                return run(connection)
        finally:
            engine.dispose()

    async def through_asyncpg() -> T:
        from comity.runtime.postgres import postgres_engine  # noqa: PLC0415  (only who has PostgreSQL pays for it)

        # A serializable transaction would see the database as it was before it waited for the lock, and migrate again.
        engine = postgres_engine(parsed, pooled=False).execution_options(isolation_level="READ COMMITTED")
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(locked(run))
        except OSError:
            raise Unreachable(Code.BUSY, "the database cannot be reached") from None
        finally:
            await engine.dispose()

    return asyncio.run(through_asyncpg())


def locked(run: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Return ``run`` preceded by PostgreSQL's lock, held until the transaction ends."""

    def after_lock(connection: Connection) -> T:
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        return run(connection)

    return after_lock
