"""Public keys as Multikey text (CID 1.0 §2.2.2): ``z`` + base58btc of a multicodec prefix and the key."""

from comity import keys
from comity.errors import Code, Malformed
from comity.ports import Jwk

MAX_LENGTH = 128
"""Longest text read, in characters. base58 is quadratic in its length; a P-384 key takes 70."""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}
_PREFIXES = {b"\xed\x01": "Ed25519", b"\x80\x24": "P-256", b"\x81\x24": "P-384"}
_PREFIX_OF_CURVE = {curve: prefix for prefix, curve in _PREFIXES.items()}


def encode_key(jwk: Jwk) -> str:
    """Return the Multikey text of a public key.

    Raises:
        Malformed: as :func:`comity.keys.public_key`.
    """
    prefix = _PREFIX_OF_CURVE[keys.curve_of(keys.public_key(jwk))]
    return f"z{_base58_encode(prefix + keys.point_of_jwk(jwk))}"


def decode_key(text: str) -> dict[str, str]:
    """Return the JWK of a Multikey text. Other encodings (``u``), codecs and secret keys are refused.

    Raises:
        Malformed: ``malformed_key``.
    """
    if not text.startswith("z") or len(text) > MAX_LENGTH:
        raise Malformed(Code.MALFORMED_KEY, "the key is not base58btc multibase of reasonable length")
    data = _base58_decode(text[1:])
    curve = _PREFIXES.get(data[:2])
    if curve is None:
        raise Malformed(Code.MALFORMED_KEY, "the multibase key is of a type that is not supported")
    return keys.jwk_of_point(curve, data[2:])


def _base58_encode(data: bytes) -> str:
    """Encode ``data``, which never starts with a zero byte here: every prefix begins with another."""
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return text


def _base58_decode(text: str) -> bytes:
    number = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None:
            raise Malformed(Code.MALFORMED_KEY, "the multibase key holds characters outside base58btc")
        number = number * 58 + digit
    # A leading 1 stands for a zero byte, which no prefix begins with: dropped bytes would hide it.
    if text.startswith("1"):
        raise Malformed(Code.MALFORMED_KEY, "the multibase key is of a type that is not supported")
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
