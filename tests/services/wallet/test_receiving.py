"""Receiving from a real issuer: what is shown before anything is taken, what is asked for, and what is kept."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from comity import strict_json
from comity.errors import Code, Unreachable
from comity.ports import Fetched
from tests.services.wallet.forging import metadata_saying
from tests.services.wallet.town import BC, ISSUER, ON, STRANGER, Person, Town
from tests.support.in_process import fetched

# --- before


@pytest.mark.clause("VCI-12")
async def test_an_offer_is_shown_before_it_is_taken(town: Town, maya: Person) -> None:
    offer = await town.offer(transaction_code=True, formats=["dc+sd-jwt", "vc+jwt"])
    for language, name, kind in (("en", "ServiceOntario (DEMO)", "Person"), ("fr", "ServiceOntario (DÉMO)", "Person")):
        shown = (await maya.post("offers/preview", language, offer=offer["link"])).json()
        assert shown["issuer"] == {"id": f"{ISSUER}/{ON}", "name": name}
        assert [each["format"] for each in shown["credentials"]] == ["dc+sd-jwt", "vc+jwt"]
        assert all(kind.lower()[:5] in each["configuration_id"] for each in shown["credentials"])
        for each in shown["credentials"]:
            assert (each["trust"]["known"], each["trust"]["may_issue"]) == (True, "passed")
            assert each["trust"]["name"] == {"en": "ServiceOntario (DEMO)", "fr": "ServiceOntario (DÉMO)"}
        assert shown["transaction_code"]["length"] > 0
    assert not any("token" in each.url for each in town.net.asked)
    assert await maya.credentials() == []


@pytest.mark.parametrize(
    ("type_id", "authority", "known", "may_issue", "code"),
    [
        ("person/1", ON, True, "passed", "ok"),
        ("health-card/1", ON, True, "failed", "not_accredited_for_type"),
        ("person/1", STRANGER, False, "unknown", "issuer_unknown"),
    ],
)
@pytest.mark.attack("I19")
@pytest.mark.good_twin("I19")
async def test_who_issues_and_whether_they_may_are_two_facts(
    town: Town, maya: Person, type_id: str, authority: str, known: bool, may_issue: str, code: str
) -> None:
    offer = await town.offer(type_id, authority)
    (shown,) = (await maya.post("offers/preview", offer=offer["link"])).json()["credentials"]
    trust = shown["trust"]
    assert (trust["known"], trust["may_issue"], trust["code"]) == (known, may_issue, code)


@pytest.mark.parametrize("calls_itself", [None, "Somebody else (DEMO)"])
@pytest.mark.parametrize("authority", [ON, STRANGER])
async def test_an_issuer_is_called_what_the_registry_calls_it(
    town: Town, maya: Person, authority: str, calls_itself: str | None
) -> None:
    offer = await town.offer("person/1", authority)
    display = [{"name": calls_itself, "locale": "en"}] if calls_itself else None
    town.net.afterwards("openid-credential-issuer", metadata_saying(town, display=display))
    shown = (await maya.post("offers/preview", offer=offer["link"])).json()
    assert shown["issuer"]["name"] == ("ServiceOntario (DEMO)" if authority == ON else calls_itself)


async def test_a_type_that_nobody_knows_is_shown_as_such(town: Town, maya: Person) -> None:
    offer = await town.offer()
    configuration = {"format": "dc+sd-jwt", "vct": "https://somebody.example/card", "credential_metadata": {}}
    changed = metadata_saying(town, credential_configurations_supported={"person.1.sdjwt": configuration})
    town.net.afterwards("openid-credential-issuer", changed)
    (shown,) = (await maya.post("offers/preview", offer=offer["link"])).json()["credentials"]
    assert (shown["name"], shown["claims"]) == ("person.1.sdjwt", [])
    assert (shown["trust"]["known"], shown["trust"]["code"]) == (True, "credential_type_unknown")


@pytest.mark.parametrize("link", ["", "nonsense", "openid-credential-offer://?", "openid4vp://?client_id=a"])
async def test_what_is_no_offer_is_refused(maya: Person, link: str) -> None:
    answer = await maya.post("offers/preview", offer=link)
    assert answer.status_code == 400


@pytest.mark.clause("VCI-1")
@pytest.mark.attack("I22")
@pytest.mark.good_twin("I22")
async def test_metadata_of_another_issuer_are_refused(town: Town, maya: Person) -> None:
    """I22."""
    offer = await town.offer()
    town.net.afterwards("openid-credential-issuer", metadata_saying(town, credential_issuer=f"{ISSUER}/{BC}"))
    for path in ("offers/preview", "credentials"):
        answer = await maya.post(path, offer=offer["link"])
        assert (answer.status_code, answer.json()["code"]) == (400, "metadata_invalid")
    assert not any("/token" in each.url for each in town.net.asked)
    town.net.heal()
    assert len(await maya.receive(offer)) == 1


@pytest.mark.attack("I20")
async def test_another_hosts_endpoint_gets_no_token(town: Town, maya: Person) -> None:
    """I20."""
    offer = await town.offer()
    foreign = metadata_saying(town, credential_endpoint=f"{ISSUER}/{BC}/credential")
    town.net.afterwards("openid-credential-issuer", foreign)
    answer = await maya.post("credentials", offer=offer["link"])
    assert answer.json()["code"] == "metadata_invalid"


async def test_an_issuer_that_does_not_answer_is_named(town: Town, maya: Person) -> None:
    offer = await town.offer()
    town.net.instead("openid-credential-issuer", fetched("", b"", town.clock, status=503))
    answer = await maya.post("offers/preview", offer=offer["link"])
    assert (answer.status_code, answer.json()["code"]) == (502, "unreachable")


# --- taking


@pytest.mark.parametrize("credential_format", ["dc+sd-jwt", "vc+jwt"])
async def test_a_credential_is_received_and_shown(town: Town, maya: Person, credential_format: str) -> None:
    offer = await town.offer(formats=[credential_format])
    (received,) = await maya.receive(offer)
    assert received["result"]["verdict"] == "accepted"
    assert "claims" not in received
    assert "claims" not in received["result"]
    assert (received["format"], received["recognised"], received["state"]) == (credential_format, True, "ok")
    shown = await maya.get(f"credentials/{received['id']}")
    assert {each["claim"] for each in shown["claims"]} >= {"family_name", "birthdate"}
    assert shown["issuer_name"] == "ServiceOntario (DEMO)"
    in_french = await maya.get(f"credentials/{received['id']}", "fr")
    assert in_french["issuer_name"] == "ServiceOntario (DÉMO)"
    assert in_french["state_in_words"] != shown["state_in_words"]
    assert [each["what"] for each in await maya.history()] == ["received"]


@pytest.mark.clause("VCI-51")
async def test_the_issuer_learns_that_it_arrived(town: Town, maya: Person) -> None:
    offer = await town.offer()
    await maya.receive(offer)
    (told,) = [each for each in town.net.asked if each.url.endswith("/notification")]
    assert told.body is not None
    assert strict_json.parse_object(told.body)["event"] == "credential_accepted"


async def test_an_issuer_that_does_not_listen_changes_nothing(town: Town, maya: Person) -> None:
    town.net.instead("/notification", Unreachable(Code.UNREACHABLE, "gone"))
    await maya.receive(await town.offer())
    assert len(await maya.credentials()) == 1


async def test_everything_on_offer_is_taken_each_with_a_key_of_its_own(town: Town, maya: Person) -> None:
    offer = await town.offer(formats=["dc+sd-jwt", "vc+jwt"])
    received = await maya.receive(offer)
    assert [each["format"] for each in received] == ["dc+sd-jwt", "vc+jwt"]
    keys = {each["result"]["credentials"][0]["about"]["holder_key"] for each in received}
    assert len(keys) == 2


async def test_one_of_several_is_taken(town: Town, maya: Person) -> None:
    offer = await town.offer(formats=["dc+sd-jwt", "vc+jwt"])
    (received,) = await maya.receive(offer, configuration_ids=["person.1.vcjwt"])
    assert received["format"] == "vc+jwt"


async def test_what_is_not_on_offer_cannot_be_chosen(town: Town, maya: Person) -> None:
    offer = await town.offer()
    answer = await maya.post("credentials", offer=offer["link"], configuration_ids=["drivers-licence.1.sdjwt"])
    assert (answer.status_code, answer.json()["code"]) == (400, "credential_configuration_unknown")
    await maya.receive(offer)


async def test_the_transaction_code_is_asked_for_and_must_be_right(town: Town, maya: Person) -> None:
    offer = await town.offer(transaction_code=True)
    missing = await maya.post("credentials", offer=offer["link"])
    assert (missing.status_code, missing.json()["code"]) == (403, "transaction_code_required")
    assert not any(each.url.endswith("/token") for each in town.net.asked)
    right = offer["transaction_code"]
    other = "1" * len(right) if right != "1" * len(right) else "2" * len(right)
    wrong = await maya.post("credentials", offer=offer["link"], transaction_code=other)
    assert (wrong.status_code, wrong.json()["code"]) == (403, "transaction_code_wrong")
    await maya.receive(offer)


async def test_an_offer_is_used_once(town: Town, maya: Person) -> None:
    offer = await town.offer()
    await maya.receive(offer)
    answer = await maya.post("credentials", offer=offer["link"])
    assert (answer.status_code, answer.json()["code"]) == (404, "offer_unknown")
    by_value = (
        "openid-credential-offer://?credential_offer=" + strict_json.serialise(offer["credential_offer"]).decode()
    )
    answer = await maya.post("credentials", offer=by_value)
    assert (answer.status_code, answer.json()["code"]) == (403, "code_already_used")


async def test_an_offer_without_a_code_is_refused(town: Town, maya: Person) -> None:
    offer = await town.offer()
    plain = {**offer["credential_offer"], "grants": {"authorization_code": {}}}
    link = "openid-credential-offer://?credential_offer=" + strict_json.serialise(plain).decode()
    answer = await maya.post("credentials", offer=link)
    assert (answer.status_code, answer.json()["code"]) == (400, "offer_invalid")


@pytest.mark.both_databases
async def test_two_people_who_race_for_one_offer(town: Town, maya: Person) -> None:
    noah = await town.arrive("noah")
    offer = await town.offer()
    # By value: who had to fetch it could find it over, and would not race at all.
    link = "openid-credential-offer://?credential_offer=" + strict_json.serialise(offer["credential_offer"]).decode()
    answers = await asyncio.gather(*(each.post("credentials", offer=link) for each in (maya, noah)))
    assert sorted(each.status_code for each in answers) == [201, 403]


async def test_a_nonce_that_is_refused_is_fetched_once_more(town: Town, maya: Person) -> None:
    stale = fetched("", b'{"error":"invalid_nonce"}', town.clock, status=400)
    answers: list[Fetched | None] = [stale, None]
    town.net.instead("services/credential", lambda _request, _answer: answers.pop(0))
    await maya.receive(await town.offer())
    assert sum(each.url.endswith("/nonce") for each in town.net.asked) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"error":"invalid_nonce"}'),
        (400, b'{"error":"invalid_proof"}'),
        (400, b"<html>"),
    ],
    ids=["nonces for ever", "refused", "not even JSON"],
)
async def test_an_issuer_that_refuses_leaves_nothing_behind(town: Town, maya: Person, status: int, body: bytes) -> None:
    town.net.instead("services/credential", fetched("", body, town.clock, status=status))
    answer = await maya.post("credentials", offer=(await town.offer())["link"])
    assert (answer.status_code, answer.json()["code"]) == (403, "issuer_refused")
    names = await (await opened(town)).names()
    assert names == set()


async def opened(town: Town, name: str = "maya") -> Any:
    """Return the wallet as only its owner can."""
    from tests.services.wallet.town import PASSPHRASE

    return await town.wallet.custody.unlock(name, PASSPHRASE)


# --- one key for several


async def test_types_that_allow_it_can_share_a_key(town: Town, maya: Person) -> None:
    (first,) = await maya.receive(await town.offer("person/1", BC))
    (second,) = await maya.receive(await town.offer("serving-it-right/1", BC), same_key_as=first["id"])
    key = first["result"]["credentials"][0]["about"]["holder_key"]
    assert second["result"]["credentials"][0]["about"]["holder_key"] == key
    started = await town.ask("server-and-person", place="ca-bc")
    consent = await maya.consent(started["link"])
    assert (await maya.agree(consent)).status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"
    # The key stays as long as one of them needs it.
    await maya.remove(f"credentials/{first['id']}")
    assert ("key" in {kind for kind, _ in await (await opened(town)).names()}) is True
    await maya.remove(f"credentials/{second['id']}")
    assert {kind for kind, _ in await (await opened(town)).names()} == {"history"}


async def test_other_types_cannot(town: Town, maya: Person) -> None:
    (first,) = await maya.receive(await town.offer())
    offer = await town.offer("health-card/1")
    answer = await maya.post("credentials", offer=offer["link"], same_key_as=first["id"], keep_unrecognised=True)
    assert (answer.status_code, answer.json()["code"]) == (409, "key_not_shared")
    unknown = await maya.post("credentials", offer=offer["link"], same_key_as="nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "credential_unknown")
    await maya.receive(offer, keep_unrecognised=True)


# --- deleting


async def test_a_deleted_credential_is_gone(town: Town, maya: Person) -> None:
    (received,) = await maya.receive(await town.offer())
    town.clock.advance(timedelta(seconds=1))
    answer = await maya.remove(f"credentials/{received['id']}")
    assert answer.json() == {"deleted": received["id"]}
    assert await maya.credentials() == []
    assert (await maya.remove(f"credentials/{received['id']}")).status_code == 404
    assert [each["what"] for each in await maya.history()] == ["received", "deleted"]
