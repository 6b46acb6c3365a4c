"""One way to read and write, on SQLite and on PostgreSQL: which database a URL names, and opening it.

What a unit may rely on stands in ``unit``; how each database keeps that in ``sqlite`` and ``postgres``.
"""

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from comity.errors import Code, Misconfigured
from comity.runtime.sqlite import SqliteDatabase
from comity.runtime.unit import Database, Unit

__all__ = ["Database", "Unit", "is_sqlite", "open_database", "parse_url", "require_shared"]


def open_database(url: str) -> Database:
    """Open ``url``: ``sqlite:///file`` (created when absent) or ``postgresql://…`` (through asyncpg).

    Raises:
        Misconfigured: another kind of database, no file name, or a file that cannot be opened safely.
    """
    parsed = parse_url(url)
    if is_sqlite(parsed):
        return SqliteDatabase(parsed)
    from comity.runtime.postgres import PostgresDatabase  # noqa: PLC0415  (a start over SQLite does not load it)

    return PostgresDatabase(parsed)


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


def require_shared(url: str, workers: int) -> None:
    """Refuse several processes of one service over SQLite, which has one writer and knows of no other machine.

    Raises:
        Misconfigured: more than one worker, and no PostgreSQL.
    """
    if workers > 1 and is_sqlite(parse_url(url)):
        raise Misconfigured(Code.MISCONFIGURED, "several workers need PostgreSQL; over an SQLite file one serves alone")


def is_sqlite(url: URL) -> bool:
    """Say whether ``url`` names an SQLite file."""
    return url.get_backend_name() == "sqlite"
