"""An issuer that borrows the endpoints of another (I20), or its authorization server (I21), and ends with nothing."""

from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest

from comity import strict_json
from tests.services.wallet.forging import metadata_saying
from tests.services.wallet.town import BC, ISSUER, ON, VERIFIER, Person, Town


@pytest.mark.parametrize("endpoint", ["credential_endpoint", "nonce_endpoint", "deferred_credential_endpoint"])
@pytest.mark.parametrize("theirs", [f"{ISSUER}/{BC}", VERIFIER])
@pytest.mark.attack("I20")
@pytest.mark.good_twin("I20")
async def test_an_endpoint_of_somebody_else(town: Town, maya: Person, endpoint: str, theirs: str) -> None:
    offer = await town.offer()
    town.net.afterwards("openid-credential-issuer", metadata_saying(town, **{endpoint: f"{theirs}/credential"}))
    refused = await maya.post("credentials", offer=offer["link"])
    assert (refused.status_code, refused.json()["code"]) == (400, "metadata_invalid")
    assert not any(each.method == "POST" for each in town.net.asked)
    town.net.afterwards(
        "openid-credential-issuer", metadata_saying(town, **{endpoint: f"{ISSUER}/{ON}/{_own(endpoint)}"})
    )
    assert len(await maya.receive(offer)) == 1


def _own(endpoint: str) -> str:
    return endpoint.removesuffix("_endpoint")


@pytest.mark.attack("I21")
@pytest.mark.good_twin("I21")
async def test_the_code_of_an_honest_server_in_the_offer_of_another_issuer(town: Town, maya: Person) -> None:
    """Ontario's code in an offer of British Columbia, whose metadata name Ontario's server: no token comes of it."""
    genuine = await town.offer()
    code = genuine["credential_offer"]["grants"]
    lure = {"credential_issuer": f"{ISSUER}/{BC}", "credential_configuration_ids": ["person.1.sdjwt"], "grants": code}
    town.net.afterwards("openid-credential-issuer", metadata_saying(town, authorization_servers=[f"{ISSUER}/{ON}"]))
    refused = await maya.post("credentials", offer=by_value(lure))
    assert (refused.status_code, refused.json()["code"]) == (403, "issuer_refused")
    asked = [each for each in town.net.asked if each.method == "POST"]
    assert {each.url for each in asked} == {f"{ISSUER}/{ON}/token"}
    assert all(f"resource={ISSUER}/{BC}".encode() in _unquoted(each.body) for each in asked)
    assert not any("authorization" in each.headers for each in town.net.asked)
    town.net.heal()
    assert len(await maya.receive(genuine)) == 1  # and the code is still the person's own


def by_value(offer: dict[str, Any]) -> str:
    return f"openid-credential-offer://?credential_offer={quote(strict_json.serialise(offer).decode())}"


def _unquoted(body: bytes | None) -> bytes:
    return unquote_to_bytes(body or b"")
