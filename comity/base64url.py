"""Base64url without padding, canonical only (RFC 7515 §2, RFC 4648 §3.5)."""

import secrets
from binascii import a2b_base64, b2a_base64

from comity.errors import Code, Malformed

_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_URL = bytes.maketrans(_STANDARD, _ALPHABET)
_TO_STANDARD = bytes.maketrans(b"+/=" + _ALPHABET, b"!!!" + _STANDARD)  # what belongs to base64 alone becomes nothing
_LAST = {1: frozenset[str](), 2: frozenset(_ALPHABET[::16].decode()), 3: frozenset(_ALPHABET[::4].decode())}
"""By how many characters the last group has: those whose unused bits (four, two) are zero. One alone is no group."""
_PADDING = (b"", b"", b"==", b"=")


def encode(data: bytes) -> str:
    """Return ``data`` as base64url text without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode()


def new_name(octets: int) -> str:
    """Return a name of so many random bytes, which nobody guesses, and no command takes for an option: not ``-…``."""
    while (name := encode(secrets.token_bytes(octets))).startswith("-"):
        pass
    return name


def decode(text: str) -> bytes:
    """Return the bytes that ``text`` stands for.

    Exactly one text is accepted for each byte string: padding, the other alphabet, white space and unused bits that
    are not zero are refused, because two texts under one signature defeat replay caches and digests.

    Raises:
        Malformed: ``malformed_base64url``.
    """
    rest = len(text) % 4
    # RFC 4648 §3.5: only the last character can have unused bits.
    if rest and text[-1] not in _LAST[rest]:
        raise Malformed(Code.MALFORMED_BASE64URL, "base64url text ends in a way that no encoder writes")
    try:
        # One pass each in C, and no test per character in Python (pyjwt spends 45 % of a decode there).
        return a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + _PADDING[rest], strict_mode=True)
    except ValueError:  # UnicodeEncodeError, binascii.Error
        raise Malformed(Code.MALFORMED_BASE64URL, "base64url text holds characters outside its alphabet") from None
