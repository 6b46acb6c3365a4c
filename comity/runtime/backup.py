"""Backup and restore of one service's database, the same on SQLite and PostgreSQL (decision record 0026).

A backup is every row of one consistent snapshot, taken while the service runs, in a sealed file
(:mod:`comity.runtime.backup_file`). What must not come back is not in it: each service says for each of its tables what
is left out. A table that nobody decided about is an error, never a guess.

A restore fills an *empty* database in one transaction, and in the same transaction lets the service settle what has
happened since the backup: see ``issuer.backup``, ``wallet.backup``, ``verifier.backup``.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, field
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    func,
    insert,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.engine import URL

from comity import base64url
from comity.errors import Code, Conflict, Malformed, Misconfigured, Unreachable
from comity.ports import Clock
from comity.record import Discreet
from comity.runtime import migrations
from comity.runtime.backup_file import BackupReader, BackupWriter, reading, writing
from comity.runtime.database import is_sqlite, parse_url
from comity.runtime.postgres import postgres_engine
from comity.runtime.sqlite import sqlite_engine

ROWS = 1000
"""Rows in one part of a backup, at most."""
PART_BYTES = 8 << 20
"""Characters in one part after which another is begun; far below what is read again as one part."""
T = TypeVar("T")


class Rows(Struct, frozen=True, kw_only=True):
    """What of one table goes into a backup.

    Attributes:
        only: which rows; all of them by default.
        without: columns that are empty in the backup.
    """

    only: ColumnElement[bool] = field(default_factory=true)
    without: frozenset[str] = frozenset()


NOTHING = Rows(only=literal(value=False))
"""The table stays out."""


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup says of itself.

    Attributes:
        id: 128 random bits.
        package: whose database it is.
        revision: version of its tables.
        made_at: Unix seconds, when the last row was read; what happened before may be in it, what came later is not.
        needs: fingerprints of the secrets without which the rows are worth nothing; by name. They are not in it.
        notes: what the service wants to know at a restore.
    """

    id: str
    package: str
    revision: str
    made_at: int
    needs: Mapping[str, str]
    notes: Mapping[str, Any]


class Scheme(Discreet, frozen=True, kw_only=True):
    """One service's database, and how it is backed up.

    Attributes:
        package: ``issuer``, ``wallet`` or ``verifier``.
        url: of the database.
        metadata: its tables.
        plan: what of each table goes into a backup.
        needs: see :class:`Manifest`.
        notes: see :class:`Manifest`; called before the snapshot.
        settle: makes true, in the transaction of the restore, what has happened since; its numbers are shown.
    """

    UNPRINTED = frozenset({"url"})
    package: str
    url: str
    metadata: MetaData
    plan: Mapping[str, Rows]
    needs: Mapping[str, str]
    notes: Callable[[], Mapping[str, Any]]
    settle: Callable[[Connection, Manifest, int], Mapping[str, int]]


def create(scheme: Scheme, path: Path, passphrase: str, clock: Clock) -> Mapping[str, int]:
    """Write a backup of the running service to ``path``; return the number of rows of each table.

    Must not be called from a running event loop.

    Raises:
        Misconfigured: the database is not at this version of the software, a table has no rule, or the file cannot be
            written.
        Malformed, Conflict: as for :func:`comity.runtime.backup_file.writing`.
        Unreachable: the database server does not answer.
    """
    _require_plan(scheme)
    migrations.check(scheme.url, scheme.package)
    manifest = {
        "package": scheme.package,
        "revision": migrations.revisions(scheme.package)[-1],
        "needs": dict(scheme.needs),
        "notes": dict(scheme.notes()),
    }
    with writing(path, passphrase) as backup:
        backup.write(manifest)
        counts = _in_snapshot(scheme.url, lambda connection: _dump(connection, scheme, backup))
        backup.write({"counts": counts, "made_at": _seconds(clock)}, is_last=True)
    return counts


def restore(scheme: Scheme, path: Path, passphrase: str, clock: Clock) -> Mapping[str, int]:
    """Fill the empty database from a backup and settle what has happened since; all of it or nothing.

    Must not be called from a running event loop, nor while the service runs.

    Raises:
        Conflict: the database holds something.
        Misconfigured: a backup of another service or version, or one whose secrets are not those of this installation;
            and whatever ``settle`` refuses.
        Denied, Malformed: as for :mod:`comity.runtime.backup_file`.
    """
    _require_plan(scheme)
    migrations.check(scheme.url, scheme.package)

    def unit(connection: Connection) -> Mapping[str, int]:
        _require_empty(connection, scheme.metadata)
        with reading(path, passphrase) as backup:
            manifest = _load(connection, scheme, backup)
        _move_sequences(connection, scheme.metadata)
        return scheme.settle(connection, manifest, _seconds(clock))

    return _in_transaction(scheme.url, unit)


def _seconds(clock: Clock) -> int:
    return int(clock.now().timestamp())


# --- writing


def _dump(connection: Connection, scheme: Scheme, backup: BackupWriter) -> dict[str, int]:
    """Write every row; parents before children, so that a restore meets no row before the one it refers to."""
    return {
        table.name: sum(_dump_table(connection, table, scheme.plan[table.name], backup))
        for table in scheme.metadata.sorted_tables
    }


def _dump_table(connection: Connection, table: Table, rule: Rows, backup: BackupWriter) -> Iterator[int]:
    columns = [column for column in table.columns if column.name not in rule.without]
    ordered = select(*columns).where(rule.only).order_by(*table.primary_key.columns)
    for rows in connection.execute(ordered, execution_options={"yield_per": ROWS}).partitions():
        for packed in _parted([[_written(value) for value in row] for row in rows]):
            backup.write({"table": table.name, "columns": [column.name for column in columns], "rows": packed})
        yield len(rows)


def _parted(rows: Sequence[list[object]]) -> Iterator[list[list[object]]]:
    """Yield the rows in parts of some :data:`PART_BYTES`; a part has one row at least."""
    part: list[list[object]] = []
    size = 0
    for row in rows:
        part.append(row)
        size += sum(_length(value) for value in row)
        if size >= PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _length(value: object) -> int:
    """Return about how many characters a value takes as JSON."""
    text = value["b"] if isinstance(value, dict) else value
    return len(text) if isinstance(text, str) else 8


def _written(value: object) -> object:
    return {"b": base64url.encode(value)} if isinstance(value, bytes) else value


# --- reading


def _load(connection: Connection, scheme: Scheme, backup: BackupReader) -> Manifest:
    """Insert every row; raises before anything is settled when the backup is not whole."""
    parts = backup.parts()
    about = next(parts)[0]
    _require_ours(about, scheme)
    counts = dict.fromkeys(scheme.plan, 0)
    for part, is_last in parts:
        if is_last:
            if part.get("counts") != counts:
                raise Malformed(Code.RECORD_TAMPERED, "the backup does not hold as many rows as it says")
            return Manifest(id=backup.id, made_at=part["made_at"], **about)
        name, rows = part["table"], part["rows"]
        values = [dict(zip(part["columns"], map(_read, row), strict=True)) for row in rows]
        connection.execute(insert(scheme.metadata.tables[name]), values)
        counts[name] += len(rows)
    raise Malformed(Code.RECORD_TAMPERED, "the backup does not end")


def _require_ours(about: Mapping[str, Any], scheme: Scheme) -> None:
    if about["package"] != scheme.package:
        raise Misconfigured(
            Code.MISCONFIGURED, f"this is a backup of the {about['package']}, not of the {scheme.package}"
        )
    if about["revision"] != migrations.revisions(scheme.package)[-1]:
        raise Misconfigured(
            Code.MISCONFIGURED,
            f"the backup is of version {about['revision']}: restore it with the software that made it, then migrate",
        )
    for name, expected in about["needs"].items():
        if scheme.needs.get(name) != expected:
            raise Misconfigured(
                Code.MISCONFIGURED, f"{name} is not the one that belonged to the backup: put that back first"
            )


def _read(value: object) -> object:
    return base64url.decode(value["b"]) if isinstance(value, dict) else value


def _require_plan(scheme: Scheme) -> None:
    undecided = set(scheme.metadata.tables) ^ set(scheme.plan)
    if undecided:
        raise Misconfigured(Code.MISCONFIGURED, f"nobody decided what a backup holds of {', '.join(sorted(undecided))}")


def _require_empty(connection: Connection, metadata: MetaData) -> None:
    for table in metadata.tables.values():
        if connection.execute(select(literal(1)).select_from(table).limit(1)).first() is not None:
            raise Conflict(Code.CONFLICT, "the database is not empty: restore into a new one, and keep this one aside")


def _move_sequences(connection: Connection, metadata: MetaData) -> None:
    """Let PostgreSQL count on from the highest number; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.tables.values():
        column = table.autoincrement_column
        if column is not None and isinstance(column.type, Integer):
            highest = connection.execute(select(func.max(column))).scalar()
            if highest is not None:
                move = text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)")
                connection.execute(move, {"table": table.name, "column": column.name, "highest": highest})


# --- the one transaction


def _in_snapshot(url: str, unit: Callable[[Connection], T]) -> T:
    """Run ``unit`` over one snapshot. On PostgreSQL it waits for one that no other transaction can spoil."""
    parsed = parse_url(url)
    if is_sqlite(parsed):
        return _on_sqlite(parsed, unit, read_only=True)
    return asyncio.run(_on_postgres(parsed, unit, postgresql_readonly=True, postgresql_deferrable=True))


def _in_transaction(url: str, unit: Callable[[Connection], T]) -> T:
    parsed = parse_url(url)
    if is_sqlite(parsed):
        return _on_sqlite(parsed, unit, read_only=False)
    return asyncio.run(_on_postgres(parsed, migrations.locked(unit)))


def _on_sqlite(url: URL, unit: Callable[[Connection], T], *, read_only: bool) -> T:
    engine = sqlite_engine(url, read_only=read_only)
    try:
        with engine.connect() as connection, connection.begin():
            return unit(connection)
    finally:
        engine.dispose()


async def _on_postgres(url: URL, unit: Callable[[Connection], T], **options: bool) -> T:
    pool = postgres_engine(url, pooled=False)
    try:
        async with pool.connect() as connection:
            await connection.execution_options(**options)
            async with connection.begin():
                return await connection.run_sync(unit)
    except (ConnectionError, socket.gaierror):
        raise Unreachable(Code.BUSY, "the database cannot be reached") from None
    finally:
        await pool.dispose()
