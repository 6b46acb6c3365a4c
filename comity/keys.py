"""Keys as JWK and as objects, thumbprints, and the one place where a signature is made or checked.

Three key types are known, each bound to exactly one algorithm: P-256 is ``ES256``, P-384 is ``ES384``, Ed25519 is
``EdDSA``. Which of them a context accepts is data (``schemas/algorithms.json``), never the token's choice. EdDSA goes
through pyjwt's algorithm object, ECDSA straight to ``cryptography``: pyjwt's conversions cost a fifth of a signature.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Any, Literal, NamedTuple, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from jwt.algorithms import OKPAlgorithm

import schemas
from comity import base64url, edwards, weierstrass
from comity.errors import Code, Malformed, Misconfigured
from comity.ports import Jwk

PublicKey = ec.EllipticCurvePublicKey | Ed25519PublicKey
"""A checked public key: P-256, P-384 or Ed25519."""

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey
"""A private key of the same three types."""

Use = Literal["sig", "enc"]
"""What a key is for (RFC 7517 §4.2)."""

ALGORITHMS = ("ES256", "ES384", "EdDSA")
"""Every signature algorithm the house can compute, whatever a context allows."""

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""JWK members that nobody may show (RFC 7518 §6.2.2, §6.3.2, §6.4; RFC 8037 §2)."""

_KEY_CACHE_SIZE = 64
_NOT_TEXT = "a member of the JWK is missing or is not text"


class _Curve(NamedTuple):
    kty: str
    algorithm: str
    size: int
    object: ec.EllipticCurve | None
    check_point: Callable[..., None]


_CURVES: Mapping[str, _Curve] = {
    "P-256": _Curve("EC", "ES256", 32, ec.SECP256R1(), partial(weierstrass.check_point, "P-256")),
    "P-384": _Curve("EC", "ES384", 48, ec.SECP384R1(), partial(weierstrass.check_point, "P-384")),
    "Ed25519": _Curve("OKP", "EdDSA", 32, None, edwards.check_point),
}
_CURVE_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384"}
_CURVE_OF_ALGORITHM = {curve.algorithm: name for name, curve in _CURVES.items()}
# RFC 7518 §3.4. Hashed by `hashlib`, which hands a digest over in a third of the time that `cryptography` takes.
_ECDSA = {
    "P-256": (hashlib.sha256, ec.ECDSA(Prehashed(hashes.SHA256()))),
    "P-384": (hashlib.sha384, ec.ECDSA(Prehashed(hashes.SHA384()))),
}
_EDDSA = OKPAlgorithm()


@cache
def allowed_algorithms(context: str) -> frozenset[str]:
    """Return the algorithm names that ``context`` accepts, from ``schemas/algorithms.json``.

    Contexts are the names in that file: all are for signatures but ``response_encryption`` (key agreement) and
    ``content_encryption``.

    Raises:
        Misconfigured: ``context`` is not in the file.
    """
    try:
        return frozenset(schemas.algorithms()[context])
    except KeyError:
        raise Misconfigured(Code.MISCONFIGURED, f"no algorithms are listed for the context {context}") from None


def public_key(jwk: Jwk, *, use: Use = "sig") -> PublicKey:
    """Return the key that ``jwk`` describes (RFC 7517, RFC 7518 §6.2, RFC 8037 §2), checked to be on its curve.

    ``use``, ``key_ops`` and ``alg``, where present, must fit ``use``. The object is cached by its coordinates. Says
    nothing about whose key it is.

    Raises:
        Malformed: ``private_key_exposed`` when any private or symmetric member is there; ``malformed_key`` for other
            key types (RSA, oct, other curves), wrong lengths, points off the curve or of small order, a purpose that
            does not fit.
    """
    curve, coordinates = _coordinates(jwk)
    _check_purpose(jwk, curve, use)
    return _key_object(curve, coordinates)


def check(jwk: Jwk, *, use: Use = "sig") -> None:
    """Check and refuse as :func:`public_key` does, for who will not use the key: no object is made."""
    curve, coordinates = _coordinates(jwk)
    _check_purpose(jwk, curve, use)
    known = _CURVES[curve]
    known.check_point(*[_octets(coordinate, known.size) for coordinate in coordinates])


def public_jwk(key: PublicKey) -> dict[str, str]:
    """Return ``key`` as a JWK with exactly the members its thumbprint is made of."""
    if isinstance(key, Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes_raw())}
    size = _CURVES[curve_of(key)].size
    numbers = key.public_numbers()
    x, y = (base64url.encode(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": curve_of(key), "x": x, "y": y}


def bare_jwk(jwk: Jwk) -> dict[str, str]:
    """Return ``jwk`` with exactly the members its thumbprint is made of (RFC 7638 §3.2); :func:`public_key` reads it.

    Raises:
        Malformed: as :func:`public_key`, for these members' kind; their length and the point are not checked.
    """
    curve, coordinates = _coordinates(jwk)
    return {"kty": _CURVES[curve].kty, "crv": curve, **dict(zip(("x", "y"), coordinates, strict=False))}


def thumbprint(jwk: Jwk) -> str:
    """Return the SHA-256 thumbprint of ``jwk`` in base64url (RFC 7638 §3); the same for every JWK of one key.

    Raises:
        Malformed: as :func:`public_key`, for the members it is made of; the point is not checked to be on its curve.
    """
    return _thumbprint(*_coordinates(jwk))


@lru_cache(maxsize=_KEY_CACHE_SIZE)
def _thumbprint(curve: str, coordinates: tuple[str, ...]) -> str:
    for coordinate in coordinates:
        _octets(coordinate, _CURVES[curve].size)
    # RFC 7638 §3.2: only the required members; §3.3: in lexicographic order, without white space. Nothing in them needs
    # escaping: the coordinates are base64url.
    x, y = coordinates[0], f',"y":"{coordinates[1]}"' if len(coordinates) > 1 else ""
    required = f'{{"crv":"{curve}","kty":"{_CURVES[curve].kty}","x":"{x}"{y}}}'
    return base64url.encode(hashlib.sha256(required.encode("ascii")).digest())


def curve_of(key: PublicKey) -> str:
    """Return ``P-256``, ``P-384`` or ``Ed25519``.

    Raises:
        Malformed: ``malformed_key`` for any other curve.
    """
    curve = getattr(key, "curve", None)  # asking for the abstract class takes ten times as long
    if curve is None:
        return "Ed25519"
    try:
        return _CURVE_NAMES[curve.name]
    except KeyError:
        raise _refused("the key is on a curve that is not supported") from None


def algorithm_of(key: PublicKey) -> str:
    """Return the one algorithm that ``key`` signs with: ``ES256``, ``ES384`` or ``EdDSA``.

    Raises:
        Malformed: ``malformed_key`` for any other curve.
    """
    return _CURVES[curve_of(key)].algorithm


def supported(key: object) -> PublicKey:
    """Return ``key``, an object read from elsewhere (a certificate, PEM), when it is one of the three key types.

    Raises:
        Malformed: ``malformed_key`` for RSA, other curves, Ed25519 points that prove nothing.
    """
    if isinstance(key, Ed25519PublicKey):
        edwards.check_point(key.public_bytes_raw())
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve_of(key)
        return key
    raise _refused("the key is of a type that is not supported")


def jwk_of_point(curve: str, data: bytes) -> dict[str, str]:
    """Return the JWK of a compressed point on ``P-256`` or ``P-384`` (SEC 1 §2.3.4), or of 32 ``Ed25519`` bytes.

    Raises:
        Malformed: ``malformed_key`` for another length or form, or a point that is not on the curve.
    """
    known = _CURVES[curve]
    if known.object is None:
        if len(data) != known.size:
            raise _refused("the key has the wrong length")
        return public_jwk(_key_object(curve, (base64url.encode(data),)))
    if len(data) != known.size + 1:  # an uncompressed point is longer, and no other form of this length exists
        raise _refused("the key is not a compressed point of its curve")
    try:
        return public_jwk(ec.EllipticCurvePublicKey.from_encoded_point(known.object, data))
    except ValueError:
        raise _refused("the key is not a point of its curve") from None


def point_of_jwk(jwk: Jwk) -> bytes:
    """Return the compressed point (EC) or the 32 bytes (Ed25519) of ``jwk``; the inverse of :func:`jwk_of_point`.

    Raises:
        Malformed: as :func:`public_key`.
    """
    return point_of(public_key(jwk))


def point_of(key: PublicKey) -> bytes:
    """Return the compressed point (EC) or the 32 bytes (Ed25519) of ``key``."""
    if isinstance(key, Ed25519PublicKey):
        return key.public_bytes_raw()
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


def is_signature(signature: bytes, data: bytes, key: PublicKey) -> bool:
    """Say whether ``signature`` over ``data`` was made by ``key``, with the key's own algorithm.

    RFC 7518 §3.4 and RFC 8037 §3.1. ECDSA signatures are r‖s of fixed length (64 or 96 bytes); DER, shorter and longer
    ones are not signatures.
    """
    curve = curve_of(key)
    if curve == "Ed25519":
        return _EDDSA.verify(data, cast("Ed25519PublicKey", key), signature)
    size = _CURVES[curve].size
    if len(signature) != 2 * size:
        return False
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    hashed, ecdsa = _ECDSA[curve]
    try:
        cast("ec.EllipticCurvePublicKey", key).verify(encode_dss_signature(r, s), hashed(data).digest(), ecdsa)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySigner:
    """A private key held in memory; the :class:`comity.ports.Signer` of services and tests. Never printed.

    Attributes:
        private_key: the key object.
        algorithm: the one algorithm it signs with.
        public_jwk: its public half.
        thumbprint: RFC 7638 thumbprint of the public half.
    """

    private_key: PrivateKey = field(repr=False)
    algorithm: str = field(init=False)
    public_jwk: Jwk = field(init=False)
    thumbprint: str = field(init=False)

    def __post_init__(self) -> None:
        key = supported(self.private_key.public_key())
        object.__setattr__(self, "algorithm", algorithm_of(key))
        object.__setattr__(self, "public_jwk", public_jwk(key))
        object.__setattr__(self, "thumbprint", thumbprint(self.public_jwk))

    @classmethod
    def generate(cls, algorithm: str = "ES256") -> "KeySigner":
        """Return a signer over a new random key.

        Raises:
            Misconfigured: ``algorithm`` is not one of :data:`ALGORITHMS`.
        """
        if algorithm not in _CURVE_OF_ALGORITHM:
            raise Misconfigured(Code.MISCONFIGURED, f"{algorithm} is not a signature algorithm of this house")
        curve = _CURVES[_CURVE_OF_ALGORITHM[algorithm]].object
        return cls(private_key=Ed25519PrivateKey.generate() if curve is None else ec.generate_private_key(curve))

    @classmethod
    def from_pem(cls, data: bytes) -> "KeySigner":
        """Return the signer over an unencrypted PEM private key (PKCS #8 or SEC 1).

        Raises:
            Malformed: ``malformed_key``.
        """
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except (ValueError, TypeError):  # TypeError: the key is encrypted
            raise _refused("the PEM text holds no readable private key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey | Ed25519PrivateKey):
            raise _refused("the private key is of a type that is not supported")
        return cls(private_key=key)

    @classmethod
    def from_private_jwk(cls, jwk: Mapping[str, Any]) -> "KeySigner":
        """Return the signer over a private JWK whose public and private halves belong together.

        Raises:
            Malformed: ``malformed_key``.
        """
        public = public_key({name: value for name, value in jwk.items() if name != "d"})
        curve = _CURVES[curve_of(public)]
        secret = _octets(jwk.get("d"), curve.size)
        try:
            signer = cls(private_key=_private_key(curve, secret))
        except ValueError:
            raise _refused("the private key is out of range") from None
        if public_jwk(public) != signer.public_jwk:
            raise _refused("the two halves of the key do not belong together")
        return signer

    def to_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS #8 PEM. The caller keeps it secret."""
        return self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def private_jwk(self) -> dict[str, str]:
        """Return the private JWK. The caller keeps it secret."""
        if isinstance(self.private_key, Ed25519PrivateKey):
            secret = self.private_key.private_bytes_raw()
        else:
            size = (self.private_key.key_size + 7) // 8
            secret = self.private_key.private_numbers().private_value.to_bytes(size, "big")
        return {**self.public_jwk, "d": base64url.encode(secret)}

    def sign(self, data: bytes) -> bytes:
        """Return the JOSE signature of ``data``: r‖s for ECDSA, 64 bytes for Ed25519."""
        curve = _CURVE_OF_ALGORITHM[self.algorithm]
        if curve == "Ed25519":
            return _EDDSA.sign(data, cast("Ed25519PrivateKey", self.private_key))
        size, (hashed, ecdsa) = _CURVES[curve].size, _ECDSA[curve]
        private = cast("ec.EllipticCurvePrivateKey", self.private_key)
        r, s = decode_dss_signature(private.sign(hashed(data).digest(), ecdsa))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _refused(detail: str) -> Malformed:
    return Malformed(Code.MALFORMED_KEY, detail)


def _coordinates(jwk: Jwk) -> tuple[str, tuple[str, ...]]:
    """Return the curve name and the coordinates of a public JWK, as they stand there; their form is not checked."""
    if not isinstance(jwk, (dict, Mapping)):  # a test against the abstract class alone is slow
        raise _refused("a JWK is a JSON object")
    if not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise Malformed(Code.PRIVATE_KEY_EXPOSED, "a JWK holds private key material; the key must be replaced")
    name = jwk.get("crv")
    curve = _CURVES.get(name) if isinstance(name, str) else None
    if curve is None or jwk.get("kty") != curve.kty:
        raise _refused("the JWK is of a key type or curve that is not supported")
    x, y = jwk.get("x"), "" if curve.object is None else jwk.get("y")
    if not isinstance(x, str) or not isinstance(y, str):
        raise _refused(_NOT_TEXT)
    return str(name), (x,) if curve.object is None else (x, y)


def _octets(value: object, size: int) -> bytes:
    """Return the bytes of one JWK member; RFC 7518 §6.2.1.2: the length is that of the field, zeros included."""
    if not isinstance(value, str):
        raise _refused(_NOT_TEXT)
    try:
        data = base64url.decode(value)
    except Malformed:
        raise _refused("a member of the JWK is not base64url") from None
    if len(data) != size:
        raise _refused("a member of the JWK has the wrong length")
    return data


def _check_purpose(jwk: Jwk, curve: str, use: Use) -> None:
    """RFC 7517 §4.2 to §4.4: ``use``, ``key_ops`` and ``alg``, where present, allow what the key is taken for."""
    if jwk.get("use", use) != use or (use == "enc" and curve == "Ed25519"):
        raise _refused("the JWK is for another use")
    algorithm = _CURVES[curve].algorithm if use == "sig" else "ECDH-ES"
    if jwk.get("alg", algorithm) != algorithm:
        raise _refused("the JWK is for another algorithm")
    operations = jwk.get("key_ops")
    fits = operations is None or (isinstance(operations, list) and (use == "enc" or "verify" in operations))
    if not fits:
        raise _refused("the JWK is for another operation")


@lru_cache(maxsize=_KEY_CACHE_SIZE)
def _key_object(curve: str, coordinates: tuple[str, ...]) -> PublicKey:
    known = _CURVES[curve]
    numbers = [_octets(coordinate, known.size) for coordinate in coordinates]
    if known.object is None:
        edwards.check_point(numbers[0])
        return Ed25519PublicKey.from_public_bytes(numbers[0])
    try:
        # SEC 1 §2.3.4: an uncompressed point; one that is not on the curve is refused.
        return ec.EllipticCurvePublicKey.from_encoded_point(known.object, b"\x04" + b"".join(numbers))
    except ValueError:
        raise _refused("the key is not a point of its curve") from None


def _private_key(curve: _Curve, secret: bytes) -> PrivateKey:
    if curve.object is None:
        return Ed25519PrivateKey.from_private_bytes(secret)
    return ec.derive_private_key(int.from_bytes(secret, "big"), curve.object)
