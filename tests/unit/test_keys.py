"""Keys: which are let in, and how they are written down and named."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

import schemas
from comity import base64url, keys
from comity.errors import Code, Malformed, Misconfigured
from comity.keys import KeySigner

SIGNERS = {algorithm: KeySigner.generate(algorithm) for algorithm in keys.ALGORITHMS}
EC_JWK = SIGNERS["ES256"].public_jwk
OKP_JWK = SIGNERS["EdDSA"].public_jwk


def code_of(jwk: Any, **options: Any) -> Code:
    """Return why the key is refused, whether an object is made of it or not."""
    with pytest.raises(Malformed) as raised:
        keys.public_key(jwk, **options)
    with pytest.raises(Malformed) as unmade:
        keys.check(jwk, **options)
    assert (unmade.value.code, unmade.value.detail) == (raised.value.code, raised.value.detail)
    return raised.value.code


def okp(encoded: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(encoded)}


# --- allow-lists


def test_allow_lists_are_the_file() -> None:
    for context, algorithms in schemas.algorithms().items():
        assert keys.allowed_algorithms(context) == frozenset(algorithms)


@pytest.mark.clause("C1")
def test_no_context_allows_none_or_a_mac_or_rsa() -> None:
    for context in schemas.algorithms():
        for algorithm in keys.allowed_algorithms(context):
            assert not algorithm.lower().startswith(("none", "hs", "rs", "ps", "dir", "pbes")), context


def test_every_signature_context_lists_only_what_can_be_computed() -> None:
    for context in set(schemas.algorithms()) - {"response_encryption", "content_encryption"}:
        assert keys.allowed_algorithms(context) <= set(keys.ALGORITHMS)


def test_an_unknown_context_is_a_mistake_of_the_house() -> None:
    with pytest.raises(Misconfigured):
        keys.allowed_algorithms("nonsense")


# --- reading JWKs


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
@pytest.mark.good_twin("J06", "J09")
def test_a_public_jwk_is_read_and_written_back(algorithm: str) -> None:
    jwk = SIGNERS[algorithm].public_jwk
    key = keys.public_key({**jwk, "kid": "a", "use": "sig", "alg": algorithm, "key_ops": ["verify"], "x5t": "x"})
    assert keys.public_jwk(key) == jwk
    assert keys.algorithm_of(key) == algorithm
    keys.check(jwk)


def test_a_key_read_twice_is_the_same_object() -> None:
    assert keys.public_key(dict(EC_JWK)) is keys.public_key(dict(EC_JWK))


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_a_private_jwk_is_never_read_as_a_public_one(algorithm: str) -> None:
    assert code_of(SIGNERS[algorithm].private_jwk()) is Code.PRIVATE_KEY_EXPOSED


@pytest.mark.parametrize("member", sorted(keys.PRIVATE_MEMBERS))
def test_every_private_member_is_refused(member: str) -> None:
    assert code_of({**EC_JWK, member: "AA"}) is Code.PRIVATE_KEY_EXPOSED
    with pytest.raises(Malformed):
        keys.thumbprint({**EC_JWK, member: "AA"})


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct"},
        {"kty": "OKP"},
        {"kty": None},
        {"kty": ["EC"]},
        {"crv": "P-384"},
        {"crv": "P-521"},
        {"crv": "secp256k1"},
        {"crv": "Ed25519"},
        {"crv": ["P-256"]},
        {"crv": None},
        {"x": ""},
        {"x": None},
        {"x": 1},
        {"x": "A" * 42 + "="},
        {"x": "A" * 40},
        {"x": "A" * 43},
        {"x": "A" * 44},
        {"y": EC_JWK["x"]},
        {"y": "_" * 42 + "8"},
        {"use": "enc"},
        {"use": 1},
        {"alg": "ES384"},
        {"alg": "HS256"},
        {"alg": "ECDH-ES"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
    ],
)
@pytest.mark.attack("J06", "J09")
def test_a_key_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    assert code_of({**EC_JWK, **change}) is Code.MALFORMED_KEY


@pytest.mark.parametrize("missing", ["kty", "crv", "x", "y"])
def test_every_member_is_needed(missing: str) -> None:
    assert code_of({name: value for name, value in EC_JWK.items() if name != missing}) is Code.MALFORMED_KEY


@pytest.mark.parametrize("value", [None, "text", 1, ["EC"]])
def test_a_jwk_is_an_object(value: object) -> None:
    assert code_of(value) is Code.MALFORMED_KEY


def test_leading_zeros_of_a_coordinate_may_not_be_dropped() -> None:
    while True:
        jwk = KeySigner.generate().public_jwk
        data = base64url.decode(jwk["x"])
        if data[0] == 0:
            break
    assert keys.public_jwk(keys.public_key(jwk)) == jwk
    assert code_of({**jwk, "x": base64url.encode(data[1:])}) is Code.MALFORMED_KEY


def test_encryption_keys_are_read_as_such_only() -> None:
    jwk = {**EC_JWK, "use": "enc", "alg": "ECDH-ES", "key_ops": ["deriveKey"]}
    assert keys.public_jwk(keys.public_key(jwk, use="enc")) == EC_JWK
    assert code_of(jwk) is Code.MALFORMED_KEY
    assert code_of({**EC_JWK, "use": "sig"}, use="enc") is Code.MALFORMED_KEY
    assert code_of({**EC_JWK, "alg": "ES256"}, use="enc") is Code.MALFORMED_KEY
    assert code_of(OKP_JWK, use="enc") is Code.MALFORMED_KEY


SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


@pytest.mark.parametrize("encoded", SMALL_ORDER)
@pytest.mark.attack("J09")
def test_ed25519_points_of_small_order_are_refused(encoded: str) -> None:
    assert code_of(okp(bytes.fromhex(encoded))) is Code.MALFORMED_KEY
    with pytest.raises(Malformed):
        keys.supported(Ed25519PublicKey.from_public_bytes(bytes.fromhex(encoded)))


def test_the_neutral_element_would_let_anyone_sign() -> None:
    """What the check is for: under the neutral element one signature fits every message."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(SMALL_ORDER[0]))
    forged = bytes.fromhex(SMALL_ORDER[0]) + bytes(32)
    assert keys.is_signature(forged, b"one", key)
    assert keys.is_signature(forged, b"other", key)


@pytest.mark.parametrize("number", [2**255 - 19, 2**255 - 18, 2**255 - 1, 2])
def test_ed25519_bytes_that_are_no_point_are_refused(number: int) -> None:
    assert code_of(okp(number.to_bytes(32, "little"))) is Code.MALFORMED_KEY


def test_the_ed25519_base_point_is_a_key() -> None:
    assert keys.algorithm_of(keys.public_key(okp(bytes.fromhex("58" + "66" * 31)))) == "EdDSA"


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "d", "use", "alg", "key_ops", "n"]),
        st.sampled_from(["EC", "OKP", "P-256", "P-384", "Ed25519", "sig", "ES256", "", "A" * 43, "A" * 64])
        | st.text(max_size=5)
        | st.none()
        | st.lists(st.text(max_size=3), max_size=2)
        | st.binary(min_size=32, max_size=32).map(base64url.encode),
    )
)
def test_any_object_is_a_key_or_malformed(jwk: dict[str, Any]) -> None:
    for read in (keys.public_key, keys.thumbprint):
        try:
            assert read(jwk)
        except Malformed:
            continue


@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_are_an_ed25519_key_or_malformed(data: bytes) -> None:
    try:
        key = keys.public_key(okp(data))
    except Malformed:
        return
    assert keys.public_jwk(key) == okp(data)


# --- other forms


@pytest.mark.attack("J09")
def test_other_key_types_are_not_supported() -> None:
    foreign = [
        rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.SECP521R1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        "text",
    ]
    for key in foreign:
        with pytest.raises(Malformed) as raised:
            keys.supported(key)
        assert raised.value.code is Code.MALFORMED_KEY


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_points_are_written_and_read(algorithm: str) -> None:
    signer = SIGNERS[algorithm]
    point = keys.point_of_jwk(signer.public_jwk)
    assert keys.jwk_of_point(signer.public_jwk["crv"], point) == signer.public_jwk
    assert keys.algorithm_of(keys.supported(signer.private_key.public_key())) == algorithm


@pytest.mark.parametrize(
    ("curve", "data"),
    [
        ("P-256", b""),
        ("P-256", b"\x02" + bytes(31)),
        ("P-256", b"\x02" + bytes(33)),
        ("P-256", b"\x04" + bytes(32)),
        ("P-256", b"\x00" + bytes(32)),
        ("P-256", b"\x02" + b"\xff" * 32),
        ("P-384", b"\x03" + b"\xff" * 48),
        ("Ed25519", bytes(31)),
        ("Ed25519", bytes(32)),
        ("Ed25519", bytes(33)),
        ("Ed25519", b"\x58" + b"\x66" * 30),
        ("Ed25519", b"\x58" + b"\x66" * 31 + b"\x00"),
    ],
)
def test_what_is_not_a_compressed_point_is_refused(curve: str, data: bytes) -> None:
    with pytest.raises(Malformed) as raised:
        keys.jwk_of_point(curve, data)
    assert raised.value.code is Code.MALFORMED_KEY


def test_an_uncompressed_point_is_refused() -> None:
    key = SIGNERS["ES256"].private_key.public_key()
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    with pytest.raises(Malformed):
        keys.jwk_of_point("P-256", point)


# --- thumbprints


def test_thumbprint_of_rfc_8037_appendix_a3() -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert keys.thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_thumbprint_of_an_ec_key_as_joserfc_computes_it() -> None:
    from joserfc.jwk import ECKey

    assert keys.thumbprint(EC_JWK) == ECKey.import_key(dict(EC_JWK)).thumbprint()


def test_other_members_do_not_change_the_thumbprint() -> None:
    more = {"kid": "z", "use": "enc", **dict(sorted(EC_JWK.items(), reverse=True)), "alg": "ECDH-ES"}
    assert keys.thumbprint(more) == keys.thumbprint(EC_JWK) == SIGNERS["ES256"].thumbprint


# --- signatures


SHA256, SHA384 = ec.ECDSA(hashes.SHA256()), ec.ECDSA(hashes.SHA384())


@pytest.mark.parametrize(
    ("algorithm", "own", "other", "size"), [("ES256", SHA256, SHA384, 32), ("ES384", SHA384, SHA256, 48)]
)
def test_a_message_is_hashed_as_its_algorithm_says(algorithm: str, own: ec.ECDSA, other: ec.ECDSA, size: int) -> None:
    """RFC 7518 §3.4: what we sign is good for who hashes the message itself, and what they sign is good for us."""
    signer, message = SIGNERS[algorithm], b"a message longer than one block of the hash, whichever it is" * 3
    private, public = signer.private_key, keys.public_key(signer.public_jwk)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert isinstance(public, ec.EllipticCurvePublicKey)

    made = signer.sign(message)
    r, s = (int.from_bytes(half, "big") for half in (made[:size], made[size:]))
    public.verify(encode_dss_signature(r, s), message, own)

    def theirs(ecdsa: ec.ECDSA) -> bytes:
        return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(private.sign(message, ecdsa)))

    assert keys.is_signature(theirs(own), message, public)
    assert not keys.is_signature(theirs(other), message, public)
    assert not keys.is_signature(theirs(own), message[:-1], public)
