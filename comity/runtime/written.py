"""Statements that run for every request: put together once, then handed to the driver as text.

SQLAlchemy looks at a statement anew each time it is executed (its caches, its events, its result), which takes several
times what SQLite needs to run a small one. What is asked for often therefore goes this way. Nothing else differs: the
statement is SQLAlchemy's, in the words of the connection's dialect, and so is every error.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Select, UpdateBase
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")
_Process = Callable[[Any], Any]


class _Written(Struct, frozen=True, kw_only=True):
    """The text of a statement.

    Attributes:
        text: in the words of a dialect.
        parameters: in order: name, and what the driver wants done to the value.
        fixed: the values that the statement has of its own.
        row: makes a row of what the driver returns.
    """

    text: str
    parameters: tuple[tuple[str, _Process | None], ...]
    fixed: Mapping[str, object]
    row: Callable[[Iterable[Any]], Any]


_Statement = UpdateBase | Select[*tuple[Any, ...]]
_WRITTEN: dict[tuple[_Statement, str, tuple[str, ...]], _Written] = {}
"""By statement, dialect and names of the values; statements are made at import, so this does not grow."""


def change(connection: Connection, statement: UpdateBase, values: Mapping[str, object]) -> int:
    """Run ``statement`` with ``values``; return how many rows it changed.

    Args:
        connection: of a unit, so within its transaction.
        statement: an ``INSERT``, ``UPDATE`` or ``DELETE`` that is built once. It returns no rows.
        values: one for each ``bindparam``, or for each column of an ``INSERT`` without values.

    Raises:
        DBAPIError: as ``Connection.execute`` does.
    """
    return _run(connection, statement, values, lambda _written, cursor: int(cursor.rowcount))


def rows(connection: Connection, statement: _Statement, values: Mapping[str, object]) -> list[Any]:
    """Run a ``SELECT``, or a change with ``RETURNING``, that is built once; return its rows as named tuples.

    Args:
        connection: of a unit.
        statement: of columns of different names.
        values: one for each ``bindparam``.

    Raises:
        DBAPIError: as ``Connection.execute`` does.
    """
    return _run(connection, statement, values, _fetch)


def _fetch(written: _Written, cursor: Any) -> list[Any]:
    return [written.row(row) for row in cursor.fetchall()]


def _run(
    connection: Connection, statement: _Statement, values: Mapping[str, object], answer: Callable[[_Written, Any], T]
) -> T:
    dialect = connection.dialect
    key = statement, dialect.name, tuple(values)
    written = _WRITTEN.get(key)
    if written is None:
        written = _WRITTEN[key] = _write(connection, statement, values)
    all_values = {**written.fixed, **values} if written.fixed else values
    parameters = tuple(
        [all_values[name] if process is None else process(all_values[name]) for name, process in written.parameters]
    )
    cursor = connection.connection.cursor()
    try:
        cursor.execute(written.text, parameters)
        return answer(written, cursor)
    except dialect.loaded_dbapi.Error as error:
        _refuse(connection, written.text, error)
    except BaseException as error:  # cut off in the middle: nobody knows what the connection would answer next
        connection.invalidate(error)
        raise
    finally:
        cursor.close()


def _write(connection: Connection, statement: _Statement, values: Mapping[str, object]) -> _Written:
    dialect = connection.dialect
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(values))
    processes = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    return _Written(
        text=str(compiled),
        parameters=tuple((name, processes[name]) for name in compiled.positiontup),
        fixed={name: value for name, value in compiled.params.items() if name not in values},
        row=_rows_of(statement, connection),
    )


def _rows_of(statement: _Statement, connection: Connection) -> Callable[[Iterable[Any]], Any]:
    """Return what makes a row: a tuple with names, of values as Python has them; without any for most changes."""
    dialect, columns = connection.dialect, statement.exported_columns
    row: Any = namedtuple("Row", [str(column.key) for column in columns])  # type: ignore[misc]
    make: Callable[[Iterable[Any]], Any] = row._make
    processes = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    if not any(processes):
        return make
    return lambda found: make(
        value if process is None else process(value) for value, process in zip(found, processes, strict=True)
    )


def _refuse(connection: Connection, text: str, error: Exception) -> NoReturn:
    """Raise what SQLAlchemy makes of an error; over a connection that is lost it is asked to find that out itself."""
    dialect = connection.dialect
    if dialect.is_disconnect(error, connection.connection.dbapi_connection, None):  # type: ignore[arg-type]
        connection.exec_driver_sql("SELECT 1")  # raises, and gives up every connection of the same age
    raise DBAPIError.instance(text, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect)
