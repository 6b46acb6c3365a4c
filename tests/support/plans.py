"""How a database would do what a store asks of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text


def plans(connection: Connection, search: Callable[[Connection], object]) -> str:
    """Return how the database does what a search asks of it."""
    with _heard(connection) as statements:
        search(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # an empty table is read through otherwise
        asked, column = "EXPLAIN", 0
    else:
        asked, column = "EXPLAIN QUERY PLAN", 3
    assert statements
    rows = [row for told, values in statements for row in connection.exec_driver_sql(f"{asked} {told}", values)]
    return "\n".join(row[column] for row in rows)


@contextmanager
def _heard(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Write down what is asked of the database, with the values."""
    heard: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_more: object) -> None:
        heard.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield heard
    finally:
        event.remove(connection, "before_cursor_execute", note)
