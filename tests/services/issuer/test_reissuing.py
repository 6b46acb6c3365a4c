"""A lost key: everything that it signed is offered anew once, whatever happens in between, and the old is revoked."""

import asyncio
import csv
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, func, select, update
from typer.testing import CliRunner

from comity.credential import Format
from comity.errors import Code, ComityError, Conflict, NotFound, Unreachable
from comity.runtime.clock import FixedClock, SystemClock
from issuer.cli import cli
from issuer.offering import find_offer
from issuer.reissuing import Reissuing
from issuer.store import reissues
from issuer.store.offers import OfferState
from issuer.store.reissues import Scope
from issuer.store.tables import audit, issuances, offers
from tests.services.issuer.deployed import LICENCE, NOW, ON, PERSON, Deployed, Place, running

PEOPLE = {f"file-{n}": {"person": {**PERSON, "given_names": f"Maya {n}"}} for n in range(1, 4)}
on_both = pytest.mark.both_databases


@pytest.fixture
def place(place: Place) -> Place:
    (place.folder / "people.json").write_text(json.dumps(PEOPLE), "utf-8")
    return place


async def collected(issuer: Deployed, reference: str | None = None, **members: Any) -> Mapping[str, Any]:
    offer = await issuer.offer(record_reference=reference, **members)
    assert (await issuer.receive(offer)).status_code == 200
    return offer


async def before(place: Place, at: datetime = NOW) -> str:
    """Issue to three people of the file, one whom it does not know, and one without a number; then change the key."""
    async with running(place, FixedClock(at)) as issuer:
        for reference in ("file-1", "file-2", "file-3", "file-unknown", None):
            await collected(issuer, reference)
        licence = await collected(issuer, "file-1", type="drivers-licence/1", claims=LICENCE)
        answer = await issuer.client.get(f"/api/v1/offers/{licence['offer_id']}", headers=issuer.as_role("auditor"))
        (record,) = answer.json()["credentials"]
        path, headers = f"/api/v1/credentials/{record['id']}/suspend", issuer.as_role("supervisor")
        assert (await issuer.client.post(path, json={"reason": "x"}, headers=headers)).status_code == 200
        key = issuer.deployment.authority(ON).credential_signer.thumbprint
    change_key(place)
    return str(key)


def change_key(place: Place) -> None:
    for file in (place.folder / "data/keys" / ON).glob("credential.*"):
        file.unlink()


def of(issuer: Deployed, key: str, **changes: Any) -> Reissuing:
    return Reissuing(deployment=issuer.deployment, key=key, actor="test", **changes)


async def count(issuer: Deployed, table: Any) -> int:
    found = await issuer.deployment.database.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar())
    return int(found or 0)


def silent(_count: int) -> None:
    pass


@on_both
async def test_the_whole_way(place: Place) -> None:
    key = await before(place)
    async with running(place) as issuer:
        mine = of(issuer, key)
        person, licence = sorted(await mine.plan(), key=lambda each: each.type.slug, reverse=True)
        assert (person.things, person.records, person.unknown_key, person.without_reference) == (5, 5, 0, 1)
        assert (licence.things, licence.suspended) == (1, 1)
        assert await count(issuer, reissues.reissues) == 0  # a plan changes nothing
        assert await mine.begin() == 6
        assert await mine.begin() == 0
        await mine.offer_all(silent)
        assert await mine.counts() == {"ready": 0, "offered": 3, "refused": 3, "collected": 0, "revoked": 0}
        assert sorted((each.record_reference or "", each.problem) for each in await mine.refused()) == [
            ("", "claims_invalid"),
            ("file-1", "suspended"),
            ("file-unknown", "not_found"),
        ]
        assert await mine.revoke(silent, only_collected=False) == 6
        assert await mine.revoke(silent, only_collected=False) == 0
        old = await issuer.records(record_reference="file-1")
        assert {each["status"] for each in old} == {"revoked"}
        for item, made in await mine.open_offers():  # the people collect, with their codes
            offer = {"authority": ON, "credential_offer": {"grants": {}}, "configuration_ids": [item.configuration_id]}
            token = await collect(issuer, mine.link_of(made.offer), made.transaction_code or "")
            assert (await issuer.receive(offer, token=token)).status_code == 200
        assert (await mine.counts())["collected"] == 3
        new = [each for each in await issuer.records(record_reference="file-1") if each["status"] == "valid"]
        assert len(new) == 1
        assert await mine.plan() == ()  # what is new is signed by another key
        assert await mine.begin() == 0
        events = await issuer.deployment.database.read(
            lambda c: c.execute(select(audit.c.actor).where(audit.c.action == "revoked")).scalars().all()
        )
        assert list(events) == ["test"] * 6


async def collect(issuer: Deployed, link: str, code: str) -> str:
    """Follow a link to a token, as a wallet does."""
    from urllib.parse import parse_qs, urlsplit

    uri = parse_qs(urlsplit(link).query)["credential_offer_uri"][0]
    document = (await issuer.client.get(urlsplit(uri).path)).json()
    answer = await issuer.redeem({"authority": ON, "credential_offer": document}, tx_code=code)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


@on_both
async def test_a_stopped_run_goes_on_and_two_runs_make_one_offer_each(place: Place) -> None:
    key = await before(place)
    async with running(place) as issuer:
        mine, earlier = of(issuer, key), await count(issuer, offers)
        await mine.begin()

        def stop(_count: int) -> None:
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError):
            await mine.offer_all(stop)
        assert (await mine.counts())["ready"] == 5
    async with running(place) as issuer:
        one, two = of(issuer, key), of(issuer, key)
        await asyncio.gather(one.offer_all(silent), two.offer_all(silent))
        assert await count(issuer, offers) == earlier + 3
        assert (await one.counts())["offered"] == 3
        both = await asyncio.gather(*(each.revoke(silent, only_collected=False) for each in (one, two)))
        assert sum(both) == 6


async def test_old_ones_may_live_until_the_new_one_is_collected(place: Place) -> None:
    key = await before(place)
    async with running(place) as issuer:
        mine = of(issuer, key)
        await mine.begin()
        await mine.offer_all(silent)
        assert await mine.revoke(silent, only_collected=True) == 0
        item, made = (await mine.open_offers())[0]
        token = await collect(issuer, mine.link_of(made.offer), made.transaction_code or "")
        assert await mine.revoke(silent, only_collected=True) == 0  # a token is no credential yet
        await issuer.receive({"authority": ON, "configuration_ids": [item.configuration_id]}, token=token)
        assert await mine.revoke(silent, only_collected=True) == 1
        assert await mine.revoke(silent, only_collected=False) == 5  # the sweep at the end


async def test_offers_that_ended_are_made_again_only_when_asked(place: Place) -> None:
    key = await before(place)
    async with running(place) as issuer:
        await of(issuer, key).begin()
        await of(issuer, key).offer_all(silent)
    async with running(place, FixedClock(NOW + timedelta(days=4))) as issuer:
        mine = of(issuer, key)
        assert await mine.open_offers() == ()
        await mine.offer_all(silent)
        assert (await mine.counts())["offered"] == 3
        assert await mine.again() == 3
        await mine.offer_all(silent)
        found = await mine.open_offers()
        assert len(found) == 3
        assert await mine.again() == 0  # these are open
        assert (await find_offer(issuer.deployment, found[0][1].offer.id)).state is OfferState.OPEN


async def test_what_has_no_key_counts_unless_it_is_left_out(place: Place) -> None:
    key = await before(place)

    def forget(connection: Connection) -> None:
        connection.execute(update(issuances).values(signed_by=None))

    async with running(place) as issuer:
        await issuer.deployment.database.write(forget)
        with pytest.raises(NotFound) as caught:
            await of(issuer, key).plan()
        assert caught.value.code is Code.KEY_NOT_FOUND
        named = (Scope(authority=ON, format=Format.DC_SD_JWT),)
        lines = await of(issuer, key, named=named).plan()
        assert sum(each.unknown_key for each in lines) == 6
        assert await of(issuer, key, named=named, only_known=True).plan() == ()
        other = (Scope(authority=ON, format=Format.VC_JWT),)
        assert await of(issuer, key, named=other).plan() == ()


async def test_a_key_that_still_signs_is_not_given_up_by_itself(place: Place) -> None:
    async with running(place) as issuer:
        await collected(issuer, "file-1")
        key = issuer.deployment.authority(ON).credential_signer.thumbprint
        mine = of(issuer, key)
        assert mine.is_in_use()
        assert len(await mine.plan()) == 1
        with pytest.raises(Conflict):
            await mine.begin()
        assert await count(issuer, reissues.reissues) == 0


async def test_what_waits_for_the_authoritys_system_stays_ready(place: Place) -> None:
    key = await before(place)

    class Down:
        async def claims(self, type_slug: str, record_reference: str) -> Mapping[str, Any]:
            raise Unreachable(Code.UNREACHABLE, "")

    async with running(place) as issuer:
        down = replace(issuer.deployment, sources={ON: Down()})
        mine = replace(of(issuer, key), deployment=down)
        await mine.begin()
        with pytest.raises(Unreachable):
            await mine.offer_all(silent)
        await of(issuer, key).offer_all(silent)
        assert (await mine.counts())["offered"] == 3


# --- the command


@pytest.fixture
def environment(empty_place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    (empty_place.folder / "people.json").write_text(json.dumps(PEOPLE), "utf-8")
    key = asyncio.run(before(empty_place, SystemClock().now()))  # the commands know no other time
    for name, value in empty_place.settings().model_dump(exclude_none=True).items():
        monkeypatch.setenv(f"ISSUER_{name.upper()}", str(value))
    return key


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["reissue", *arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_the_command_plans_goes_and_hands_over(environment: str, tmp_path: Path) -> None:
    told = json.loads(run("--key", environment, "--plan", "--json"))
    assert (told["in_use"], sum(each["things"] for each in told["plan"])) == (False, 6)
    assert told["things"]["ready"] == 0
    links, codes = tmp_path / "links.csv", tmp_path / "codes.csv"
    told = json.loads(run("--key", environment, "--go", "--links", str(links), "--codes", str(codes), "--json"))
    assert (told["things"]["offered"], told["revoked_now"], len(told["refused"])) == (3, 6, 3)
    rows = {
        name: list(csv.reader(path.read_text("utf-8-sig").splitlines()))
        for name, path in (("link", links), ("code", codes))
    }
    assert rows["link"][0][-1] == "link"
    assert all(row[-1].startswith("openid-credential-offer://") for row in rows["link"][1:])
    assert all(row[-1].isdecimal() for row in rows["code"][1:])
    assert len(rows["link"]) == len(rows["code"]) == 4
    assert links.stat().st_mode & 0o077 == 0
    said = run("--key", environment, "--go", "--revoke", "collected", "--lang", "fr")
    assert "Offertes\u00a0: 3" in said
    assert "(suspended)" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "request_invalid"),
        (["--plan", "--go"], "request_invalid"),
        (["--go", "--links", "a", "--codes", "a"], "request_invalid"),
        (["--plan", "--authority", ON], "request_invalid"),
        (["--plan", "--authority", "ca-qc/services", "--format", "vc+jwt"], "authority_unknown"),
    ],
)
def test_what_is_not_meant_is_refused(environment: str, arguments: list[str], code: str) -> None:
    error = CliRunner().invoke(cli, ["reissue", "--key", environment, *arguments]).exception
    assert isinstance(error, ComityError)
    assert error.code == code


def test_an_unknown_key_is_refused(environment: str) -> None:
    error = CliRunner().invoke(cli, ["reissue", "--key", "x" * 43, "--plan"]).exception
    assert isinstance(error, ComityError)
    assert error.code == "key_not_found"
