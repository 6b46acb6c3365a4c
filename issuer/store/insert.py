"""``INSERT … ON CONFLICT DO NOTHING`` on both databases: the atomic "first one wins"."""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert one row; return False when any unique constraint already holds one."""
    return connection.execute(_inserting(table, connection.dialect.name), dict(values)).rowcount == 1


@cache
def _inserting(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing()
