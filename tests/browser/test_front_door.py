"""The front door in a real browser: it explains, leads to every face, and says what is up."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from unittest import mock

import pytest_asyncio
from playwright.async_api import Browser

from comity.demo import open_house
from comity.demo.door import app
from comity.demo.door.house import House
from comity.demo.founding import Stage
from comity.demo.processes import HOST, free_ports
from comity.web.serving import beside
from tests.browser.counters import WORDS
from tests.browser.visitor import DESKTOP, Visitor, arrive
from tests.support.waiting import PATIENCE_SECONDS

DOWN = f"http://{HOST}:9/healthz"


@pytest_asyncio.fixture(loop_scope="session")
async def door(stage: Stage) -> AsyncIterator[str]:
    """The front door of the stage on a free port, with one service that does not answer."""
    (port,) = free_ports(1)
    found = open_house.house_of(stage)
    house: House = replace(found, probes={**found.probes, "status": DOWN})
    url = f"http://{HOST}:{port}"
    with mock.patch.object(app, "PROBE_SECONDS", PATIENCE_SECONDS):  # a service is not down because it is asked slowly
        async with beside(app.create_door(house, public_url=url, form_key=bytes(32)), HOST, port):
            yield url


@pytest_asyncio.fixture(loop_scope="session")
async def guest(browser: Browser, stage: Stage, axe_source: str, door: str) -> AsyncIterator[Callable[..., object]]:
    """Open windows that may also speak to the front door."""
    opened: list[Visitor] = []

    async def new(**how: object) -> Visitor:
        made = await arrive(browser, frozenset({*stage.urls.values(), door}), axe_source, **how)  # type: ignore[arg-type]
        opened.append(made)
        return made

    yield new
    for each in opened:
        await each.close()


async def test_the_page_is_clean_in_both_languages(guest: Callable[..., object], door: str) -> None:
    at: Visitor = await guest()  # type: ignore[misc]
    await at.go(f"{door}/en/")
    for heading in ("A credential of one jurisdiction", "L’attestation d’une administration"):
        assert heading in await at.heading()
        assert await at.page.locator(".door-services .badge-good").count() == 4
        assert await at.page.locator(".door-services .badge-bad").count() == 1
        summaries = at.page.locator(".door-journeys summary")
        for number in range(1, await summaries.count()):  # the first is open
            await summaries.nth(number).click()
        await at.shoot("front-door")
        await at.check()
        await at.page.locator(".toggle").click()


async def test_every_link_leads_to_a_page(guest: Callable[..., object], door: str, stage: Stage) -> None:
    at: Visitor = await guest(window=DESKTOP, locale="fr-CA")  # type: ignore[misc]
    await at.go(f"{door}/")
    assert at.path == "/fr/"
    links = {await each.get_attribute("href") for each in await at.page.locator("main a[href^=http]").all()}
    assert {stage.urls[name] for name in ("wallet", "verifier")} <= {
        re.sub(r"(?<=\d)/.*", "", str(link)) for link in links
    }
    for link in sorted(str(each) for each in links if not str(each).startswith(stage.urls["issuer"])):
        answer = await at.page.goto(link)
        assert answer is not None
        assert answer.status == 200, link


async def test_two_taps_from_the_door_to_a_question(guest: Callable[..., object], door: str) -> None:
    at: Visitor = await guest()  # type: ignore[misc]
    await at.go(f"{door}/en/")
    async with at.context.expect_page() as opened:
        await at.press("Open the counter")
    counter = await opened.value
    await counter.get_by_role("button", name=WORDS["en"]["demo"]).click()
    await counter.wait_for_url("**/counter")
    assert "What do you need to know?" in await counter.locator("h1").inner_text()
