"""``INSERT … ON CONFLICT DO NOTHING`` on both databases: the atomic "first one wins"."""

from collections.abc import Mapping

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert one row; return False when any unique constraint already holds one."""
    if connection.dialect.name == "postgresql":
        statement = postgresql.insert(table).values(**values).on_conflict_do_nothing()
        return connection.execute(statement).rowcount == 1
    return connection.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing()).rowcount == 1
