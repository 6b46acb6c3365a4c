"""Presenting to a real verifier: what is shown, what leaves, and that it leaves once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from comity import jcs
from comity.errors import Code, Unreachable
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import BC, CANARY, ON, PERSON, VERIFIER, Person, Town, running
from tests.support.in_process import fetched
from wallet import holdings
from wallet.records import CONSENT, CREDENTIAL

GONE = Unreachable(Code.UNREACHABLE, "the answer was lost")
RESPONSES = "/openid/responses/"


@pytest.fixture
async def held(town: Town, maya: Person) -> dict[str, Any]:
    (received,) = await maya.receive(await town.offer())
    return received


def posts(town: Town) -> list[str]:
    return [each.url for each in town.net.asked if RESPONSES in each.url]


# --- what is shown


async def test_who_asks_and_what_leaves_is_shown_before(town: Town, maya: Person, held: dict[str, Any]) -> None:
    consent = await maya.consent((await town.ask())["link"])
    who = consent["who"]
    assert (who["known"], who["may_ask"], who["code"]) == (True, "passed", "ok")
    assert who["name"] == {"en": "Corner store (DEMO)", "fr": "Dépanneur (DÉMO)"}
    assert consent["purposes"] == ["age-alcohol", "age-cannabis", "age-majority"]
    (shown,) = consent["credentials"]
    assert (shown["credential_id"], shown["query_id"]) == (held["id"], "person_sdjwt")
    assert [each["claim"] for each in shown["leaving"]] == ["age_over_18"]
    assert shown["leaving"][0]["value"] is True
    assert "family_name" in {each["claim"] for each in shown["staying"]}
    assert all("value" not in each for each in shown["staying"])
    assert consent["needed"] == ["person_sdjwt"]
    assert set(consent["missing"]) == {"drivers-licence_sdjwt", "identification-card_sdjwt"}
    assert posts(town) == []


async def test_it_is_shown_in_french(town: Town, maya: Person, held: dict[str, Any]) -> None:
    link = (await town.ask())["link"]
    english, french = [(await maya.consent(link, each))["credentials"][0] for each in ("en", "fr")]
    assert english["leaving"][0]["label"] != french["leaving"][0]["label"]


async def test_a_format_that_cannot_withhold_says_so(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer("drivers-licence/1", formats=["vc+jwt"]))
    started = await town.ask("drivers-licence-valid")
    consent = await maya.consent(started["link"])
    (shown,) = consent["credentials"]
    assert {each["claim"] for each in shown["leaving"]} >= {"family_name", "birthdate", "class"}
    assert shown["staying"] == []
    assert (await maya.agree(consent)).status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"


# --- what leaves


@pytest.mark.parametrize("prefix", ["x509_hash", "decentralized_identifier"])
@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
@pytest.mark.good_twin("P18", "P20")
async def test_what_was_agreed_to_arrives_and_nothing_else(ground: Any, prefix: str, mode: str) -> None:
    async with running(ground, verifier_client_id_prefix=prefix, verifier_response_mode=mode) as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        started = await town.ask()
        consent = await maya.consent(started["link"])
        answer = await maya.agree(consent)
        assert answer.status_code == 200, answer.text
        (held,) = await maya.credentials()
        assert answer.json() == {"redirect_uri": None, "credentials": [held["id"]]}
        result = (await town.result(started))["result"]
        assert (result["verdict"], result["claims"]) == ("accepted", {"person_sdjwt": [{"age_over_18": True}]})
        (line,) = [each for each in await maya.history() if each["what"] == "presented"]
        assert (line["outcome"], line["shared"][0]["claims"]) == ("sent", ["age_over_18"])
        assert CANARY not in str(line)


@pytest.mark.clause("VP-21")
async def test_a_same_device_answer_says_where_to_go_next(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await town.ask(flow="same_device")
    answer = await maya.agree(await maya.consent(started["link"]))
    assert answer.json()["redirect_uri"].startswith(f"{VERIFIER}/complete")


async def test_one_of_several_credentials_is_chosen(town: Town, maya: Person, held: dict[str, Any]) -> None:
    (second,) = await maya.receive(await town.offer("person/1", BC))
    consent = await maya.consent((await town.ask())["link"])
    assert {each["credential_id"] for each in consent["credentials"]} == {held["id"], second["id"]}
    wrong = await maya.agree(consent, selection={"person_sdjwt": "something else"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "no_matching_credential")
    unknown = await maya.agree(consent, selection={"nothing": held["id"]})
    assert unknown.status_code == 400
    right = await maya.agree(consent, selection={"person_sdjwt": second["id"]})
    assert right.json()["credentials"] == [second["id"]]


@pytest.mark.attack("P18", "X09")
async def test_nothing_answers_nothing(town: Town, maya: Person) -> None:
    """X09: the verifier is told nothing at all."""
    started = await town.ask()
    answer = await maya.post("presentations", request=started["link"])
    assert (answer.status_code, answer.json()["code"]) == (403, "no_matching_credential")
    assert posts(town) == []
    assert await (await opened(town)).all(CONSENT) == []


# --- once, and as it was shown


@pytest.mark.both_databases
@pytest.mark.attack("P20")
@pytest.mark.good_twin("P20")
async def test_it_is_sent_once_however_often_it_is_pressed(town: Town, maya: Person, held: dict[str, Any]) -> None:
    """P20."""
    consent = await maya.consent((await town.ask())["link"])
    answers = await asyncio.gather(*(maya.agree(consent) for _ in range(8)))
    assert sorted(each.status_code for each in answers) == [200] + [404] * 7
    assert {each.json()["code"] for each in answers if each.status_code == 404} == {"consent_required"}
    assert len(posts(town)) == 1
    assert len([each for each in await maya.history() if each["what"] == "presented"]) == 1
    assert (await maya.agree(consent)).status_code == 404


@pytest.mark.attack("P20")
@pytest.mark.good_twin("P20")
async def test_a_question_that_changed_is_not_answered(town: Town, maya: Person, held: dict[str, Any]) -> None:
    """P20: what is sent is what was shown."""
    consent = await maya.consent((await town.ask())["link"])
    wallet = await opened(town)
    (kept,) = await wallet.all(CONSENT)
    changed = {**kept.content, "credentials": [{**kept.content["credentials"][0], "disclose": [["birthdate"]]}]}
    await wallet.put(CONSENT, kept.id, changed, version=2)
    for members in ({}, {"decline": True}):
        answer = await maya.agree(consent, **members)
        assert (answer.status_code, answer.json()["code"]) == (409, "consent_changed")
    assert posts(town) == []
    await wallet.put(CONSENT, kept.id, kept.content, version=3)
    assert (await maya.agree(consent)).status_code == 200


async def test_a_card_that_says_something_else_meanwhile_is_not_shown(
    town: Town, maya: Person, held: dict[str, Any]
) -> None:
    """P20: a further copy may come with other claims while the question is open; the person saw the first one's."""
    consent = await maya.consent((await town.ask())["link"])
    (other,) = await maya.receive(await town.offer(claims={**PERSON, "age_over_18": False}))
    wallet = await opened(town)
    first, second = [await holdings.find_held(wallet, each["id"]) for each in (held, other)]
    content = {"format": "dc+sd-jwt", "encoded": second.signed.encoded, "about": dict(second.about)}
    await wallet.put(CREDENTIAL, first.id, content, version=first.version + 1)
    answer = await maya.agree(consent)
    assert (answer.status_code, answer.json()["code"]) == (409, "consent_changed")
    assert [each["what"] for each in await maya.history()] == ["received", "received"]


@pytest.mark.parametrize("digest", ["", 7, None])
async def test_an_answer_must_name_what_was_seen(town: Town, maya: Person, held: dict[str, Any], digest: Any) -> None:
    consent = await maya.consent((await town.ask())["link"])
    answer = await maya.agree({**consent, "digest": digest})
    assert answer.status_code == 400
    assert (await maya.agree({**consent, "digest": "é"})).status_code == 409
    assert jcs.canonicalise(consent)


@pytest.mark.clause("6-8")
@pytest.mark.good_twin("X09")
@pytest.mark.attack("X09")
async def test_declining_tells_the_verifier_and_nothing_more(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await town.ask()
    consent = await maya.consent(started["link"])
    answer = await maya.agree(consent, decline=True)
    assert (answer.status_code, answer.json()["credentials"]) == (200, [])
    (post,) = [each for each in town.net.asked if RESPONSES in each.url]
    assert post.body is not None
    assert post.body.startswith(b"error=access_denied&state=")
    result = (await town.result(started))["result"]
    assert (result["verdict"], result["codes"]) == ("rejected", ["wallet_refused"])
    assert [each["what"] for each in await maya.history()].count("declined") == 1
    assert (await maya.agree(consent)).status_code == 404


@pytest.mark.parametrize("failure", [GONE, 400, 503])
async def test_a_no_stands_whether_or_not_it_is_heard(
    town: Town, maya: Person, held: dict[str, Any], failure: Any
) -> None:
    consent = await maya.consent((await town.ask())["link"])
    answer = failure if isinstance(failure, Unreachable) else fetched("", b"{}", town.clock, status=failure)
    town.net.instead(RESPONSES, answer)
    assert (await maya.agree(consent, decline=True)).status_code == 200
    assert (await maya.agree(consent)).status_code == 404


# --- when something goes wrong


@pytest.mark.parametrize("failure", [GONE, 503])
async def test_when_the_verifier_does_not_answer_the_question_comes_back(
    town: Town, maya: Person, held: dict[str, Any], failure: Any
) -> None:
    started = await town.ask()
    consent = await maya.consent(started["link"])
    answer = failure if isinstance(failure, Unreachable) else fetched("", b"{}", town.clock, status=failure)
    town.net.instead(RESPONSES, answer)
    assert (await maya.agree(consent)).status_code == 502
    (line,) = [each for each in await maya.history() if each["what"] == "presented"]
    assert line["outcome"] == "unconfirmed"
    town.net.heal()
    assert (await maya.agree(consent)).status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"


async def test_a_verifier_that_refuses_is_told_apart(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await town.ask()
    first, second = [await maya.consent(started["link"]) for _ in range(2)]
    assert (await maya.agree(first)).status_code == 200
    answer = await maya.agree(second)
    assert (answer.status_code, answer.json()["code"]) == (403, "request_invalid")
    lines = [each["outcome"] for each in await maya.history() if each["what"] == "presented"]
    assert sorted(lines) == ["refused", "sent"]
    assert (await maya.agree(second)).status_code == 404


@pytest.mark.parametrize("target", ["javascript:alert(1)", "/relative"])
async def test_a_reply_cannot_send_the_browser_anywhere(
    town: Town, maya: Person, held: dict[str, Any], target: str
) -> None:
    """W04."""
    consent = await maya.consent((await town.ask())["link"])
    body = jcs.canonicalise({"redirect_uri": target})
    town.net.afterwards(RESPONSES, lambda request, _answer: fetched(request.url, body, town.clock))
    answer = await maya.agree(consent)
    assert (answer.status_code, answer.json()["code"]) == (400, "response_invalid")


async def test_a_request_whose_time_is_over_is_not_answered(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await town.ask()
    consent = await maya.consent(started["link"])
    town.clock.advance(timedelta(seconds=299))
    assert (await maya.consent((await town.ask())["link"]))["id"]
    town.clock.advance(timedelta(seconds=1))
    answer = await maya.agree(consent)
    assert (answer.status_code, answer.json()["code"]) == (409, "request_expired")
    assert posts(town) == []
    late = await maya.post("presentations", request=started["link"])
    assert (late.status_code, late.json()["code"]) == (404, "request_unknown")


@pytest.mark.attack("Q06")
async def test_questions_that_nobody_answered_are_forgotten(town: Town, maya: Person, held: dict[str, Any]) -> None:
    for _ in range(3):
        await maya.consent((await town.ask())["link"])
    assert len(await (await opened(town)).all(CONSENT)) == 3
    town.clock.advance(timedelta(minutes=10))
    await maya.consent((await town.ask())["link"])
    assert len(await (await opened(town)).all(CONSENT)) == 1


async def test_a_credential_deleted_meanwhile_is_not_sent(town: Town, maya: Person, held: dict[str, Any]) -> None:
    consent = await maya.consent((await town.ask())["link"])
    await maya.remove(f"credentials/{held['id']}")
    answer = await maya.agree(consent)
    assert (answer.status_code, answer.json()["code"]) == (404, "credential_unknown")
    assert posts(town) == []
    assert ON
