"""did:jwk: the identifier is a JWK, and the key is always #0."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, did, keys
from comity.errors import Code, Malformed
from comity.keys import KeySigner

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SIGNER = KeySigner.generate()

# The method's own example.
EXAMPLE = (
    "did:jwk:eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImFjYklRaXVNczNpOF91c3pFakoydHBUdFJNNEVVM3l6OTFQSDZDZEgyVjAiLC"
    "J5IjoiX0tjeUxqOXZXTXB0bm1LdG00NkdxRHo4d2Y3NEk1TEtncmwyR3pIM25TRSJ9"
)
EXAMPLE_JWK = {
    "crv": "P-256",
    "kty": "EC",
    "x": "acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0",
    "y": "_KcyLj9vWMptnmKtm46GqDz8wf74I5LKgrl2GzH3nSE",
}


def did_of(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return f"did:jwk:{base64url.encode(raw)}"


def key_of(text: str, relationship: str = "authentication") -> keys.PublicKey:
    document = did.local_document(text)
    assert document is not None
    return did.verification_key(document, f"{text}#0", relationships=[relationship], at=NOW).key


@pytest.mark.clause("7-1-did-jwk")
def test_the_published_example() -> None:
    assert keys.public_jwk(key_of(EXAMPLE)) == EXAMPLE_JWK
    assert did.jwk.did_of(EXAMPLE_JWK) == EXAMPLE
    assert did.document_url(EXAMPLE) is None


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
@pytest.mark.good_twin("R09")
def test_every_key_type_goes_there_and_back(algorithm: str) -> None:
    signer = KeySigner.generate(algorithm)
    text = did.jwk.did_of(signer.public_jwk)
    assert keys.public_jwk(key_of(text)) == signer.public_jwk
    assert did.jwk.did_of({**signer.public_jwk, "kid": "x"}) == text


def test_one_key_has_many_dids_and_one_thumbprint() -> None:
    other = did_of({**EXAMPLE_JWK, "use": "sig", "kid": "x"})
    assert other != EXAMPLE
    assert keys.thumbprint(keys.public_jwk(key_of(other))) == keys.thumbprint(EXAMPLE_JWK)


@pytest.mark.parametrize("fragment", ["1", "00", "key-1", "", SIGNER.thumbprint])
@pytest.mark.clause("7-1-did-jwk")
def test_the_fragment_is_always_zero(fragment: str) -> None:
    document = did.local_document(EXAMPLE)
    assert document is not None
    with pytest.raises(Malformed) as raised:
        did.verification_key(document, f"{EXAMPLE}#{fragment}", relationships=["authentication"], at=NOW)
    assert raised.value.code is (Code.KEY_NOT_FOUND if fragment else Code.MALFORMED_DID)


def test_use_decides_the_relationships() -> None:
    signing, encrypting = did_of({**EXAMPLE_JWK, "use": "sig"}), did_of({**EXAMPLE_JWK, "use": "enc"})
    assert keys.public_jwk(key_of(signing)) == EXAMPLE_JWK
    for text, relationship in (
        (signing, "keyAgreement"),
        (encrypting, "authentication"),
        (encrypting, "assertionMethod"),
    ):
        with pytest.raises(Malformed) as raised:
            key_of(text, relationship)
        assert raised.value.code is Code.KEY_RELATIONSHIP_MISSING
    with pytest.raises(Malformed) as raised:  # listed there, but no key for signatures
        key_of(encrypting, "keyAgreement")
    assert raised.value.code is Code.MALFORMED_KEY


@pytest.mark.clause("C2")
@pytest.mark.attack("R09")
def test_a_private_key_in_a_did_is_refused() -> None:
    with pytest.raises(Malformed) as raised:
        did.local_document(did_of(SIGNER.private_jwk()))
    assert raised.value.code is Code.PRIVATE_KEY_EXPOSED
    with pytest.raises(Malformed) as raised:
        did.jwk.did_of(SIGNER.private_jwk())
    assert raised.value.code is Code.PRIVATE_KEY_EXPOSED


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"text",
        b"[]",
        b'"EC"',
        b'{"kty":"EC","kty":"OKP"}',
        {},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {**EXAMPLE_JWK, "crv": "secp256k1"},
        {**EXAMPLE_JWK, "x": "AA"},
        {**EXAMPLE_JWK, "use": "both"},
        {**EXAMPLE_JWK, "use": ["sig"]},
        {**EXAMPLE_JWK, "key_ops": [["verify"]]},
    ],
)
@pytest.mark.attack("R09")
def test_what_is_not_a_jwk_is_refused(value: Any) -> None:
    with pytest.raises(Malformed) as raised:
        did.local_document(did_of(value))
    assert raised.value.code is Code.MALFORMED_DID


def test_padding_and_other_alphabets_are_refused() -> None:
    for text in (EXAMPLE + ".", EXAMPLE[:-1], EXAMPLE[:-1] + "B", "did:jwk:%65" + EXAMPLE.removeprefix("did:jwk:e")):
        with pytest.raises(Malformed) as raised:
            did.local_document(text)
        assert raised.value.code is Code.MALFORMED_DID


def test_a_point_off_the_curve_is_no_key() -> None:
    with pytest.raises(Malformed) as raised:
        key_of(did_of({**EXAMPLE_JWK, "y": EXAMPLE_JWK["x"]}))
    assert raised.value.code is Code.MALFORMED_KEY


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "use", "d"]),
        st.sampled_from(["EC", "P-256", "sig", EXAMPLE_JWK["x"], EXAMPLE_JWK["y"]]) | st.none() | st.lists(st.none()),
    )
    | st.binary(max_size=40)
)
def test_any_jwk_is_a_document_or_malformed(value: Any) -> None:
    try:
        document = did.local_document(did_of(value))
    except Malformed:
        return
    assert document is not None
    assert document.id == did_of(value)
