"""One sign-in for several credential types (OpenID4VCI 1.0 §5.1, §6.2): one token, one offer for each type."""

import json
from typing import Any

import pytest

from comity import jose
from comity.keys import KeySigner
from issuer.secrecy import hashed
from tests.services.issuer.deployed import LICENCE, NUMBER, PERSON, Deployed, Place, running
from tests.services.issuer.signing_in import Browser, Wallet, answer_of

A_PERSON, A_LICENCE = "person.1.sdjwt", "drivers-licence.1.sdjwt"
BOTH = f"{A_PERSON} {A_LICENCE}"
FILES = {"file-7": {"person": PERSON, "drivers-licence": LICENCE}, "file-8": {"person": PERSON}}


@pytest.fixture
def town(place: Place) -> Place:
    """A place whose source has a person with both records, and one with a single one."""
    (place.folder / "people.json").write_text(json.dumps(FILES), "utf-8")
    return place


def type_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    (credential,) = answer.json()["credentials"]
    encoded = credential["credential"].partition("~")[0]
    return str(jose.payload_object(jose.parse(encoded))["vct"]).rpartition("/")[0].rpartition("/")[2]


def details(*ids: str) -> str:
    return json.dumps([{"type": "openid_credential", "credential_configuration_id": each} for each in ids])


@pytest.mark.both_databases
@pytest.mark.clause("VCI-20", "VCI-23")
async def test_several_scopes_give_one_token_for_all_of_it(town: Place) -> None:
    async with running(town) as issuer:
        wallet = Wallet(issuer)
        given = await wallet.tokens(scope=BOTH)
        assert set(given["scope"].split()) == {A_PERSON, A_LICENCE}
        assert "authorization_details" not in given
        for wanted, kind in ((A_LICENCE, "drivers-licence"), (A_PERSON, "person")):
            answer = await wallet.ask(given["access_token"], credential_configuration_id=wanted)
            assert type_of(answer) == kind
            noted = {"notification_id": answer.json()["notification_id"], "event": "credential_accepted"}
            bearer = {"authorization": f"Bearer {given['access_token']}"}
            told = await issuer.client.post(f"/{wallet.authority}/notification", json=noted, headers=bearer)
            assert told.status_code == 204
        found = await issuer.records(record_reference="file-7")
        assert {each["type"] for each in found} == {"person/1", "drivers-licence/1"}
        assert [each["type"] for each in await issuer.records(number=NUMBER)] == ["drivers-licence/1"]


@pytest.mark.clause("VCI-20", "VCI-23")
async def test_several_details_give_identifiers_for_each(town: Place) -> None:
    async with running(town) as issuer:
        wallet = Wallet(issuer, key=KeySigner.generate())
        given = await wallet.tokens(scope=None, authorization_details=details(A_LICENCE, A_PERSON))
        granted = {
            each["credential_configuration_id"]: each["credential_identifiers"]
            for each in given["authorization_details"]
        }
        assert set(granted) == {A_PERSON, A_LICENCE}
        assert "scope" not in given
        for wanted, kind in ((A_PERSON, "person"), (A_LICENCE, "drivers-licence")):
            (identifier,) = granted[wanted]
            assert type_of(await wallet.ask(given["access_token"], credential_identifier=identifier)) == kind
        swapped = granted[A_PERSON][0].replace(A_PERSON, A_LICENCE)
        for wrong in (swapped, f"{A_LICENCE}:guess", "guess"):
            refused = await wallet.ask(given["access_token"], credential_identifier=wrong)
            assert refused.json()["error"] == "unknown_credential_identifier"
        by_name = await wallet.ask(given["access_token"], credential_configuration_id=A_LICENCE)
        assert by_name.json()["error"] == "invalid_credential_request"


@pytest.mark.clause("VCI-20")
async def test_a_scope_and_a_detail_together(town: Place) -> None:
    async with running(town) as issuer:
        wallet = Wallet(issuer)
        given = await wallet.tokens(scope=A_PERSON, authorization_details=details(A_LICENCE))
        assert given["scope"] == A_PERSON
        (named,) = given["authorization_details"]
        identifier = named["credential_identifiers"][0]
        assert type_of(await wallet.ask(given["access_token"], credential_identifier=identifier)) == "drivers-licence"
        assert type_of(await wallet.ask(given["access_token"])) == "person"


@pytest.mark.parametrize("kept", [A_PERSON, A_LICENCE])
async def test_a_token_for_less_is_for_no_more(town: Place, kept: str) -> None:
    async with running(town) as issuer:
        wallet = Wallet(issuer)
        code = await wallet.code(scope=BOTH)
        answer = await wallet.redeem(code, authorization_details=details(kept))
        assert answer.status_code == 200, answer.text
        given = answer.json()
        (named,) = given["authorization_details"]
        other = A_PERSON if kept == A_LICENCE else A_LICENCE
        refused = await wallet.ask(given["access_token"], credential_configuration_id=other)
        assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
        good = await wallet.ask(given["access_token"], credential_identifier=named["credential_identifiers"][0])
        assert good.status_code == 200, good.text


async def test_the_part_of_another_token_is_no_token(town: Place) -> None:
    """The hash under which a further type is found is not a token's: nobody can show it."""
    async with running(town) as issuer:
        one, two = Wallet(issuer), Wallet(issuer)
        given, single = await one.tokens(scope=BOTH), await two.tokens(scope=A_PERSON)
        refused = await two.ask(single["access_token"], credential_configuration_id=A_LICENCE)
        assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
        assert type_of(await one.ask(given["access_token"], credential_configuration_id=A_LICENCE)) == "drivers-licence"
        for configuration in (A_PERSON, A_LICENCE):  # what that hash is made of, as a copy of the database tells it
            for kind in ("person/1", "drivers-licence/1"):
                part = f"{hashed(given['access_token'])} {kind}"
                shown = await one.ask(part, credential_configuration_id=configuration)
                assert shown.status_code == 401, part


async def test_the_person_sees_all_of_it_and_gets_all_or_nothing(town: Place) -> None:
    async with running(town) as issuer:
        wallet, browser = Wallet(issuer), Browser(issuer)
        begun = await browser.get(wallet.start_url(await wallet.request_uri(scope=BOTH)))
        listed = (await browser.get(begun.headers["location"])).text
        assert "file-7" in listed
        assert "file-8" not in listed, "who has no licence is not asked for one"
        signed_in = await browser.choose(begun.headers["location"], person="file-7")
        page = (await browser.get(signed_in.headers["location"])).text
        assert page.count("these credentials") == 1
        assert answer_of(await browser.choose(signed_in.headers["location"], answer="agree"))["code"]
        single = Browser(issuer)
        begun = await single.get(wallet.start_url(await wallet.request_uri()))
        assert "file-8" in (await single.get(begun.headers["location"])).text, "the good twin"


async def test_a_person_without_one_of_the_records_is_refused_and_nothing_is_left(
    town: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(town) as issuer:
        wallet, browser = Wallet(issuer), Browser(issuer)
        begun = await browser.get(wallet.start_url(await wallet.request_uri(scope=BOTH)))
        signed_in = await browser.choose(begun.headers["location"], person="file-7")
        source = issuer.deployment.sources[wallet.authority]
        original = type(source).claims

        async def without_licence(self: Any, slug: str, reference: str) -> Any:
            return await original(self, slug, "file-8")

        monkeypatch.setattr(type(source), "claims", without_licence)
        back = answer_of(await browser.choose(signed_in.headers["location"], answer="agree"))
        assert back["error"] == "access_denied"
        assert await issuer.records(record_reference="file-7") == []


@pytest.mark.both_databases
async def test_renewal_and_replay_reach_every_type(town: Place) -> None:
    async with running(town, refresh_seconds=3600, require_dpop=False) as issuer:
        wallet = Wallet(issuer, key=KeySigner.generate())
        code = await wallet.code(scope=BOTH)
        first = (await wallet.redeem(code)).json()
        assert (await wallet.ask(first["access_token"], credential_configuration_id=A_LICENCE)).status_code == 200
        again = await wallet.refresh(first["refresh_token"])
        assert again.status_code == 200, again.text
        assert set(again.json()["scope"].split()) == {A_PERSON, A_LICENCE}
        for wanted in (A_LICENCE, A_PERSON):
            answer = await wallet.ask(again.json()["access_token"], credential_configuration_id=wanted)
            assert answer.status_code == 200, answer.text
        less = await wallet.refresh(again.json()["refresh_token"], scope=A_LICENCE)
        assert less.json()["scope"] == A_LICENCE
        assert (await wallet.redeem(code)).json()["error"] == "invalid_grant"  # the code comes a second time
        for wanted in (A_LICENCE, A_PERSON):
            for token in (first, again.json(), less.json()):
                ended = await wallet.ask(token["access_token"], credential_configuration_id=wanted)
                assert (ended.status_code, ended.json()["error"]) == (401, "invalid_token")


async def test_an_offer_of_a_clerk_is_for_one_type(town: Place) -> None:
    async with running(town) as issuer:
        made = await _offered(issuer)
        state = made["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
        refused = await Wallet(issuer).push(scope=BOTH, issuer_state=state)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
        assert (await Wallet(issuer).push(issuer_state=state)).status_code == 201


async def _offered(issuer: Deployed) -> dict[str, Any]:
    body = {"authority": "ca-on/services", "type": "person/1", "grant": "authorization_code"}
    answer = await issuer.client.post("/api/v1/offers", json=body, headers=issuer.as_role("clerk"))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found
