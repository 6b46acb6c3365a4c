"""Base64url without padding, canonical only (RFC 7515 §2, RFC 4648 §3.5)."""

import base64
import binascii

from comity.errors import Code, Malformed

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encode(data: bytes) -> str:
    """Return ``data`` as base64url text without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes that ``text`` stands for.

    Exactly one text is accepted for each byte string: padding, the other alphabet, white space and unused bits that
    are not zero are refused, because two texts under one signature defeat replay caches and digests.

    Raises:
        Malformed: ``malformed_base64url``.
    """
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise Malformed(Code.MALFORMED_BASE64URL, "base64url text holds characters outside its alphabet") from None
    # bytes.translate does in C what a test per character does in Python (pyjwt spends 45 % of a decode there).
    if raw.translate(None, _ALPHABET):
        raise Malformed(Code.MALFORMED_BASE64URL, "base64url text holds characters outside its alphabet")
    try:
        data = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        raise Malformed(Code.MALFORMED_BASE64URL, "base64url text has an impossible length") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != raw:
        raise Malformed(Code.MALFORMED_BASE64URL, "base64url text has unused bits that are not zero")
    return data
