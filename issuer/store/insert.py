"""``INSERT … ON CONFLICT DO NOTHING`` on both databases: the atomic "first one wins"."""

from collections.abc import Mapping

from sqlalchemy import Connection, Table

from comity.runtime.inserting import insert_on


def insert_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert one row; return False when any unique constraint already holds one."""
    return connection.execute(insert_on(connection, table).values(**values).on_conflict_do_nothing()).rowcount == 1
