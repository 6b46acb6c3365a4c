"""P03, P04, P05: an answer counts only in the browser that started it (OpenID4VP 1.0 §14.2; profile VP-23)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from comity.openid.presentation import response
from tests.services.verifier.deployed import PUBLIC_URL, Deployed

SHOP = "https://shop.example/back"


class Browser:
    """A browser with its own cookies, which goes only where it is sent."""

    def __init__(self, verifier: Deployed) -> None:
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=verifier.app), base_url=PUBLIC_URL)

    async def go(self, url: str) -> httpx.Response:
        return await self.client.get(url)


async def answered(verifier: Deployed, started: dict[str, Any]) -> str:
    """The holder of the wallet answers; returns where their wallet sends their browser."""
    asked = await verifier.fetch(started)
    answer = await verifier.post(started, response.build(asked, verifier.vp_token(asked, verifier.licence())))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["redirect_uri"])


def code_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["response_code"][0]


async def begin(verifier: Deployed, browser: Browser, **terms: Any) -> dict[str, Any]:
    started = await verifier.start(flow="same_device", redirect_uri=SHOP, **terms)
    opened = await browser.go(started["start_url"])
    assert (opened.status_code, opened.headers["location"]) == (303, started["link"])
    return started


@pytest.mark.clause("VP-23", "HAIP-verifier")
@pytest.mark.attack("P03")
async def test_the_victims_answer_never_reaches_the_attacker(verifier: Deployed) -> None:
    """The attacker starts in one browser and lets the victim answer in another."""
    attacker, victim = Browser(verifier), Browser(verifier)
    started = await begin(verifier, attacker)
    back = await answered(verifier, started)  # the victim opened the attacker's link, and agreed
    polled = await verifier.read(started)
    assert (polled.status_code, polled.json()["code"]) == (403, "response_code_invalid")
    arrived = await victim.go(back)
    assert (arrived.status_code, arrived.json()["code"]) == (403, "session_mismatch")
    outcome = await verifier.outcome(started)
    assert (outcome["result"]["verdict"], outcome["result"]["codes"]) == ("rejected", ["session_mismatch"])
    assert "claims" not in outcome["result"]
    # Nor with the code itself, should the attacker ever learn it, nor by coming back in the attacker's own browser.
    assert (await verifier.outcome(started, response_code=code_of(back)))["result"]["verdict"] == "rejected"
    late = await attacker.go(back)
    assert (late.status_code, late.json()["code"]) == (403, "session_mismatch")
    assert (await verifier.outcome(started, response_code=code_of(back)))["result"]["verdict"] == "rejected"


@pytest.mark.clause("VP-23")
@pytest.mark.good_twin("P03")
async def test_its_good_twin(verifier: Deployed) -> None:
    """The same request, answered by the one who started it."""
    browser = Browser(verifier)
    started = await begin(verifier, browser)
    back = await answered(verifier, started)
    early = await verifier.read(started, response_code=code_of(back))
    assert (early.status_code, early.json()["code"]) == (403, "session_mismatch")  # nobody came back yet
    for _ in range(2):  # coming back twice is no harm
        arrived = await browser.go(back)
        assert (arrived.status_code, arrived.headers["location"]) == (303, f"{SHOP}?response_code={code_of(back)}")
    assert (await verifier.read(started)).status_code == 403
    outcome = await verifier.outcome(started, response_code=code_of(back))
    assert outcome["result"]["verdict"] == "accepted"


@pytest.mark.attack("P03")
@pytest.mark.good_twin("P03")
async def test_a_code_that_somebody_guesses_changes_nothing(verifier: Deployed) -> None:
    browser, other = Browser(verifier), Browser(verifier)
    started = await begin(verifier, browser)
    back = await answered(verifier, started)
    for guess in (back.replace(code_of(back), "x" * 43), back.partition("?")[0]):
        refused = await other.go(guess)
        assert (refused.status_code, refused.json()["code"]) == (403, "response_code_invalid")
    assert (await browser.go(back)).status_code == 303
    assert (await verifier.outcome(started, response_code=code_of(back)))["result"]["verdict"] == "accepted"


async def test_after_the_right_browser_came_back_another_one_changes_nothing(verifier: Deployed) -> None:
    browser, other = Browser(verifier), Browser(verifier)
    started = await begin(verifier, browser)
    back = await answered(verifier, started)
    await browser.go(back)
    assert (await other.go(back)).status_code == 403
    assert (await verifier.outcome(started, response_code=code_of(back)))["result"]["verdict"] == "accepted"


@pytest.mark.attack("P03")
async def test_a_request_is_started_in_one_browser(verifier: Deployed) -> None:
    started = await begin(verifier, Browser(verifier))
    second = await Browser(verifier).go(started["start_url"])
    assert (second.status_code, second.json()["code"]) == (409, "session_mismatch")


@pytest.mark.parametrize("flow", ["cross_device", "digital_credentials"])
async def test_other_flows_have_no_browser_of_their_own(verifier: Deployed, flow: str) -> None:
    origins: dict[str, Any] = {"origins": ["https://shop.example"]} if flow == "digital_credentials" else {}
    started = await verifier.start(flow=flow, **origins)
    assert "start_url" not in started
    assert (await Browser(verifier).go(f"/start/{started['request_id']}")).status_code == 404
    assert (await Browser(verifier).go(f"/complete/{started['request_id']}?response_code=x")).status_code == 404


async def test_the_cookie_is_for_that_request_alone_and_for_no_script(verifier: Deployed) -> None:
    started = await verifier.start(flow="same_device")
    opened = await Browser(verifier).go(started["start_url"])
    cookie = opened.headers["set-cookie"].lower()
    assert all(
        word in cookie for word in ("httponly", "samesite=lax", f"path=/complete/{started['request_id'].lower()}")
    )
    assert opened.headers["cache-control"] == "no-store"


@pytest.mark.attack("P04")
async def test_across_devices_people_are_warned(verifier: Deployed) -> None:
    """P04: no such defence there; both screens say what to look at."""
    english = await verifier.start(policy="age-alcohol")
    assert "trick" in english["warning"]
    headers = {**verifier.as_party(), "accept-language": "fr"}
    french = await verifier.client.post("/api/v1/requests", json={"policy": "age-alcohol"}, headers=headers)
    assert "piège" in french.json()["warning"]
    assert "warning" not in await verifier.start(flow="same_device")
