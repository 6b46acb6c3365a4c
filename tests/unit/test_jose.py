"""Compact JWS: the attacks of catalogue group J, the published cases, and good twins."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, jose, keys
from comity.errors import Code, Malformed
from comity.keys import KeySigner
from tests.support.vectors import count, vectors_folder

SIGNERS = {algorithm: KeySigner.generate(algorithm) for algorithm in keys.ALGORITHMS}
SIGNER = SIGNERS["ES256"]
KEY = keys.public_key(SIGNER.public_jwk)
SIGNATURE_CONTEXTS = (
    "credential",
    "holder_proof",
    "key_proof",
    "request_object",
    "status_list",
    "access_token",
    "issuer_metadata",
)


def segment(value: Any) -> str:
    return base64url.encode(value if isinstance(value, bytes) else json.dumps(value).encode())


def token(header: Any, payload: Any = b"{}", signature: bytes = bytes(64)) -> str:
    return f"{segment(header)}.{segment(payload)}.{base64url.encode(signature)}"


def signed(header: Any, payload: Any = b"{}", signer: KeySigner = SIGNER) -> str:
    """Sign any header at all, also those that :func:`jose.sign` would refuse to make."""
    signing_input = f"{segment(header)}.{segment(payload)}"
    return f"{signing_input}.{base64url.encode(signer.sign(signing_input.encode()))}"


def accept(encoded: str, typ: str = "vc+jwt", context: str = "credential") -> jose.Jws:
    """Go the whole way that a caller goes."""
    jws = jose.parse(encoded)
    jose.require(jws, typ=typ, context=context)
    jose.verify(jws, KEY)
    return jws


def code_of(encoded: str, **options: Any) -> Code:
    with pytest.raises(Malformed) as raised:
        accept(encoded, **options)
    return raised.value.code


# --- making and reading


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_what_was_signed_is_read(algorithm: str) -> None:
    signer = SIGNERS[algorithm]
    encoded = jose.sign({"typ": "vc+jwt", "kid": "did:web:a.example#1"}, {"b": 1, "a": "é"}, signer)
    jws = jose.parse(encoded)
    assert list(jws.header.items()) == [("alg", algorithm), ("typ", "vc+jwt"), ("kid", "did:web:a.example#1")]
    assert jws.payload == '{"b":1,"a":"é"}'.encode()
    assert jws.encoded == encoded
    assert jws.signing_input == encoded.rpartition(".")[0].encode()
    assert jose.payload_object(jws) == {"b": 1, "a": "é"}
    assert jose.require(jws, typ="vc+jwt", context="credential") == algorithm
    jose.verify(jws, keys.public_key(signer.public_jwk))


def test_the_signer_decides_the_algorithm() -> None:
    jws = jose.parse(jose.sign({"typ": "x", "alg": "none"}, b"raw bytes", SIGNER))
    assert jws.header == {"alg": "ES256", "typ": "x"}
    assert jws.payload == b"raw bytes"


@pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
def test_another_library_agrees(algorithm: str) -> None:
    from joserfc import jws as foreign
    from joserfc.jwk import ECKey

    signer = SIGNERS[algorithm]
    key = ECKey.import_key(signer.to_pem())
    ours = jose.sign({"typ": "x"}, b"payload", signer)
    assert foreign.deserialize_compact(ours, key, algorithms=[algorithm]).payload == b"payload"
    theirs = foreign.serialize_compact({"alg": algorithm, "typ": "x"}, b"payload", key, algorithms=[algorithm])
    jose.verify(jose.parse(theirs), keys.public_key(signer.public_jwk))


def test_the_example_of_rfc_8037_appendix_a4_verifies() -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    encoded = (
        "eyJhbGciOiJFZERTQSJ9"
        ".RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
        ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    jose.verify(jose.parse(encoded), keys.public_key(jwk))


def test_the_example_of_rfc_7515_appendix_a3_verifies() -> None:
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    encoded = (
        "eyJhbGciOiJFUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    jose.verify(jose.parse(encoded), keys.public_key(jwk))


# --- J01: none, in every spelling, for every kind of token


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE", "none ", "", None, "non\u0435"])
@pytest.mark.parametrize("context", SIGNATURE_CONTEXTS)
@pytest.mark.parametrize("signature", [b"", bytes(64)])
def test_none_is_never_an_algorithm(spelling: str | None, context: str, signature: bytes) -> None:
    header = {"typ": "x"} if spelling is None else {"alg": spelling, "typ": "x"}
    assert code_of(token(header, signature=signature), typ="x", context=context) is Code.ALGORITHM_NOT_ALLOWED


# --- J02: a MAC under the public key


PUBLIC = SIGNER.private_key.public_key()
PUBLIC_KEY_BYTES = {
    "pem": PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    "der": PUBLIC.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    "jwk": json.dumps(dict(SIGNER.public_jwk)).encode(),
}


@pytest.mark.parametrize("form", sorted(PUBLIC_KEY_BYTES))
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_mac_under_the_public_key_is_refused(form: str, algorithm: str) -> None:
    signing_input = f"{segment({'alg': algorithm, 'typ': 'vc+jwt'})}.{segment({})}"
    digest = getattr(hashlib, f"sha{algorithm[2:]}")
    mac = hmac.new(PUBLIC_KEY_BYTES[form], signing_input.encode(), digest).digest()
    encoded = f"{signing_input}.{base64url.encode(mac)}"
    assert code_of(encoded) is Code.ALGORITHM_NOT_ALLOWED
    with pytest.raises(Malformed) as raised:  # and again without the allow-list
        jose.verify(jose.parse(encoded), KEY)
    assert raised.value.code is Code.SIGNATURE_INVALID


# --- J03, J20: keys inside the header


def test_a_key_in_the_header_verifies_nothing_by_itself() -> None:
    attacker = KeySigner.generate()
    encoded = jose.sign({"typ": "vc+jwt", "jwk": dict(attacker.public_jwk)}, {}, attacker)
    assert code_of(encoded) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("member", sorted(keys.PRIVATE_MEMBERS))
def test_private_key_material_in_the_header_is_refused(member: str) -> None:
    header = {"alg": "ES256", "typ": "vc+jwt", "jwk": {**SIGNER.public_jwk, member: "AA"}}
    assert code_of(signed(header)) is Code.PRIVATE_KEY_EXPOSED
    with pytest.raises(Malformed) as raised:
        jose.sign(header, {}, SIGNER)
    assert raised.value.code is Code.PRIVATE_KEY_EXPOSED


def test_a_public_key_in_the_header_passes() -> None:
    accept(jose.sign({"typ": "vc+jwt", "jwk": dict(SIGNER.public_jwk)}, {}, SIGNER))


# --- J05: critical headers


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": ["alg"]},
        {"crit": ["unknown"], "unknown": 1},
        {"crit": "exp"},
        {"crit": None},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
    ],
    ids=str,
)
def test_critical_extensions_are_refused(extra: dict[str, Any]) -> None:
    header = {"alg": "ES256", "typ": "vc+jwt", **extra}
    assert code_of(signed(header)) is Code.CRITICAL_HEADER
    with pytest.raises(Malformed):
        jose.sign(header, {}, SIGNER)


def test_an_unknown_member_that_is_not_critical_is_ignored() -> None:
    accept(signed({"alg": "ES256", "typ": "vc+jwt", "unknown": 1, "jku": "https://a.example", "x5u": "x"}))


# --- J06, J07: algorithm and key disagree


@pytest.mark.parametrize("said", keys.ALGORITHMS)
@pytest.mark.parametrize("made_with", keys.ALGORITHMS)
@pytest.mark.parametrize("checked_with", keys.ALGORITHMS)
def test_header_key_and_signature_agree(said: str, made_with: str, checked_with: str) -> None:
    jws = jose.parse(signed({"alg": said, "typ": "vc+jwt"}, signer=SIGNERS[made_with]))
    assert jose.require(jws, typ="vc+jwt", context="credential") == said
    key = keys.public_key(SIGNERS[checked_with].public_jwk)
    if said == made_with == checked_with:
        jose.verify(jws, key)
        return
    with pytest.raises(Malformed) as raised:
        jose.verify(jws, key)
    assert raised.value.code is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256K", "ES512", "Ed448", "ES384 ", "es256", "ECDH-ES"])
def test_algorithms_outside_the_list_are_refused(algorithm: str) -> None:
    assert code_of(signed({"alg": algorithm, "typ": "vc+jwt"})) is Code.ALGORITHM_NOT_ALLOWED


def test_the_context_decides_which_algorithms_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "allowed_algorithms", {"credential": frozenset({"ES384"})}.__getitem__)
    assert code_of(signed({"alg": "ES256", "typ": "vc+jwt"})) is Code.ALGORITHM_NOT_ALLOWED


# --- J08: signatures of the wrong form


def test_a_der_signature_is_refused() -> None:
    from cryptography.hazmat.primitives.hashes import SHA256

    assert isinstance(SIGNER.private_key, ec.EllipticCurvePrivateKey)
    signing_input = f"{segment({'alg': 'ES256', 'typ': 'vc+jwt'})}.{segment({})}"
    der = SIGNER.private_key.sign(signing_input.encode(), ec.ECDSA(SHA256()))
    assert code_of(f"{signing_input}.{base64url.encode(der)}") is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("part", [0, 1, 2])
def test_one_changed_byte_anywhere_is_seen(part: int) -> None:
    segments = jose.sign({"typ": "vc+jwt", "kid": "k1"}, {"name": "Ann"}, SIGNER).split(".")
    replacement = {0: {"alg": "ES256", "typ": "vc+jwt", "kid": "k2"}, 1: {"name": "Eve"}, 2: bytes(64)}[part]
    segments[part] = segment(replacement)
    assert code_of(".".join(segments)) is Code.SIGNATURE_INVALID


# --- J10: one kind of token for another


KINDS = (
    "dc+sd-jwt",
    "kb+jwt",
    "vc+jwt",
    "vp+jwt",
    "statuslist+jwt",
    "openid4vci-proof+jwt",
    "oauth-authz-req+jwt",
    "JWT",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("expected", KINDS)
def test_each_kind_is_only_itself(kind: str, expected: str) -> None:
    jws = jose.parse(jose.sign({"typ": kind}, {}, SIGNER))
    if kind == expected:
        assert jose.require(jws, typ=expected, context="credential")
        return
    with pytest.raises(Malformed) as raised:
        jose.require(jws, typ=expected, context="credential")
    assert raised.value.code is Code.TYPE_NOT_ALLOWED


def test_one_of_several_types_may_be_expected() -> None:
    jws = jose.parse(jose.sign({"typ": "vp+jwt"}, {}, SIGNER))
    assert jose.require(jws, typ={"vc+jwt", "vp+jwt"}, context="credential")
    with pytest.raises(Malformed) as raised:
        jose.require(jws, typ=("vc+jwt", "kb+jwt"), context="credential")
    assert raised.value.code is Code.TYPE_NOT_ALLOWED


@pytest.mark.parametrize(
    "header", [{}, {"typ": "VC+JWT"}, {"typ": "application/vc+jwt"}, {"typ": "vc+jw"}, {"typ": ""}]
)
def test_the_type_is_compared_exactly(header: dict[str, str]) -> None:
    assert code_of(jose.sign(header, {}, SIGNER)) is Code.TYPE_NOT_ALLOWED


# --- J11: duplicate members


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"ES256","alg":"none","typ":"vc+jwt"}',
        b'{"alg":"ES256","typ":"vc+jwt","jwk":{"kty":"EC","kty":"oct"}}',
        b'{"alg":"ES256","typ":"vc+jwt","x":[{"a":{"b":1,"b":1}}]}',
    ],
)
def test_duplicate_members_in_the_header(header: bytes) -> None:
    assert code_of(signed(header)) is Code.DUPLICATE_MEMBER


@pytest.mark.parametrize("payload", [b'{"iss":"a","iss":"b"}', b'{"a":[{"b":{"c":1,"c":2}}]}'])
def test_duplicate_members_in_the_payload(payload: bytes) -> None:
    jws = jose.parse(signed({"alg": "ES256"}, payload))
    with pytest.raises(Malformed) as raised:
        jose.payload_object(jws)
    assert raised.value.code is Code.DUPLICATE_MEMBER


@pytest.mark.parametrize("payload", [b"[]", b"", b"text", b"\xff"])
def test_a_payload_that_is_not_an_object(payload: bytes) -> None:
    jws = jose.parse(signed({"alg": "ES256"}, payload))
    with pytest.raises(Malformed) as raised:
        jose.payload_object(jws)
    assert raised.value.code is Code.MALFORMED_JSON


# --- J12: one signature, one text


def test_no_other_spelling_of_a_token_is_read() -> None:
    good = jose.sign({"typ": "vc+jwt"}, {"a": "??>>"}, SIGNER)
    accept(good)
    header, payload, signature = good.split(".")
    spellings = [
        f"{header}.{payload}.{signature}==",
        f"{header}=.{payload}.{signature}",
        f"{good}\n",
        f" {good}",
        f"{header}. {payload}.{signature}",
        f"{header}.{payload}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}",
        f"{header}.{payload}.{signature}AAA",
        f"{header}.{payload}.{signature}\u00e9",
    ]
    for spelling in spellings:
        assert code_of(spelling) is Code.MALFORMED_BASE64URL, spelling


# --- J13: other serialisations


@pytest.mark.parametrize("number", [0, 1, 2, 4, 5, 6])
def test_three_segments_exactly(number: int) -> None:
    assert code_of(".".join([segment({"alg": "ES256"})] * number)) is Code.MALFORMED_JWS


@pytest.mark.parametrize("extra", [{}, {"header": {"alg": "none"}}, {"  .": "..", "x": "a.b.c"}])
def test_json_serialisations_are_refused(extra: dict[str, Any]) -> None:
    header, payload, signature = jose.sign({"typ": "vc+jwt"}, {}, SIGNER).split(".")
    flattened = {"protected": header, "payload": payload, "signature": signature, **extra}
    with pytest.raises(Malformed):
        jose.parse(json.dumps(flattened))
    with pytest.raises(Malformed):  # python-jwt's mixed form: JSON that also splits into three parts
        jose.parse(f'{{"  {header}.{payload}.":"","protected":"{header}","signature":"{signature}"}}')


def test_an_empty_payload_is_a_payload() -> None:
    assert accept(signed({"alg": "ES256", "typ": "vc+jwt"}, b"")).payload == b""


# --- J14 and the header's shape


@pytest.mark.parametrize("header", [b"[]", b'"alg"', b"null", b"", b"{", b"\xff", b'{"alg":"ES256"} '[:-2]])
def test_a_header_that_is_not_an_object(header: bytes) -> None:
    assert code_of(token(header)) is Code.MALFORMED_JSON


@pytest.mark.parametrize("member", ["alg", "typ", "kid"])
@pytest.mark.parametrize("value", [1, None, ["ES256"], {"a": 1}, True])
def test_text_members_are_text(member: str, value: Any) -> None:
    assert code_of(token({"alg": "ES256", "typ": "vc+jwt", member: value})) is Code.MALFORMED_JWS


def test_a_kid_has_a_length_limit_and_is_otherwise_opaque() -> None:
    for kid in ("../../etc/passwd", "'; DROP TABLE keys; --", "a\nb", "k" * jose.MAX_KID_LENGTH):
        assert accept(signed({"alg": "ES256", "typ": "vc+jwt", "kid": kid})).header["kid"] == kid
    assert code_of(signed({"alg": "ES256", "typ": "vc+jwt", "kid": "k" * 1025})) is Code.MALFORMED_JWS


def test_the_size_is_limited() -> None:
    encoded = jose.sign({"typ": "vc+jwt"}, {}, SIGNER)
    assert jose.parse(encoded, max_bytes=len(encoded)).encoded == encoded
    with pytest.raises(Malformed) as raised:
        jose.parse(encoded, max_bytes=len(encoded) - 1)
    assert raised.value.code is Code.TOO_LARGE


# --- any input


@given(st.text() | st.text(alphabet="eyJhbGciOiJFUzI1NiJ9.-_ {}\"':"))
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    try:
        jws = jose.parse(text)
    except Malformed:
        return
    assert jws.encoded == text


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "crit", "jwk", "b64", "kid"]),
        st.sampled_from(["ES256", "none", "vc+jwt"]) | st.none() | st.integers() | st.lists(st.text(max_size=3)),
    ),
    st.binary(max_size=70),
)
def test_any_header_is_refused_without_a_key(header: dict[str, Any], signature: bytes) -> None:
    with pytest.raises(Malformed):
        accept(token(header, signature=signature))


# --- published cases


def judge(jwk: dict[str, Any], encoded: str) -> bool:
    """Verify as a caller would, but for the type, which these tokens do not have."""
    try:
        jws = jose.parse(encoded)
        jose.require(jws, typ=(jws.header.get("typ", ""), None), context="credential")  # type: ignore[arg-type]
        jose.verify(jws, keys.public_key(jwk))
    except Malformed:
        return False
    return True


def test_wycheproof_json_web_signatures() -> None:
    path = vectors_folder("wycheproof") / "testvectors_v1" / "json_web_signature_test.json"
    in_scope = refused = 0
    for group in json.loads(path.read_bytes())["testGroups"]:
        jwk = group.get("public", group["private"])
        ours = jwk["kty"] == "EC" and jwk["crv"] == "P-256"
        for case in group["tests"]:
            expected = ours and case["result"] == "valid"
            assert judge(jwk, case["jws"]) == expected, (group["comment"], case["tcId"], case["comment"])
            in_scope += ours
            refused += not ours
    assert (in_scope, refused) == (41, 360)
    count("wycheproof/json_web_signature", in_scope + refused)
