"""Does an issuer that has issued much answer as quickly as an empty one? Issue, revoke, look up, on either database.

Two deployments, alike but for the rows, take turns at the same requests; what counts is the median of each, as wall
time from request to answer, since the disk and the writer's thread are what could become slow. The rows are put in by
SQL: offers, issuances and credentials in closed lists of 2^20, as years of issuing leave them. Their ids and hashes go
up row by row, so that ten million are put in within minutes, yet stand all over what a random one may be: those of the
measured requests come between them. Indexes that have names are made anew at the end, from all rows at once.

PostgreSQL counts its rows by itself from time to time, which is done here once (ANALYZE). On SQLite nobody does: the
issuer does not, and where all of a column is empty SQLite would read the whole table after it.

``make bench`` takes a million rows on SQLite. ``python -m benchmarks.issued_rows --rows 10000000 --database
postgresql`` takes others (ten million: some minutes and 15 GB); what that said stands in ``benchmarks/issued_rows.md``.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, text

from benchmarks.credentials import Row
from comity.keys import KeySigner
from comity.runtime.database import open_database
from issuer.store.offers import ERASED
from issuer.store.tables import credentials, issuances, offers
from tests.services.issuer.deployed import LICENCE, NOW, ON, Deployed, Place, running
from tests.support import postgres

ROWS, TURNS, CHUNK, LIST = 1_000_000, 60, 250_000, 1 << 20
SQLITE, POSTGRESQL = "sqlite", "postgresql"
NAMES = {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL"}
_QUIET: dict[str, Any] = {"publish_seconds": 3600.0, "erase_every_seconds": 3600.0}
_FILLED: tuple[Table, ...] = (offers, issuances, credentials)

_SERIES = "WITH RECURSIVE n(i) AS (SELECT CAST({first} AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {last})"
_BASE64URL = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_ID = (
    "substr('{letters}', CAST(i * 64 / {rows} AS INTEGER) + 1, 1) || "
    "substr('{letters}', CAST(i * 4096 / {rows} % 64 AS INTEGER) + 1, 1) || CAST(1000000000000 + i AS TEXT) || 'of-old'"
)
_HASH = (
    "substr('{letters}', CAST(i * 16 / {rows} AS INTEGER) + 1, 1) || "
    "substr('{letters}', CAST(i * 256 / {rows} % 16 AS INTEGER) + 1, 1) || CAST(1000000000000 + i AS TEXT) || '{rest}'"
)
_RANDOM = {
    SQLITE: "lower(hex(randomblob(32)))",
    POSTGRESQL: "md5(CAST(random() AS TEXT)) || md5(CAST(random() AS TEXT))",
}
_OFFERS = """
INSERT INTO offers (id, authority, type_slug, type_version, configuration_ids, batch_size, state, code_hash, attempts,
    erase_at, record_reference, credential_valid_until, created_at, expires_at, by_sign_in)
{series} SELECT {id}, '{authority}', 'drivers-licence', 1, 'drivers-licence.1.sdjwt', 1, 'redeemed', {hash},
    0, {erased}, 'old-' || i, {now} + i % 100000000, {now} - i % 100000000, {now} - i % 100000000, FALSE
FROM n
"""
_ISSUANCES = """
INSERT INTO issuances (id, offer_id, configuration_id, notification_id, created_at, delivered_at)
{series} SELECT {id}, {id}, 'drivers-licence.1.sdjwt', {id}, {now} - i % 100000000, {now} - i % 100000000 FROM n
"""
_CREDENTIALS = """
INSERT INTO credentials (id, issuance_id, position, authority, type_slug, type_version, format, list_id, status_index,
    status, record_reference, number_index, name_index, issued_at, valid_until)
{series} SELECT {id}, {id}, 0, '{authority}', 'drivers-licence', 1, 'dc+sd-jwt', 1000 + i / {size}, i % {size},
    0, 'old-' || i, {random}, {random}, {now} - i % 100000000, {now} + i % 100000000
FROM n
"""
_LISTS = """
INSERT INTO status_lists (id, authority, number, size, allocated, is_open, changes, published_changes, published_at,
    republish_at, fence)
VALUES ({id}, '{authority}', {id}, {size}, {size}, FALSE, 0, 0, {now}, 5000000000, 0)
"""


def measure(rows: int = ROWS, database: str = SQLITE) -> list[Row]:
    """Fill one database, and let both deployments take turns."""
    with tempfile.TemporaryDirectory() as folder, _two(Path(folder), database) as (empty, full):
        for place in (empty, full):
            place.prepare()
            asyncio.run(_start_and_stop(place))
        asyncio.run(fill(full.settings().database, rows))
        took = asyncio.run(_turns(empty, full))
    return [
        Row(
            measure=f"{what} with {rows:,} issued rows, wall, {NAMES[database]}",
            against="empty database",
            ours_us=statistics.median(of_full),
            yardstick_us=statistics.median(of_empty),
            must=1.5,
        )
        for what, (of_empty, of_full) in took.items()
    ]


@contextmanager
def _two(folder: Path, database: str) -> Iterator[tuple[Place, Place]]:
    """Yield two deployments with nothing in them, on a database of the wanted kind each, flushed at every commit."""
    if database == SQLITE:
        yield Place(folder / "empty"), Place(folder / "full")
        return
    postgres.OPTIONS.update(
        {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_wal_size": "8GB"}
    )
    is_ours = postgres.begin_run()
    try:
        with postgres.database() as one, postgres.database() as other:
            yield Place(folder / "empty", database=one), Place(folder / "full", database=other)
    finally:
        if is_ours:
            postgres.end_run()


async def fill(url: str, rows: int) -> None:
    """Put as many issued credentials into a database as years of issuing leave there."""
    database = open_database(url)
    try:
        await database.write(partial(_begin, rows=rows))
        for first in range(0, rows, CHUNK):
            await database.write(partial(_fill, rows=rows, first=first))
        await database.write(_finish)
    finally:
        await database.close()


def _begin(connection: Connection, *, rows: int) -> None:
    for table in _FILLED:
        for index in table.indexes:
            index.drop(connection)
    told = {"authority": ON, "size": LIST, "now": int(NOW.timestamp())}
    for number in range(-(-rows // LIST)):
        connection.execute(text(_LISTS.format(id=1000 + number, **told)))


def _fill(connection: Connection, *, rows: int, first: int) -> None:
    told = {
        "series": _SERIES.format(first=first, last=min(first + CHUNK, rows)),
        "id": _ID.format(letters=_BASE64URL, rows=rows),
        "hash": _HASH.format(letters="0123456789abcdef", rows=rows, rest="0" * 49),
        "random": _RANDOM[connection.dialect.name],
        "authority": ON,
        "size": LIST,
        "now": int(NOW.timestamp()),
        "erased": ERASED,
    }
    for statement in (_OFFERS, _ISSUANCES, _CREDENTIALS):
        connection.execute(text(statement.format(**told)))


def _finish(connection: Connection) -> None:
    for table in _FILLED:
        for index in table.indexes:
            index.create(connection)
    if connection.dialect.name == POSTGRESQL:
        connection.execute(text("ANALYZE"))


async def _start_and_stop(place: Place) -> None:
    async with running(place, **_QUIET):
        pass


async def _turns(empty: Place, full: Place) -> dict[str, tuple[list[float], list[float]]]:
    """Return the microseconds of every request, by what it asked for: first of the empty one, then of the full one."""
    took: dict[str, tuple[list[float], list[float]]] = {}
    async with running(empty, **_QUIET) as one, running(full, **_QUIET) as other:
        for turn in range(TURNS + 5):
            for position, issuer in enumerate((one, other)):
                for what, us in (await _requests(issuer, turn)).items():
                    if turn >= 5:  # before that, pages are read for the first time
                        took.setdefault(what, ([], []))[position].append(us)
    return took


async def _requests(issuer: Deployed, turn: int) -> dict[str, float]:
    """Issue one credential, look it up in two ways, and revoke it."""
    reference, number = f"new-{turn}", f"DEMO-{turn:06d}"
    claims = {**LICENCE, "licence_number": number}
    offer = await issuer.offer(type="drivers-licence/1", claims=claims, record_reference=reference)
    token, nonce = await issuer.token(offer), await issuer.nonce()
    proofs = [issuer.proof(KeySigner.generate(), nonce)]
    took: dict[str, float] = {}
    answer = await _timed(took, "issue", lambda: issuer.request(token, offer["configuration_ids"][0], proofs))
    if answer.status_code != 200:
        raise AssertionError(answer.text)
    (record,) = await _timed(took, "look up by file number", lambda: issuer.records(record_reference=reference))
    (same,) = await _timed(took, "look up by document number", lambda: issuer.records(number=number))
    if same != record:
        raise AssertionError("both ways lead to one record")
    path, headers = f"/api/v1/credentials/{record['id']}/revoke", issuer.as_role("supervisor")
    answer = await _timed(took, "revoke", lambda: issuer.client.post(path, json={"reason": "x"}, headers=headers))
    if answer.status_code != 200:
        raise AssertionError(answer.text)
    return took


async def _timed(took: dict[str, float], what: str, call: Callable[[], Awaitable[Any]]) -> Any:
    begun = time.perf_counter()
    answer = await call()
    took[what] = (time.perf_counter() - begun) * 1e6
    return answer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.issued_rows")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--database", choices=sorted(NAMES), default=SQLITE)
    return parser.parse_args()


if __name__ == "__main__":
    ARGUMENTS = _arguments()
    for row in measure(ARGUMENTS.rows, ARGUMENTS.database):
        print(f"| {row.measure} | {row.against} | {row.ours_us:.0f} | {row.yardstick_us:.0f} | {row.ratio:.2f} |")
