"""What a restore does to sign-ins, clerks, revocations under way and files of many rows (catalogue F31)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from comity.keys import KeySigner
from comity.runtime import backup_file
from comity.runtime.clock import FixedClock
from issuer import approving, bulk, clients, signing_in
from issuer.store import metadata
from issuer.store.bulk import RowState
from tests.services.issuer.clerks import PASSWORD, AtDesk, employ, hidden, sign_in, words
from tests.services.issuer.deployed import AUTHORITIES, NOW, ON, Deployed, Place, running
from tests.services.issuer.signing_in import Wallet
from tests.services.issuer.test_console_files import GOOD, KIND, sheet
from tests.services.issuer.test_console_records import SIR, WHY, asked, issued, statuses
from tests.services.issuer.test_restore import PASSPHRASE, again, back_up, published, restored

LATER = timedelta(minutes=5)
on_both = pytest.mark.both_databases


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_file, "COST", (1 << 10, 8, 1))


@pytest.fixture
def undoable(place: Place) -> Place:
    """An authority that issues a type whose revocation can be undone."""
    entries = [dict(each) for each in AUTHORITIES]
    entries[0] |= {"types": ["person/1", "drivers-licence/1", "serving-it-right/1"]}
    (place.folder / "authorities.json").write_text(json.dumps(entries), "utf-8")
    return place


async def revoking(issuer: Deployed) -> tuple[AtDesk, str, dict[str, str]]:
    """Begin a revocation; returns who can undo it, the record and the field that names it."""
    await employ(issuer)
    record = await issued(issuer, "serving-it-right/1", SIR, KeySigner.generate(), KeySigner.generate())
    desk = await sign_in(issuer, "supervisor")
    under_way = await desk.post(f"/records/{record}/revoke", WHY)
    assert await statuses(issuer) == {"suspended"}
    await published(issuer)
    return desk, record, asked(under_way)


def rows_of(file: Path, table: str) -> list[dict[str, Any]]:
    with backup_file.reading(file, PASSPHRASE) as opened:
        parts = [part for part, _ in opened.parts() if part.get("table") == table]
    return [dict(zip(part["columns"], row, strict=True)) for part in parts for row in part["rows"]]


@on_both
async def test_no_code_and_no_refresh_token_comes_back(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        unused, wallet = Wallet(issuer), Wallet(issuer)
        code, tokens = await unused.code(), await wallet.tokens()
        pushed = await unused.request_uri()
        file = await back_up(place)
    assert rows_of(file, "offers")
    assert not rows_of(file, "authorizations")
    assert not rows_of(file, "refresh_tokens")
    assert (await restored(place, file, empty_database))["offers ended"] == 2
    async with again(place, empty_database) as issuer:
        unused.issuer = wallet.issuer = issuer
        for answer in (await unused.redeem(code), await wallet.refresh(tokens["refresh_token"])):
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert (await wallet.ask(tokens["access_token"])).status_code == 401
        assert (await issuer.client.get(unused.start_url(pushed))).status_code in {400, 404}
        fresh = await Wallet(issuer).tokens()  # the good twin
        assert (await wallet.ask(fresh["access_token"])).status_code == 200


async def test_a_challenge_for_clients_is_void(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        authority = issuer.deployment.authorities[ON]
        challenge = clients.new_challenge(issuer.deployment, authority)
        assert issuer.deployment.secrecy.nonce_expiry(ON, challenge, purpose="client challenge") is not None
        file = await back_up(place)
    await restored(place, file, empty_database)
    async with again(place, empty_database) as issuer:
        assert issuer.deployment.secrecy.nonce_expiry(ON, challenge, purpose="client challenge") is None


async def test_what_lives_for_a_moment_is_in_no_backup(place: Place) -> None:
    async with running(place) as issuer:
        await employ(issuer)
        desk = await sign_in(issuer, "clerk")
        await desk.upload(KIND, sheet(*GOOD))
        file = await back_up(place)
    with backup_file.reading(file, PASSPHRASE) as opened:
        written = {part["table"] for part, _ in opened.parts() if "table" in part}
    assert written <= set(metadata.tables) - {"clerk_sessions", "once", "authorizations", "client_proofs", "nonces"}
    assert all("sealed_cells" not in row for row in rows_of(file, "bulk_rows"))


@on_both
async def test_no_password_opens_an_account_until_it_is_given_anew(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        await employ(issuer)
        cookies = (await sign_in(issuer, "clerk")).client.cookies
        file = await back_up(place)
    assert (await restored(place, file, empty_database))["passwords ended"] == 4
    async with again(place, empty_database) as issuer:
        issuer.client.cookies = cookies
        assert (await issuer.client.get("/en/")).status_code != 200
        issuer.client.cookies.clear()
        shown = await issuer.client.get("/en/sign-in")
        for password in (PASSWORD, ""):
            fields = hidden(shown.text) | {"name": "clerk", "password": password}
            refused = await issuer.client.post("/en/sign-in", data=fields)
            assert refused.status_code >= 400
        await signing_in.reset(issuer.deployment, "clerk", authority=None, password="another one, longer", actor="test")
        await sign_in(issuer, "clerk", password="another one, longer")  # asserts that it opens


async def test_a_revocation_that_became_final_stays_final(undoable: Place, empty_database: str) -> None:
    clock = FixedClock(NOW)
    async with running(undoable, clock) as issuer:
        await revoking(issuer)
        file = await back_up(undoable)
        clock.advance(timedelta(minutes=15))
        assert await approving.finish_due(issuer.deployment) == 1
        await published(issuer)
    await restored(undoable, file, empty_database, clock)
    async with again(undoable, empty_database, clock) as issuer:
        await approving.finish_due(issuer.deployment)
        assert await statuses(issuer) == {"revoked"}


async def test_a_revocation_that_was_undone_stays_undone(undoable: Place, empty_database: str) -> None:
    clock = FixedClock(NOW)
    async with running(undoable, clock) as issuer:
        desk, record, named = await revoking(issuer)
        file = await back_up(undoable)
        clock.advance(LATER)
        await desk.post("/approvals", named | {"wish": "undo"}, page=f"/records/{record}")
        assert await statuses(issuer) == {"valid"}
        await published(issuer)
    await restored(undoable, file, empty_database, clock)
    clock.advance(timedelta(hours=1))
    async with again(undoable, empty_database, clock) as issuer:
        assert await approving.finish_due(issuer.deployment) == 0
        assert await statuses(issuer) == {"valid"}


@on_both
async def test_a_revocation_still_under_way_goes_on_and_can_be_undone(undoable: Place, empty_database: str) -> None:
    clock = FixedClock(NOW)
    async with running(undoable, clock) as issuer:
        await revoking(issuer)
        file = await back_up(undoable)
    clock.advance(timedelta(hours=1))
    assert (await restored(undoable, file, empty_database, clock))["revocations under way"] == 1
    async with again(undoable, empty_database, clock) as issuer:
        assert await approving.finish_due(issuer.deployment) == 0
        assert await statuses(issuer) == {"suspended"}
        clock.advance(timedelta(minutes=15))
        await approving.finish_due(issuer.deployment)
        assert await statuses(issuer) == {"revoked"}


@on_both
async def test_no_row_of_a_file_becomes_an_offer_by_itself(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        await employ(issuer)
        desk = await sign_in(issuer, "clerk")
        checked = await desk.upload(KIND, sheet(*GOOD))
        file = await back_up(place)
        job = str(checked.url.path).rpartition("/")[2]
    assert (await restored(place, file, empty_database))["rows of files refused"] == 3
    async with again(place, empty_database) as issuer:
        found = await bulk.find(issuer.deployment, job, authority=ON)
        await bulk.start(issuer.deployment, found.job, actor="test")
        assert await bulk.Runner(issuer.deployment).run_started() == 0
        assert {each.state for each in await bulk.rows(issuer.deployment, found.job)} == {RowState.REFUSED}
        offers = select(func.count()).select_from(metadata.tables["offers"])
        assert await issuer.deployment.database.read(lambda connection: connection.execute(offers).scalar()) == 0
        await signing_in.reset(issuer.deployment, "clerk", authority=None, password=PASSWORD, actor="test")
        said = words(await (await sign_in(issuer, "clerk")).get(f"/files/{job}"))
        assert "since the backup that was restored" in said
