"""Alembic histories, one per service, run by the program and never by hand-written ini files.

A service keeps ``<package>/migrations/versions/*.py`` and a ``<package>/migrations/env.py`` of these lines::

    from comity.runtime.migrations import run_environment
    from issuer.store import metadata

    run_environment(metadata)
"""

import asyncio
import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from comity.errors import Code, Misconfigured, Unreachable
from comity.runtime.database import is_sqlite, parse_url
from comity.runtime.postgres import postgres_engine
from comity.runtime.sqlite import sqlite_engine, use_file

T = TypeVar("T")
_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps the running environment in module globals: two threads would mix their databases up."""
_LOCK_NUMBER = 0x636F6D697479
"""Names the advisory lock under which PostgreSQL lets one process migrate at a time."""


def upgrade(url: str, package: str, *, to: str = "head") -> None:
    """Bring the database at ``url`` to the newest version that ``package`` knows; does nothing when it is there.

    ``to`` names an earlier revision to stop at, for tests and for updates in several steps; it never goes down.
    All steps happen in one transaction, and of several processes that start at once one does them while the others
    wait. Must not be called from a running event loop (use ``asyncio.to_thread``).

    Raises:
        Misconfigured: the URL is not supported, the package has no migrations, or the database was written by a newer
            version of the software.
        Unreachable: the database server does not answer.
    """
    config = _config(package)

    def run(connection: Connection) -> None:
        _require_known(connection, config, package)
        config.attributes["connection"] = connection
        command.upgrade(config, to)

    with _ONE_AT_A_TIME:
        _with_connection(url, run)


def revisions(package: str) -> tuple[str, ...]:
    """Return the revisions of ``package``, the oldest first.

    Raises:
        Misconfigured: the package has no migrations.
    """
    walked = ScriptDirectory.from_config(_config(package)).walk_revisions()
    return tuple(reversed([script.revision for script in walked]))


def check(url: str, package: str) -> None:
    """Return when the database at ``url`` is exactly at the newest version that ``package`` knows.

    Raises:
        Misconfigured: it is not; the detail says what to do.
    """
    expected = set(ScriptDirectory.from_config(_config(package)).get_heads())
    found = _with_connection(url, lambda connection: set(MigrationContext.configure(connection).get_current_heads()))
    if found != expected:
        raise Misconfigured(
            Code.MISCONFIGURED, f"the database is not at the version of this software: run `comity {package} migrate`"
        )


def differences(url: str, metadata: MetaData) -> list[Any]:
    """Return how the database at ``url`` differs from ``metadata``; empty when a history is complete. For tests."""
    return _with_connection(
        url, lambda connection: list(compare_metadata(MigrationContext.configure(connection), metadata))
    )


def run_environment(metadata: MetaData) -> None:
    """Run the steps that Alembic asks for over the connection that :func:`upgrade` opened; for ``env.py``."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=True,
    )
    context.run_migrations()


def _config(package: str) -> Config:
    module = importlib.import_module(package)
    folder = Path(module.__file__ or "").parent / "migrations"
    if not (folder / "env.py").is_file():
        raise Misconfigured(Code.MISCONFIGURED, f"{package} has no database migrations")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _require_known(connection: Connection, config: Config, package: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise Misconfigured(Code.MISCONFIGURED, f"the database was written by a newer version of {package}")


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
