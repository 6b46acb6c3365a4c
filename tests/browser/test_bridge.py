"""Signing in at a website by presenting, as people do it: with a phone beside, on one device, and without a mouse.

The website is no more than its address: what it does with a code is a test of the service.
"""

import re
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

from comity.demo import cast, processes
from comity.demo.play import Play
from tests.browser.conftest import NewVisitor
from tests.browser.counters import Till
from tests.browser.test_counter import customer
from tests.browser.test_counter_pages import look
from tests.browser.visitor import Visitor
from tests.browser.wallets import Citizen

_CLIENTS: dict[str, str] = {}


async def website(play: Play) -> str:
    """Return the client_id of a website whose callback is a page of nobody's, registered once by the command."""
    url = play.stage.urls["verifier"]
    if url not in _CLIENTS:
        names = ("--name-en", "Harbour Books", "--name-fr", "Librairie du Havre")
        what = ("--redirect-uri", f"{url}/healthz", "--preset", "age-majority", "--place", "ca-on")
        settings = play.stage.settings("verifier")
        printed = await processes.run("verifier", "client", "add", *names, *what, settings=settings)
        _CLIENTS[url] = printed.splitlines()[1]
    return _CLIENTS[url]


async def arrive(at: Visitor, play: Play, language: str = "en") -> str:
    """Come from the website; returns the state that it must get back."""
    url, state = play.stage.urls["verifier"], secrets.token_urlsafe(16)
    asked = {
        "response_type": "code",
        "client_id": await website(play),
        "redirect_uri": f"{url}/healthz",
        "scope": "openid age-majority",
        "state": state,
        "nonce": secrets.token_urlsafe(16),
        "ui_locales": f"{language}-CA",
    }
    await at.go(f"{url}/oidc/authorize?{urlencode(asked)}")
    await at.page.wait_for_url(f"**/{language}/sign-in/*")
    return state


def told(at: Visitor) -> dict[str, str]:
    """Return what the website was told."""
    return {name: values[0] for name, values in parse_qs(urlsplit(at.page.url).query).items()}


async def test_with_the_wallet_on_a_phone_the_page_goes_on_by_itself(visitor: NewVisitor, play: Play) -> None:
    at, (adult, chosen) = await visitor(), await customer(play, 38)
    state = await arrive(at, play)
    await look(at, "sign-in")
    await adult.agree(await adult.consent(await Till(at=at, url="").link()), chosen)
    await at.page.wait_for_url("**/healthz?**")
    assert {"code", "state", "iss"} == told(at).keys()
    assert told(at)["state"] == state


async def test_a_no_is_explained_and_the_website_learns_only_that(visitor: NewVisitor, play: Play) -> None:
    at, (young, chosen) = await visitor(locale="fr-CA"), await customer(play, 15)
    await arrive(at, play, "fr")
    await young.agree(await young.consent(await Till(at=at, url="").link()), chosen)
    await at.page.locator(".sign-bad").wait_for()
    assert await at.heading() == "Aucune session ouverte"
    await look(at, "sign-in-refused")
    at.check_quiet()
    await at.walk_to("Retourner au site Web")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/healthz?**")
    assert told(at)["error"] == "access_denied"
    assert told(at)["error_description"] == "the visitor did not show what was asked for"


async def test_on_one_device_without_a_mouse(visitor: NewVisitor, play: Play) -> None:
    elise = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play)
    await elise.settle()
    await elise.keep(
        await play.desk.offer("ca-on/services", "drivers-licence/1", cast.drivers_licence(cast.ELISE, 38, "7802"))
    )
    at = elise.at
    state = await arrive(at, play)
    await at.walk_to("My wallet is on this device")
    await at.page.keyboard.press("Enter")
    await at.page.get_by_role("link", name="Open my online wallet").wait_for()
    await look(at, "sign-in-here")
    await at.walk_to("Open my online wallet")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/open?**")
    await at.page.locator("main form button[type=submit]").first.click()
    await at.page.wait_for_url("**/requests/**")
    await at.press(elise.words["agree"])
    await at.page.locator("main a.button").first.click()
    await at.page.wait_for_url(re.compile(r"/healthz\?"))
    assert told(at)["state"] == state
    assert "code" in told(at)


async def test_another_browser_sees_nothing_of_it(visitor: NewVisitor, play: Play) -> None:
    at, other = await visitor(), await visitor()
    await arrive(at, play)
    await other.go(at.page.url)
    assert await other.heading() == "This sign-in is not open here"
    await other.check()
