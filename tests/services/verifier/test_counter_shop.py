"""The made-up shop: a result belongs to the browser that asked, and to no other (OpenID4VP 1.0 §14.2)."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.services.verifier.deployed import Deployed, Place, running
from tests.services.verifier.federation import LICENCE
from tests.services.verifier.till import Till, words
from verifier.counter.shop import COOKIE


@pytest.fixture
async def demo(place: Place) -> AsyncIterator[Deployed]:
    async with running(place, demo_counter="bar", wallet_url="https://wallet.example") as verifier:
        yield verifier


async def bought(demo: Deployed, shopper: Till, *, is_old_enough: bool = True) -> str:
    """Prove an age and return the address, without its host, to which the wallet leads."""
    started = await shopper.link("/shop/prove")
    held = demo.held(LICENCE, age_over_19=is_old_enough)
    answer = await demo.answer(started, {"drivers-licence_sdjwt": (held, ("age_over_19",))})
    back = urlsplit(answer.json()["redirect_uri"])
    return f"{back.path}?{back.query}"


async def test_the_browser_that_asked_reads_the_answer(demo: Deployed) -> None:
    for is_old_enough, seen in ((True, "Your age is confirmed"), (False, "We cannot sell this to you")):
        shopper = Till(demo)
        back = await bought(demo, shopper, is_old_enough=is_old_enough)
        answer = await shopper.client.get(back)
        assert (answer.status_code, seen in words(answer.text)) == (200, True)


async def test_another_browser_reads_nothing(demo: Deployed) -> None:
    """The victim was led to answer the attacker's request: neither of them has both halves."""
    attacker, victim = Till(demo), Till(demo)
    back = await bought(demo, attacker)
    seen = await victim.client.get(back)
    assert (seen.status_code, "belongs to another browser" in words(seen.text)) == (403, True)
    for query in ("", "?response_code=", "?response_code=" + "A" * 43):
        guessed = await attacker.client.get(f"/en/shop/done{query}")
        assert guessed.status_code == 403
    await victim.get("/shop/prove")
    assert (await victim.client.get(back)).status_code == 403, "a cookie of one's own request does not help"


async def test_the_link_leads_to_an_installed_and_to_a_hosted_wallet(demo: Deployed) -> None:
    shopper = Till(demo)
    page = (await shopper.get("/shop/prove")).text
    assert 'href="openid4vp://?client_id=' in page
    assert 'href="https://wallet.example/en/open?client_id=' in page
    assert shopper.client.cookies[COOKIE]


async def test_another_site_cannot_start_it(demo: Deployed) -> None:
    answer = await Till(demo).get("/shop/prove", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


async def test_without_a_demonstration_there_is_no_shop(verifier: Deployed) -> None:
    for path in ("/shop", "/shop/prove", "/shop/done"):
        assert (await Till(verifier).get(path)).status_code == 404


async def test_the_button_may_be_loaded_by_any_site(verifier: Deployed) -> None:
    answer = await verifier.client.get("/embed/button.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "comity-prove" in answer.text
