"""What the consent page says of a request beyond the claims: transactions, warnings, several cards; and a plain no."""

import asyncio
import html
import re
from typing import Any

import httpx
import pytest

from comity.ports import Fetched, FetchRequest
from tests.services.wallet.test_digital_credentials import ask, opened
from tests.services.wallet.test_pages import signed_in, token_in
from tests.services.wallet.test_refusals import RESPONSES, _ok
from tests.services.wallet.test_requests import signed_again
from tests.services.wallet.town import BC, ON, WALLET, Person, Town
from tests.unit.schemas.test_transactions import FEE, PAID

ASKED = {"type": FEE, **PAID}


async def sent(maya: Person, path: str, **fields: Any) -> httpx.Response:
    """Send a form of ours to a page."""
    token = token_in((await maya.client.get("/en/door")).text)
    return await maya.client.post(path, data={"form_token": token, **fields}, headers={"origin": WALLET})


async def brought(maya: Person, link: str, **fields: Any) -> str:
    """Paste a link at the door; returns the page that it leads to."""
    answer = await sent(maya, "/en/door", text=link, **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def words(maya: Person, path: str) -> str:
    answer = await maya.client.get(path)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def fields_in(page: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]*)"', page)


async def answered(maya: Person, path: str, **fields: Any) -> httpx.Response:
    page = (await maya.client.get(path)).text
    (digest,) = fields_in(page, "digest")
    return await sent(maya, path, digest=digest, **fields)


async def test_a_transaction_is_confirmed_in_words(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    started = await town.ask(transactions=[ASKED])
    path = await brought(maya, started["link"])
    page = await words(maya, path)
    assert "By agreeing you confirm" in page
    assert "You agree to pay $25.00 to Ville de Toronto (DÉMO)" in page
    assert page.index("You agree to pay") < page.index("This will be shared")
    french = await words(maya, path.replace("/en/", "/fr/"))
    assert "Vous acceptez de payer 25,00\u00a0$".replace("\u00a0", " ") in french.replace("\u00a0", " ")
    (choice,) = fields_in((await maya.client.get(path)).text, "choice.person_sdjwt")
    answer = await answered(maya, path, answer="agree", **{"choice.person_sdjwt": choice})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}/done")
    assert (await town.result(started))["result"]["verdict"] == "accepted"
    assert "You agree to pay $25.00" in await words(maya, "/en/history")


async def test_a_plain_request_confirms_nothing_else(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    page = await words(maya, await brought(maya, (await town.ask())["link"]))
    assert "By agreeing you confirm" not in page
    assert "Entitled to ask for all of this" in page
    assert "Think first" not in page


async def test_what_the_verifier_says_it_is_for_is_quoted_and_not_vouched_for(town: Town) -> None:
    """Beside the purposes of the registry: the verifier's own words, as text, in the reader's language if it can."""
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    said = {"en": "To sell you <b>wine</b>\u202e", "fr-CA": "Pour vous vendre du vin"}
    query: dict[str, Any] = {
        "credentials": [{"id": "person_sdjwt", "format": "dc+sd-jwt", "claims": [{"path": ["age_over_19"]}]}]
    }
    query["credentials"][0]["meta"] = {"vct_values": ["https://types.comity.example/person/1"]}
    plain = await words(maya, await brought(maya, (await town.ask())["link"]))
    assert "nobody has checked" not in plain
    health = {
        "id": "health",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": ["https://types.comity.example/health-card/1"]},
    }
    query["credentials"].append({**health, "claims": [{"path": ["coverage_number"]}]})
    asked, also = {"options": [["person_sdjwt"]], "purpose": said}, {"options": [["health"]], "required": False}
    stated = {**query, "credential_sets": [asked, also]}
    town.net.afterwards("/openid/requests/", signed_again(town, dcql_query=stated))
    path = await brought(maya, (await town.ask())["link"])
    page = (await maya.client.get(path)).text
    assert '<blockquote lang="en" dir="auto">To sell you &lt;b&gt;wine&lt;/b&gt;</blockquote>' in page
    assert page.index("No purpose is registered") < page.index("which nobody has checked") < page.index("<blockquote")
    assert "Also asked for" not in plain
    assert "Resident and health coverage card" in page[page.index("Also asked for, without obligation") :]
    french = (await maya.client.get(path.replace("/en/", "/fr/"))).text
    assert '<blockquote lang="fr-ca" dir="auto">Pour vous vendre du vin</blockquote>' in french
    (choice,) = fields_in(page, "choice.person_sdjwt")
    town.net.heal()
    town.net.instead(RESPONSES, lambda request, _: _ok(town, request))
    answer = await answered(maya, path, answer="agree", **{"choice.person_sdjwt": choice})
    assert answer.status_code == 303, "what was read can be answered"


async def test_who_presses_twice_is_told_that_it_was_sent(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a script the second press arrives while the first is on its way to the verifier; one answer leaves."""
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    started = await town.ask()
    path = await brought(maya, started["link"])
    page = (await maya.client.get(path)).text
    (digest,), (choice,) = fields_in(page, "digest"), fields_in(page, "choice.person_sdjwt")
    agreed = {"digest": digest, "answer": "agree", "choice.person_sdjwt": choice}
    on_its_way, may_arrive, fetch = asyncio.Event(), asyncio.Event(), town.net.fetch

    async def slowly(request: FetchRequest) -> Fetched:
        if RESPONSES in request.url:
            on_its_way.set()
            await may_arrive.wait()
        return await fetch(request)

    monkeypatch.setattr(town.net, "fetch", slowly)
    first = asyncio.create_task(sent(maya, path, **agreed))
    await on_its_way.wait()
    for pressed in (await sent(maya, path, **agreed), await maya.client.get(path)):
        assert (pressed.status_code, pressed.headers["location"]) == (303, f"{path}/done")
        assert "Your answer was sent to" in await words(maya, f"{path}/done")
    page = (await maya.client.get(f"{path.replace('/en/', '/fr/')}/done")).text
    assert "Votre réponse a été envoyée à" in html.unescape(page)
    assert 'href="/fr/history"' in page
    may_arrive.set()
    assert (await first).headers["location"] == f"{path}/done"
    assert "received what you agreed to" in await words(maya, f"{path}/done")
    assert len([each for each in town.net.asked if RESPONSES in each.url]) == 1
    assert (await town.result(started))["result"]["verdict"] == "accepted"


async def test_the_history_says_how_a_card_stood_when_it_was_shown(town: Town) -> None:
    maya = await signed_in(town)
    offer = await town.offer()
    await maya.receive(offer)
    for stood in (False, True):
        started = await town.ask()
        path = await brought(maya, started["link"])
        (choice,) = fields_in((await maya.client.get(path)).text, "choice.person_sdjwt")
        await answered(maya, path, answer="agree", **{"choice.person_sdjwt": choice})
        assert ("At that time: Revoked" in await words(maya, "/en/history")) is stood
        if not stood:
            await town.change_status(offer, "revoke")
            await sent(maya, "/en/look")


async def test_an_answer_that_nobody_noted_is_not_invented(town: Town) -> None:
    maya = await signed_in(town)
    page = await maya.client.get("/en/requests/none/done")
    assert page.status_code == 404
    assert "Nothing is ever sent twice." in page.text
    assert 'href="/en/history"' in page.text


async def test_what_a_camera_read_comes_with_a_warning(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    for scanned, expected in (("yes", True), ("", False)):
        page = await words(maya, await brought(maya, (await town.ask())["link"], scanned=scanned))
        assert ("You scanned this request from another screen" in page) is expected


async def test_who_asks_for_too_much_is_said_with_the_reason(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    entry = town.ground.verifier_entry(
        may_ask=[{"type": "person/1", "claims": ["birthdate"], "purpose": "age-majority"}]
    )
    await town.apply({"edit": "verifier", "jurisdiction": "ca-on", "verifier": entry})
    page = await words(maya, await brought(maya, (await town.ask())["link"]))
    assert "Not entitled to ask for all of this" in page
    assert "They ask for more than they may" in page


async def test_several_cards_for_one_question(town: Town) -> None:
    """DQ-1: with ``multiple`` the person ticks any of them; without it, one."""
    maya = await signed_in(town)
    kept = [(await maya.receive(await town.offer("person/1", place)))[0]["id"] for place in (ON, BC)]
    only: dict[str, Any] = {"id": "person_sdjwt", "format": "dc+sd-jwt", "claims": [{"path": ["age_over_18"]}]}
    only["meta"] = {"vct_values": ["https://types.comity.example/person/1"]}
    for many, kind, status in ((True, "checkbox", 303), (False, "radio", 422)):
        query = {"credentials": [{**only, "multiple": many}]}
        town.net.afterwards("/openid/requests/", signed_again(town, dcql_query=query))
        path = await brought(maya, (await town.ask())["link"])
        assert (await maya.client.get(path)).text.count(f'type="{kind}"') == 2
        nothing = await answered(maya, path, answer="agree")
        town.net.instead(RESPONSES, lambda request, _: _ok(town, request))
        both = await answered(maya, path, answer="agree", **{"choice.person_sdjwt": kept})
        town.net.heal()
        assert (nothing.status_code, both.status_code) == (422, status), "nothing ticked is nothing shared"


async def test_of_two_kinds_of_cards_that_would_do_one_is_shared(town: Town) -> None:
    """DQ-6: an age is on the person credential and on the licence; whoever takes the second does not show the first."""
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    (licence,) = await maya.receive(await town.offer("drivers-licence/1"))
    started = await town.ask()
    path = await brought(maya, started["link"])
    page = (await maya.client.get(path)).text
    assert "Several of your cards would do. Which one?" in page
    assert page.count('type="radio"') == 2
    assert page.count("checked") == 1
    (_, second) = fields_in(page, "choice.person_sdjwt")
    await answered(maya, path, answer="agree", **{"choice.person_sdjwt": second})
    result = (await town.result(started))["result"]
    assert (result["verdict"], [each["query_id"] for each in result["credentials"]]) == (
        "accepted",
        ["drivers-licence_sdjwt"],
    )
    (line,) = [each for each in await maya.history() if each["what"] == "presented"]
    assert [each["credential"] for each in line["shared"]] == [licence["id"]]


async def test_a_website_gets_its_answer_by_the_way_it_asked_and_not_by_a_page(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    started = await ask(town)
    (signed, _) = started["digital"]["requests"]
    consent = await opened(maya, signed)
    path = f"/en/requests/{consent['id']}"
    assert (await maya.client.get(path)).headers["location"] == f"{path}/done"
    refused = await sent(maya, path, digest=consent["digest"], answer="agree")
    assert refused.headers["location"] == f"{path}/done"
    assert (await maya.client.get(f"{path}/done")).status_code == 404
    assert (await maya.agree(consent)).status_code == 200, "the page used nothing up"


async def test_nothing_answers_and_the_verifier_is_told_only_on_request(town: Town) -> None:
    maya = await signed_in(town)
    started = await town.ask()
    path = await brought(maya, started["link"])
    assert path.startswith("/en/unanswered/")
    assert "Tell them" in await words(maya, path)
    assert (await town.result(started))["state"] == "fetched", "nobody was told anything"
    for _ in range(2):
        answer = await sent(maya, path)
        assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert "They have been told no" in await words(maya, path)
    assert (await town.result(started))["result"]["codes"] == ["wallet_refused"]
    assert "Told that you cannot answer" in await words(maya, "/en/history")
