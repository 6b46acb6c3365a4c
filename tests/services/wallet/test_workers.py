"""Two workers of one wallet on one database: any of them serves the next request; once is once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

import wallet.app
from tests.services.wallet.test_presenting import posts
from tests.services.wallet.town import WALLET, Person, Town

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def elsewhere(town: Town, maya: Person) -> AsyncIterator[Person]:
    """Maya with the same cookies, served by a second worker."""
    app = wallet.app.create_app(town.ground.wallet_settings(), clock=town.clock, fetcher=town.net)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=WALLET, cookies=dict(maya.client.cookies)
        ) as client,
    ):
        yield replace(maya, client=client)


async def test_the_next_request_may_meet_the_other_worker(town: Town, maya: Person, elsewhere: Person) -> None:
    await maya.receive(await town.offer())
    assert await elsewhere.credentials() == await maya.credentials() != []
    assert (await elsewhere.remove("session")).json() == {"unlocked": False}
    assert (await maya.client.get("/api/v1/credentials")).status_code == 401


async def test_an_offer_taken_at_both_is_received_once(town: Town, maya: Person, elsewhere: Person) -> None:
    offer = await town.offer()
    answers = await asyncio.gather(
        *(person.post("credentials", offer=offer["link"]) for person in (maya, elsewhere) * 2)
    )
    assert [each.status_code for each in answers].count(201) == 1
    assert len(await maya.credentials()) == 1


@pytest.mark.attack("P20")
@pytest.mark.good_twin("P20")
async def test_a_consent_given_at_both_is_sent_once(town: Town, maya: Person, elsewhere: Person) -> None:
    await maya.receive(await town.offer())
    started = await town.ask()
    consent = await maya.consent(started["link"])
    answers = await asyncio.gather(*(person.agree(consent) for person in (maya, elsewhere) * 2))
    assert [each.status_code for each in answers].count(200) == 1
    assert len(posts(town)) == 1
    assert (await town.result(started))["result"]["verdict"] == "accepted"
