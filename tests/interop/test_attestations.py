"""``@openid4vc`` shows our issuer who made it, and reads what our wallet shows; ``joserfc`` verifies it too."""

from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from comity import strict_json
from comity.demo import wallet_provider
from comity.demo.play import Play
from comity.keys import KeySigner
from comity.openid import client_attestation, key_attestation
from comity.runtime.clock import SystemClock
from tests.interop.peers import Peers
from tests.interop.taking import offered, payload

pytestmark = pytest.mark.xdist_group("interop")

SERVER = "https://issuer.example/ca-bc/services"
PROVIDER, INSTANCE, HOLDER = (KeySigner.generate() for _ in range(3))
CLIENT_ID = "https://wallet.example"


def trusted_provider(play: Play) -> dict[str, Any]:
    """Return the key pair of the provider that the demo's issuer trusts, as the foreign program holds it."""
    signer = KeySigner.from_pem((play.stage.folder / wallet_provider.KEY_FILE).read_bytes())
    return {"publicJwk": dict(signer.public_jwk), "privateJwk": signer.private_jwk()}


async def receive(play: Play, peers: Peers, **changes: Any) -> dict[str, Any]:
    offer = await offered(play)
    known = {"provider": trusted_provider(play), "clientId": play.stage.urls["wallet"]}
    return await peers(
        "attesting", act="receive", offer=offer.link, txCode=offer.transaction_code, **{**known, **changes}
    )


@pytest.mark.parametrize("attest_key", [False, True, "alone"], ids=["client", "client-and-key", "key-alone"])
async def test_it_shows_who_made_it_and_takes_a_credential(play: Play, peers: Peers, attest_key: bool | str) -> None:
    took = await receive(play, peers, attestKey=attest_key)
    assert took.get("failed") is None, took
    assert took["methods"][0] == "attest_jwt_client_auth"
    assert payload(took["credentials"][0])["cnf"]["jwk"] == took["holder"]


async def test_it_understands_why_it_is_refused(play: Play, peers: Peers) -> None:
    stranger = KeySigner.generate()
    unknown = {"publicJwk": dict(stranger.public_jwk), "privateJwk": stranger.private_jwk()}
    rows: list[tuple[dict[str, Any], str]] = [
        ({"provider": unknown}, "invalid_client_attestation"),
        ({"clientId": "https://somebody.example"}, "invalid_client_attestation"),
        ({"expires": -120}, "invalid_client_attestation"),
        ({"prover": "stranger"}, "invalid_client_attestation"),
        ({"challenged": False}, "use_attestation_challenge"),
    ]
    for wrong, error in rows:
        refused = await receive(play, peers, **wrong)
        assert (refused["status"], refused["refusal"]["error"]) == (400, error), (wrong, refused)


def ours(audience: str = SERVER) -> tuple[str, str]:
    at = SystemClock().now()
    attestation = client_attestation.attest(
        PROVIDER,
        issuer=CLIENT_ID,
        client_id=CLIENT_ID,
        instance_jwk=INSTANCE.public_jwk,
        at=at,
        lifetime=timedelta(hours=1),
    )
    pop = client_attestation.prove(INSTANCE, client_id=CLIENT_ID, audience=audience, at=at, challenge="c-1")
    return attestation, pop


def our_keys(nonce: str = "n-1") -> str:
    return key_attestation.build(
        PROVIDER,
        issuer=CLIENT_ID,
        jwks=[HOLDER.public_jwk],
        nonce=nonce,
        at=SystemClock().now(),
        lifetime=timedelta(hours=1),
        key_storage=[key_attestation.BASIC],
    )


async def test_it_verifies_what_our_wallet_shows(peers: Peers) -> None:
    attestation, pop = ours()
    asked = {"act": "verifyClient", "attestation": attestation, "server": SERVER}
    trusted = dict(PROVIDER.public_jwk)
    read = await peers("attesting", **asked, pop=pop, trusted=trusted)
    assert read == {"clientId": CLIENT_ID, "challenge": "c-1"}
    for other, key in ((ours("https://other.example")[1], trusted), (pop, dict(HOLDER.public_jwk))):
        refused = await peers("attesting", **asked, pop=other, trusted=key)
        assert refused.get("failed"), refused


async def test_it_verifies_where_our_wallet_keeps_its_keys(peers: Peers) -> None:
    asked = {"act": "verifyKeys", "attestation": our_keys(), "nonce": "n-1"}
    read = await peers("attesting", **asked, trusted=dict(PROVIDER.public_jwk))
    assert read == {"keys": [dict(HOLDER.public_jwk)], "storage": ["iso_18045_basic"]}
    for wrong in ({"nonce": "n-2"}, {"trusted": dict(HOLDER.public_jwk)}):
        refused = await peers("attesting", **{**asked, "trusted": dict(PROVIDER.public_jwk), **wrong})
        assert refused.get("failed"), refused


def test_joserfc_verifies_them_too() -> None:
    provider, instance = (ECKey.import_key(dict(each.public_jwk)) for each in (PROVIDER, INSTANCE))
    attestation, pop = ours()
    read = jwt.decode(attestation, provider, algorithms=["ES256"])
    assert (read.header["typ"], read.claims["sub"]) == ("oauth-client-attestation+jwt", CLIENT_ID)
    assert read.claims["cnf"] == {"jwk": dict(INSTANCE.public_jwk)}
    shown = jwt.decode(pop, instance, algorithms=["ES256"])
    assert (shown.header["typ"], shown.claims["aud"]) == ("oauth-client-attestation-pop+jwt", SERVER)
    attested = jwt.decode(our_keys(), provider, algorithms=["ES256"])
    assert attested.header["typ"] == "key-attestation+jwt"
    assert strict_json.serialise(attested.claims["attested_keys"][0]) == strict_json.serialise(dict(HOLDER.public_jwk))
