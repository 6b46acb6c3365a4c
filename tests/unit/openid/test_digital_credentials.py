"""The Digital Credentials API: who asks is the website, and it is the audience (VP-24)."""

from typing import Any

import pytest
from msgspec import structs

from comity import jose, strict_json
from comity.errors import Code
from comity.openid.presentation import digital_credentials, request, response
from comity.openid.presentation.client_id import Prefix
from comity.openid.presentation.parameters import RequestObject, ResponseMode, again
from comity.openid.presentation.request import NeedsDocument, VerifiedRequest
from comity.openid.presentation.response import EncryptedAnswer, ErrorAnswer, PlainAnswer
from comity.openid.refusal import OAuthError, OAuthErrorCode
from tests.unit.openid.parties import AT, Verifier

SITE, OTHER = "https://shop.example", "https://attacker.example"


def asked(verifier: Verifier, mode: ResponseMode = ResponseMode.DC_API_JWT) -> RequestObject:
    return structs.replace(
        verifier.request(), response_mode=mode, response_uri=None, state=None, expected_origins=(SITE,)
    )


def read(message: dict[str, Any], origin: str = SITE) -> RequestObject:
    found = digital_credentials.read(message["protocol"], message["data"], origin=origin, at=AT)
    assert isinstance(found, VerifiedRequest)
    return found.request


def refused(message: dict[str, Any], code: Code, origin: str = SITE) -> None:
    with pytest.raises(OAuthError) as caught:
        read(message, origin)
    assert (caught.value.code, caught.value.error.value) == (code, "invalid_request")


def signed(verifier: Verifier, **change: Any) -> dict[str, Any]:
    claims = {**asked(verifier).to_dict(), **change}
    left = {name: value for name, value in claims.items() if value is not ...}
    header = {"typ": request.TYP, "x5c": list(verifier.chain.chain)}
    return {"protocol": "openid4vp-v1-signed", "data": {"request": jose.sign(header, left, verifier.signer)}}


@pytest.mark.parametrize("mode", [ResponseMode.DC_API, ResponseMode.DC_API_JWT])
def test_unsigned(verifier: Verifier, mode: ResponseMode) -> None:
    message = digital_credentials.unsigned(asked(verifier, mode))
    assert message["protocol"] == "openid4vp-v1-unsigned"
    assert not {"client_id", "expected_origins", "state", "response_uri", "aud"} & set(message["data"])
    found = read(message)
    assert (found.client_id.prefix, found.audience, found.response_uri) == (Prefix.ORIGIN, f"origin:{SITE}", None)
    assert again(found.to_dict(), client=found.client_id.text, origin=SITE) == found


def test_what_an_unsigned_request_says_of_itself_is_ignored(verifier: Verifier) -> None:
    """Annex A.2: client_id and expected_origins; only the platform says who asks."""
    message = digital_credentials.unsigned(asked(verifier))
    message["data"] |= {"client_id": verifier.client.text, "expected_origins": [SITE], "state": "s"}
    found = read(message, OTHER)
    assert (found.audience, found.state) == (f"origin:{OTHER}", None)


def test_signed(verifier: Verifier) -> None:
    message = digital_credentials.signed(asked(verifier), verifier.signer, verifier.chain)
    found = read(message)
    assert (found.client_id, found.audience) == (verifier.client, f"origin:{SITE}")
    assert again(found.to_dict(), client=found.client_id.text, origin=SITE) == found
    refused(message, Code.ORIGIN_MISMATCH, OTHER)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"expected_origins": ...}, Code.REQUEST_INVALID),
        ({"expected_origins": []}, Code.REQUEST_INVALID),
        ({"expected_origins": [f"{SITE}/"]}, Code.REQUEST_INVALID),
        ({"expected_origins": [SITE, "javascript:alert(1)"]}, Code.REQUEST_INVALID),
        ({"expected_origins": [SITE.upper()]}, Code.REQUEST_INVALID),
        ({"expected_origins": [OTHER]}, Code.ORIGIN_MISMATCH),
        ({"client_id": ...}, Code.REQUEST_INVALID),
        ({"client_id": f"origin:{SITE}"}, Code.REQUEST_INVALID),
        ({"response_mode": "direct_post.jwt"}, Code.REQUEST_INVALID),
        ({"aud": SITE}, Code.AUDIENCE_MISMATCH),
    ],
)
def test_a_signed_request_that_does_not_hold(verifier: Verifier, change: dict[str, Any], code: Code) -> None:
    refused(signed(verifier, **change), code)
    read(signed(verifier))


@pytest.mark.parametrize("origin", ["null", "", "http://shop.example", f"{SITE}:443", f"{SITE}/a", "ws://shop.example"])
def test_an_origin_that_is_none(verifier: Verifier, origin: str) -> None:
    refused(digital_credentials.unsigned(asked(verifier)), Code.ORIGIN_MISMATCH, origin)
    with pytest.raises(OAuthError):
        digital_credentials.signed(
            structs.replace(asked(verifier), expected_origins=(origin,)), verifier.signer, verifier.chain
        )


@pytest.mark.parametrize("protocol", ["openid4vp-v1-multisigned", "openid4vp", "org-iso-mdoc"])
def test_another_protocol_is_refused(verifier: Verifier, protocol: str) -> None:
    refused({**signed(verifier), "protocol": protocol}, Code.REQUEST_INVALID)


def test_by_a_did(verifier: Verifier) -> None:
    did = "did:web:verifier.example:bar"
    claims = {**asked(verifier).to_dict(), "client_id": f"decentralized_identifier:{did}"}
    encoded = jose.sign({"typ": request.TYP, "kid": f"{did}#key-1"}, claims, verifier.signer)
    needed = digital_credentials.read("openid4vp-v1-signed", {"request": encoded}, origin=OTHER, at=AT)
    assert isinstance(needed, NeedsDocument)
    method = {"id": f"{did}#key-1", "type": "JsonWebKey", "controller": did, "publicKeyJwk": verifier.signer.public_jwk}
    document = {"@context": ["https://www.w3.org/ns/did/v1"], "id": did, "verificationMethod": [method]}
    body = strict_json.serialise({**document, "authentication": [method["id"]]})
    with pytest.raises(OAuthError) as caught:
        needed.resume(body)
    assert caught.value.code is Code.ORIGIN_MISMATCH


# --- the answer


def test_an_answer_in_the_clear(verifier: Verifier) -> None:
    given = digital_credentials.answer(asked(verifier, ResponseMode.DC_API), {"person": ["a"]})
    found = digital_credentials.parse_answer(strict_json.serialise(given))
    assert found == PlainAnswer(vp_token={"person": ("a",)})
    settled = response.settle(found, mode=ResponseMode.DC_API, state="of-the-row", query=verifier.request().query)
    assert settled == found


def test_an_encrypted_answer(verifier: Verifier) -> None:
    given = digital_credentials.answer(asked(verifier), {"person": ["a"]})
    assert set(given) == {"response"}
    found = digital_credentials.parse_answer(given)
    assert isinstance(found, EncryptedAnswer)
    settle: dict[str, Any] = {
        "mode": ResponseMode.DC_API_JWT,
        "state": None,
        "query": verifier.request().query,
        "private_jwk": verifier.encryption.private_jwk(),
    }
    assert response.settle(found, **settle) == PlainAnswer(vp_token={"person": ("a",)})
    with pytest.raises(OAuthError) as caught:  # P10
        response.settle(PlainAnswer(vp_token={"person": ("a",)}), **settle)
    assert caught.value.code is Code.RESPONSE_NOT_ENCRYPTED


def test_a_refusal() -> None:
    given = digital_credentials.refusal(OAuthErrorCode.ACCESS_DENIED)
    assert digital_credentials.parse_answer(given) == ErrorAnswer(error="access_denied")


@pytest.mark.parametrize(
    "given", ["[]", "{}", '{"response": 7}', '{"response": "a.b", "error": "x"}', '{"vp_token": {}}']
)
def test_an_answer_that_is_none(given: str) -> None:
    with pytest.raises(OAuthError):
        digital_credentials.parse_answer(given)
