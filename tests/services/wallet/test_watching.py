"""The wallet reads the lists itself and says in plain words what changed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from comity.errors import Code, Unreachable
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import ON, STATUS, Ground, Person, Town, running
from wallet.records import CREDENTIAL

HOUR = timedelta(hours=1)


async def look(person: Person, language: str = "en") -> list[dict[str, Any]]:
    answer = await person.post("status-refresh", language)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["changes"])


async def change(town: Town, offer: dict[str, Any], verb: str) -> None:
    town.clock.advance(timedelta(minutes=1))
    await town.change_status(offer, verb)


@pytest.mark.parametrize("credential_format", ["dc+sd-jwt", "vc+jwt"])
async def test_each_change_is_told_once_in_both_languages(town: Town, maya: Person, credential_format: str) -> None:
    offer = await town.offer("drivers-licence/1", formats=[credential_format])
    (held,) = await maya.receive(offer)
    assert await look(maya) == []
    await change(town, offer, "suspend")
    (told,) = await look(maya, "fr")
    assert (told["credential"], told["before"], told["now"]) == (held["id"], "ok", "suspended")
    assert "suspendu" in told["words"]
    await change(town, offer, "reinstate")
    (told,) = await look(maya)
    assert (told["before"], told["now"], told["words"]) == ("suspended", "ok", "Your credential is valid again.")
    await change(town, offer, "revoke")
    (told,) = await look(maya)
    assert told["now"] == "revoked"
    assert "revoked" in told["words"]
    assert await look(maya) == []
    messages = (await maya.get("messages"))["messages"]
    assert [each["now"] for each in messages] == ["suspended", "ok", "revoked"]
    french = (await maya.get("messages", "fr"))["messages"]
    assert all(left["words"] != right["words"] for left, right in zip(messages, french, strict=True))
    (listed,) = await maya.credentials()
    assert (listed["state"], listed["status"]) == ("revoked", "revoked")


async def test_the_list_looks_by_itself_when_it_is_time(town: Town, maya: Person) -> None:
    offer = await town.offer("drivers-licence/1")
    await maya.receive(offer)
    await change(town, offer, "suspend")
    (listed,) = await maya.credentials()
    assert listed["state"] == "ok"
    town.clock.advance(HOUR)
    await town.issuer_app.state.deployment.publisher.publish_due()
    await maya.post("session", name="maya", passphrase="a long enough passphrase")
    (listed,) = await maya.credentials()
    assert listed["state"] == "suspended"
    assert [each["now"] for each in (await maya.get("messages"))["messages"]] == ["suspended"]


async def test_a_host_that_is_down_is_no_news(town: Town, maya: Person) -> None:
    offer = await town.offer("drivers-licence/1")
    await maya.receive(offer)
    await change(town, offer, "suspend")
    assert len(await look(maya)) == 1
    town.net.instead(STATUS, Unreachable(Code.UNREACHABLE, "down"))
    town.clock.advance(timedelta(days=3))
    await maya.post("session", name="maya", passphrase="a long enough passphrase")
    await town.wallet.registry.refresh()
    changes = await look(maya)
    (listed,) = await maya.credentials()
    assert (changes, listed["state"].startswith("status_") or listed["state"] == "registry_expired") == ([], True)
    town.net.heal()
    await town.issuer_app.state.deployment.publisher.publish_due()
    assert await look(maya) == []
    assert len((await maya.get("messages"))["messages"]) == 1


async def test_a_withdrawn_issuer_and_an_ended_credential_are_told(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    withdrawal = {"edit": "withdraw", "authority": ON, "type": "person/1", "on": "2026-11-23", "effect": "lose"}
    await town.apply({**withdrawal, "reason": "ceased"})
    (told,) = await look(maya)
    assert told["now"] == "issuer_withdrawn"
    assert "registry" in told["words"]


async def test_two_looks_at_once_disturb_nobody(town: Town, maya: Person) -> None:
    for _ in range(3):
        await maya.receive(await town.offer())
    answers = await asyncio.gather(*(maya.post("status-refresh") for _ in range(6)))
    assert {each.status_code for each in answers} == {200}
    assert len(await maya.credentials()) == 3


async def test_without_a_registry_the_list_is_shown_all_the_same(ground: Ground) -> None:
    async with running(ground, status_refresh_seconds=0.001) as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        town.clock.advance(timedelta(seconds=1))

        def unavailable() -> None:
            raise Unreachable(Code.REGISTRY_UNAVAILABLE, "never seen")

        structs.force_setattr(town.wallet.watching, "snapshot", unavailable)
        assert len(await maya.credentials()) == 1
        answer = await maya.post("status-refresh")
        assert (answer.status_code, answer.json()["code"]) == (503, "registry_unavailable")


async def test_damaged_credentials_are_named_and_the_others_shown(town: Town, maya: Person) -> None:
    """K04; and a record that no wallet writes."""
    (good,) = await maya.receive(await town.offer())
    wallet = await opened(town)
    await wallet.put(CREDENTIAL, "foreign", {"format": "dc+sd-jwt", "encoded": "garbage", "about": {}})
    found = await maya.get("credentials")
    assert [each["id"] for each in found["credentials"]] == [good["id"]]
    assert found["damaged"] == ["foreign"]
    answer = await maya.client.get("/api/v1/credentials/foreign")
    assert (answer.status_code, answer.json()["code"]) == (400, "record_tampered")
    assert (await maya.remove("credentials/foreign")).status_code == 200
    assert (await maya.get("credentials"))["damaged"] == []
