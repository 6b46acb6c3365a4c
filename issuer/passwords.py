"""Clerks' passwords: Argon2id (RFC 9106), in the text form that carries its own salt and cost."""

import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from comity.errors import Code, Malformed

MINIMUM = 12
"""Shortest password, in characters after NFKC. Length is asked for, no mixture of signs (NIST SP 800-63B)."""
MAXIMUM = 200
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's floor for Argon2id


def hash_of(password: str) -> str:
    """Return the hash to be stored. Takes some 30 ms: call it in a thread.

    Raises:
        Malformed: ``request_invalid``: too short or too long.
    """
    text = _normal(password)
    if not MINIMUM <= len(text) <= MAXIMUM:
        raise Malformed(Code.REQUEST_INVALID, f"a password has {MINIMUM} to {MAXIMUM} characters")
    return _HASHER.hash(text)


def new() -> str:
    """Return a password that can be read out: four groups of four letters and digits, some 79 random bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def is_right(password: str, stored: str | None) -> bool:
    """Say whether ``password`` is the one whose hash is ``stored``; takes as long for a person who does not exist."""
    nobody = _hash_of_nothing()  # asked for in either case: who comes first must not tell by the time it takes
    try:
        _HASHER.verify(stored or nobody, _normal(password)[: MAXIMUM + 1])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _hash_of_nothing() -> str:
    """Return a hash that no password has; made when the first password is checked, not at every start."""
    return _HASHER.hash(secrets.token_hex(16))


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
