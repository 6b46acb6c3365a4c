"""Foreign clients let their person sign in at our issuer: a wallet, and an OAuth client that knows no credentials."""

from typing import Any

import httpx
import pytest

from comity.demo import cast
from comity.demo.browser import Browser
from comity.demo.play import Play
from tests.interop.peers import Peers
from tests.interop.taking import payload

pytestmark = pytest.mark.xdist_group("interop")

SCOPE = "person.1.sdjwt"
NAME = "Élise Gagné-O’Brien"


def issuer_of(play: Play) -> str:
    return f"{play.stage.urls['issuer']}/{cast.SIGN_IN_AT}"


async def walked(play: Play, peers: Peers, program: str, **asked: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a program, be its person's browser, and return what it said before and after."""
    async with (
        peers.serving(program, issuer=issuer_of(play), scope=SCOPE, **asked) as said,
        httpx.AsyncClient(trust_env=False, timeout=60) as client,
    ):
        begun = await said()
        assert begun.get("failed") is None, begun
        target = await Browser(client=client).back_from(begun["url"], NAME)
        assert (await client.get(target)).text == "back"
        return begun, await said()


async def test_a_foreign_wallet_takes_a_credential_by_sign_in(play: Play, peers: Peers) -> None:
    begun, took = await walked(play, peers, "authorize")
    assert took.get("failed") is None, took
    assert begun["pkce"] == "S256"
    assert (took["iss"], took["tokenType"], took["refreshes"]) == (issuer_of(play), "DPoP", True)
    [credential] = took["credentials"]
    bound = payload(credential)["cnf"]["jwk"]
    assert (bound["x"], bound["y"]) == (took["key"]["x"], took["key"]["y"])


async def test_a_foreign_wallet_takes_an_offer_by_sign_in(play: Play, peers: Peers) -> None:
    body = {"authority": cast.SIGN_IN_AT, "type": "person/1", "grant": "authorization_code"}
    headers = {"authorization": f"Bearer {play.stage.operator_token}"}
    made = await play.client.post(f"{play.stage.urls['issuer']}/api/v1/offers", json=body, headers=headers)
    _, took = await walked(play, peers, "authorize", offer=made.json()["link"])
    assert took.get("failed") is None, took
    [issued] = await play.desk.issued(made.json()["offer_id"])
    assert issued["status"] == "valid"


async def test_an_oauth_client_signs_in_refreshes_and_is_caught_replaying(play: Play, peers: Peers) -> None:
    begun, came = await walked(play, peers, "oauthing")
    assert came.get("failed") is None, came
    assert (begun["expiresIn"], begun["required"]) == (60, True)
    assert came == {"tokenType": "dpop", "rotated": True, "scope": SCOPE, "replayed": "invalid_grant"}


async def test_an_oauth_client_with_another_verifier_gets_nothing(play: Play, peers: Peers) -> None:
    _, came = await walked(play, peers, "oauthing", wrong={"verifier": "v" * 43})
    assert (came["status"], came["refusal"]["error"]) == (400, "invalid_grant"), came


async def test_an_oauth_client_cannot_push_without_s256(play: Play, peers: Peers) -> None:
    refused = await peers(
        "oauthing", issuer=issuer_of(play), scope=SCOPE, wrong={"push": {"code_challenge_method": "plain"}}
    )
    assert refused["failed"], refused
    assert refused["refusal"]["error"] == "invalid_request"
