"""A wallet that posts a private key where its public half belongs (J20): refused, and kept and logged nowhere."""

import io
from typing import Any

import pytest

from comity import base64url, strict_json
from comity.keys import KeySigner
from comity.openid import dpop
from comity.runtime import logging as house_logging
from tests.services.issuer.deployed import GRANT, ON, PUBLIC_URL, Deployed, Place
from tests.services.issuer.test_privacy import files_holding


def exposing(token: str, signer: KeySigner, jwk: dict[str, Any]) -> str:
    """Return ``token`` with another key in its header, signed again."""
    head, payload, _ = token.split(".")
    header = {**strict_json.parse_object(base64url.decode(head)), "jwk": jwk}
    text = f"{base64url.encode(strict_json.serialise(header))}.{payload}"
    return f"{text}.{base64url.encode(signer.sign(text.encode()))}"


@pytest.mark.sqlite_files
@pytest.mark.parametrize("kind", ["private", "symmetric"])
@pytest.mark.attack("J20")
@pytest.mark.good_twin("J20")
async def test_in_a_key_proof(issuer: Deployed, place: Place, kind: str) -> None:
    house_logging.configure("issuer", "production", stream=(log := io.StringIO()))
    holder, secret = KeySigner.generate(), base64url.encode(b"the secret of a foreign wallet!!")
    jwk = {**holder.public_jwk, "d": secret} if kind == "private" else {"kty": "oct", "k": secret}
    token, good = await issuer.token(await issuer.offer()), issuer.proof(holder, await issuer.nonce())
    bad = exposing(good, holder, jwk)
    refused = await issuer.request(token, "person.1.sdjwt", [bad])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_proof")
    for needle in (secret, bad.partition(".")[0]):
        assert needle not in refused.text + log.getvalue()
        assert files_holding(place.folder, [needle.encode()]) == []
    assert (await issuer.request(token, "person.1.sdjwt", [good])).status_code == 200


@pytest.mark.attack("J20")
@pytest.mark.good_twin("J20")
async def test_in_a_dpop_proof(issuer: Deployed) -> None:
    signer, offer = KeySigner.generate(), await issuer.offer()
    nonce = (await issuer.client.post(f"/{ON}/nonce")).headers["dpop-nonce"]
    good = dpop.build(signer, method="POST", url=f"{PUBLIC_URL}/{ON}/token", at=issuer.clock.now(), nonce=nonce)
    form = {
        "grant_type": GRANT,
        "pre-authorized_code": offer["credential_offer"]["grants"][GRANT]["pre-authorized_code"],
    }
    for proof, expected in ((exposing(good, signer, signer.private_jwk()), 400), (good, 200)):
        answer = await issuer.client.post(f"/{ON}/token", data=form, headers={"dpop": proof})
        assert answer.status_code == expected, answer.text
        if expected == 400:
            assert answer.json()["error"] == "invalid_dpop_proof"
