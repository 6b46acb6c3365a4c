"""Statements that change rows and run for every request: put together once, then handed to the driver as text.

SQLAlchemy looks at a statement anew each time it is executed (its caches, its events, its result), which takes several
times what SQLite needs to run a small one. What is asked for often therefore goes this way. Nothing else differs: the
statement is SQLAlchemy's, in the words of the connection's dialect, and so is every error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import Connection, UpdateBase
from sqlalchemy.exc import DBAPIError

_Process = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """The text of a statement, and its parameters in order: name, what the driver wants done to it, own value."""

    text: str
    parameters: tuple[tuple[str, _Process | None], ...]
    fixed: Mapping[str, object]


_WRITTEN: dict[tuple[UpdateBase, str, tuple[str, ...]], _Written] = {}
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
        return cursor.rowcount
    except dialect.loaded_dbapi.Error as error:
        _refuse(connection, written.text, error)
    except BaseException as error:  # cut off in the middle: nobody knows what the connection would answer next
        connection.invalidate(error)
        raise
    finally:
        cursor.close()


def _write(connection: Connection, statement: UpdateBase, values: Mapping[str, object]) -> _Written:
    dialect = connection.dialect
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(values))
    processes = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    return _Written(
        text=str(compiled),
        parameters=tuple((name, processes[name]) for name in compiled.positiontup),
        fixed={name: value for name, value in compiled.params.items() if name not in values},
    )


def _refuse(connection: Connection, text: str, error: Exception) -> NoReturn:
    """Raise what SQLAlchemy makes of an error; over a connection that is lost it is asked to find that out itself."""
    dialect = connection.dialect
    if dialect.is_disconnect(error, connection.connection.dbapi_connection, None):  # type: ignore[arg-type]
        connection.exec_driver_sql("SELECT 1")  # raises, and gives up every connection of the same age
    raise DBAPIError.instance(text, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect)
