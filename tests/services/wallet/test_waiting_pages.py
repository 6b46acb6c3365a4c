"""What is on its way, on the wallet's pages: seen at home, given up, and there once it was decided."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from comity.ports import Fetched, FetchRequest
from tests.services.wallet.test_consent_pages import brought, sent, words
from tests.services.wallet.test_deferred import ENDPOINT, decide, wait
from tests.services.wallet.test_pages import signed_in, token_in
from tests.services.wallet.town import PASSPHRASE, WALLET, Town
from wallet import patience


async def test_what_is_decided_later_is_on_its_way_and_then_a_card(town: Town) -> None:
    maya = await signed_in(town)
    offer = await town.offer("drivers-licence/1", decide_later=True)
    taken = await sent(maya, await brought(maya, offer["link"]), answer="take")
    assert (taken.status_code, taken.headers["location"]) == (303, "/en/")
    assert "On its way: Driver’s licence" in await words(maya, "/en/")
    assert "En attente : Permis de conduire" in (await words(maya, "/fr/")).replace("\u00a0", " ")
    await decide(town, offer, "approve")
    town.clock.advance(timedelta(seconds=60))
    home = await words(maya, "/en/")
    assert "On its way" not in home
    assert "Driver’s licence" in home


async def test_the_person_may_give_up(town: Town) -> None:
    maya = await signed_in(town)
    await wait(town, maya)
    page = (await maya.client.get("/en/")).text
    (path,) = re.findall(r'action="(/en/on-the-way/[^"]+/give-up)"', page)
    for _ in range(2):  # the same form sent twice is no harm
        assert (await sent(maya, path)).headers["location"] == "/en/"
    assert "On its way" not in await words(maya, "/en/")
    assert "Given up before it came" in await words(maya, "/en/history")


async def test_an_issuer_that_stalls_holds_neither_the_sign_in_nor_the_page(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    maya = await town.arrive("maya")
    offer = await wait(town, maya)
    await decide(town, offer, "approve")
    monkeypatch.setattr(patience, "SECONDS", 0.0)
    asked, answers, fetch = asyncio.Queue[str](), asyncio.Event(), town.net.fetch
    house, running = town.net.hosts[WALLET], list[asyncio.Task[None]]()

    async def stalling(request: FetchRequest) -> Fetched:
        if ENDPOINT in request.url:
            asked.put_nowait(request.url)
            await answers.wait()
        return await fetch(request)

    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        """Return when the answer is out, as a browser sees it, whatever the house still does."""
        is_out = asyncio.Event()

        async def sending(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                is_out.set()

        async def at_home() -> None:
            try:
                await house(scope, receive, sending)
            finally:
                is_out.set()

        running.append(asyncio.create_task(at_home()))
        await is_out.wait()

    monkeypatch.setattr(town.net, "fetch", stalling)
    town.clock.advance(timedelta(seconds=60))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(early), base_url=WALLET) as client:
        page = await client.get("/en/sign-in")
        form = {"form_token": token_in(page.text), "name": maya.name, "passphrase": PASSPHRASE}
        answer = await client.post("/en/sign-in", data=form, headers={"origin": WALLET})
        assert (answer.status_code, answer.headers["location"]) == (303, "/en/")
        await asked.get()
        town.clock.advance(timedelta(seconds=60))  # the interval is over, and the first asking is not
        for _ in range(2):
            assert "On its way: " in (await client.get("/en/")).text
        for path in ("credentials", "on-the-way"):  # nor the JSON interface, which says what is known
            listed = await asyncio.wait_for(client.get(f"/api/v1/{path}"), 20)
            assert len(listed.json()["on_the_way"]) == 1
        assert asked.empty(), "nobody asks while somebody asks"
        assert not all(each.done() for each in running)
    answers.set()
    await asyncio.gather(*running)
    assert len(await maya.credentials()) == 1
    assert asked.empty()
    assert [each["what"] for each in await maya.history()] == ["received"]
