"""Copies of a card that was had by signing in: by its refresh token, with one fate, and used by one at a time."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from comity.errors import Code, Unreachable
from issuer.store import desk
from tests.services.wallet.signing_in import FILE, Pages, received, started
from tests.services.wallet.test_authorizing import form_of, sent
from tests.services.wallet.test_copies import SUBSIDY, card, encoded, show, unlike
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import ISSUER, ON, Ground, Person, Town, running
from wallet import copies
from wallet.records import GRANT, PENDING

CARD = {"issuer": f"{ISSUER}/{ON}", "configuration_ids": ["fare-subsidy.1.sdjwt"], "keep_unrecognised": True}


@pytest.fixture
async def town(ground: Ground) -> AsyncIterator[Town]:
    """An authority at which people sign in for a card that is shown to many."""
    file = ground.folder / "authorities.json"
    described = json.loads(file.read_text("utf-8"))
    described[0]["types"].append("fare-subsidy/1")
    file.write_text(json.dumps(described), "utf-8")
    (ground.folder / "people.json").write_text(json.dumps({FILE: {"fare-subsidy": SUBSIDY}}), "utf-8")
    async with running(ground) as made:
        yield made


def refreshes(town: Town) -> list[dict[str, str]]:
    return [form for each in sent(town, "token") if (form := form_of(each))["grant_type"] == "refresh_token"]


async def records(town: Town) -> list[dict[str, Any]]:
    wanted = {"authority": ON, "record_reference": FILE}
    found = await town.desk.post("/api/v1/credentials/search", json=wanted)
    assert found.status_code == 200, found.text
    return list(found.json()["credentials"])


async def run_low(town: Town) -> None:
    for _ in range(copies.COPIES - copies.LOW):
        await show(town)


async def test_it_is_refilled_long_after_its_first_token_has_ended(town: Town, maya: Person) -> None:
    await received(town, maya, **CARD)
    assert len(encoded(await card(town))) == copies.COPIES
    await run_low(town)
    town.clock.advance(timedelta(days=2))
    await maya.post("session", name="maya", passphrase="a long enough passphrase")
    await maya.credentials()
    after = encoded(await card(town))
    assert len(after) == copies.LOW + copies.COPIES
    await run_low(town)
    for _ in range(copies.COPIES):
        await show(town)
    await maya.credentials()  # and again, with the token that came with the last one
    assert len({each["refresh_token"] for each in refreshes(town)}) == 2


async def test_whichever_copy_a_clerk_finds_it_is_the_card_that_is_revoked(town: Town, maya: Person) -> None:
    await received(town, maya, **CARD)
    await run_low(town)
    await maya.credentials()
    found = await records(town)
    assert len(found) == 2 * copies.COPIES
    one = found[-1]["id"]
    await town.desk.post(f"/api/v1/credentials/{one}/revoke", json={"reason": "lost"})
    assert {each["status"] for each in await records(town)} == {"revoked"}


async def test_the_cards_of_others_are_left_alone(town: Town, maya: Person) -> None:
    await received(town, maya, **CARD)
    await received(town, maya, **CARD)  # another sign-in of the same person: another card
    found = await records(town)
    await town.desk.post(f"/api/v1/credentials/{found[0]['id']}/revoke", json={"reason": "lost"})
    stands = [each["status"] for each in await records(town)]
    assert (stands.count("revoked"), stands.count("valid")) == (copies.COPIES, copies.COPIES)


@pytest.mark.attack("Q11")
async def test_of_many_who_look_at_once_one_uses_the_refresh_token(town: Town, maya: Person) -> None:
    """Used twice, it would look stolen, and end everything."""
    await received(town, maya, **CARD)
    await run_low(town)
    await asyncio.gather(*(maya.credentials() for _ in range(5)))
    assert len(refreshes(town)) == 1
    assert len(encoded(await card(town))) == copies.LOW + copies.COPIES
    database = town.issuer_app.state.deployment.database
    told = await database.read(lambda found: desk.log(found, ON, desk.LogFilter(), before=None, limit=50))
    assert "refresh_token_replayed" not in {each.event.action for each in told}


async def test_a_server_that_is_down_is_asked_the_next_time(town: Town, maya: Person) -> None:
    await received(town, maya, **CARD)
    await run_low(town)
    town.net.instead("services/token", Unreachable(Code.UNREACHABLE, "nobody answers"))
    await maya.credentials()
    assert len(encoded(await card(town))) == copies.LOW
    town.net.heal()
    await maya.credentials()
    assert len(encoded(await card(town))) == copies.LOW + copies.COPIES


async def test_a_use_of_which_nothing_was_heard_is_over_after_a_minute(town: Town, maya: Person) -> None:
    await received(town, maya, **CARD)
    await run_low(town)
    wallet = await opened(town)
    (kept,) = await wallet.all(GRANT)
    until = (town.clock.now() + timedelta(minutes=1)).isoformat()  # as a crash leaves it
    await wallet.put(GRANT, kept.id, {**kept.content, "in_use_until": until}, version=kept.version + 1)
    await maya.credentials()
    assert refreshes(town) == []
    refused = await maya.post(f"credentials/{(await card(town)).id}/renew")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    town.clock.advance(timedelta(minutes=1))
    await maya.credentials()
    assert len(encoded(await card(town))) == copies.LOW + copies.COPIES


async def test_a_revoked_card_gets_no_further_copies(town: Town, maya: Person) -> None:
    await received(town, maya, **CARD)
    await run_low(town)
    await town.desk.post(f"/api/v1/credentials/{(await records(town))[0]['id']}/revoke", json={"reason": "lost"})
    await maya.credentials()
    assert len(await records(town)) == copies.COPIES
    assert "access" not in (await card(town)).more
    assert await (await opened(town)).all(GRANT) == []


async def test_renewing_replaces_all_copies(town: Town, maya: Person) -> None:
    [old] = await received(town, maya, **CARD)
    before = encoded(await card(town))
    answer = await maya.post(f"credentials/{old['id']}/renew")
    assert answer.status_code == 201, answer.text
    after = encoded(await card(town))
    assert len(after) == copies.COPIES
    unlike(after)
    assert not set(after) & set(before)


async def test_an_answer_lost_on_the_way_brings_all_copies_later(town: Town, maya: Person) -> None:
    brought = await Pages(town).agree(await started(maya, **CARD))
    town.net.afterwards("services/credential", Unreachable(Code.UNREACHABLE, "lost"))
    assert (await maya.post("authorizations/finish", **brought)).status_code == 502
    town.net.heal()
    assert len(await (await opened(town)).all(PENDING)) == 1
    await maya.post("session", name="maya", passphrase="a long enough passphrase")
    assert len(encoded(await card(town))) == copies.COPIES
    assert len(await records(town)) == copies.COPIES
