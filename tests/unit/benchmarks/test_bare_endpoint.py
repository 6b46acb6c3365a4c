"""The yardstick of the credential endpoint really commits: an unknown token and a proof it saw change nothing."""

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from benchmarks.bare_endpoint import Sqlite, Statements, _verified
from benchmarks.endpoint import cpu_nanoseconds
from comity.keys import KeySigner
from comity.openid import dpop
from tests.support.world import NOW

SCHEMA = """
CREATE TABLE offers (id, authority, sealed_claims, credential_valid_until, token_hash);
CREATE TABLE status_lists (id, size);
CREATE TABLE nonces (digest PRIMARY KEY);
INSERT INTO offers VALUES ('offer', 'ca-on/services', NULL, 7, 'token');
INSERT INTO status_lists VALUES (1, 8);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "bare.db"
    with sqlite3.connect(made) as connection:
        connection.executescript(SCHEMA)
    connection.close()
    return made


async def test_a_unit_is_made_once_and_as_a_whole(path: Path) -> None:
    database = Sqlite(str(path))
    assert await database.open() == [(1, 8)]

    def spend(*digests: str) -> Any:
        def unit(row: Any) -> Statements:
            return [("INSERT INTO nonces VALUES ($1)", (f"{row[0]} {digest}",)) for digest in digests]

        return unit

    assert (await database.commit("token", spend("first")))[0] == "offer"
    with pytest.raises(sqlite3.IntegrityError):
        await database.commit("token", spend("other", "first"))
    with pytest.raises(TypeError):
        await database.commit("unknown", spend("third"))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT digest FROM nonces").fetchall() == [("offer first",)]
    connection.close()


async def test_whoever_waits_is_told_of_any_failure_and_the_writer_goes_on(path: Path) -> None:
    database = Sqlite(str(path))
    await database.open()

    def failing(_row: Any) -> Statements:
        raise LookupError("none of those that are expected")

    async with asyncio.timeout(20):
        with pytest.raises(LookupError):
            await database.commit("token", failing)
        assert (await database.commit("token", lambda _row: []))[0] == "offer"


def test_a_proof_is_verified_by_the_key_it_names() -> None:
    signer = KeySigner.generate()
    proof = dpop.build(signer, method="POST", url="https://issuer.example/token", at=NOW)
    jwk, claims = _verified(proof)
    assert (jwk, claims["htm"]) == (signer.public_jwk, "POST")
    header, _, signature = proof.split(".")
    with pytest.raises(InvalidSignature):
        _verified(f"{header}.e30.{signature}")


def test_cpu_is_that_of_all_threads() -> None:
    before = cpu_nanoseconds(os.getpid())
    assert sum(range(3_000_000)) > 0
    assert cpu_nanoseconds(os.getpid()) > before
