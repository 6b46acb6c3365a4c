"""Encrypted answers: one agreement, two ciphers, and everything else refused before any work."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe as foreign
from joserfc.jwk import ECKey

from comity import base64url, jwe, keys
from comity.errors import Code, Malformed
from comity.jwe import EncryptionKey
from comity.keys import KeySigner
from tests.support.vectors import count, vectors_folder

KEY = EncryptionKey.generate("request-1")
OTHER = EncryptionKey.generate("request-1")
GOOD = jwe.encrypt(b"answer", KEY.public_jwk)
GOOD_HEADER = jwe.header(GOOD)


def with_header(header: Any, token: str = GOOD) -> str:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return ".".join([base64url.encode(raw), *token.split(".")[1:]])


def code_of(token: str, private: Any = None) -> Code:
    with pytest.raises(Malformed) as raised:
        jwe.decrypt(token, private or KEY.private_jwk())
    return raised.value.code


# --- the good way


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
@pytest.mark.parametrize("payload", [b"", b"answer", b"\x00" * 300_000])
@pytest.mark.good_twin("J16", "J17", "J18")
def test_what_was_encrypted_is_decrypted(enc: str, payload: bytes) -> None:
    token = jwe.encrypt(payload, KEY.public_jwk, enc=enc, apu=b"wallet", apv=b"verifier")
    header = jwe.header(token)
    assert {name: header[name] for name in ("alg", "enc", "kid", "apu", "apv")} == {
        "alg": "ECDH-ES",
        "enc": enc,
        "kid": "request-1",
        "apu": base64url.encode(b"wallet"),
        "apv": base64url.encode(b"verifier"),
    }
    assert jwe.decrypt(token, KEY.private_jwk()) == payload


def test_party_info_and_kid_are_optional() -> None:
    public = {name: KEY.public_jwk[name] for name in ("kty", "crv", "x", "y")}
    token = jwe.encrypt(b"x", public)
    assert set(jwe.header(token)) == {"alg", "enc", "epk"}
    assert jwe.decrypt(token, KEY.private_jwk()) == b"x"
    no_name = {name: value for name, value in KEY.private_jwk().items() if name != "kid"}
    assert jwe.decrypt(GOOD, no_name) == b"answer"


def test_a_p384_recipient() -> None:
    signer = KeySigner.generate("ES384")
    assert jwe.decrypt(jwe.encrypt(b"x", signer.public_jwk), signer.private_jwk()) == b"x"


def test_every_token_has_its_own_ephemeral_key() -> None:
    assert jwe.header(jwe.encrypt(b"x", KEY.public_jwk))["epk"] != jwe.header(jwe.encrypt(b"x", KEY.public_jwk))["epk"]


def test_another_library_agrees() -> None:
    from jwcrypto import jwe as other
    from jwcrypto.jwk import JWK

    theirs = other.JWE(b"hello", json.dumps({"alg": "ECDH-ES", "enc": "A256GCM"}), recipient=JWK(**KEY.public_jwk))
    assert jwe.decrypt(theirs.serialize(compact=True), KEY.private_jwk()) == b"hello"
    ours = other.JWE()
    ours.deserialize(jwe.encrypt(b"hello", KEY.public_jwk, apu=b"u", apv=b"v"), key=JWK(**KEY.private_jwk()))
    assert ours.payload == b"hello"


# --- keys


def test_the_public_half_says_what_it_is_for() -> None:
    assert {name: KEY.public_jwk[name] for name in ("kty", "crv", "use", "alg", "kid")} == {
        "kty": "EC",
        "crv": "P-256",
        "use": "enc",
        "alg": "ECDH-ES",
        "kid": "request-1",
    }
    assert "d" not in KEY.public_jwk
    assert KEY.private_jwk()["d"] not in repr(KEY)
    assert {name: value for name, value in KEY.private_jwk().items() if name != "d"} == KEY.public_jwk


@pytest.mark.parametrize(
    "change",
    [
        {"use": "sig"},
        {"alg": "ECDH-ES+A256KW"},
        {"alg": "RSA-OAEP"},
        {"crv": "P-521"},
        {"y": KEY.public_jwk["x"]},
        {"kty": "OKP", "crv": "X25519"},
        {"kty": "oct"},
    ],
)
def test_nothing_is_encrypted_to_a_key_that_does_not_fit(change: dict[str, str]) -> None:
    with pytest.raises(Malformed) as raised:
        jwe.encrypt(b"x", {**KEY.public_jwk, **change})
    assert raised.value.code is Code.MALFORMED_KEY


def test_nothing_is_encrypted_to_a_private_key() -> None:
    with pytest.raises(Malformed) as raised:
        jwe.encrypt(b"x", KEY.private_jwk())
    assert raised.value.code is Code.PRIVATE_KEY_EXPOSED


@pytest.mark.parametrize("enc", ["A192GCM", "A128CBC-HS256", "none", ""])
def test_only_two_ciphers_are_used(enc: str) -> None:
    with pytest.raises(Malformed) as raised:
        jwe.encrypt(b"x", KEY.public_jwk, enc=enc)
    assert raised.value.code is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("change", [{"d": "AA"}, {"d": None}, {"x": "AA"}, {"kty": "oct"}, {"y": KEY.public_jwk["x"]}])
def test_a_decryption_key_that_is_none(change: dict[str, Any]) -> None:
    assert code_of(GOOD, {**KEY.private_jwk(), **change}) is Code.MALFORMED_KEY


def test_a_public_key_decrypts_nothing() -> None:
    assert code_of(GOOD, KEY.public_jwk) is Code.MALFORMED_KEY


# --- J16, J17: what is refused before any work


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "dir"},
        {"alg": "RSA1_5"},
        {"alg": "RSA-OAEP"},
        {"alg": "A256KW"},
        {"alg": "ECDH-ES+A128KW"},
        {"alg": "ECDH-1PU"},
        {"alg": "PBES2-HS256+A128KW", "p2c": 2**31, "p2s": "AA"},
        {"alg": "none"},
        {"alg": None},
        {"alg": ["ECDH-ES"]},
        {"enc": "A128CBC-HS256"},
        {"enc": "A192GCM"},
        {"enc": None},
        {"zip": "DEF"},
        {"zip": None},
    ],
)
@pytest.mark.attack("J16", "J17")
def test_other_algorithms_and_compression_are_refused(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "decrypt_compact", lambda *_, **__: pytest.fail("joserfc saw the token"))
    assert code_of(with_header({**GOOD_HEADER, **change})) is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.attack("J16")
def test_a_compressed_bomb_is_not_opened() -> None:
    """A token that another library would inflate to 100 MB: refused by its header, in spite of a valid tag."""
    bomb = zlib.compress(bytes(1 << 20), wbits=-15)
    recipient = ECKey.import_key({name: KEY.public_jwk[name] for name in ("kty", "crv", "x", "y")})
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "zip": "DEF"}
    algorithms = ["ECDH-ES", "A128GCM", "DEF"]
    token = foreign.encrypt_compact(header, bytes(1 << 16), recipient, algorithms=algorithms)
    assert len(token) < len(bomb) + 1000
    assert code_of(token) is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("value", [[], ["exp"], ["zip"], None, "b64"])
def test_critical_extensions_are_refused(value: Any) -> None:
    assert code_of(with_header({**GOOD_HEADER, "crit": value})) is Code.CRITICAL_HEADER


# --- J18: the ephemeral key


@pytest.mark.parametrize(
    ("epk", "code"),
    [
        (None, Code.MALFORMED_JWE),
        ("text", Code.MALFORMED_JWE),
        ({}, Code.MALFORMED_KEY),
        ({**GOOD_HEADER["epk"], "y": GOOD_HEADER["epk"]["x"]}, Code.MALFORMED_KEY),
        ({**GOOD_HEADER["epk"], "x": "A" * 43, "y": "A" * 43}, Code.MALFORMED_KEY),
        ({**GOOD_HEADER["epk"], "d": "AA"}, Code.PRIVATE_KEY_EXPOSED),
        ({**GOOD_HEADER["epk"], "crv": "P-521"}, Code.MALFORMED_KEY),
        ({"kty": "OKP", "crv": "X25519", "x": "A" * 43}, Code.MALFORMED_KEY),
        ({"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}, Code.MALFORMED_KEY),
        (dict(KeySigner.generate("ES384").public_jwk), Code.DECRYPTION_FAILED),
        (dict(KeySigner.generate("ES256").public_jwk), Code.DECRYPTION_FAILED),
    ],
)
@pytest.mark.attack("J18")
def test_ephemeral_keys_that_do_not_fit(epk: Any, code: Code) -> None:
    assert code_of(with_header({**GOOD_HEADER, "epk": epk})) is code


def test_a_missing_ephemeral_key() -> None:
    assert code_of(with_header({name: GOOD_HEADER[name] for name in ("alg", "enc", "kid")})) is Code.MALFORMED_JWE


@pytest.mark.parametrize("name", ["apu", "apv"])
@pytest.mark.attack("J18")
def test_party_info_is_bound_and_canonical(name: str) -> None:
    assert code_of(with_header({**GOOD_HEADER, name: "AAAA"})) is Code.DECRYPTION_FAILED
    assert code_of(with_header({**GOOD_HEADER, name: "AAA="})) is Code.MALFORMED_BASE64URL
    assert code_of(with_header({**GOOD_HEADER, name: 1})) is Code.MALFORMED_JWE


@pytest.mark.attack("J18")
def test_a_token_for_another_request_is_refused() -> None:
    elsewhere = EncryptionKey.generate("request-2")
    assert code_of(jwe.encrypt(b"x", elsewhere.public_jwk)) is Code.DECRYPTION_FAILED
    assert code_of(with_header({**GOOD_HEADER, "kid": "request-2"})) is Code.DECRYPTION_FAILED
    assert code_of(with_header({**GOOD_HEADER, "kid": 7})) is Code.MALFORMED_JWE
    assert code_of(jwe.encrypt(b"x", OTHER.public_jwk)) is Code.DECRYPTION_FAILED  # same name, other key
    same_key_other_name = {**KEY.private_jwk(), "kid": "request-2"}
    assert code_of(GOOD, same_key_other_name) is Code.DECRYPTION_FAILED


# --- shape


@pytest.mark.parametrize("segment", [0, 2, 3, 4])
def test_one_changed_byte_is_seen(segment: int) -> None:
    segments = GOOD.split(".")
    if segment == 0:
        header = json.dumps({**GOOD_HEADER, "more": 1}).encode()
        segments[0] = base64url.encode(header)
    else:
        changed = bytearray(base64url.decode(segments[segment]))
        changed[0] ^= 1
        segments[segment] = base64url.encode(bytes(changed))
    assert code_of(".".join(segments)) is Code.DECRYPTION_FAILED


@pytest.mark.parametrize(("segment", "size"), [(1, 32), (2, 0), (2, 11), (2, 13), (4, 0), (4, 4), (4, 15), (4, 17)])
def test_parts_have_the_lengths_of_the_algorithms(segment: int, size: int) -> None:
    segments = GOOD.split(".")
    segments[segment] = base64url.encode((base64url.decode(segments[segment]) + bytes(32))[:size])
    assert code_of(".".join(segments)) is Code.MALFORMED_JWE


@pytest.mark.parametrize("number", [0, 1, 3, 4, 6])
def test_five_segments_exactly(number: int) -> None:
    assert code_of(".".join(["e30"] * number)) is Code.MALFORMED_JWE


def test_strict_header_and_segments() -> None:
    assert code_of(with_header(b'{"alg":"ECDH-ES","alg":"dir"}')) is Code.DUPLICATE_MEMBER
    assert code_of(with_header(b"[]")) is Code.MALFORMED_JSON
    assert code_of(with_header({"alg": "ECDH-ES", "pad": "x" * 5000})) is Code.MALFORMED_JWE
    assert code_of(GOOD + "=") is Code.MALFORMED_BASE64URL
    assert code_of(GOOD + "\n") is Code.MALFORMED_BASE64URL
    assert code_of("x" * (jwe.MAX_BYTES + 1)) is Code.TOO_LARGE


def test_an_unknown_header_member_is_ignored() -> None:
    recipient = ECKey.import_key({name: KEY.public_jwk[name] for name in ("kty", "crv", "x", "y")})
    registry = foreign.JWERegistry(algorithms=["ECDH-ES", "A128GCM"], strict_check_header=False)
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "cty": "json", "unknown": 1}
    assert jwe.decrypt(foreign.encrypt_compact(header, b"x", recipient, registry=registry), KEY.private_jwk()) == b"x"


@given(st.text() | st.text(alphabet="e30.ABCabc-_ ="))
def test_any_text_is_refused(token: str) -> None:
    with pytest.raises(Malformed):
        jwe.decrypt(token, KEY.private_jwk())


@given(
    st.dictionaries(
        st.sampled_from(["alg", "enc", "kid", "apu", "apv", "epk", "zip", "crit", "typ", "p2c"]),
        st.none()
        | st.integers()
        | st.text(max_size=5)
        | st.sampled_from(["ECDH-ES", "A256GCM", "request-1"])
        | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y"]), st.text(max_size=5)),
    )
)
def test_any_header_is_refused(changes: dict[str, Any]) -> None:
    header = {**GOOD_HEADER, **changes}
    if header == GOOD_HEADER:
        return
    with pytest.raises(Malformed):
        jwe.decrypt(with_header(header), KEY.private_jwk())


# --- published cases


def test_wycheproof_json_web_encryption() -> None:
    """In scope: ECDH-ES with two ciphers. Every other algorithm of the file is refused, valid or not."""
    path = vectors_folder("wycheproof") / "testvectors_v1" / "json_web_encryption_test.json"
    decrypted = refused = 0
    for group in json.loads(path.read_bytes())["testGroups"]:
        for case in group["tests"]:
            algorithms = (group["private"].get("alg"), case.get("enc"))
            if case["result"] == "valid" and algorithms in (("ECDH-ES", "A128GCM"), ("ECDH-ES", "A256GCM")):
                assert jwe.decrypt(case["jwe"], group["private"]).hex() == case["pt"], case["tcId"]
                decrypted += 1
                continue
            with pytest.raises(Malformed):
                jwe.decrypt(case["jwe"], group["private"])
            refused += 1
    assert (decrypted, refused) == (2, 137)
    count("wycheproof/json_web_encryption", decrypted + refused)


def test_allowed_algorithms_are_the_house_rule() -> None:
    assert keys.allowed_algorithms("response_encryption") == {"ECDH-ES"}
    assert keys.allowed_algorithms("content_encryption") == {"A128GCM", "A256GCM"}
