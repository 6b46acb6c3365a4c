"""The yardstick of ``benchmarks/endpoint.py``: a credential endpoint with nothing around it, over a copied database.

An ASGI function under the same uvicorn as the services. For each request it

1. reads the body with the standard library's ``json``, and both JWTs, of the key proof and of DPoP;
2. checks both with ``cryptography`` alone, each by the key in its own header: two fresh ES256 verifications;
3. commits what must stand before anything is signed, by the plain driver and fixed SQL: the offer of the token is read,
   then DPoP proof, nonce, issuance, credential at a random index (drawn at the start, each once), its list's count and
   a line of the audit are written;
4. signs an SD-JWT VC of ten disclosures, as the issuer does (the row *issue SD-JWT VC* says what that costs beside a
   bare signature);
5. commits that it left: the issuance and the offer; and answers.

SQLite has one writer thread, which takes all units that wait into one transaction with a SAVEPOINT each, as the
issuer's does; PostgreSQL is spoken to by asyncpg, serializable and with a pool. Both are as durable as the issuer's.

It refuses nothing but bad signatures, replays and unknown tokens: no typ, audience, nonce, times, key binding or kind
of token is looked at, no claim is unsealed, nothing is counted, logged, limited or checked after signing.
"""

import asyncio
import base64
import functools
import hashlib
import json
import queue
import secrets
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import asyncpg
import uvicorn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from sqlalchemy import make_url

from comity import formats
from comity.credential import Format
from comity.web.serving import configuration
from tests.support.world import LICENCE, World

MOST = 4096
"""Places in each status list that one run can fill."""
_ECDSA, _P256 = ec.ECDSA(hashes.SHA256()), ec.SECP256R1()
_OFFER = "SELECT id, authority, sealed_claims, credential_valid_until FROM offers WHERE token_hash = $1"
_RESERVED = (
    "INSERT INTO dpop_proofs (digest, expires_at) VALUES ($1, $2)",
    "INSERT INTO nonces (digest, expires_at) VALUES ($1, $2)",
    "INSERT INTO issuances (id, offer_id, configuration_id, notification_id, created_at, signed_by) "
    "VALUES ($1, $2, 'drivers-licence.1.sdjwt', $3, $4, 'a key')",
    "INSERT INTO credentials (id, issuance_id, position, authority, type_slug, type_version, format, list_id, "
    "status_index, status, holder_digest, number_index, name_index, issued_at, valid_until) "
    "VALUES ($1, $2, 0, $3, 'drivers-licence', 1, 'dc+sd-jwt', $4, $5, 0, $6, $7, $8, $9, $10)",
    "UPDATE status_lists SET allocated = allocated + 1 WHERE id = $1",
    "INSERT INTO audit (at, actor, action, authority, subject) VALUES ($1, 'wallet', 'credential_issued', $2, $3)",
)
_DELIVERED = (
    "UPDATE issuances SET delivered_at = $1 WHERE id = $2 AND delivered_at IS NULL",
    "UPDATE offers SET erase_at = $1 WHERE id = $2 AND erase_at > $1",
)
_LISTS = "SELECT id, size FROM status_lists"

Statements = list[tuple[str, tuple[Any, ...]]]
Unit = Callable[[Any], Statements]
"""Takes the row of the offer, and returns what is to be written."""


class Sqlite:
    """One writer thread with group commit."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._waiting: queue.Queue[tuple[str | None, Unit, asyncio.Future[Any]]] = queue.Queue()

    async def open(self) -> list[tuple[int, int]]:
        """Start the thread; return the lists."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._write, daemon=True).start()
        with closing(sqlite3.connect(self._path)) as connection:
            return list(connection.execute(_LISTS))

    def commit(self, token_hash: str | None, unit: Unit) -> Awaitable[Any]:
        """Run a unit; its row is what ``token_hash`` finds, and is returned when it is durable."""
        told = self._loop.create_future()
        self._waiting.put((token_hash, unit, told))
        return told

    def _write(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, cached_statements=64)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        while True:
            group = [self._waiting.get()]
            while not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            connection.execute("BEGIN IMMEDIATE")
            answers = [(told, _in_savepoint(connection, token_hash, unit)) for token_hash, unit, told in group]
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_tell, answers)


def _in_savepoint(connection: sqlite3.Connection, token_hash: str | None, unit: Unit) -> Any:
    connection.execute("SAVEPOINT one")
    try:
        row = None if token_hash is None else _execute(connection, _OFFER, (token_hash,)).fetchone()
        for statement, values in unit(row):
            _execute(connection, statement, values)
    except Exception as error:  # noqa: BLE001  (its waiter is told: if the thread ended, all would wait for ever)
        connection.execute("ROLLBACK TO one")
        return error
    finally:
        connection.execute("RELEASE one")
    return row


def _execute(connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
    return connection.execute(_named(statement), {f"v{number}": value for number, value in enumerate(values, 1)})


@functools.cache
def _named(statement: str) -> str:
    # Not ``?1``: Python 3.12 takes that for a name, and warns of a sequence of values.
    return statement.replace("$", ":v")


def _tell(answers: list[tuple["asyncio.Future[Any]", Any]]) -> None:
    for told, answer in answers:
        if isinstance(answer, Exception):
            told.set_exception(answer)
        else:
            told.set_result(answer)


class Postgres:
    """A pool of asyncpg; who loses a race tries again, one after the other."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._losers = asyncio.Lock()

    async def open(self) -> list[tuple[int, int]]:
        """Open the pool; return the lists."""
        address = make_url(self._url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool = await asyncpg.create_pool(address, min_size=10, max_size=10)
        return [tuple(row) for row in await self._pool.fetch(_LISTS)]

    async def commit(self, token_hash: str | None, unit: Unit) -> Any:
        """As :meth:`Sqlite.commit`."""
        if not self._losers.locked():
            try:
                return await self._once(token_hash, unit)
            except asyncpg.SerializationError:
                pass
        async with self._losers:
            while True:
                try:
                    return await self._once(token_hash, unit)
                except asyncpg.SerializationError:
                    await asyncio.sleep(0.01)

    async def _once(self, token_hash: str | None, unit: Unit) -> Any:
        async with self._pool.acquire() as connection, connection.transaction(isolation="serializable"):
            row = None if token_hash is None else await connection.fetchrow(f"{_OFFER} FOR UPDATE", token_hash)
            for statement, values in unit(row):
                await connection.execute(statement, *values)
            return row


class Endpoint:
    """The ASGI application."""

    def __init__(self, database: Sqlite | Postgres) -> None:
        self._database = database
        self._world = World()
        self._slots: list[tuple[int, int]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, whatever its path."""
        if scope["type"] != "http":
            await self._live(receive, send)
            return
        is_asked_for = scope["method"] == "POST"
        answer = await self._answer(dict(scope["headers"]), await _body(receive)) if is_asked_for else b"{}"
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": answer})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        lists, draw = await self._database.open(), secrets.SystemRandom()
        self._slots = [(listed, index) for listed, size in lists for index in draw.sample(range(size), min(size, MOST))]
        draw.shuffle(self._slots)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        asked = json.loads(body)  # noqa: TID251  (the yardstick is what a plain program does)
        holder, proof = _verified(asked["proofs"]["jwt"][0])
        _, dpop = _verified(headers[b"dpop"].decode())
        token_hash, now = _hashed(headers[b"authorization"].partition(b" ")[2]), int(time.time())  # noqa: TID251
        issuance, notification, (listed, index) = _new_id(), _new_id(), self._slots.pop()

        def reserve(offer: Any) -> Statements:
            values: tuple[tuple[Any, ...], ...] = (
                (_hashed(dpop["jti"].encode()), now + 300),
                (_hashed(proof["nonce"].encode()), now + 300),
                (issuance, offer[0], notification, now),
                (_new_id(), issuance, offer[1], listed, index, _ANY, _ANY, _ANY, now, offer[3]),
                (listed,),
                (now, offer[1], offer[0]),
            )
            return list(zip(_RESERVED, values, strict=True))

        offer = await self._database.commit(token_hash, reserve)
        unsigned = self._world.credential(self._world.on, Format.DC_SD_JWT, LICENCE, holder_jwk=holder)
        signed = formats.FORMATS[Format.DC_SD_JWT].sign(unsigned, self._world.on.key, self._world.on.x5c)
        values = ((now, issuance), (now + 600, offer[0]))
        await self._database.commit(None, lambda _: list(zip(_DELIVERED, values, strict=True)))
        answer = {"credentials": [{"credential": signed.encoded}], "notification_id": notification}
        return json.dumps(answer, separators=(",", ":")).encode()


_ANY = "0" * 64


async def _body(receive: Any) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _verified(jwt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return key and claims of a JWT, verified by the key in its header."""
    header, payload, signature = jwt.split(".")
    jwk = json.loads(_decoded(header))["jwk"]  # noqa: TID251
    x, y = (int.from_bytes(_decoded(jwk[name]), "big") for name in "xy")
    raw = _decoded(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key = ec.EllipticCurvePublicNumbers(x, y, _P256).public_key()
    key.verify(encode_dss_signature(r, s), f"{header}.{payload}".encode(), _ECDSA)
    return jwk, json.loads(_decoded(payload))  # noqa: TID251


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _hashed(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def _new_id() -> str:
    return secrets.token_urlsafe(16)


if __name__ == "__main__":
    PORT, DATABASE = int(sys.argv[1]), sys.argv[2]
    STORE = Postgres(DATABASE) if DATABASE.startswith("postgresql") else Sqlite(DATABASE)
    CONFIGURATION = configuration(Endpoint(STORE))
    CONFIGURATION.host, CONFIGURATION.port = "127.0.0.1", PORT
    uvicorn.Server(CONFIGURATION).run()
