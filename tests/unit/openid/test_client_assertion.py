"""Every step of RFC 7523 §3 for ``private_key_jwt``, with its good twin, and any bytes."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import strict_json
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid import client_assertion
from comity.openid.client_assertion import ASSERTION_TYPE, CheckedAssertion
from comity.openid.refusal import OAuthError, OAuthErrorCode
from tests.support.forging import GONE, flipped, forged, header_of, mac, payload_of
from tests.unit.openid.parties import AT

SERVER, NAME = "https://issuer.example/ca-on/services", "portal"
KEY, STRANGER = KeySigner.generate(), KeySigner.generate()
REGISTERED = {
    NAME: {KEY.thumbprint: KEY.public_jwk, "k1": KEY.public_jwk},
    "other": {STRANGER.thumbprint: STRANGER.public_jwk},
}


def form_of(signer: KeySigner = KEY, **changes: Any) -> dict[str, str]:
    made = client_assertion.build(signer, client_id=NAME, audience=SERVER, at=AT)
    sign = changes.pop("sign", signer.sign)
    return {**made, "client_assertion": forged(made["client_assertion"], sign, **changes)} if changes else made


def check(form: dict[str, str]) -> CheckedAssertion:
    return client_assertion.check(form, audience=SERVER, registered=REGISTERED, at=AT)


def passes(form: dict[str, str]) -> bool:
    return bool(check(form).jti)


def refused(form: dict[str, str], code: Code = Code.CLIENT_ASSERTION_INVALID) -> None:
    with pytest.raises(OAuthError) as caught:
        check(form)
    assert (caught.value.code, caught.value.error) == (code, OAuthErrorCode.INVALID_CLIENT)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
def test_what_we_build_passes(algorithm: str) -> None:
    signer = KeySigner.generate(algorithm)
    form = client_assertion.build(signer, client_id=NAME, audience=SERVER, at=AT)
    known = {NAME: {signer.thumbprint: signer.public_jwk}}
    found = client_assertion.check({**form, "client_id": NAME}, audience=SERVER, registered=known, at=AT)
    assert (found.client_id, found.expires_at) == (NAME, AT + timedelta(seconds=60))
    assert header_of(form["client_assertion"])["typ"] == "client-authentication+jwt"
    other = client_assertion.build(signer, client_id=NAME, audience=SERVER, at=AT)
    assert payload_of(other["client_assertion"])["jti"] != payload_of(form["client_assertion"])["jti"]


def test_the_type_of_the_assertion() -> None:
    for wrong in (None, "", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"):
        refused({name: value for name, value in {**form_of(), "client_assertion_type": wrong}.items() if value})
    refused({"client_assertion_type": ASSERTION_TYPE}, Code.MALFORMED_JWS)
    assert passes(form_of())


def test_how_the_key_is_named() -> None:
    for kid in (KEY.thumbprint, "k1", GONE):
        assert passes(form_of(header={"kid": kid}))
    refused(form_of(header={"kid": "k2"}), Code.KEY_NOT_FOUND)
    refused(form_of(header={"kid": STRANGER.thumbprint}), Code.KEY_NOT_FOUND)
    refused(form_of(STRANGER, header={"kid": GONE}), Code.SIGNATURE_INVALID)
    refused(form_of(STRANGER, header={"kid": GONE, "jwk": dict(STRANGER.public_jwk)}), Code.SIGNATURE_INVALID)
    refused(form_of(STRANGER, header={"kid": KEY.thumbprint}), Code.SIGNATURE_INVALID)


def test_the_key_of_one_client_does_not_speak_for_another() -> None:
    as_other = {"sub": "other", "iss": "other"}
    refused(form_of(payload=as_other, header={"kid": GONE}), Code.SIGNATURE_INVALID)
    refused(form_of(payload=as_other), Code.KEY_NOT_FOUND)
    refused(form_of(payload={"sub": "nobody", "iss": "nobody"}, header={"kid": GONE}), Code.KEY_NOT_FOUND)
    refused(form_of(payload={"iss": "other"}), Code.CLIENT_MISMATCH)
    refused({**form_of(), "client_id": "other"}, Code.CLIENT_MISMATCH)


@pytest.mark.parametrize("typ", ["dpop+jwt", "oauth-client-attestation+jwt", "openid4vci-proof+jwt", "jwt"])
def test_typ(typ: str) -> None:
    refused(form_of(header={"typ": typ}), Code.TYPE_NOT_ALLOWED)
    for good in ("JWT", "client-authentication+jwt", GONE):
        assert passes(form_of(header={"typ": good}))


def test_signatures() -> None:
    form = form_of()
    refused({**form, "client_assertion": flipped(form["client_assertion"])}, Code.SIGNATURE_INVALID)
    refused(form_of(header={"alg": "none"}, sign=lambda _: b""), Code.ALGORITHM_NOT_ALLOWED)
    secret = strict_json.serialise(KEY.public_jwk)
    refused(form_of(header={"alg": "HS256"}, sign=mac(secret)), Code.ALGORITHM_NOT_ALLOWED)
    refused(form_of(header={"crit": ["exp"]}), Code.CRITICAL_HEADER)


@pytest.mark.parametrize("audience", [SERVER + "/token", [SERVER], SERVER + "/", "https://x.example", None, GONE])
def test_audience(audience: Any) -> None:  # FAPI 2.0 §5.3.2.1: the issuer identifier, as a string
    with pytest.raises(OAuthError) as caught:
        check(form_of(payload={"aud": audience}))
    assert caught.value.code in {Code.AUDIENCE_MISMATCH, Code.CLIENT_ASSERTION_INVALID}


@pytest.mark.parametrize("member", ["iss", "sub", "exp", "jti"])
@pytest.mark.parametrize("value", [GONE, None, "", True])
def test_required_claims(member: str, value: Any) -> None:
    refused(form_of(payload={member: value}))


@pytest.mark.parametrize(
    ("member", "off", "twin", "code"),
    [
        ("exp", -60, -59, Code.HOLDER_PROOF_EXPIRED),
        ("exp", 601, 600, Code.CLIENT_ASSERTION_INVALID),
        ("iat", 61, 60, Code.NOT_YET_VALID),
        ("nbf", 61, 60, Code.NOT_YET_VALID),
    ],
)
def test_times(member: str, off: int, twin: int, code: Code) -> None:
    now = int(AT.timestamp())
    refused(form_of(payload={member: now + off}), code)
    assert passes(form_of(payload={member: now + twin}))


@given(st.text())
def test_any_text(text: str) -> None:
    with pytest.raises(OAuthError):
        check({"client_assertion_type": ASSERTION_TYPE, "client_assertion": text})
