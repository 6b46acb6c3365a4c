"""What an issuer decides later, in the wallet (OpenID4VCI §9): waited for, survived, collected, given up."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from comity import strict_json
from comity.errors import Code, Unreachable
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.test_interrupted import unlock
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import ON, Ground, Person, Town, running
from tests.support.in_process import fetched
from wallet.records import PENDING

ENDPOINT = "deferred_credential"
GONE = Unreachable(Code.UNREACHABLE, "the answer was lost")


def polls(town: Town) -> int:
    return sum(ENDPOINT in each.url for each in town.net.asked)


async def decide(town: Town, offer: dict[str, Any], verdict: str) -> None:
    answer = await town.desk.post(f"/api/v1/offers/{offer['offer_id']}/{verdict}")
    assert answer.status_code == 200, answer.text


async def wait(town: Town, person: Person, **offered: Any) -> dict[str, Any]:
    """Take an offer that is decided later; returns the offer."""
    offer = await town.offer(decide_later=True, **offered)
    told = (await person.post("credentials", offer=offer["link"])).json()
    assert told["credentials"] == []
    assert len(told["on_the_way"]) == 1
    return offer


async def waiting(person: Person, language: str = "en") -> list[dict[str, Any]]:
    return list((await person.get("on-the-way", language))["on_the_way"])


async def test_it_is_on_its_way_and_then_there(town: Town, maya: Person) -> None:
    offer = await wait(town, maya, type_id="drivers-licence/1")
    (shown,) = await waiting(maya)
    assert shown["title"] == "Driver’s licence"
    assert (await waiting(maya, "fr"))[0]["title"] == "Permis de conduire"
    assert shown["issuer"].endswith(ON)
    assert (await maya.get("credentials"))["on_the_way"] == [shown]
    await decide(town, offer, "approve")
    town.clock.advance(timedelta(seconds=60))
    (kept,) = await maya.credentials()  # looking is enough
    assert (kept["title"], kept["state"]) == ("Driver’s licence", "ok")
    assert await waiting(maya) == []
    assert [each["what"] for each in await maya.history()] == ["received"]
    assert {kind for kind, _ in await (await opened(town)).names()} == {"credential", "key", "history"}
    town.clock.advance(timedelta(minutes=5))
    await maya.credentials()
    assert polls(town) == 1


@pytest.mark.clause("VCI-50")
@pytest.mark.attack("Q11")
async def test_it_is_asked_for_no_sooner_than_the_issuer_says(town: Town, maya: Person) -> None:
    offer = await wait(town, maya)
    for seconds, asked in ((59, 0), (1, 1), (0, 1), (59, 1), (1, 2)):
        town.clock.advance(timedelta(seconds=seconds))
        assert len(await waiting(maya)) == 1
        await maya.credentials()
        assert polls(town) == asked
    await decide(town, offer, "approve")
    town.clock.advance(timedelta(seconds=60))
    assert await waiting(maya) == []
    assert len(await maya.credentials()) == 1


async def test_of_many_who_look_at_once_one_asks(town: Town, maya: Person) -> None:
    offer = await wait(town, maya)
    await decide(town, offer, "approve")
    town.clock.advance(timedelta(seconds=60))
    await asyncio.gather(*(maya.get("on-the-way") for _ in range(6)))
    assert polls(town) == 1
    assert len(await maya.credentials()) == 1


async def test_what_is_refused_is_told_and_not_asked_for_again(town: Town, maya: Person) -> None:
    offer = await wait(town, maya)
    await decide(town, offer, "deny")
    town.clock.advance(timedelta(seconds=60))
    assert await waiting(maya) == []
    assert [each["what"] for each in await maya.history()] == ["not_received"]
    assert {kind for kind, _ in await (await opened(town)).names()} == {"history"}
    town.clock.advance(timedelta(minutes=5))
    await waiting(maya)
    assert polls(town) == 1


@pytest.mark.fault("F09")
async def test_it_waits_through_a_restart_and_comes_at_the_unlocking(ground: Ground) -> None:
    async with running(ground) as town:
        maya = await town.arrive("maya")
        offer = await wait(town, maya)
    async with running(ground) as town:
        maya.client = (await town.visit()).client
        town.clock.advance(timedelta(hours=1))
        await decide(town, offer, "approve")
        await unlock(maya)
        assert len(await maya.credentials()) == 1


async def test_an_issuer_that_is_down_is_asked_again_after_its_interval(town: Town, maya: Person) -> None:
    offer = await wait(town, maya)
    await decide(town, offer, "approve")
    town.net.instead(ENDPOINT, GONE)
    town.clock.advance(timedelta(seconds=60))
    assert len(await waiting(maya)) == 1
    assert len(await waiting(maya)) == 1
    assert polls(town) == 1
    town.net.heal()
    town.clock.advance(timedelta(seconds=60))
    assert await waiting(maya) == []
    assert len(await maya.credentials()) == 1


@pytest.mark.fault("F09")
async def test_an_answer_that_was_lost_is_had_where_it_was_asked_for_first(town: Town, maya: Person) -> None:
    """The id is spent then; the same keys get the same place in the list."""
    offer = await wait(town, maya)
    await decide(town, offer, "approve")
    town.net.afterwards(ENDPOINT, GONE)
    town.clock.advance(timedelta(seconds=60))
    assert len(await waiting(maya)) == 1
    town.net.heal()
    town.clock.advance(timedelta(seconds=60))
    assert await waiting(maya) == []
    assert len(await maya.credentials()) == 1
    found = (await town.desk.get(f"/api/v1/offers/{offer['offer_id']}")).json()
    assert len(found["credentials"]) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"credentials":[]}'])
async def test_an_answer_that_means_nothing_does_not_end_the_waiting(town: Town, maya: Person, body: bytes) -> None:
    offer = await wait(town, maya)

    def change(request: FetchRequest, _answer: Fetched | None) -> Fetched:
        return fetched(request.url, body, town.clock)

    town.net.instead(ENDPOINT, change)
    town.clock.advance(timedelta(seconds=60))
    assert len(await waiting(maya)) == 1
    town.net.heal()
    await decide(town, offer, "approve")
    town.clock.advance(timedelta(seconds=60))
    await waiting(maya)
    assert len(await maya.credentials()) == 1


@pytest.mark.clause("VCI-51")
async def test_it_can_be_given_up(town: Town, maya: Person) -> None:
    offer = await wait(town, maya)
    (shown,) = await waiting(maya)
    assert (await maya.remove(f"on-the-way/{shown['id']}")).status_code == 200
    assert (await maya.remove(f"on-the-way/{shown['id']}")).status_code == 404
    assert await waiting(maya) == []
    assert [each["what"] for each in await maya.history()] == ["given_up"]
    assert {kind for kind, _ in await (await opened(town)).names()} == {"history"}
    await decide(town, offer, "approve")
    town.clock.advance(timedelta(seconds=60))
    assert await maya.credentials() == []
    assert not any("notification" in each.url for each in town.net.asked)  # nothing came, so nothing is named


async def test_another_wallet_waits_for_its_own(town: Town, maya: Person) -> None:
    noah = await town.arrive("noah")
    await wait(town, maya)
    (shown,) = await waiting(maya)
    assert await waiting(noah) == []
    assert (await noah.remove(f"on-the-way/{shown['id']}")).status_code == 404
    assert len(await waiting(maya)) == 1


async def test_a_key_that_the_issuer_exchanged_meanwhile_is_fetched_anew(town: Town, maya: Person) -> None:
    offer = await wait(town, maya)
    await decide(town, offer, "approve")
    stale = fetched("", b'{"error":"invalid_encryption_parameters"}', town.clock, status=400)
    answers: list[Fetched | None] = [stale, None]
    town.net.instead(ENDPOINT, lambda _request, _answer: answers.pop(0))
    town.clock.advance(timedelta(seconds=60))
    assert await waiting(maya) == []
    assert len(await maya.credentials()) == 1
    assert sum("openid-credential-issuer" in each.url for each in town.net.asked) == 2


async def test_a_clerk_hears_that_a_credential_which_came_too_late_was_let_go(town: Town, maya: Person) -> None:
    """VCI-51: credential_deleted tells of an issuance that failed because of the person, never of a later deletion."""
    town.net.instead("/status", Unreachable(Code.UNREACHABLE, "nobody answers"))
    wallet = await opened(town)
    line = {
        "issuer": "http://localhost:8101/ca-on/services",
        "notification_endpoint": "http://localhost:8101/ca-on/services/notification",
        "notification_id": "n",
        "token": "t",
        "encoded": ["came"],
        "keys": {},
        "own_key": False,
    }
    await wallet.put(PENDING, "line", line)
    assert (await maya.remove("on-the-way/line")).status_code == 200
    (told,) = [each for each in town.net.asked if each.url.endswith("/notification")]
    assert strict_json.parse_object(told.body or b"") == {"notification_id": "n", "event": "credential_deleted"}
