"""What is kept, what is erased, and what no file and no log line ever holds (X06)."""

import base64
import io
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from comity import base64url, keys
from comity.openid.presentation import response
from comity.runtime import logging as house_logging
from tests.services.verifier.deployed import Deployed, Place, running
from tests.services.verifier.federation import CANARY, LICENCE, PERSON, SERVER
from tests.support.waiting import until
from verifier.store import requests

WORDS = (CANARY, CANARY.upper(), CANARY.casefold())
FORMS_OF_THE_CANARY = [
    form
    for word in WORDS
    for raw in (unicodedata.normalize("NFC", word).encode(), unicodedata.normalize("NFD", word).encode())
    for form in (raw, base64.b64encode(raw).rstrip(b"=")[:-1], raw.hex().encode(), word.encode("unicode_escape"))
]


def files_holding(folder: Path, needles: list[bytes]) -> list[str]:
    return [
        path.name
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for data in [path.read_bytes()]
        for needle in needles
        if needle in data
    ]


def rows(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(requests)).mappings()]


async def told(verifier: Deployed) -> dict[str, Any]:
    """Let the canary through: a request whose answer discloses the name."""
    started = await verifier.start("server-and-person", place="ca-bc")
    asked = await verifier.fetch(started)
    token = verifier.vp_token(asked, verifier.person("family_name"))
    assert (await verifier.post(started, response.build(asked, token))).status_code == 200
    return started


async def accepted(verifier: Deployed) -> dict[str, Any]:
    """Let the canary through and be accepted."""
    started = await verifier.start("server-and-person", place="ca-bc")
    certificate = (verifier.held(SERVER), ("certification_number", "expires_on"))
    chosen = {"serving-it-right_sdjwt": certificate, **verifier.person("family_name")}
    assert (await verifier.answer(started, chosen)).status_code == 200
    result = await verifier.result(started)
    assert result["claims"]["person_sdjwt"] == [{"family_name": CANARY}]
    return started


@pytest.mark.sqlite_files
@pytest.mark.clause("TSL-11")
@pytest.mark.attack("K06", "X06")
async def test_no_file_ever_holds_a_claim_in_the_clear(verifier: Deployed, place: Place) -> None:
    await accepted(verifier)
    await told(verifier)
    thumbprint = keys.thumbprint(verifier.holder.public_jwk).encode()
    assert (verifier.settings.data_folder / "verifier.sqlite3-wal").exists()
    assert files_holding(place.folder, [*FORMS_OF_THE_CANARY, thumbprint]) == []


@pytest.mark.sqlite_files
@pytest.mark.attack("X06")
@pytest.mark.good_twin("X06")
async def test_no_file_holds_a_piece_of_what_was_presented(verifier: Deployed, place: Place) -> None:
    """Accepted or rejected: neither credential nor holder's proof, nor what nobody asked for, nor the answer."""
    for chosen, verdict in (
        ({"drivers-licence_sdjwt": (verifier.held(LICENCE), ("class", "expires_on"))}, "accepted"),
        ({"drivers-licence_sdjwt": (verifier.held(LICENCE), ("class", "given_names"))}, "rejected"),
    ):
        asked = await verifier.fetch(started := await verifier.start())
        token = verifier.vp_token(asked, chosen)
        answer = response.build(asked, token)
        assert (await verifier.post(started, answer)).status_code == 200
        assert (await verifier.result(started))["verdict"] == verdict
        jwt, *disclosures, proof = token["drivers-licence_sdjwt"][0].split("~")
        pieces = [part for each in (jwt, proof) for part in each.split(".")[1:]] + disclosures
        needles = [*(each.encode() for each in pieces), *(base64url.decode(each) for each in pieces)]
        assert files_holding(place.folder, [*needles, answer[-200:].encode()]) == []
        kept = started["request_id"].encode()
        assert files_holding(verifier.settings.data_folder, [kept]) != [], "the search finds what does lie there"


@pytest.mark.attack("X06")
async def test_a_rejected_answer_leaves_no_claim_at_all(verifier: Deployed) -> None:
    started = await told(verifier)
    result = await verifier.result(started)
    assert result["verdict"] == "rejected"
    assert CANARY not in str(result)


@pytest.mark.both_databases
@pytest.mark.attack("X06", "X12")
@pytest.mark.good_twin("X06")
async def test_reports_are_erased_when_their_time_is_over(verifier: Deployed, place: Place) -> None:
    started = await accepted(verifier)
    database = verifier.deployment.database
    (row,) = await database.read(rows)
    assert row["sealed_report"] is not None
    assert row["sealed_key"] is None  # its decryption key went with the answer
    verifier.clock.advance(timedelta(seconds=600))
    assert await verifier.deployment.verifying.erase() == 0
    assert "claims" in await verifier.result(started)
    verifier.clock.advance(timedelta(seconds=1))
    assert await verifier.deployment.verifying.erase() == 1
    assert await verifier.result(started) == {"verdict": "accepted", "codes": [], "erased": True}
    (left,) = await database.read(rows)
    assert (left["sealed_report"], left["verdict"], left["codes"]) == (None, "accepted", "[]")
    assert await verifier.deployment.verifying.erase() == 0
    await database.close()
    assert files_holding(place.folder, [*FORMS_OF_THE_CANARY, row["sealed_report"]]) == []


async def test_codes_outlive_the_report(verifier: Deployed) -> None:
    started = await verifier.start("age-alcohol", place="ca-on")
    answer = await verifier.answer(started, {"person_sdjwt": (verifier.held(PERSON), ("age_over_19",))})
    assert answer.status_code == 200
    verifier.clock.advance(timedelta(hours=1))
    await verifier.deployment.verifying.erase()
    assert await verifier.result(started) == {
        "verdict": "rejected",
        "codes": ["age_requirement_not_met"],
        "erased": True,
    }


async def test_the_address_a_person_was_sent_to_goes_too(verifier: Deployed) -> None:
    started = await verifier.start(flow="same_device", redirect_uri="https://bar.example/back?session=77")
    assert (await verifier.answer(started)).status_code == 200
    verifier.clock.advance(timedelta(seconds=601))
    await verifier.deployment.verifying.erase()
    (row,) = await verifier.deployment.database.read(rows)
    assert row["redirect_uri"] is None


@pytest.mark.both_databases
async def test_keys_of_requests_that_nobody_answered_go_with_them(verifier: Deployed, place: Place) -> None:
    started = await verifier.start()
    await verifier.fetch(started)
    database = verifier.deployment.database
    (row,) = await database.read(rows)
    verifier.clock.advance(timedelta(seconds=299))
    assert await verifier.deployment.verifying.erase() == 0
    assert (await database.read(rows))[0]["sealed_key"] == row["sealed_key"]
    verifier.clock.advance(timedelta(seconds=1))
    assert await verifier.deployment.verifying.erase() == 1
    assert (await database.read(rows))[0]["sealed_key"] is None
    assert (await verifier.outcome(started))["state"] == "expired"
    await database.close()
    assert files_holding(place.folder, [row["sealed_key"]]) == []


async def test_what_an_unanswered_request_said_of_a_person_goes_too(place: Place) -> None:
    """Also where answers are not encrypted, and there is no key to be erased: a transaction, and where somebody was."""
    kind = "https://types.comity.example/transactions/fee-payment/1"
    transaction = {"type": kind, "payee": "Harbour Books", "amount": "25.00", "currency": "CAD", "reference": "7"}
    back = "https://bar.example/back?session=77"
    async with running(place, response_mode="direct_post") as verifier:
        await verifier.start(flow="same_device", redirect_uri=back, transactions=[transaction])
        verifier.clock.advance(timedelta(seconds=299))
        assert await verifier.deployment.verifying.erase() == 0
        verifier.clock.advance(timedelta(seconds=1))
        assert await verifier.deployment.verifying.erase() == 1
        (row,) = await verifier.deployment.database.read(rows)
        assert (row["sealed_particulars"], row["redirect_uri"]) == (None, None)


@pytest.mark.both_databases
@pytest.mark.attack("X06")
async def test_the_timer_erases(place: Place) -> None:
    async with running(place) as verifier:
        await accepted(verifier)
    async with running(place, at=verifier.clock.now() + timedelta(hours=1), erase_every_seconds=0.01) as later:

        async def is_erased() -> bool:
            return (await later.deployment.database.read(rows))[0]["sealed_report"] is None

        await until(is_erased, "the timer erases")


async def test_a_report_moved_to_another_request_is_not_read(verifier: Deployed) -> None:
    one, two = await accepted(verifier), await verifier.start()
    assert (await verifier.answer(two)).status_code == 200

    def swap(connection: Connection) -> None:
        wanted = select(requests.c.sealed_report).where(requests.c.id == one["request_id"])
        report = connection.execute(wanted).scalar_one()
        connection.execute(requests.update().where(requests.c.id == two["request_id"]).values(sealed_report=report))

    await verifier.deployment.database.write(swap)
    answer = await verifier.read(two)
    assert answer.json()["code"] == "record_tampered"
    assert CANARY not in answer.text


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.attack("K06", "X06", "X08")
async def test_no_log_line_holds_anything_personal(place: Place, environment: str) -> None:
    written = io.StringIO()
    house_logging.configure("verifier", environment, stream=written)
    async with running(place) as verifier:
        started = await accepted(verifier)
        await told(verifier)
        asked = await verifier.fetch(other := await verifier.start(flow="same_device"))
        body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
        await verifier.post(other, body + "x")
        redirected = (await verifier.post(other, body)).json()["redirect_uri"]
        await verifier.post(other, body)
        await verifier.client.post("/api/v1/requests", json={"policy": CANARY}, headers=verifier.as_party())
    lines = written.getvalue()
    assert "request answered" in lines
    assert "wallet refused" in lines
    assert "query_not_satisfied" in lines  # reasons are told, persons are not
    assert "request_already_answered" in lines
    secrets = [
        *(started[name] for name in ("transaction_id", "request_id")),
        *(other[name] for name in ("transaction_id", "request_id")),
        *(str(asked.nonce), str(asked.state), redirected.rpartition("=")[2], body[20:60]),
        *verifier.tokens.values(),
        keys.thumbprint(verifier.holder.public_jwk),
        *WORDS,
    ]
    assert [secret for secret in secrets if secret in lines] == []
