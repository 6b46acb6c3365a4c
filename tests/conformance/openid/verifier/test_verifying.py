"""The modules of the plan oid4vp-1final-verifier, derived from their names (no certification)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from comity import formats, jose
from comity.formats import sd_jwt
from comity.openid.presentation import response
from comity.openid.presentation.link import parse_link
from tests.services.verifier.deployed import PUBLIC_URL, Deployed
from tests.services.verifier.federation import LICENCE

CLAIMS = ("class", "expires_on")
QUERY = "drivers-licence_sdjwt"
YEAR = timedelta(days=365)


async def walk(verifier: Deployed, spoil: Callable[[str], str] = str, **proof: Any) -> dict[str, Any]:
    """Walk a whole presentation, with other members of the proof or spoilt at the end, and return the result."""
    started = await verifier.start()
    asked = await verifier.fetch(started)
    presentation = spoil(verifier.present(asked, verifier.held(LICENCE), CLAIMS, **proof))
    answer = await verifier.post(started, response.build(asked, {QUERY: [presentation]}))
    assert answer.status_code == 200, answer.text
    return await verifier.result(started)


async def rejected(verifier: Deployed, code: str, spoil: Callable[[str], str] = str, **proof: Any) -> None:
    """The presentation is rejected for ``code`` and shows nothing; without the defect it is accepted."""
    result = await walk(verifier, spoil, **proof)
    assert (result["verdict"], result["codes"]) == ("rejected", [code])
    assert "claims" not in result
    assert (await walk(verifier))["verdict"] == "accepted"


def flipped(jwt: str) -> str:
    """Return a JWT with another character in its signature."""
    signed, _, signature = jwt.rpartition(".")
    return f"{signed}.{signature[:10]}{'B' if signature[10] == 'A' else 'A'}{signature[11:]}"


def last_part(presentation: str, change: Callable[[str], str]) -> str:
    """Return a presentation whose KB-JWT was changed."""
    head, _, proof = presentation.rpartition("~")
    return f"{head}~{change(proof)}"


@pytest.mark.derived("oid4vp-1final-verifier-happy-flow")
async def test_happy_flow(verifier: Deployed) -> None:
    result = await walk(verifier)
    assert (result["verdict"], result["codes"]) == ("accepted", [])


@pytest.mark.derived("oid4vp-1final-verifier-minimal-cnf-jwk")
async def test_minimal_cnf_jwk(verifier: Deployed) -> None:
    held = verifier.held(LICENCE)
    jwk = formats.FORMATS[held.format].open(held.encoded).credentials[0].payload["cnf"]["jwk"]
    assert set(jwk) == {"kty", "crv", "x", "y"}, "nothing but the key: no kid, no alg, no use"
    assert (await walk(verifier))["verdict"] == "accepted"


@pytest.mark.derived("oid4vp-1final-verifier-request-uri-method-post")
async def test_request_uri_method_post(verifier: Deployed) -> None:
    started = await verifier.start()
    assert parse_link(started["link"]).method.value == "post"
    asked = await verifier.fetch(started, wallet_nonce="a-nonce-of-the-wallet")
    answer = await verifier.post(started, response.build(asked, verifier.vp_token(asked, verifier.licence())))
    assert answer.status_code == 200
    assert (await verifier.result(started))["verdict"] == "accepted"


@pytest.mark.derived("oid4vp-1final-verifier-request-uri-fetched-twice")
async def test_request_uri_fetched_twice(verifier: Deployed) -> None:
    started = await verifier.start()
    first, second = await verifier.fetch(started), await verifier.fetch(started)
    assert (first.nonce, first.state, first.response_uri) == (second.nonce, second.state, second.response_uri)
    answer = await verifier.post(started, response.build(second, verifier.vp_token(second, verifier.licence())))
    assert answer.status_code == 200
    assert (await verifier.result(started))["verdict"] == "accepted"


@pytest.mark.derived("oid4vp-1final-verifier-invalid-credential-signature")
async def test_invalid_credential_signature(verifier: Deployed) -> None:
    def spoil(presentation: str) -> str:
        jwt, _, rest = presentation.partition("~")
        return f"{flipped(jwt)}~{rest}"

    await rejected(verifier, "signature_invalid", spoil)


@pytest.mark.derived("oid4vp-1final-verifier-invalid-kb-jwt-signature")
async def test_invalid_kb_jwt_signature(verifier: Deployed) -> None:
    await rejected(verifier, "holder_signature_invalid", lambda presentation: last_part(presentation, flipped))


@pytest.mark.derived("oid4vp-1final-verifier-invalid-kb-jwt-nonce")
async def test_invalid_kb_jwt_nonce(verifier: Deployed) -> None:
    await rejected(verifier, "nonce_mismatch", nonce="the-nonce-of-another-request")


@pytest.mark.derived("oid4vp-1final-verifier-invalid-kb-jwt-aud")
async def test_invalid_kb_jwt_aud(verifier: Deployed) -> None:
    await rejected(verifier, "audience_mismatch", audience=PUBLIC_URL)


@pytest.mark.derived("oid4vp-1final-verifier-invalid-sd-hash")
async def test_invalid_sd_hash(verifier: Deployed) -> None:
    def sign_again(proof: str) -> str:
        jws = jose.parse(proof)
        payload = {**jose.payload_object(jws), "sd_hash": sd_jwt.digest("something else", "sha-256")}
        return jose.sign({"typ": "kb+jwt"}, payload, verifier.holder)

    await rejected(verifier, "disclosures_not_bound", lambda presentation: last_part(presentation, sign_again))


@pytest.mark.derived("oid4vp-1final-verifier-kb-jwt-iat-in-past")
async def test_kb_jwt_iat_in_past(verifier: Deployed) -> None:
    await rejected(verifier, "holder_proof_expired", at=verifier.clock.now() - YEAR)


@pytest.mark.derived("oid4vp-1final-verifier-kb-jwt-iat-in-future")
async def test_kb_jwt_iat_in_future(verifier: Deployed) -> None:
    await rejected(verifier, "holder_proof_expired", at=verifier.clock.now() + YEAR)
