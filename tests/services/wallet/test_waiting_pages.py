"""What is on its way, on the wallet's pages: seen at home, given up, and there once it was decided."""

import re
from datetime import timedelta

from tests.services.wallet.test_consent_pages import brought, sent, words
from tests.services.wallet.test_deferred import decide, wait
from tests.services.wallet.test_pages import signed_in
from tests.services.wallet.town import Town


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
