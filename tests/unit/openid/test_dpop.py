"""Every check of RFC 9449 §4.3 with its good twin, and any bytes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, jose, strict_json
from comity.errors import Code, Malformed
from comity.keys import KeySigner
from comity.openid import dpop
from comity.openid.dpop import CheckedDpop
from comity.openid.refusal import OAuthError, OAuthErrorCode
from tests.unit.openid.parties import AT

URL = "https://issuer.example/ca-on/services/credential"
NONCE, TOKEN = "d-n0nce", "t0ken"
KEY = KeySigner.generate()
ABSENT: Any = ...


def is_ours(nonce: str) -> bool:
    return nonce == NONCE


def check(*fields: str, **options: Any) -> CheckedDpop:
    values = {"method": "POST", "url": URL, "at": AT, "check_nonce": is_ours, "access_token": TOKEN}
    return dpop.check(fields, **{**values, "bound_thumbprint": KEY.thumbprint, **options})


def passes(*fields: str, **options: Any) -> bool:
    return bool(check(*fields, **options).jti)


def proof_of(*, header: Mapping[str, Any] | None = None, signer: KeySigner = KEY, **change: Any) -> str:
    claims = {"jti": "j", "htm": "POST", "htu": URL, "iat": int(AT.timestamp()), "nonce": NONCE}
    claims = {**claims, "ath": dpop.hash_of(TOKEN), **change}
    named = {"typ": dpop.TYP, "jwk": dict(signer.public_jwk), **(header or {})}
    return jose.sign(
        {name: value for name, value in named.items() if value is not ABSENT},
        {name: value for name, value in claims.items() if value is not ABSENT},
        signer,
    )


def refused(*fields: str, code: Code = Code.DPOP_PROOF_INVALID, **options: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        check(*fields, **options)
    assert (caught.value.code, caught.value.error) == (code, OAuthErrorCode.INVALID_DPOP_PROOF)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
def test_what_we_build_passes(algorithm: str) -> None:
    signer = KeySigner.generate(algorithm)
    made = [
        dpop.build(signer, method="POST", url=f"{URL}?a=b#c", at=AT, nonce=NONCE, access_token=TOKEN) for _ in range(2)
    ]
    first, second = (check(each, bound_thumbprint=signer.thumbprint) for each in made)
    assert (first.thumbprint, first.nonce, first.issued_at) == (signer.thumbprint, NONCE, AT)
    assert first.jti != second.jti
    assert len(first.jti) == 22
    header = jose.parse(made[0]).header
    assert header == {"alg": algorithm, "typ": "dpop+jwt", "jwk": dict(signer.public_jwk)}


def test_at_the_token_endpoint_there_is_no_token_and_no_binding_yet() -> None:
    proof = dpop.build(KEY, method="POST", url=URL, at=AT, nonce=NONCE)
    assert "ath" not in jose.payload_object(jose.parse(proof))
    assert check(proof, access_token=None, bound_thumbprint=None).thumbprint == KEY.thumbprint
    refused(proof)


def test_the_example_of_the_rfc_hashes_as_it_says() -> None:  # RFC 9449 §7.1, figure 12 and 13
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    assert dpop.hash_of(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_one_header() -> None:  # step 1
    refused()
    refused(proof_of(), proof_of(jti="k"))
    refused(f"{proof_of()}, {proof_of(jti='k')}", code=Code.MALFORMED_JWS)
    assert passes(proof_of())


@pytest.mark.parametrize("claim", ["jti", "htm", "htu", "iat", "ath"])
@pytest.mark.parametrize("value", [ABSENT, "", None, True, ["POST"]])
def test_required_claims(claim: str, value: Any) -> None:  # step 3
    refused(proof_of(**{claim: value}))
    assert passes(proof_of(unknown=value if value is not ABSENT else 1))


@pytest.mark.parametrize("typ", [ABSENT, "JWT", "DPOP+JWT", "application/dpop+jwt", "openid4vci-proof+jwt"])
def test_typ(typ: Any) -> None:  # step 4
    refused(proof_of(header={"typ": typ}), code=Code.TYPE_NOT_ALLOWED)


def raw(header: Mapping[str, Any], signature: bytes = b"") -> str:
    payload = {"jti": "j", "htm": "POST", "htu": URL, "iat": int(AT.timestamp()), "nonce": NONCE}
    parts = (strict_json.serialise(dict(header)), strict_json.serialise(payload), signature)
    return ".".join(base64url.encode(part) for part in parts)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "ES512", "es256"])
def test_alg(algorithm: str) -> None:  # step 5
    header = {"alg": algorithm, "typ": dpop.TYP, "jwk": dict(KEY.public_jwk)}
    refused(raw(header), code=Code.ALGORITHM_NOT_ALLOWED)


def test_signature(stranger: KeySigner) -> None:  # step 6
    refused(proof_of(header={"jwk": dict(stranger.public_jwk)}), code=Code.SIGNATURE_INVALID)
    head, payload, signature = proof_of().split(".")
    turned = signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBA")
    refused(f"{head}.{payload}.{turned}", code=Code.SIGNATURE_INVALID)
    refused(raw({"alg": "ES256", "typ": dpop.TYP, "jwk": dict(KEY.public_jwk)}), code=Code.SIGNATURE_INVALID)


@pytest.mark.parametrize("jwk", [ABSENT, None, "text", {}, {"kty": "oct"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}])
def test_jwk(jwk: Any) -> None:
    refused(proof_of(header={"jwk": jwk}), code=Code.MALFORMED_KEY)


@pytest.mark.parametrize("member", ["d", "k"])
@pytest.mark.clause("C2")
def test_a_private_key_in_the_header(member: str) -> None:  # step 7
    jwk = {**KEY.public_jwk, member: "AAAA"}
    refused(raw({"alg": "ES256", "typ": dpop.TYP, "jwk": jwk}), code=Code.PRIVATE_KEY_EXPOSED)


@pytest.mark.parametrize("method", ["GET", "post", "POST "])
def test_htm(method: str) -> None:  # step 8
    refused(proof_of(htm=method))
    assert passes(proof_of(htm=method), method=method)


@pytest.mark.parametrize(
    "htu",
    [
        "https://issuer.example/ca-on/services/token",
        "https://issuer.example/ca-on/services/credential/",
        "https://issuer.example/ca-on/Services/credential",
        "https://issuer.example/ca-on/services%2Fcredential",
        "https://issuer.example/ca-bc/../ca-on/services/credential",
        "https://issuer.example:8443/ca-on/services/credential",
        "https://issuer.example.evil.example/ca-on/services/credential",
        "https://user@issuer.example/ca-on/services/credential",
        "http://issuer.example/ca-on/services/credential",
        "//issuer.example/ca-on/services/credential",
        "https://evil.example?https://issuer.example/ca-on/services/credential",
        "https://evil.example#https://issuer.example/ca-on/services/credential",
        "/ca-on/services/credential",
        "credential",
    ],
)
def test_htu(htu: str) -> None:  # step 9
    refused(proof_of(htu=htu))


@pytest.mark.parametrize(
    "htu",
    [
        URL,
        "HTTPS://Issuer.Example/ca-on/services/credential",
        "https://issuer.example:443/ca-on/services/credential",
        "https://issuer.example/ca%2Don/services/%63redential",
        f"{URL}?query=1",
        f"{URL}#fragment",
        f"{URL}?#",
    ],
)
def test_htu_is_compared_normalised(htu: str) -> None:  # step 9, RFC 3986 §6.2.2 and §6.2.3
    assert passes(proof_of(htu=htu))


def test_htu_of_a_root_and_of_escapes() -> None:
    assert passes(proof_of(htu="https://a.example"), url="https://a.example/")
    assert passes(proof_of(htu="https://a.example/%c3%a9"), url="https://a.example/%C3%A9")


@pytest.mark.parametrize("nonce", [ABSENT, "old", f"{NONCE} "])
def test_nonce(nonce: Any) -> None:  # step 10
    with pytest.raises(OAuthError) as caught:
        check(proof_of(nonce=nonce))
    code = Code.NONCE_NEEDED if nonce is ABSENT else Code.NONCE_INVALID  # only a wrong one is somebody's fault
    assert (caught.value.code, caught.value.error) == (code, OAuthErrorCode.USE_DPOP_NONCE)
    assert passes(proof_of(nonce=nonce), check_nonce=None)


@pytest.mark.parametrize("nonce", ["", 7, None])
def test_a_nonce_is_text(nonce: Any) -> None:
    refused(proof_of(nonce=nonce))


def test_a_nonce_is_asked_for_only_when_it_is_all_that_is_missing(stranger: KeySigner) -> None:
    refused(proof_of(nonce=ABSENT, htm="GET"))
    refused(proof_of(nonce=ABSENT, ath="wrong"))
    refused(proof_of(nonce=ABSENT, signer=stranger))


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(61, Code.NOT_YET_VALID), (60, None), (0, None), (-300, None), (-301, Code.HOLDER_PROOF_EXPIRED)],
)
def test_iat_is_judged_where_there_are_no_nonces(seconds: int, code: Code | None) -> None:  # step 11
    proof = proof_of(iat=int(AT.timestamp()) + seconds)
    if code is None:
        assert passes(proof, check_nonce=None)
    else:
        refused(proof, check_nonce=None, code=code)


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.attack("C01")
@pytest.mark.good_twin("C01")
def test_a_wrong_clock_is_no_obstacle_with_the_nonce_of_the_server(days: int) -> None:  # C01
    there = AT + timedelta(days=days)
    assert check(proof_of(iat=int(there.timestamp()))).issued_at == there


def test_nbf_is_judged_like_iat() -> None:
    later = int(AT.timestamp()) + 61
    refused(proof_of(nbf=later), check_nonce=None, code=Code.NOT_YET_VALID)
    assert passes(proof_of(nbf=later - 1), check_nonce=None)


@pytest.mark.clause("VCI-24")
def test_ath() -> None:  # step 12
    refused(proof_of(ath=dpop.hash_of("another")))
    refused(proof_of(ath=TOKEN))
    assert passes(proof_of(ath=dpop.hash_of("another")), access_token="another")


def test_the_key_is_the_one_of_the_token(stranger: KeySigner) -> None:  # step 12
    refused(proof_of(signer=stranger))
    assert passes(proof_of(signer=stranger), bound_thumbprint=stranger.thumbprint)


def test_critical_extensions_and_sizes() -> None:
    head, payload, signature = proof_of().split(".")
    header = {**strict_json.parse_object(base64url.decode(head)), "crit": ["exp"]}
    critical = f"{base64url.encode(strict_json.serialise(header))}.{payload}.{signature}"
    refused(critical, code=Code.CRITICAL_HEADER)
    refused(proof_of(padding="x" * 20_000), code=Code.TOO_LARGE)


def test_replay_and_absence_have_their_answers() -> None:
    for refusal in (dpop.refuse_replay(), dpop.refuse_missing()):
        assert (refusal.error.value, refusal.error.status) == ("invalid_dpop_proof", 400)


def test_the_algorithms_are_data() -> None:
    assert dpop.algorithms() == ("ES256", "ES384", "EdDSA")


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text(text: str) -> None:
    with pytest.raises(OAuthError):
        check(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = st.dictionaries(st.sampled_from(["jti", "htm", "htu", "iat", "nbf", "ath", "nonce"]), JSON)


@given(CLAIMS, st.booleans())
def test_any_claims(change: dict[str, Any], with_nonce: bool) -> None:
    try:
        found = check(proof_of(**change), check_nonce=is_ours if with_nonce else None)
    except OAuthError:
        return
    assert found.thumbprint == KEY.thumbprint


@given(st.dictionaries(st.sampled_from(["typ", "jwk", "kid", "x5c"]), JSON))
def test_any_header(header: dict[str, Any]) -> None:
    try:
        encoded = proof_of(header=header)
    except Malformed:  # what our own side does not sign
        return
    try:
        check(encoded)
    except OAuthError:
        return
    assert set(header) <= {"kid", "x5c"}
