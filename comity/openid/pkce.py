"""PKCE: whoever redeems a code is whoever asked for it (RFC 7636). ``S256`` only; ``plain`` proves nothing."""

import hashlib
import hmac
import re
import secrets

from comity import base64url

METHOD = "S256"
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}\Z")
_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}\Z")


def new_verifier() -> str:
    """Return a verifier of 256 random bits (RFC 7636 §4.1, §7.1)."""
    return base64url.encode(secrets.token_bytes(32))


def challenge_of(verifier: str) -> str:
    """Return the ``S256`` challenge: BASE64URL(SHA256(ASCII(verifier))) (RFC 7636 §4.2)."""
    return base64url.encode(hashlib.sha256(verifier.encode("ascii", "replace")).digest())


def is_challenge(text: str) -> bool:
    """Say whether ``text`` has the form of an ``S256`` challenge."""
    return _CHALLENGE.match(text) is not None


def is_verifier(text: str) -> bool:
    """Say whether ``text`` has the form of a verifier: 43 to 128 unreserved characters (RFC 7636 §4.1)."""
    return _VERIFIER.match(text) is not None


def is_verified(verifier: str, challenge: str) -> bool:
    """Say whether ``verifier`` is what ``challenge`` was made of (RFC 7636 §4.6)."""
    return is_verifier(verifier) and hmac.compare_digest(challenge_of(verifier), challenge)
