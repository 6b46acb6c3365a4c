"""``INSERT … ON CONFLICT DO NOTHING`` on both databases: the atomic "first one wins"."""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Connection, Table, UpdateBase

from comity.runtime.inserting import insert_on
from comity.runtime.written import change


def insert_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert one row; return False when any unique constraint already holds one."""
    return change(connection, _inserting(table, connection.dialect.name), values) == 1


@cache
def _inserting(table: Table, dialect: str) -> UpdateBase:
    return insert_on(table, dialect).on_conflict_do_nothing().inline()
