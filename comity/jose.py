"""Compact JWS (RFC 7515): parsed strictly by us, signed and checked by the key's one algorithm.

A token passes through four functions, in this order, and each says what it does not do: :func:`parse` (shape only),
:func:`require` (algorithm, type, critical headers), a key found by the *caller's* rules (never by what the header
offers), :func:`verify` (signature). ``jku``, ``x5u`` and ``jwk`` in a header are never followed by this module.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from comity import base64url, keys, strict_json
from comity.errors import Code, Malformed
from comity.keys import PublicKey
from comity.ports import Signer
from comity.record import Discreet

MAX_BYTES = 1 << 20
"""Largest compact JWS read when the caller names no other limit, in characters."""

MAX_KID_LENGTH = 1024
"""Longest ``kid``, in characters; long enough for the DID URL of a P-384 did:jwk."""

_HEADERS_KEPT, _LONGEST_KEPT_HEADER = 512, 1 << 13


class Jws(Discreet, frozen=True, kw_only=True):
    """A compact JWS as received; nothing about it is verified.

    Attributes:
        header: the protected header.
        payload: the decoded payload bytes.
        signing_input: the ASCII bytes that the signature covers.
        signature: the decoded signature bytes.
        encoded: the text it was parsed from.
    """

    UNPRINTED = frozenset({"payload", "signing_input", "encoded"})

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes
    encoded: str


def parse(encoded: str, *, max_bytes: int = MAX_BYTES) -> Jws:
    """Return the parts of a compact JWS (RFC 7515 §5.2 steps 1 to 3, 7 and 8).

    Exactly three segments of canonical base64url, a header that is a JSON object without duplicate members and whose
    ``alg``, ``typ`` and ``kid`` are text. Does NOT check the algorithm, the type, critical headers, or the signature.

    Raises:
        Malformed: ``malformed_jws``, ``malformed_base64url``, ``malformed_json``, ``duplicate_member``, ``too_large``.
    """
    header, payload, signature = _segments(encoded, max_bytes)
    return Jws(
        header=_header(header),
        payload=base64url.decode(payload),
        signing_input=encoded[: -len(signature) - 1].encode("ascii"),
        signature=base64url.decode(signature),
        encoded=encoded,
    )


def type_of(encoded: str) -> str:
    """Return the ``typ`` that a compact JWS states, the empty text when it states none. Nothing else of it is read.

    Raises:
        Malformed: as :func:`parse`, for the header.
    """
    typ: str = _header(_segments(encoded, MAX_BYTES)[0]).get("typ", "")
    return typ


def payload_object(jws: Jws) -> dict[str, Any]:
    """Return the payload as the JSON object it must be. Readable before the signature is checked; trust it after.

    Raises:
        Malformed: ``malformed_json``, ``duplicate_member`` or ``too_large``.
    """
    return strict_json.parse_object(jws.payload)


def require(jws: Jws, *, typ: str | Collection[str], context: str) -> str:
    """Check the header against what the caller expects, before any key is looked for, and return the algorithm.

    ``typ`` is compared exactly (RFC 8725 §3.11): the media type without ``application/``; an empty text among them
    accepts a token that has none. ``context`` names the list of
    allowed algorithms, see :func:`comity.keys.allowed_algorithms`. Does NOT check the signature.

    Raises:
        Malformed: ``algorithm_not_allowed``, ``type_not_allowed``, ``critical_header``, or ``private_key_exposed`` when
            the header's ``jwk`` holds private or symmetric key material.
    """
    # RFC 8725 §3.1: the allow-list is the caller's; `none` and every MAC are simply not on any list.
    algorithm = jws.header.get("alg")
    if algorithm not in keys.allowed_algorithms(context):
        raise Malformed(Code.ALGORITHM_NOT_ALLOWED, "the token's algorithm is not allowed here")
    # RFC 8725 §3.11: one kind of token is never taken for another.
    expected = (typ,) if isinstance(typ, str) else typ
    if jws.header.get("typ", "") not in expected:
        raise Malformed(Code.TYPE_NOT_ALLOWED, f"the token's type is not {' or '.join(sorted(expected))}")
    _check_extensions(jws.header)
    return str(algorithm)


def verify(jws: Jws, key: PublicKey) -> None:
    """Check the signature (RFC 7515 §5.2 step 8) with the one algorithm of ``key``, which the header must name.

    Does NOT say whose key it is, nor anything about the payload.

    Raises:
        Malformed: ``signature_invalid``, or ``malformed_key`` when ``key`` is on an unsupported curve.
    """
    # RFC 8725 §3.1: header, key and algorithm agree; a P-256 key never checks a token that says ES384.
    if jws.header.get("alg") != keys.algorithm_of(key):
        raise Malformed(Code.SIGNATURE_INVALID, "the token's algorithm is not that of the key")
    if not keys.is_signature(jws.signature, jws.signing_input, key):
        raise Malformed(Code.SIGNATURE_INVALID, "the signature does not belong to this token and key")


def sign(header: Mapping[str, Any], payload: Mapping[str, Any] | bytes, signer: Signer) -> str:
    """Return the compact JWS of ``payload`` (RFC 7515 §5.1).

    ``alg`` is the signer's and comes first; the other members of ``header`` follow in the order given, and the caller
    sets ``typ``. A mapping is written as compact JSON, bytes as they are.

    Raises:
        Malformed: ``malformed_json`` for what JSON cannot carry; ``critical_header`` or ``private_key_exposed`` for a
            header that :func:`require` would refuse.
    """
    return sign_under(protected(header, signer.algorithm), payload, signer)


def protected(header: Mapping[str, Any], algorithm: str) -> str:
    """Return the encoded protected header of what a signer of ``algorithm`` signs; the first half of :func:`sign`.

    Raises:
        Malformed: as :func:`sign`, for the header.
    """
    _check_extensions(header)
    members = {"alg": algorithm, **{name: value for name, value in header.items() if name != "alg"}}
    return base64url.encode(strict_json.serialise(members))


def sign_under(header: str, payload: Mapping[str, Any] | bytes, signer: Signer) -> str:
    """Return the compact JWS of ``payload`` under a header from :func:`protected`, made for the signer's algorithm.

    Raises:
        Malformed: ``malformed_json`` for a payload that JSON cannot carry.
    """
    body = payload if isinstance(payload, bytes) else strict_json.serialise(payload)
    signing_input = f"{header}.{base64url.encode(body)}"
    return f"{signing_input}.{base64url.encode(signer.sign(signing_input.encode('ascii')))}"


def _segments(encoded: str, max_bytes: int) -> list[str]:
    if len(encoded) > max_bytes:
        raise Malformed(Code.TOO_LARGE, f"the signed token is larger than {max_bytes} characters")
    # RFC 7515 §7.1: BASE64URL(header) . BASE64URL(payload) . BASE64URL(signature)
    segments = encoded.split(".")
    if len(segments) != 3:
        raise Malformed(Code.MALFORMED_JWS, "a signed token has exactly three parts")
    return segments


def _header(segment: str) -> Mapping[str, Any]:
    return _read_once(segment) if len(segment) <= _LONGEST_KEPT_HEADER else _read_header(segment)


def _read_header(segment: str) -> Mapping[str, Any]:
    header = strict_json.parse_object(base64url.decode(segment))
    _check_text_members(header)
    return MappingProxyType(header)


_read_once = lru_cache(maxsize=_HEADERS_KEPT)(_read_header)
"""An issuer's tokens all have one header, certificate chain and all, so equal texts are read once. Only read: what is
allowed in it is judged at every use, and what cannot be read is not kept."""


def _check_text_members(header: Mapping[str, Any]) -> None:
    for name in ("alg", "typ", "kid"):
        if not isinstance(header.get(name, ""), str):
            raise Malformed(Code.MALFORMED_JWS, f"the header member {name} is not text")
    if len(header.get("kid", "")) > MAX_KID_LENGTH:
        raise Malformed(Code.MALFORMED_JWS, f"the header member kid is longer than {MAX_KID_LENGTH} characters")


def _check_extensions(header: Mapping[str, Any]) -> None:
    """RFC 7515 §4.1.11: no extension is understood here, so none may be critical; RFC 7797 `b64` is one of them."""
    if "crit" in header or "b64" in header:
        raise Malformed(Code.CRITICAL_HEADER, "the token's header demands an extension that is not supported")
    offered = header.get("jwk")
    if offered is not None and isinstance(offered, Mapping) and not keys.PRIVATE_MEMBERS.isdisjoint(offered):
        raise Malformed(Code.PRIVATE_KEY_EXPOSED, "the token's header holds private key material")
