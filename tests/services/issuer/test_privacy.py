"""What is kept, what is erased, and what no file and no log line ever holds."""

import base64
import io
import unicodedata
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from comity import base64url, strict_json
from comity.errors import Code, Malformed
from comity.keys import KeySigner
from comity.runtime import logging as house_logging
from comity.runtime import migrations
from comity.runtime.keystore import FileKeyStore
from issuer import issuing
from issuer.secrecy import Secrecy, normalised
from issuer.store import metadata
from issuer.store import offers as offers_store
from issuer.store.tables import credentials, offers
from tests.services.issuer.deployed import CANARY, LICENCE, NUMBER, ON, PERSON, Deployed, Place, running
from tests.services.issuer.test_status import change, issued, published
from tests.support.waiting import until

FORMS_OF_THE_CANARY = [
    form
    for word in (CANARY, NUMBER, CANARY.upper(), CANARY.casefold(), "2008-03-14")
    for raw in (unicodedata.normalize("NFC", word).encode(), unicodedata.normalize("NFD", word).encode())
    for form in (raw, base64.b64encode(raw).rstrip(b"=")[:-1], raw.hex().encode(), word.encode("unicode_escape"))
]


def files_holding(folder: Path, needles: list[bytes]) -> list[str]:
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "people.json":  # the demonstration's own source of claims
            data = path.read_bytes()
            found += [path.name for needle in needles if needle in data]
    return found


def sealed(connection: Connection) -> list[bytes | None]:
    return list(connection.execute(select(offers.c.sealed_claims)).scalars())


@pytest.fixture
async def used(place: Place) -> AsyncIterator[Deployed]:
    """A deployment that issued one licence and left one offer lying."""
    async with running(place) as issuer:
        wanted: dict[str, Any] = {"type": "drivers-licence/1", "claims": LICENCE, "formats": ["dc+sd-jwt", "vc+jwt"]}
        offer = await issuer.offer(**wanted)
        token = await issuer.token(offer)
        for configuration in offer["configuration_ids"]:
            answer = await issuer.receive(offer, configuration=configuration, token=token)
            assert answer.status_code == 200
        await issuer.offer(**wanted)
        yield issuer


@pytest.mark.sqlite_files
@pytest.mark.attack("K06", "X07")
async def test_no_file_ever_holds_a_claim_in_the_clear(used: Deployed, place: Place) -> None:
    assert files_holding(place.folder, FORMS_OF_THE_CANARY) == []
    database = used.settings.data_folder / "issuer.sqlite3"
    assert NUMBER.encode() not in database.read_bytes()
    assert (database.with_name("issuer.sqlite3-wal")).exists()


@pytest.mark.sqlite_files
@pytest.mark.attack("X07")
@pytest.mark.good_twin("X07")
async def test_no_file_holds_a_piece_of_what_was_issued(issuer: Deployed, place: Place) -> None:
    """Neither credentials nor holder keys nor salts, in no file of the database, its journal among them.

    The twin: what is kept is enough to revoke it, and the search finds what does lie there.
    """
    offer, holder = await issuer.offer(), KeySigner.generate()
    credential = (await issuer.receive(offer, holder)).json()["credentials"][0]["credential"]
    jwt, *disclosures = credential.rstrip("~").split("~")
    salts = [strict_json.parse(base64url.decode(each))[0] for each in disclosures]
    key = [holder.public_jwk["x"], holder.public_jwk["y"], holder.thumbprint]
    pieces = [*jwt.split(".")[1:], *disclosures, *salts, *key]
    raw = [base64url.decode(each) for each in pieces]
    assert len(salts) >= len(PERSON)
    assert files_holding(place.folder, [each.encode() for each in pieces] + raw) == []
    (record,) = (
        await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role("clerk"))
    ).json()["credentials"]
    assert files_holding(issuer.settings.data_folder, [record["id"].encode()]) != []


@pytest.mark.both_databases
@pytest.mark.clause("VCI-45")
@pytest.mark.attack("X07")
async def test_claims_are_erased_when_their_time_comes(used: Deployed, place: Place) -> None:
    database = used.deployment.database
    kept = [value for value in await database.read(sealed) if value is not None]
    assert len(kept) == 2
    used.clock.advance(timedelta(seconds=299))
    assert await issuing.erase_due(used.deployment) == 0
    used.clock.advance(timedelta(seconds=1))  # the token ends: nobody can ask for these claims any more
    assert await issuing.erase_due(used.deployment) == 1
    used.clock.advance(timedelta(seconds=300))  # the offer that nobody took ends
    assert await issuing.erase_due(used.deployment) == 1
    assert set(await database.read(sealed)) == {None}
    assert set(await database.read(lambda c: list(c.execute(select(credentials.c.holder_digest)).scalars()))) == {None}
    await database.close()
    assert files_holding(place.folder, [*FORMS_OF_THE_CANARY, *kept]) == []


@pytest.mark.both_databases
async def test_what_was_erased_is_not_looked_at_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or each round would read all that was ever offered, while nothing else can be written."""
    monkeypatch.setattr(offers_store, "AT_ONCE", 2)
    async with running(place, erase_every_seconds=3600.0) as issuer:
        deployment = issuer.deployment
        for _ in range(3):
            await issuer.offer()
        issuer.clock.advance(timedelta(hours=1))

        def due(connection: Connection) -> int:
            wanted = select(func.count()).where(offers.c.erase_at <= deployment.now())
            return connection.execute(wanted).scalar_one()

        for erased, left in ((2, 1), (1, 0), (0, 0)):
            assert await issuing.erase_due(deployment) == erased
            assert await deployment.database.read(due) == left
        assert set(await deployment.database.read(sealed)) == {None}


async def test_claims_go_before_the_token_when_the_settings_say_so(place: Place) -> None:
    async with running(place, retry_seconds=30) as issuer:
        offer, holder = await issuer.offer(), KeySigner.generate()
        token, nonce = await issuer.token(offer), await issuer.nonce()
        proofs = [issuer.proof(holder, nonce)]
        body = (await issuer.request(token, "person.1.sdjwt", proofs)).json()
        issuer.clock.advance(timedelta(seconds=29))
        assert (await issuer.request(token, "person.1.sdjwt", proofs)).status_code == 200
        issuer.clock.advance(timedelta(seconds=1))
        await issuing.erase_due(issuer.deployment)
        refused = await issuer.request(token, "person.1.sdjwt", proofs)
        assert (refused.status_code, refused.json()["error"]) == (400, "credential_request_denied")
        note = {"notification_id": body["notification_id"], "event": "credential_accepted"}
        bearer = {"authorization": f"Bearer {token}"}
        assert (await issuer.client.post(f"/{ON}/notification", json=note, headers=bearer)).status_code == 204


@pytest.mark.both_databases
async def test_a_dead_offer_has_no_claims(issuer: Deployed) -> None:
    offer = await issuer.offer(transaction_code=True)
    wrong = f"{(int(offer['transaction_code']) + 1) % 1_000_000:06d}"
    for _ in range(5):
        await issuer.redeem(offer, tx_code=wrong)
    assert await issuer.deployment.database.read(sealed) == [None]


@pytest.mark.both_databases
@pytest.mark.attack("X07")
async def test_the_timer_erases(place: Place) -> None:
    async with running(place) as issuer:
        await issuer.offer()
        clock = issuer.clock
    clock.advance(timedelta(seconds=600))
    async with running(place, clock, erase_every_seconds=0.01) as issuer:

        async def is_erased() -> bool:
            return await issuer.deployment.database.read(sealed) == [None]

        await until(is_erased, "the timer erases")


@pytest.mark.both_databases
async def test_records_are_found_without_case_and_in_either_normal_form(issuer: Deployed) -> None:
    offer = await issuer.offer(type="drivers-licence/1", claims=LICENCE, record_reference="file 1/é")
    await issuer.receive(offer)
    for query in (
        {"number": NUMBER.lower()},
        {"name": f" MAYA  {CANARY.upper()} "},
        {"name": unicodedata.normalize("NFD", f"Maya {CANARY}")},
        {"record_reference": "file 1/é", "number": NUMBER},
    ):
        assert len(await issuer.records(**query)) == 1, query
    for query in ({"number": NUMBER[:-1]}, {"name": "Maya"}, {"number": NUMBER, "name": "Maya"}):
        assert await issuer.records(**query) == [], query
    body = {"authority": ON, "number": NUMBER}
    found = await issuer.client.post("/api/v1/credentials/search", json=body, headers=issuer.as_role("clerk"))
    assert len(found.json()["credentials"]) == 1


@pytest.mark.attack("K06", "X08")
async def test_nothing_personal_reaches_the_log(place: Place) -> None:
    stream = io.StringIO()
    house_logging.configure("issuer", "production", stream=stream)
    async with running(place) as issuer:
        offer = await issuer.offer(transaction_code=True)
        token = await issuer.token(offer, tx_code=offer["transaction_code"])
        await issuer.receive(offer, token=token)
        assert (await change(issuer, await issued(issuer), "revoke")).status_code == 200
        await published(issuer)
        bad = await issuer.client.post(
            "/api/v1/offers",
            json={"authority": ON, "type": "person/1", "claims": {**PERSON, "birthdate": CANARY}},
            headers=issuer.as_role("clerk"),
        )
        assert bad.json()["code"] == "claims_invalid"
        assert "birthdate: " in bad.json()["detail"]
        assert CANARY not in bad.text
        code = offer["credential_offer"]["grants"]
        secrets = [token, offer["transaction_code"], str(next(iter(code.values()))["pre-authorized_code"])]
    log = stream.getvalue()
    assert "status list published" in log
    assert [word for word in [*secrets, CANARY, NUMBER, *issuer.tokens.values()] if word in log] == []


@pytest.mark.both_databases
async def test_the_audit_log_only_grows(issuer: Deployed) -> None:
    await issuer.offer()
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):

        def change(connection: Connection, given: str = statement) -> None:
            connection.execute(text(given))

        with pytest.raises(DBAPIError, match="only grows"):
            await issuer.deployment.database.write(change)
    events = await issuer.client.get("/api/v1/audit", params={"authority": ON}, headers=issuer.as_role("admin"))
    assert [line["action"] for line in events.json()["events"]] == ["offer_created"]
    assert CANARY not in events.text


def test_the_history_makes_the_tables(place: Place) -> None:
    url = f"sqlite:///{place.folder / 'fresh.sqlite3'}"
    migrations.upgrade(url, "issuer")
    assert migrations.differences(url, metadata) == []


# --- secrecy


def test_sealed_claims_open_only_for_their_offer_and_secret() -> None:
    one, two = Secrecy(b"1" * 32), Secrecy(b"2" * 32)
    data = one.seal(PERSON, "offer")
    assert one.unseal(data, "offer") == PERSON
    assert one.seal(PERSON, "offer") != data
    for secrecy, sealed_data, offer in (
        (one, data, "other"),
        (two, data, "offer"),
        (one, data[:-1], "offer"),
        (one, b"", "offer"),
        (one, data[:-1] + bytes([data[-1] ^ 1]), "offer"),
    ):
        with pytest.raises(Malformed) as raised:
            secrecy.unseal(sealed_data, offer)
        assert raised.value.code is Code.RECORD_TAMPERED


def test_every_derived_value_depends_on_the_secret_and_on_each_part() -> None:
    one, two = Secrecy(b"1" * 32), Secrecy(b"2" * 32)
    values = [
        one.code_of("a"),
        one.code_of("b"),
        two.code_of("a"),
        one.link_of("a"),
        two.link_of("a"),
        one.transaction_code_hash("c", "1"),
        one.transaction_code_hash("d", "1"),
        one.transaction_code_hash("c", "2"),
        two.transaction_code_hash("c", "1"),
        one.number_index(ON, "1"),
        one.number_index("ca-bc/services", "1"),
        one.name_index(ON, "1"),
        two.number_index(ON, "1"),
        one.holder_digest("t", "c", "k"),
        one.holder_digest("u", "c", "k"),
        one.holder_digest("t", "d", "k"),
        one.holder_digest("t", "c", "l"),
    ]
    assert len(set(values)) == len(values)
    assert one.offer_of_link(one.link_of("a")) == "a"
    for link in (two.link_of("a"), "a", "a.", "", "é.é"):
        assert one.offer_of_link(link) is None


def test_names_are_compared_as_people_do() -> None:
    assert normalised("  ÉLISE\tGagné ") == normalised("élise gagné")
    assert normalised("Straße") == normalised("STRASSE")
    assert normalised("Elise") != normalised("Élise")


def test_a_secret_is_made_once_and_read_only_by_its_owner(tmp_path: Path) -> None:
    store = FileKeyStore(tmp_path / "keys")
    assert not store.has_secret("x")
    with pytest.raises(Exception, match="no secret called x"):
        store.secret("x")
    made = store.create_secret("x")
    assert (len(made), store.secret("x"), store.has_secret("x")) == (32, made, True)
    with pytest.raises(Exception, match="already"):
        store.create_secret("x")
    file = tmp_path / "keys" / "x.secret"
    file.chmod(0o644)
    with pytest.raises(Exception, match="chmod 600"):
        store.secret("x")
    file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(Exception, match="32 bytes"):
        store.secret("x")
    file.unlink()
    file.mkdir()
    with pytest.raises(Exception, match="cannot be used"):
        store.secret("x")
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot be used"):
        FileKeyStore(tmp_path / "file").create_secret("x")


@given(st.text(st.characters()))
def test_any_text_is_a_nonce_or_an_address_or_is_not(given_text: str) -> None:
    secrecy = Secrecy(b"1" * 32)
    assert secrecy.nonce_expiry(ON, given_text) is None
    assert secrecy.offer_of_link(given_text) is None


@given(st.integers(0, 2**40), st.text(st.characters(codec="ascii"), min_size=1))
def test_a_nonce_tells_its_own_end_to_its_own_authority(ends_at: int, other: str) -> None:
    secrecy = Secrecy(b"1" * 32)
    nonce = secrecy.new_nonce(ON, expires_at=ends_at)
    assert secrecy.nonce_expiry(ON, nonce) == ends_at
    assert secrecy.nonce_expiry(ON + other, nonce) is None
