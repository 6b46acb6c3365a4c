"""Does an issuer that has issued much answer as quickly as an empty one? Issue, revoke, look up, on SQLite.

Two deployments, alike but for the rows, take turns at the same requests; what counts is the median of each, as wall
time from request to answer, since the disk and the writer's thread are what could become slow. The rows are put in by
SQL: offers, issuances and credentials with random keys, in closed lists of 2^20, as years of issuing leave them. Nobody
runs ANALYZE: the issuer does not, and where all of a column is empty SQLite would read the whole table after it.

``python -m benchmarks.issued_rows 10000000`` takes another number than ``make bench`` (some minutes and 15 GB).
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text

from benchmarks.credentials import Row
from comity.keys import KeySigner
from tests.services.issuer.deployed import LICENCE, NOW, ON, Deployed, Place, running

ROWS, TURNS, CHUNK, LIST = 1_000_000, 60, 100_000, 1 << 20
_QUIET: dict[str, Any] = {"publish_seconds": 3600.0, "erase_every_seconds": 3600.0}

_CHUNK = """
CREATE TEMP TABLE chunk AS
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last)
SELECT i, lower(hex(randomblob(10))) AS k FROM n
"""
_OFFERS = """
INSERT INTO offers (id, authority, type_slug, type_version, configuration_ids, batch_size, state, code_hash, attempts,
    erase_at, record_reference, credential_valid_until, created_at, expires_at, by_sign_in)
SELECT 'o' || k, :authority, 'drivers-licence', 1, 'drivers-licence.1.sdjwt', 1, 'redeemed', lower(hex(randomblob(32))),
    0, :now - i % 100000000, 'old-' || i, :ends + i % 100000000, :now - i % 100000000, :now - i % 100000000, 0
FROM chunk
"""
_ISSUANCES = """
INSERT INTO issuances (id, offer_id, configuration_id, notification_id, created_at, delivered_at)
SELECT 'i' || k, 'o' || k, 'drivers-licence.1.sdjwt', 'n' || k, :now - i % 100000000, :now - i % 100000000 FROM chunk
"""
_CREDENTIALS = """
INSERT INTO credentials (id, issuance_id, position, authority, type_slug, type_version, format, list_id, status_index,
    status, record_reference, number_index, name_index, issued_at, valid_until)
SELECT 'c' || k, 'i' || k, 0, :authority, 'drivers-licence', 1, 'dc+sd-jwt', :list + i / :size, i % :size,
    0, 'old-' || i, lower(hex(randomblob(32))), lower(hex(randomblob(32))), :now - i % 100000000, :ends + i % 100000000
FROM chunk
"""
_LISTS = """
INSERT INTO status_lists (id, authority, number, size, allocated, is_open, changes, published_changes, published_at,
    republish_at, fence)
VALUES (:id, :authority, :id, :size, :size, 0, 0, 0, :now, :now + 1000000000, 0)
"""


def measure(rows: int = ROWS) -> list[Row]:
    """Fill one database, and let both deployments take turns."""
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Place(Path(folder) / "empty"), Place(Path(folder) / "full")
        for place in (empty, full):
            place.prepare()
            asyncio.run(_start_and_stop(place))
        fill(full.settings().database, rows)
        took = asyncio.run(_turns(empty, full))
    return [
        Row(
            measure=f"{what} with {rows:,} issued rows, wall, SQLite",
            against="empty database",
            ours_us=statistics.median(of_full),
            yardstick_us=statistics.median(of_empty),
            must=1.5,
        )
        for what, (of_empty, of_full) in took.items()
    ]


def fill(url: str, rows: int) -> None:
    """Put as many issued credentials into an SQLite database as years of issuing leave there."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for number in range(-(-rows // LIST)):
            _list(connection, 1000 + number)
    for first in range(0, rows, CHUNK):
        with engine.begin() as connection:
            connection.execute(text(_CHUNK), {"first": first, "last": min(first + CHUNK, rows)})
            now = int(NOW.timestamp())
            told = {"authority": ON, "now": now, "ends": now, "list": 1000, "size": LIST}
            for statement in (_OFFERS, _ISSUANCES, _CREDENTIALS):
                names = {name: value for name, value in told.items() if f":{name}" in statement}
                connection.execute(text(statement), names)
            connection.execute(text("DROP TABLE chunk"))
    engine.dispose()


def _list(connection: Connection, number: int) -> None:
    now = int(NOW.timestamp())
    connection.execute(text(_LISTS), {"id": number, "authority": ON, "size": LIST, "now": now})


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


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(f"| {row.measure} | {row.against} | {row.ours_us:.0f} | {row.yardstick_us:.0f} | {row.ratio:.2f} |")
