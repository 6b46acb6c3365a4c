"""Signatures and the keys that make them, with the published ECDSA and EdDSA cases."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from comity import keys
from comity.errors import Code, Malformed, Misconfigured
from comity.keys import KeySigner
from tests.support.vectors import count, vectors_folder

SIGNERS = {algorithm: KeySigner.generate(algorithm) for algorithm in keys.ALGORITHMS}
ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


# --- signing


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_a_signature_fits_its_data_and_key_only(algorithm: str) -> None:
    signer, other = SIGNERS[algorithm], KeySigner.generate(algorithm)
    key = keys.public_key(signer.public_jwk)
    signature = signer.sign(b"data")
    assert len(signature) == (96 if algorithm == "ES384" else 64)
    assert keys.is_signature(signature, b"data", key)
    assert not keys.is_signature(signature, b"Data", key)
    assert not keys.is_signature(signature, b"data", keys.public_key(other.public_jwk))


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
@pytest.mark.parametrize("checked_by", keys.ALGORITHMS)
def test_a_signature_of_another_algorithm_never_fits(algorithm: str, checked_by: str) -> None:
    signature = SIGNERS[algorithm].sign(b"data")
    key = keys.public_key(SIGNERS[checked_by].public_jwk)
    assert keys.is_signature(signature, b"data", key) == (algorithm == checked_by)


@pytest.mark.attack("J08")
def test_der_short_long_and_zero_signatures_are_none() -> None:
    signer = SIGNERS["ES256"]
    key = keys.public_key(signer.public_jwk)
    assert isinstance(signer.private_key, ec.EllipticCurvePrivateKey)
    from cryptography.hazmat.primitives.hashes import SHA256

    signature = signer.sign(b"data")
    order = ORDER_P256.to_bytes(32, "big")
    wrong = [
        signer.private_key.sign(b"data", ec.ECDSA(SHA256())),
        b"",
        signature[:-1],
        signature + b"\x00",
        b"\x00" + signature,
        bytes(64),
        signature[:32] + bytes(32),
        bytes(32) + signature[32:],
        signature[:32] + order,
        order + signature[32:],
        b"\xff" * 64,
    ]
    assert keys.is_signature(signature, b"data", key)
    for each in wrong:
        assert not keys.is_signature(each, b"data", key)


def test_a_curve_without_algorithm_checks_nothing() -> None:
    with pytest.raises(Malformed):
        keys.is_signature(bytes(64), b"data", ec.generate_private_key(ec.SECP256K1()).public_key())


# --- signers


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_a_signer_survives_pem_and_jwk(algorithm: str) -> None:
    signer = SIGNERS[algorithm]
    for again in (KeySigner.from_pem(signer.to_pem()), KeySigner.from_private_jwk(signer.private_jwk())):
        assert again.public_jwk == signer.public_jwk
        assert again.thumbprint == signer.thumbprint
        assert again.algorithm == algorithm
        assert keys.is_signature(again.sign(b"x"), b"x", keys.public_key(signer.public_jwk))


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_a_signer_never_shows_its_key(algorithm: str) -> None:
    signer = SIGNERS[algorithm]
    shown = f"{signer!r} {signer}"
    assert signer.private_jwk()["d"] not in shown
    assert "private" not in shown.lower()


def test_only_known_algorithms_are_generated() -> None:
    with pytest.raises(Misconfigured):
        KeySigner.generate("RS256")


def test_pem_that_is_not_one_of_our_keys_is_refused() -> None:
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encrypted = serialization.BestAvailableEncryption(b"secret")
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    texts = [
        b"",
        b"not pem",
        foreign.private_bytes(encoding, kind, serialization.NoEncryption()),
        SIGNERS["ES256"].private_key.private_bytes(encoding, kind, encrypted),
        ec.generate_private_key(ec.SECP256K1()).private_bytes(encoding, kind, serialization.NoEncryption()),
    ]
    for text in texts:
        with pytest.raises(Malformed) as raised:
            KeySigner.from_pem(text)
        assert raised.value.code is Code.MALFORMED_KEY


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
@pytest.mark.parametrize("secret", [None, "", "AA", "A" * 43, "other"])
def test_private_jwks_that_do_not_fit_are_refused(algorithm: str, secret: str | None) -> None:
    signer = SIGNERS[algorithm]
    value = KeySigner.generate(algorithm).private_jwk()["d"] if secret == "other" else secret
    with pytest.raises(Malformed) as raised:
        KeySigner.from_private_jwk({**signer.private_jwk(), "d": value})
    assert raised.value.code is Code.MALFORMED_KEY


@given(st.binary())
def test_any_bytes_are_a_pem_or_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        KeySigner.from_pem(data)


# --- published cases


@pytest.mark.parametrize(
    ("name", "cases"),
    [("ecdsa_secp256r1_sha256_p1363", 262), ("ecdsa_secp384r1_sha384_p1363", 280), ("ed25519", 151)],
)
@pytest.mark.attack("J08")
@pytest.mark.good_twin("J08")
def test_wycheproof_signatures(name: str, cases: int) -> None:
    path = vectors_folder("wycheproof") / "testvectors_v1" / f"{name}_test.json"
    ran = 0
    for group in json.loads(path.read_bytes())["testGroups"]:
        der = base64.b16decode(group["publicKeyDer"], casefold=True)
        key = keys.supported(serialization.load_der_public_key(der))
        for case in group["tests"]:
            found = keys.is_signature(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]), key)
            assert found == (case["result"] == "valid"), (name, case["tcId"], case["comment"])
            ran += 1
        assert keys.public_jwk(keys.public_key(keys.public_jwk(key))) == keys.public_jwk(key)
    assert ran == cases
    count(f"wycheproof/{name}", ran)


def test_wycheproof_json_web_keys() -> None:
    """Sets of keys: no key outside our types is read, and no token of an ``invalid`` case verifies with any key."""
    from comity import jose

    path = vectors_folder("wycheproof") / "testvectors_v1" / "json_web_key_test.json"
    ran = 0
    for group in json.loads(path.read_bytes())["testGroups"]:
        for case in group["tests"]:
            verified = 0
            for jwk in group.get("public", group["private"])["keys"]:
                try:
                    jose.verify(jose.parse(case["jws"]), keys.public_key(jwk))
                    verified += 1
                except Malformed:
                    continue
            # Every `valid` case of this file is RSA or HMAC: out of scope here, and so refused too.
            assert verified == 0, (group["comment"], case["tcId"])
            ran += 1
    assert ran == 26
    count("wycheproof/json_web_key", ran)
