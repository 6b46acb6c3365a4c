"""Alembic histories, one per service, run by the program and never by hand-written ini files.

Loaded only where a step has to be made, or by a test (``comity.runtime.migrations``). A service's
``<package>/migrations/env.py`` has these lines::

    from comity.runtime.alembic_history import run_environment
    from issuer.store import metadata

    run_environment(metadata)
"""

from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData

from comity.errors import Code, Misconfigured


def make_steps(connection: Connection, folder: Path, package: str, to: str) -> None:
    """Bring the database behind ``connection`` up to revision ``to``, by the history in ``folder``.

    Raises:
        Misconfigured: the package has no migrations, or the database was written by a newer version of it.
    """
    config = _config(folder, package)
    _require_known(connection, config, package)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def script(folder: Path, package: str) -> ScriptDirectory:
    """Return the history in ``folder``, as its steps say of each other.

    Raises:
        Misconfigured: the package has no migrations.
    """
    return ScriptDirectory.from_config(_config(folder, package))


def differences(connection: Connection, metadata: MetaData) -> list[Any]:
    """Return how a database differs from ``metadata``; empty when a history is complete. For tests."""
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def run_environment(metadata: MetaData) -> None:
    """Run the steps that Alembic asks for over the connection of :func:`make_steps`; for ``env.py``."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=True,
    )
    context.run_migrations()


def _config(folder: Path, package: str) -> Config:
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
