"""Connections to PostgreSQL that are gone from one moment to the next, as when its machine restarts."""

from sqlalchemy import Connection, text

from comity.runtime.database import Database


def own(connection: Connection) -> None:
    """End the connection that a unit runs on; on SQLite there is nothing to end."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


async def all_but_one(database: Database) -> None:
    """End every connection to this database but the one that says so."""
    await database.read(_others)


def _others(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(text(f"{gone} AND pid <> pg_backend_pid()")).all()
