"""did:key and the Multikey text inside it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import did, keys
from comity.did import multibase
from comity.errors import Code, Malformed
from comity.keys import KeySigner

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SIGNERS = {algorithm: KeySigner.generate(algorithm) for algorithm in keys.ALGORITHMS}

# The method's own examples (W3C CCG did:key, "Test Vectors").
ED25519 = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
P256 = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"
P384 = "did:key:z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9"

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def multikey(data: bytes) -> str:
    """base58btc written a second time, with the leading zeros that the real one never sees."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "z" + "1" * (len(data) - len(data.lstrip(b"\x00"))) + text


@pytest.mark.parametrize(("text", "curve"), [(ED25519, "Ed25519"), (P256, "P-256"), (P384, "P-384")])
@pytest.mark.clause("7-1-did-key")
def test_published_examples(text: str, curve: str) -> None:
    document = did.local_document(text)
    assert document is not None
    url = f"{text}#{text.removeprefix('did:key:')}"
    found = did.verification_key(document, url, relationships=["authentication"], at=NOW)
    assert found.jwk["crv"] == curve
    assert did.key.did_of(found.jwk) == text
    assert did.document_url(text) is None


def test_the_published_example_is_the_published_key() -> None:
    document = did.local_document(ED25519)
    assert document is not None
    found = did.verification_key(document, next(iter(document.methods)), relationships=["assertionMethod"], at=NOW)
    assert found.jwk["x"] == "O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik"


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
@pytest.mark.good_twin("R09")
def test_every_key_type_goes_there_and_back(algorithm: str) -> None:
    text = did.key.did_of(SIGNERS[algorithm].public_jwk)
    document = did.local_document(did.parse(text))
    assert document is not None
    method = f"{text}#{text.removeprefix('did:key:')}"
    found = did.verification_key(document, method, relationships=["assertionMethod"], at=NOW)
    assert found.jwk == SIGNERS[algorithm].public_jwk
    signature = SIGNERS[algorithm].sign(b"x")
    assert keys.is_signature(signature, b"x", found.key)


def test_a_holder_key_is_not_for_encryption() -> None:
    document = did.local_document(P256)
    assert document is not None
    with pytest.raises(Malformed) as raised:
        did.verification_key(document, next(iter(document.methods)), relationships=["keyAgreement"], at=NOW)
    assert raised.value.code is Code.KEY_RELATIONSHIP_MISSING


@pytest.mark.clause("7-1-did-key")
def test_the_fragment_repeats_the_identifier() -> None:
    document = did.local_document(P256)
    assert document is not None
    for fragment in ("0", "key-1", ED25519.removeprefix("did:key:")):
        with pytest.raises(Malformed) as raised:
            did.verification_key(document, f"{P256}#{fragment}", relationships=["authentication"], at=NOW)
        assert raised.value.code is Code.KEY_NOT_FOUND


POINT = keys.point_of_jwk(SIGNERS["ES256"].public_jwk)
RAW = keys.point_of_jwk(SIGNERS["EdDSA"].public_jwk)


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "z",
        "z1",
        "zz",
        "u" + P256.removeprefix("did:key:z"),
        P256.removeprefix("did:key:z"),
        P256.removeprefix("did:key:") + "1",
        "z1" + P256.removeprefix("did:key:z"),
        P256.removeprefix("did:key:").replace("a", "0", 1),
        P256.removeprefix("did:key:").replace("a", "l", 1),
        multikey(b"\xed\x01" + RAW + b"\x00"),
        multikey(b"\xed\x01" + RAW[:-1]),
        multikey(b"\xed\x01" + POINT),
        multikey(b"\x00\xed\x01" + RAW),
        multikey(b"\x80\x24" + POINT[1:]),
        multikey(b"\x80\x24" + b"\x04" + POINT[1:] + POINT[1:]),
        multikey(b"\x80\x24" + b"\x02" + b"\xff" * 32),
        multikey(b"\x81\x24" + POINT),
        multikey(b"\x12\x00" + POINT),
        multikey(b"\x80\x26" + RAW),
        multikey(b"\xec\x01" + RAW),
        multikey(b"\xe7\x01" + POINT),
        multikey(b"\x86\x26" + RAW),
        multikey(b"\xed\x01" + bytes(32)),
        "z" + "z" * 200,
    ],
)
@pytest.mark.attack("R09")
def test_every_other_identifier_is_refused(identifier: str) -> None:
    with pytest.raises(Malformed) as raised:
        did.local_document(f"did:key:{identifier}")
    assert raised.value.code is Code.MALFORMED_DID


def test_a_long_text_is_refused_before_any_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """base58 takes quadratic time, and a document may hold a megabyte of it."""
    monkeypatch.setattr(multibase, "_base58_decode", lambda _: pytest.fail("a long text was decoded"))
    with pytest.raises(Malformed):
        multibase.decode_key("z" + "z" * multibase.MAX_LENGTH)


def test_only_public_keys_get_a_did() -> None:
    with pytest.raises(Malformed) as raised:
        did.key.did_of(SIGNERS["ES256"].private_jwk())
    assert raised.value.code is Code.PRIVATE_KEY_EXPOSED


@given(st.text() | st.text(alphabet=BASE58).map("z".__add__) | st.binary(max_size=60).map(multikey))
def test_any_multibase_text_is_a_key_or_malformed(text: str) -> None:
    try:
        jwk = multibase.decode_key(text)
    except Malformed:
        return
    assert multibase.encode_key(jwk) == text


@given(st.sampled_from([b"\xed\x01", b"\x80\x24\x02", b"\x80\x24\x03"]), st.binary(min_size=32, max_size=32))
def test_any_key_bytes_are_a_key_or_malformed(prefix: bytes, data: bytes) -> None:
    text = multikey(prefix + data)
    try:
        jwk = multibase.decode_key(text)
    except Malformed:
        return
    assert multibase.encode_key(jwk) == text
