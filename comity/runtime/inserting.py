"""``INSERT`` with what to do about a conflict, in the words of the database that is there.

Both databases write ``ON CONFLICT`` alike, but SQLAlchemy has a statement for each. That of PostgreSQL comes with all
its drivers, so it is loaded where there is a PostgreSQL: then it is loaded already.
"""

from typing import TYPE_CHECKING

from sqlalchemy import Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def insert_on(table: Table, dialect: str) -> "postgresql.Insert | sqlite.Insert":
    """Return an ``INSERT`` into ``table`` that has ``on_conflict_do_nothing`` and ``on_conflict_do_update``.

    Args:
        table: into which.
        dialect: the name of the connection's dialect, ``sqlite`` or ``postgresql``.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  (see above)

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert(table)
