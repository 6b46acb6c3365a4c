"""The made-up shop: a result belongs to the browser that asked, and to no other (OpenID4VP 1.0 §14.2)."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from comity import jose
from tests.services.verifier.deployed import PUBLIC_URL, Deployed, Place, running
from tests.services.verifier.federation import LICENCE
from tests.services.verifier.till import TOKEN, Till, words
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
        assert back.startswith("/complete/"), "the wallet leads through the one defence"
        code = back.partition("?")[2]
        early = await shopper.client.get(f"/en/shop/done?{code}")
        assert early.status_code == 403, "not even with the code, before the browser came back"
        answer = await shopper.client.get(back, follow_redirects=True)
        assert (answer.status_code, seen in words(answer.text)) == (200, True)


@pytest.mark.attack("P03")
async def test_another_browser_reads_nothing(demo: Deployed) -> None:
    """P03: the victim was led to answer the attacker's request: neither of them gets anything, then or later."""
    attacker, victim = Till(demo), Till(demo)
    back = await bought(demo, attacker)
    code = back.partition("?")[2]
    await victim.get("/shop/prove")
    seen = await victim.client.get(back, headers={"accept": "text/html"})
    assert (seen.status_code, "Another browser came back" in words(seen.text)) == (403, True)
    assert (await victim.client.get(f"/en/shop/done?{code}")).status_code == 403, "its own request is another"
    for query in ("", "?response_code=", "?response_code=" + "A" * 43, f"?{code}"):
        guessed = await attacker.client.get(f"/en/shop/done{query}")
        assert (guessed.status_code, "belongs to another browser" in words(guessed.text)) == (403, True)
    assert (await attacker.client.get(back)).status_code == 403


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


async def digital(demo: Deployed, shopper: Till) -> dict[str, Any]:
    """Begin by the browser's own dialogue; returns the one message for it."""
    page = await shopper.get("/shop/prove")
    (token,) = set(TOKEN.findall(page.text))
    begun = await shopper.client.post("/en/shop/digital", data={"form_token": token})
    assert begun.status_code == 200, begun.text
    (message,) = begun.json()["requests"]
    return dict(message)


async def test_a_browser_that_finds_wallets_asks_with_a_signed_request(demo: Deployed) -> None:
    message = await digital(demo, Till(demo))
    assert message["protocol"] == "openid4vp-v1-signed"
    assert jose.payload_object(jose.parse(message["data"]["request"]))["expected_origins"] == [PUBLIC_URL]


async def test_only_our_own_page_may_begin_and_only_its_browser_may_answer(demo: Deployed) -> None:
    shopper = Till(demo)
    assert (await shopper.client.post("/en/shop/digital", data={"form_token": "none"})).status_code == 409
    await digital(demo, shopper)
    sent: dict[str, Any] = {"data": {"vp_token": {}}}
    assert (await Till(demo).client.post("/en/shop/digital/answer", json=sent)).status_code == 404
    foreign = await shopper.client.post(
        "/en/shop/digital/answer", headers={"origin": "https://evil.example"}, json=sent
    )
    assert foreign.status_code == 403
    assert (await shopper.client.post("/en/shop/digital/answer", json={"data": "text"})).status_code == 400
    assert (await shopper.client.get("/en/shop/done")).status_code == 403, "nothing was answered"
