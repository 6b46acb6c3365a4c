"""``oauth4webapi`` signs somebody in through the bridge: discovery, code, PKCE, ``iss``, nonce, signature."""

import html
import re
from typing import Any

import httpx
import pytest

from comity.demo import cast, processes
from comity.demo.play import Play
from tests.interop.peers import Peers

pytestmark = pytest.mark.xdist_group("interop")

CALLBACK = "https://shop.example/callback"


async def registered(play: Play) -> dict[str, Any]:
    what = ("--name-en", "Shop", "--name-fr", "Boutique", "--redirect-uri", CALLBACK, "--preset", "age-alcohol")
    settings = play.stage.settings("verifier")
    printed = await processes.run("verifier", "client", "add", *what, "--place", "ca-on", settings=settings)
    client_id, secret = printed.splitlines()[1:3]
    issuer = f"{play.stage.urls['verifier']}/oidc"
    return {"issuer": issuer, "clientId": client_id, "clientSecret": secret, "redirectUri": CALLBACK}


async def signed_in(play: Play, browser: httpx.AsyncClient, begun: dict[str, Any]) -> str:
    """Walk through the pages on one device, with a real wallet; returns where the browser is sent with the code."""
    person = await play.citizen()
    await play.issue(person, "ca-on/services", "drivers-licence/1", cast.drivers_licence(cast.MAYA, 38, "7790"))
    page = await browser.get((await browser.get(begun["url"])).headers["location"])
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert token, page.text
    here = await browser.post(page.url, data={"form_token": token[1], "device": "here"})
    page = await browser.get(page.url.join(here.headers["location"]))
    link = re.search(r'href="(openid4vp:[^"]+)"', page.text)
    assert link, page.text
    consent = await person.consent(html.unescape(link[1]))
    answered = await person.agree(consent)
    landed = await browser.get(answered["redirect_uri"])
    return str((await browser.get(landed.headers["location"])).headers["location"])


async def test_a_foreign_client_signs_somebody_in(play: Play, peers: Peers) -> None:
    client = await registered(play)
    begun = await peers("bridging", act="begin", scope="openid age-alcohol", **client)
    assert begun.get("failed") is None, begun
    async with httpx.AsyncClient(trust_env=False, timeout=60) as browser:
        location = await signed_in(play, browser, begun)
    finish = {"act": "finish", "location": location, **client, **begun}
    for wrong in ({"state": "other"}, {"location": location.replace("&iss=", "&iss=https%3A%2F%2Fevil.example")}):
        refused = await peers("bridging", **{**finish, **wrong})
        assert refused["failed"] == "OperationProcessingError", refused
    read = await peers("bridging", **finish)
    assert read.get("failed") is None, read
    assert read["scope"] == "openid age-alcohol"
    assert read["claims"]["age_over_19"] is True
    assert read["claims"]["acr"] == "urn:comity:presented:age-alcohol"
    own = {"iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce"}
    assert set(read["claims"]) == {*own, "age_over_19"}
    again = await peers("bridging", **finish)
    assert (again["status"], again["refusal"]["error"]) == (400, "invalid_grant")
