"""What attackers try at the bridge: open redirects, fixation, codes carried elsewhere. Each with its good twin."""

import asyncio
import re
from typing import Any

import pytest

from comity.web.app import MAX_BODY_BYTES
from tests.services.verifier.deployed import PUBLIC_URL, Deployed
from tests.services.verifier.till import words
from tests.services.verifier.website import CALLBACK, ISSUER, Visitor, registered
from tests.support.refused import sent_away
from verifier.signing_in import cookie_of

HTML = {"accept": "text/html"}
EVIL = (
    "https://evil.example/callback",
    f"{CALLBACK}/",
    f"{CALLBACK}?x=1",
    f"{CALLBACK}#x",
    CALLBACK.upper(),
    "https://shop.example.evil.example/callback",
    "https://shop.example@evil.example/callback",
    "//shop.example/callback",
    "javascript:alert(1)",
    "",
)


def began(visitor: Visitor) -> bool:
    return any(name.startswith("comity_sign_in_") for name in visitor.client.cookies)


async def test_nobody_is_sent_to_an_address_that_is_not_registered(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    for redirect_uri in EVIL:
        for prompt in ("", "none"):  # nor with an error
            answer = await visitor.follow(website.ask(redirect_uri=redirect_uri, prompt=prompt))
            assert (answer.status_code, answer.headers.get("location")) == (400, None), redirect_uri
            assert "Return address not registered" in words(answer.text)
    assert not began(visitor)
    assert (await visitor.follow(website.ask())).status_code == 303
    assert began(visitor)


async def test_nobody_is_sent_away_for_a_website_that_nobody_knows(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    for client_id in ("", "nobody", "a" * 44, "a/../b", "é"):
        answer = await visitor.follow(website.ask(client_id=client_id))
        assert (answer.status_code, answer.headers.get("location")) == (404, None), client_id
        posted = await visitor.client.post("/oidc/authorize", data=website.sent)
        assert (posted.status_code, "Website not known" in words(posted.text)) == (404, True)
    assert (await visitor.follow(website.ask())).status_code == 303


async def test_a_parameter_twice_is_refused_before_anything_is_believed(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    answer = await visitor.follow(website.ask() + "&redirect_uri=https%3A%2F%2Fevil.example")
    assert (answer.status_code, answer.headers.get("location")) == (400, None)


ERRORS = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": ""}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"scope": "drivers-licence-valid"}, "invalid_scope"),
    ({"scope": "openid"}, "invalid_scope"),
    ({"scope": "openid drivers-licence-valid age-alcohol"}, "invalid_scope"),
    ({"scope": "openid residency"}, "invalid_scope"),
    ({"scope": "openid drivers-licence-valid profile"}, "invalid_scope"),
    ({"prompt": "none"}, "login_required"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"request": "e30.e30."}, "request_not_supported"),
    ({"request_uri": "https://shop.example/request"}, "request_uri_not_supported"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": ""}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"nonce": "x" * 2049}, "invalid_request"),
]


async def test_what_is_wrong_otherwise_is_told_to_the_website(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    for changes, error in ERRORS:
        scope = changes.get("scope", "openid drivers-licence-valid")
        others: dict[str, Any] = {name: value for name, value in changes.items() if name != "scope"}
        answer = await visitor.follow(website.ask(scope, **others))
        assert answer.status_code == 303
        told = website.told(answer.headers["location"])
        assert (told["error"], "code" in told) == (error, False), changes
    assert not began(visitor), "nothing was begun"
    assert sent_away() == len(ERRORS), "each is judged, beneath the client (tests/support/refused_redirects.py)"


async def test_a_state_that_cannot_be_one_is_not_sent_back(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    answer = await visitor.follow(website.ask(state="x" * 8193))
    website.sent.pop("state")
    assert website.told(answer.headers["location"])["error"] == "invalid_request"
    twin = await visitor.follow(website.ask("openid", state="x" * 8192))  # Keycloak's holds that of another, and more
    assert website.told(twin.headers["location"])["error"] == "invalid_scope"


async def test_the_attackers_sign_in_does_not_open_in_the_victims_browser(verifier: Deployed) -> None:
    """Login fixation: the link to a sign-in that somebody else began is worth nothing."""
    website, attacker, victim = await registered(verifier), Visitor(verifier), Visitor(verifier)
    await attacker.follow(website.ask())
    for path in ("", "/leave", "/events"):
        seen = await victim.get(attacker.page + path, headers=HTML)
        assert (seen.status_code, seen.headers.get("location")) == (403, None)
    victim.client.cookies.set(cookie_of(attacker.sign_in_id), "A" * 43)  # nor with a planted cookie
    assert (await victim.get(attacker.page)).status_code == 403
    await attacker.present()
    assert (await victim.get(attacker.page)).status_code == 403
    assert "code" in website.told((await attacker.arrive()).headers["location"])


@pytest.mark.attack("P03")
async def test_on_one_device_the_victims_answer_signs_nobody_in(verifier: Deployed) -> None:
    """The attacker begins, and lets the victim answer on the victim's own device (OpenID4VP 1.0 §14.2)."""
    website, attacker, victim = await registered(verifier), Visitor(verifier), Visitor(verifier)
    await attacker.follow(website.ask())
    await attacker.post(attacker.page, {"device": "here"})
    back: str = (await attacker.present()).json()["redirect_uri"]
    code = back.partition("?")[2]
    assert (await victim.client.get(back)).status_code == 403
    assert (await victim.get(f"{attacker.page}?{code}")).status_code == 403
    page = await attacker.get(f"{attacker.page}?{code}")
    assert (page.status_code, "You are not signed in" in words(page.text)) == (200, True)


@pytest.mark.both_databases
async def test_of_many_that_redeem_a_code_at_once_one_is_given_a_token(verifier: Deployed) -> None:
    website = await registered(verifier)
    code = (await Visitor(verifier).sign_in(website))["code"]
    answers = await asyncio.gather(*(website.redeem(code) for _ in range(6)))
    assert sorted(each.status_code for each in answers) == [200, 400, 400, 400, 400, 400]
    [good] = [each for each in answers if each.status_code == 200]
    await website.claims(good)


@pytest.mark.both_databases
async def test_of_two_pages_at_once_one_carries_the_code_away(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask())
    await visitor.present()
    pages = await asyncio.gather(visitor.arrive(), visitor.arrive())
    assert sorted(each.status_code for each in pages) == [303, 403]


async def test_a_presentation_of_before_does_not_count_after_asking_again(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask())
    before = await visitor.asked()
    assert (await visitor.post(visitor.page, {"device": "other"})).status_code == 303
    assert (await verifier.answer(before)).status_code == 200
    assert (await visitor.arrive()).status_code == 200, "still waiting"
    await visitor.present()
    assert "code" in website.told((await visitor.arrive()).headers["location"])


async def test_pages_cannot_be_framed_and_tell_nobody_where_they_were(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    away = await visitor.follow(website.ask())
    for answer in (away, await visitor.arrive()):
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    [cookie] = [each for each in away.headers.get_list("set-cookie") if each.startswith("comity_sign_in_")]
    assert re.search("; httponly", cookie, re.IGNORECASE)
    assert re.search("; samesite=lax", cookie, re.IGNORECASE)


async def test_another_site_cannot_ask_in_the_visitors_name(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask())
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = await visitor.client.post(f"/en{visitor.page}", data={"device": "here"}, headers=foreign)
    assert answer.status_code == 403
    assert (await visitor.post(visitor.page, {"device": "here"})).status_code == 303


async def test_a_page_that_refuses_is_one_event_and_speaks_the_persons_language(verifier: Deployed) -> None:
    """What such a page must be is judged beneath the client (``tests/support/refused_pages.py``)."""
    website, visitor, other = await registered(verifier), Visitor(verifier), Visitor(verifier)
    visitor.client.headers["accept-language"] = other.client.headers["accept-language"] = "fr"
    await visitor.follow(website.ask())
    large = {"client_id": "a" * MAX_BODY_BYTES}
    answers = [
        await other.client.get(f"/fr{visitor.page}"),
        await other.client.get(f"/fr{visitor.page}/leave"),
        await visitor.client.post(f"/fr{visitor.page}", data={"device": "here"}),  # without the page's own secret
        await visitor.client.post(f"/fr{visitor.page}/leave"),
        await visitor.client.post("/oidc/authorize", data=large),
        await visitor.client.get(website.ask(redirect_uri=EVIL[0])),
    ]
    assert [each.status_code for each in answers] == [403, 403, 422, 405, 413, 400]
    assert {each.headers["content-language"] for each in answers} == {"fr"}
    await verifier.deployment.refusals.store()
    events = await verifier.deployment.refusals.events()
    assert sorted((each.kind.endpoint, each.kind.code) for each in events) == [
        ("authorize", "redirect_uri_unknown"),
        ("authorize", "too_large"),
        ("leave", "method_not_allowed"),
        ("leave", "sign_in_elsewhere"),
        ("sign-in", "request_invalid"),
        ("sign-in", "sign_in_elsewhere"),
    ]
    assert (await visitor.post(visitor.page, {"device": "here"})).status_code == 303, "the good twin"


async def test_a_website_asks_only_what_it_was_allowed(verifier: Deployed) -> None:
    """Whoever changes the scope on the way gets no token, and the token says what was asked."""
    website, visitor = await registered(verifier, policies=("age-alcohol",)), Visitor(verifier)
    answer = await visitor.follow(website.ask("openid drivers-licence-valid"))
    assert website.told(answer.headers["location"])["error"] == "invalid_scope"
    assert (await visitor.follow(website.ask("openid age-alcohol"))).headers["location"].startswith(PUBLIC_URL)


async def test_a_website_that_was_removed_can_do_nothing_more(verifier: Deployed) -> None:
    website, visitor, late = await registered(verifier), Visitor(verifier), Visitor(verifier)
    told = await visitor.sign_in(website)
    path = website.ask()
    await late.follow(path)
    await verifier.deployment.signing_in.clients.remove(website.client.id)
    refused = await website.redeem(told["code"])
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert (await late.arrive()).status_code == 403
    assert (await visitor.follow(path)).status_code == 404


async def test_the_token_endpoint_takes_a_form_and_says_what_is_wrong(verifier: Deployed) -> None:
    answer = await verifier.client.post("/oidc/token", json={"grant_type": "authorization_code"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    website = await registered(verifier)
    twice = f"client_id={website.client.id}&client_id={website.client.id}"
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await verifier.client.post("/oidc/token", content=twice, headers=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = await website.redeem("x", grant_type="")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    for header in ("Basic !!!", "Bearer x", "Basic", "Basic " + "é".encode().decode("latin-1")):
        answer = await website.redeem("x", headers={"authorization": header.encode("ascii", "replace").decode()})
        assert answer.status_code in {400, 401}
    assert ISSUER.endswith("/oidc")
