"""What a store runs in, whichever database is underneath: a unit of work, and the database that runs it.

Stores are synchronous functions over a SQLAlchemy ``Connection``; a *unit* is such a function with its arguments bound.
A unit is atomic. It may run more than once (a serialization failure is retried), so it draws no consequences outside
the database, and it returns plain values, never open cursors.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Select
from sqlalchemy.engine import URL

T = TypeVar("T")
Unit = Callable[[Connection], T]


class Database(Protocol):
    """An open database."""

    @property
    def url(self) -> URL:
        """The URL it was opened with, driver included."""
        ...

    async def write(self, unit: Unit[T]) -> T:
        """Run ``unit`` in one transaction and return its result once that is durable.

        Whatever the unit raises is raised here, after its changes were undone. A caller that is cancelled leaves no
        half state: the unit ran as a whole, or not at all.

        Raises:
            Unreachable: ``busy``: another process holds the database, or too many units wait.
        """
        ...

    async def read(self, unit: Unit[T]) -> T:
        """Run ``unit`` over one consistent snapshot and return its result; an attempt to write raises."""
        ...

    async def look(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> list[Any]:
        """Run one ``SELECT`` that is built once, as :func:`comity.runtime.written.rows` does, and return its rows.

        It sees what was committed before it began, as :meth:`read` does; but no unit is around it: PostgreSQL is not
        told where a transaction begins and ends, which would cost twice as much again as the question itself.
        """
        ...

    async def close(self) -> None:
        """Finish what waits, then close every connection."""
        ...
