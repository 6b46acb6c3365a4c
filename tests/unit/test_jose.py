"""Compact JWS: the attacks of catalogue group J on keys and algorithms, the published cases, and good twins."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from comity import base64url, jose, keys
from comity.errors import Code, Malformed
from comity.keys import KeySigner
from tests.support.vectors import count, vectors_folder
from tests.unit.tokens import KEY, SIGNER, SIGNERS, accept, code_of, segment, signed, token

SIGNATURE_CONTEXTS = (
    "credential",
    "holder_proof",
    "key_proof",
    "request_object",
    "status_list",
    "access_token",
    "issuer_metadata",
)


# --- making and reading


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
@pytest.mark.good_twin("J01", "J02", "J03", "J13")
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
@pytest.mark.attack("J01")
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
@pytest.mark.attack("J02")
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


@pytest.mark.attack("J03")
def test_a_key_in_the_header_verifies_nothing_by_itself() -> None:
    attacker = KeySigner.generate()
    encoded = jose.sign({"typ": "vc+jwt", "jwk": dict(attacker.public_jwk)}, {}, attacker)
    assert code_of(encoded) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("member", sorted(keys.PRIVATE_MEMBERS))
@pytest.mark.clause("C2")
def test_private_key_material_in_the_header_is_refused(member: str) -> None:
    header = {"alg": "ES256", "typ": "vc+jwt", "jwk": {**SIGNER.public_jwk, member: "AA"}}
    assert code_of(signed(header)) is Code.PRIVATE_KEY_EXPOSED
    with pytest.raises(Malformed) as raised:
        jose.sign(header, {}, SIGNER)
    assert raised.value.code is Code.PRIVATE_KEY_EXPOSED


@pytest.mark.good_twin("J03")
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
@pytest.mark.attack("J05")
def test_critical_extensions_are_refused(extra: dict[str, Any]) -> None:
    header = {"alg": "ES256", "typ": "vc+jwt", **extra}
    assert code_of(signed(header)) is Code.CRITICAL_HEADER
    with pytest.raises(Malformed):
        jose.sign(header, {}, SIGNER)


@pytest.mark.good_twin("J04", "J05")
def test_an_unknown_member_that_is_not_critical_is_ignored() -> None:
    accept(signed({"alg": "ES256", "typ": "vc+jwt", "unknown": 1, "jku": "https://a.example", "x5u": "x"}))


# --- J06, J07: algorithm and key disagree


@pytest.mark.parametrize("said", keys.ALGORITHMS)
@pytest.mark.parametrize("made_with", keys.ALGORITHMS)
@pytest.mark.parametrize("checked_with", keys.ALGORITHMS)
@pytest.mark.attack("J06", "J07")
@pytest.mark.good_twin("J06", "J07")
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
@pytest.mark.attack("J07")
def test_algorithms_outside_the_list_are_refused(algorithm: str) -> None:
    assert code_of(signed({"alg": algorithm, "typ": "vc+jwt"})) is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.clause("C1")
def test_the_context_decides_which_algorithms_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "allowed_algorithms", {"credential": frozenset({"ES384"})}.__getitem__)
    assert code_of(signed({"alg": "ES256", "typ": "vc+jwt"})) is Code.ALGORITHM_NOT_ALLOWED


# --- J08: signatures of the wrong form


@pytest.mark.attack("J08")
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
@pytest.mark.clause("C3")
@pytest.mark.attack("J10")
@pytest.mark.good_twin("J10")
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
@pytest.mark.clause("C3")
@pytest.mark.attack("J10")
def test_the_type_is_compared_exactly(header: dict[str, str]) -> None:
    assert code_of(jose.sign(header, {}, SIGNER)) is Code.TYPE_NOT_ALLOWED


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


@pytest.mark.attack("J08")
@pytest.mark.good_twin("J08")
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
