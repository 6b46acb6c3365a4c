"""Sign in at a website by presenting: from the redirect to the ID token (OpenID Connect Core 1.0 §3.1)."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from comity.keys import KeySigner
from comity.openid import client_assertion
from tests.services.verifier.deployed import PUBLIC_URL, Deployed
from tests.services.verifier.federation import LICENCE
from tests.services.verifier.till import words
from tests.services.verifier.website import ISSUER, Visitor, Website, registered
from verifier.signing_in import CODE


@pytest.mark.both_databases
async def test_the_website_learns_what_was_asked_and_nothing_else(verifier: Deployed) -> None:
    website = await registered(verifier)
    told = await Visitor(verifier).sign_in(website)
    claims = await website.claims(await website.redeem(told["code"]))
    at = int(verifier.clock.now().timestamp())
    assert len(str(claims.pop("sub"))) == 43
    assert claims == {
        "iss": ISSUER,
        "aud": website.client.id,
        "iat": at,
        "exp": at + 300,
        "auth_time": at,
        "nonce": website.sent["nonce"],
        "acr": "urn:comity:presented:drivers-licence-valid",
        "amr": ["pop"],
        "class": "G2",
        "expires_on": claims["expires_on"],
    }


async def test_discovery_says_what_there_is(verifier: Deployed) -> None:
    found = (await verifier.client.get("/oidc/.well-known/openid-configuration")).json()
    assert found["issuer"] == ISSUER
    for name, path in (("authorization", "authorize"), ("token", "token")):
        assert found[f"{name}_endpoint"] == f"{ISSUER}/{path}"
    assert found["jwks_uri"] == f"{ISSUER}/jwks"
    assert found["response_types_supported"] == ["code"]
    assert found["subject_types_supported"] == ["pairwise"]
    assert found["id_token_signing_alg_values_supported"] == ["ES256"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["request_uri_parameter_supported"] is False
    assert {"openid", "age-alcohol", "drivers-licence-valid"} <= set(found["scopes_supported"])
    [key] = (await verifier.client.get("/oidc/jwks")).json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


async def test_every_sign_in_has_a_subject_of_its_own(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    seen = set()
    for _ in range(2):
        told = await visitor.sign_in(website)
        seen.add((await website.claims(await website.redeem(told["code"])))["sub"])
    assert len(seen) == 2


async def test_the_answer_goes_to_the_registered_address_with_its_own_query(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask(redirect_uri="https://shop.example/other?x=1"))
    await visitor.present()
    location = (await visitor.arrive()).headers["location"]
    assert location.startswith("https://shop.example/other?x=1&code=")


async def test_a_form_begins_as_a_link_does(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    website.ask()
    answer = await visitor.client.post("/oidc/authorize", data=website.sent)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{PUBLIC_URL}/en/sign-in/")


async def test_the_pages_speak_the_language_that_the_website_names(verifier: Deployed) -> None:
    website = await registered(verifier)
    for locales, language in (("fr-CA en", "fr"), ("de en-CA fr", "en"), ("", "fr")):
        visitor = Visitor(verifier)
        visitor.client.headers["accept-language"] = "fr"
        await visitor.follow(website.ask(ui_locales=locales))
        assert visitor.language == language
        page = words((await visitor.arrive()).text)
        assert ("Librairie du Havre" if language == "fr" else "Harbour Books") in page


# --- how a website shows who it is


def basic(name: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


async def test_by_a_secret_in_the_header(verifier: Deployed) -> None:
    website = await registered(verifier)
    told = await Visitor(verifier).sign_in(website)
    headers = basic(website.client.id, "wrong")
    refused = await website.redeem(told["code"], headers=headers, client_secret="")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused.headers["www-authenticate"].startswith("Basic ")
    headers = basic(website.client.id, website.secret)
    twice = await website.redeem(told["code"], headers=headers)
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")
    await website.claims(await website.redeem(told["code"], headers=headers, client_secret=""))


@pytest.mark.both_databases
async def test_by_a_signed_assertion_once(verifier: Deployed) -> None:
    signer = KeySigner.generate()
    website = await registered(verifier, method="private_key_jwt", jwks={"keys": [dict(signer.public_jwk)]})
    assert website.secret == ""

    def proof(audience: str = ISSUER, by: KeySigner = signer) -> dict[str, str]:
        return client_assertion.build(by, client_id=website.client.id, audience=audience, at=verifier.clock.now())

    visitor, used = Visitor(verifier), proof()
    told = await visitor.sign_in(website)
    wrong: tuple[dict[str, Any], ...] = (
        proof(audience=f"{ISSUER}/token"),
        proof(by=KeySigner.generate()),
        {"client_assertion": "x"},
        {},
    )
    for each in wrong:
        refused = await website.redeem(told["code"], **each)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    await website.claims(await website.redeem(told["code"], **used))
    told = await visitor.sign_in(website)
    replayed = await website.redeem(told["code"], **used)
    assert (replayed.status_code, replayed.json()["error"]) == (401, "invalid_client")
    await website.claims(await website.redeem(told["code"], **proof()))


async def test_by_nothing_where_it_can_keep_no_secret(verifier: Deployed) -> None:
    website, visitor = await registered(verifier, method="none"), Visitor(verifier)
    refused = website.told((await visitor.follow(website.ask(pkce=False))).headers["location"])
    assert refused["error"] == "invalid_request"
    plain = website.ask(code_challenge_method="plain")
    assert website.told((await visitor.follow(plain)).headers["location"])["error"] == "invalid_request"
    told = await visitor.sign_in(website)
    without = await website.redeem(told["code"], code_verifier="")
    assert (without.status_code, without.json()["error"]) == (400, "invalid_grant")
    await website.claims(await website.redeem(told["code"]))


async def test_one_without_a_secret_is_nobody_with_one(verifier: Deployed) -> None:
    website = await registered(verifier)
    told = await Visitor(verifier).sign_in(website)
    refused = await website.redeem(told["code"], client_secret="")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    await website.claims(await website.redeem(told["code"]))


# --- codes


async def refused(website: Website, code: str, **changes: str) -> str:
    answer = await website.redeem(code, **changes)
    assert answer.status_code == 400, answer.text
    error = answer.json()
    assert "id_token" not in error
    return str(error["error"])


@pytest.mark.both_databases
async def test_a_code_is_good_once_and_for_what_it_was_given(verifier: Deployed) -> None:
    website, other = await registered(verifier), await registered(verifier)
    code = (await Visitor(verifier).sign_in(website))["code"]
    assert await refused(other, code, code_verifier=website.code_verifier) == "invalid_grant"
    assert await refused(website, code, redirect_uri="https://shop.example/other?x=1") == "invalid_grant"
    assert await refused(website, code, redirect_uri="") == "invalid_request"
    assert await refused(website, code, code_verifier="A" * 43) == "invalid_grant"
    assert await refused(website, code, code_verifier="") == "invalid_grant"
    assert await refused(website, code, code_verifier="short") == "invalid_grant"
    assert await refused(website, code, grant_type="refresh_token") == "unsupported_grant_type"
    assert await refused(website, "A" * 43) == "invalid_grant"
    await website.claims(await website.redeem(code))  # the good twin: nothing of that used it up
    again = await website.redeem(code)
    assert (again.status_code, again.json()["code"]) == (400, "code_already_used")


async def test_a_code_without_a_challenge_takes_no_verifier(verifier: Deployed) -> None:
    """RFC 9700 §2.1.1: else an attacker could strip the challenge from the request."""
    website = await registered(verifier)
    code = (await Visitor(verifier).sign_in(website, pkce=False))["code"]
    assert await refused(website, code) == "invalid_grant"
    await website.claims(await website.redeem(code, code_verifier=""))


async def test_a_code_lives_a_minute(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    code = (await visitor.sign_in(website))["code"]
    verifier.clock.advance(CODE)
    assert await refused(website, code) == "invalid_grant"
    code = (await visitor.sign_in(website))["code"]
    verifier.clock.advance(CODE - timedelta(seconds=1))
    await website.claims(await website.redeem(code))


async def test_after_the_token_nothing_of_the_claims_is_left(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    assert (await visitor.follow(website.ask())).status_code == 303
    request_id = (await visitor.asked())["request_id"]
    await visitor.present()
    code = website.told((await visitor.arrive()).headers["location"])["code"]
    requesting = verifier.deployment.requesting
    before = await requesting.find(request_id)
    assert before is not None
    assert before.sealed_report is not None
    await website.claims(await website.redeem(code))
    after = await requesting.find(request_id)
    assert after is not None
    assert (after.sealed_report, after.verdict) == (None, "accepted")


# --- what the person sees when it does not work


@pytest.mark.both_databases
async def test_a_verdict_that_is_no_is_told_to_the_person_and_not_to_the_website(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask("openid age-alcohol"))
    held = verifier.held(LICENCE, age_over_19=False)
    await visitor.present({"drivers-licence_sdjwt": (held, ("age_over_19",))})
    page = await visitor.arrive()
    assert page.status_code == 200
    assert "You are not signed in" in words(page.text)
    away = website.told((await visitor.get(f"{visitor.page}/leave")).headers["location"])
    assert {**away, "state": ""} == {
        "error": "access_denied",
        "error_description": "the visitor did not show what was asked for",
        "state": "",
        "iss": ISSUER,
    }
    assert (await visitor.arrive()).status_code == 403, "it is over"


async def test_trying_once_more_is_a_new_request(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask("openid age-alcohol"))
    first = await visitor.asked()
    held = verifier.held(LICENCE, age_over_19=False)
    await visitor.present({"drivers-licence_sdjwt": (held, ("age_over_19",))})
    again = await visitor.post(visitor.page, {"device": "other"})
    assert again.status_code == 303
    assert (await visitor.asked())["request_id"] != first["request_id"]
    held = verifier.held(LICENCE, age_over_19=True)
    await visitor.present({"drivers-licence_sdjwt": (held, ("age_over_19",))})
    told = website.told((await visitor.arrive()).headers["location"])
    assert (await website.claims(await website.redeem(told["code"])))["age_over_19"] is True


async def test_undetermined_is_not_accepted(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask())
    verifier.network.documents.clear()
    await visitor.present()
    page = await visitor.arrive()
    assert page.status_code == 200
    assert "You are not signed in" in words(page.text)


@pytest.mark.both_databases
@pytest.mark.good_twin("P03")
async def test_on_this_device_the_wallet_leads_back_through_this_browser(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask())
    assert (await visitor.post(visitor.page, {"device": "here"})).status_code == 303
    assert 'href="openid4vp:' in (await visitor.arrive()).text
    back: str = (await visitor.present()).json()["redirect_uri"]
    assert back.startswith(f"{PUBLIC_URL}/complete/")
    early = await visitor.arrive()
    assert (early.status_code, early.headers.get("location")) == (403, None), "not without the wallet's code"
    landed = await visitor.client.get(back)
    assert landed.headers["location"].startswith(f"{PUBLIC_URL}/en{visitor.page}?response_code=")
    told = website.told((await visitor.client.get(landed.headers["location"])).headers["location"])
    await website.claims(await website.redeem(told["code"]))


async def test_a_form_that_says_no_device_changes_nothing(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask())
    first = await visitor.asked()
    answer = await visitor.post(visitor.page, {"device": "elsewhere"})
    assert answer.status_code == 422
    stale = await visitor.client.post(f"/en{visitor.page}", data={"form_token": "none", "device": "here"})
    assert stale.status_code == 422
    assert await visitor.asked() == first


async def test_the_page_is_told_when_the_answer_is_there(verifier: Deployed) -> None:
    website, visitor = await registered(verifier), Visitor(verifier)
    await visitor.follow(website.ask())
    await visitor.present()
    events = await visitor.get(f"{visitor.page}/events")
    assert f'"go":"/en{visitor.page}"' in events.text
    assert (await Visitor(verifier).get(f"{visitor.page}/events")).status_code == 403


@pytest.mark.both_databases
async def test_what_came_to_nothing_does_not_pile_up(verifier: Deployed) -> None:
    """Sign-ins go when their time is over, and so do the requests of those that nobody answered; verdicts stay."""
    website, visitor, requesting = await registered(verifier), Visitor(verifier), verifier.deployment.requesting
    await visitor.follow(website.ask())
    unanswered, own = await visitor.asked(), await verifier.start()
    other = Visitor(verifier)
    await other.follow(website.ask())
    answered = await other.asked()
    await other.present()
    assert await verifier.deployment.signing_in.erase() == 0
    verifier.clock.advance(timedelta(minutes=31, seconds=1))
    assert (await visitor.arrive()).status_code == 403
    assert await verifier.deployment.signing_in.erase() == 2, "both sign-ins"
    verifier.clock.advance(timedelta(minutes=5))
    assert await verifier.deployment.signing_in.erase() == 1, "the request of the one"
    assert await requesting.find(unanswered["request_id"]) is None
    assert await requesting.find(own["request_id"]) is not None, "another party's is kept"
    kept = await requesting.find(answered["request_id"])
    assert kept is not None
    assert kept.verdict == "accepted"
