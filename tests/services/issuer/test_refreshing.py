"""Refresh tokens: good once, for one key and client, and worth what the authority says today (RFC 6749 §6)."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from comity import formats
from comity.errors import Code, Unreachable
from comity.keys import KeySigner
from issuer.issuing import erase_due
from issuer.sources import PeopleSource
from issuer.store import desk
from tests.services.issuer.deployed import AUTHORITIES, ON, Deployed, Place, running
from tests.services.issuer.deployed import PERSON as CLAIMS
from tests.services.issuer.signing_in import FILE, PERSON, Browser, Wallet


@pytest.fixture
def wallet(issuer: Deployed) -> Wallet:
    return Wallet(issuer, key=KeySigner.generate())


def refused(answer: httpx.Response, error: str = "invalid_grant", status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text


def move(issuer: Deployed, place: Place, people: dict[str, Any]) -> None:
    """Let the authority's source say something else."""
    file: Path = place.folder / "people.json"
    file.write_text(json.dumps(people), "utf-8")
    sources = issuer.deployment.sources
    assert isinstance(sources, dict)
    sources[ON] = PeopleSource(file)


def claims_of(issued: httpx.Response) -> dict[str, Any]:
    encoded = issued.json()["credentials"][0]["credential"]
    kind = formats.FORMATS[formats.of(encoded)]
    return dict(kind.process(kind.open(encoded).credentials[0]).claims)


async def test_a_credential_is_had_anew_with_what_the_file_says_today(wallet: Wallet, place: Place) -> None:
    given = await wallet.tokens()
    assert (await wallet.ask(given["access_token"])).status_code == 200
    move(wallet.issuer, place, {FILE: {"person": {**CLAIMS, "family_name": "Renamed"}}})
    again = (await wallet.refresh(given["refresh_token"])).json()
    assert again["token_type"] == "DPoP"
    assert again["refresh_token"] != given["refresh_token"]
    assert claims_of(await wallet.ask(again["access_token"]))["family_name"] == "Renamed"
    assert len(await wallet.issuer.records(record_reference=FILE)) == 2
    assert {each["status"] for each in await wallet.issuer.records(record_reference=FILE)} == {"valid"}


async def test_what_a_credential_is_asked_by_stays_the_same(wallet: Wallet) -> None:
    """The EUDI libraries do not read the identifiers that come with a refreshed token."""
    details = [{"type": "openid_credential", "credential_configuration_id": PERSON}]
    given = await wallet.tokens(scope=None, authorization_details=json.dumps(details))
    again = (await wallet.refresh(given["refresh_token"])).json()
    assert again["authorization_details"] == given["authorization_details"]
    (identifier,) = given["authorization_details"][0]["credential_identifiers"]
    assert (await wallet.ask(again["access_token"], credential_identifier=identifier)).status_code == 200
    stranger = await wallet.tokens(scope=None, authorization_details=json.dumps(details))
    refused(
        await wallet.ask(stranger["access_token"], credential_identifier=identifier), "unknown_credential_identifier"
    )


@pytest.mark.both_databases
async def test_an_old_refresh_token_ends_everything(wallet: Wallet) -> None:
    first = await wallet.tokens()
    second = (await wallet.refresh(first["refresh_token"])).json()
    refused(await wallet.refresh(first["refresh_token"]))
    refused(await wallet.refresh(second["refresh_token"]))
    refused(await wallet.ask(second["access_token"]), "invalid_token", 401)
    lines = await wallet.issuer.deployment.database.read(
        lambda found: desk.log(found, ON, desk.LogFilter(), before=None, limit=20)
    )
    assert [each.event.action for each in lines].count("refresh_token_replayed") == 1
    good = await wallet.tokens()
    assert (await wallet.refresh(good["refresh_token"])).status_code == 200


@pytest.mark.both_databases
async def test_of_many_at_once_one_gets_a_token_and_then_nobody_has_any(wallet: Wallet) -> None:
    given = await wallet.tokens()
    answers = await asyncio.gather(*(wallet.refresh(given["refresh_token"]) for _ in range(10)))
    [good] = [each for each in answers if each.status_code == 200]
    refused(await wallet.ask(good.json()["access_token"]), "invalid_token", 401)


async def test_who_lacks_the_key_gets_nothing_and_ends_nothing(wallet: Wallet) -> None:
    given, own = await wallet.tokens(), wallet.key
    for key in (KeySigner.generate(), None):
        wallet.key = key
        refused(await wallet.refresh(given["refresh_token"]), "invalid_dpop_proof")
    wallet.key = own
    refused(await wallet.refresh(given["refresh_token"], client_id="https://other.example"))
    refused(await wallet.refresh(given["refresh_token"], resource="https://other.example"), "invalid_target")
    refused(await wallet.refresh(given["refresh_token"], scope="drivers-licence.1.sdjwt"), "invalid_scope")
    refused(await wallet.refresh("guess"))
    again = (await wallet.refresh(given["refresh_token"])).json()
    wallet.key = KeySigner.generate()  # a thief's old token without the key is no replay
    refused(await wallet.refresh(given["refresh_token"]), "invalid_dpop_proof")
    wallet.key = own
    assert (await wallet.refresh(again["refresh_token"])).status_code == 200


async def test_what_a_clerk_revoked_does_not_come_back(wallet: Wallet) -> None:
    given = await wallet.tokens()
    await wallet.ask(given["access_token"])
    [record] = await wallet.issuer.records(record_reference=FILE)
    url, headers = f"/api/v1/credentials/{record['id']}/revoke", wallet.issuer.as_role("supervisor")
    assert (await wallet.issuer.client.post(url, json={"reason": "lost"}, headers=headers)).status_code == 200
    refused(await wallet.refresh(given["refresh_token"]))


async def test_what_came_of_a_withdrawn_offer_does_not_come_back(wallet: Wallet) -> None:
    issuer, headers = wallet.issuer, wallet.issuer.as_role("clerk")
    offer = await issuer.offer(claims=None, grant="authorization_code")
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    given = await wallet.tokens(issuer_state=state)
    again = (await wallet.refresh(given["refresh_token"])).json()
    await issuer.client.post(f"/api/v1/offers/{offer['offer_id']}/cancel", headers=headers)
    refused(await wallet.refresh(again["refresh_token"]))


async def test_a_file_that_is_gone_gives_nothing_and_a_source_that_is_down_costs_nothing(
    wallet: Wallet, place: Place
) -> None:
    given = await wallet.tokens()
    sources = wallet.issuer.deployment.sources
    assert isinstance(sources, dict)
    good = sources[ON]

    class Down:
        async def claims(self, type_slug: str, record_reference: str) -> dict[str, Any]:
            raise Unreachable(Code.UNREACHABLE, "the source of claims does not answer")

    sources[ON] = Down()
    # An authority whose source lists nobody is not asked by the demo's page, but its refresh tokens are still good.
    answer = await wallet.refresh(given["refresh_token"])
    refused(answer, "temporarily_unavailable", 503)
    assert answer.headers["retry-after"]
    for people in ({}, {FILE: {"person": {**CLAIMS, "birthdate": "yesterday"}}}):
        move(wallet.issuer, place, people)
        refused(await wallet.refresh(given["refresh_token"]))
    sources[ON] = good
    assert (await wallet.refresh(given["refresh_token"])).status_code == 200


@pytest.mark.parametrize("changes", [{"source": None}, {"types": ["drivers-licence/1"]}])
async def test_what_an_authority_gave_up_is_refused_and_breaks_nothing(place: Place, changes: dict[str, Any]) -> None:
    """Its tokens, and sign-ins under way, outlive the change of the authorities file."""
    details = json.dumps([{"type": "openid_credential", "credential_configuration_id": PERSON}])
    async with running(place) as issuer:
        wallet, browser = Wallet(issuer, key=KeySigner.generate()), Browser(issuer)
        given = await wallet.tokens(scope=None, authorization_details=details)
        begun = (await browser.get(wallet.start_url(await wallet.request_uri()))).headers["location"]
    entries = [dict(each) for each in AUTHORITIES]
    entries[0] = {name: value for name, value in {**entries[0], **changes}.items() if value is not None}
    (place.folder / "authorities.json").write_text(json.dumps(entries), "utf-8")
    async with running(place) as issuer:
        wallet.issuer = browser.issuer = issuer
        refused(await wallet.refresh(given["refresh_token"]))
        assert (await browser.get(begun)).status_code == 404
        if "types" in changes:
            identifier = given["authorization_details"][0]["credential_identifiers"][0]
            answer = await wallet.ask(given["access_token"], credential_identifier=identifier)
            refused(answer, "unknown_credential_identifier")


async def test_a_refresh_token_ends_with_the_sign_in_and_is_forgotten(place: Place) -> None:
    async with running(place, refresh_seconds=1000) as issuer:
        wallet = Wallet(issuer)
        given = await wallet.tokens()
        issuer.clock.advance(timedelta(seconds=600))
        again = (await wallet.refresh(given["refresh_token"])).json()
        issuer.clock.advance(timedelta(seconds=400))
        refused(await wallet.refresh(again["refresh_token"]))
        await erase_due(issuer.deployment)
        refused(await wallet.refresh(again["refresh_token"]))


async def test_without_refreshing_there_are_no_refresh_tokens(place: Place) -> None:
    async with running(place, refresh_seconds=0) as issuer:
        server = (await issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")).json()
        assert "refresh_token" not in server["grant_types_supported"]
        assert "refresh_token" not in await Wallet(issuer).tokens()
