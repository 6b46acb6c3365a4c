"""Every page of the counter: axe finds nothing in either language, light or dark, and no page scrolls sideways."""

import pytest

from comity.demo import cast
from comity.demo.play import Play
from tests.browser.conftest import NewVisitor
from tests.browser.counters import Till
from tests.browser.listening import require_focus
from tests.browser.test_counter import customer, till_at
from tests.browser.visitor import Visitor

OPEN = ("/", "/counter/sign-in", "/developers", "/shop", "/shop/prove", "/shop/done", "/nowhere")
SIGNED_IN = ("/counter", "/counter/scan", "/counter/settings")


async def look(at: Visitor, name: str) -> None:
    """Judge the page that is open, in this language and by its toggle in the other one, and take its pictures."""
    for _ in range(2):
        await at.shoot(name)
        await at.check()
        await at.page.locator(".toggle").click()


@pytest.mark.parametrize("path", OPEN)
async def test_a_page_for_everybody(visitor: NewVisitor, play: Play, path: str) -> None:
    at = await visitor()
    await at.go(f"{play.stage.urls['verifier']}/en{path}")
    await look(at, f"counter{path.replace('/', '-') if path != '/' else '-home'}")


async def test_pages_of_an_open_counter(visitor: NewVisitor, play: Play) -> None:
    till = await till_at(visitor, play)
    for path in SIGNED_IN:
        await till.go(path)
        await look(till.at, f"counter{path.removeprefix('/counter').replace('/', '-') or '-choose'}")
    await till.scan("WIFI:S:cafe;;")
    await till.at.page.locator(".notice-warn").wait_for()
    await require_focus(till.at, await till.at.page.locator(".notice-warn .notice-title").inner_text())
    await till.at.shoot("counter-scan-other")
    await till.at.check()


async def test_asking_and_every_colour(visitor: NewVisitor, play: Play) -> None:
    till, (young, chosen) = await till_at(visitor, play), await customer(play, 18)
    for policy, signal in (("age-majority", "green"), ("age-cannabis", "red")):
        await till.go("/counter")
        await till.tap(policy)
        if signal == "green":
            await look(till.at, "counter-ask")
        await young.agree(await young.consent(await till.link()), chosen)
        await till.verdict(signal)
        await judge_verdict(till, f"counter-{signal}")
    licence = cast.drivers_licence(cast.ELISE, 38, "7801")
    kept = await young.receive(
        await play.desk.offer("ca-on/services", "drivers-licence/1", licence, formats=["vc+jwt"])
    )
    await till.scan(await young.raw(kept[0]["id"]))
    await till.verdict("amber")
    await judge_verdict(till, "counter-amber")
    await till.go("/counter/history")
    await look(till.at, "counter-history")


async def judge_verdict(till: Till, name: str) -> None:
    """Judge a verdict with its details open, which also keeps it on the screen."""
    await till.at.shoot(name)
    await till.at.page.locator("details.counter-details summary").click()
    await till.at.check()
    await till.at.page.locator(".toggle").click()
    await till.at.page.locator("details.counter-details summary").click()
    await till.at.shoot(f"{name}-details")
    await till.at.check()
    await till.at.page.locator(".toggle").click()
