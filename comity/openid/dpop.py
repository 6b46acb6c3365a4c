"""DPoP: an access token is good only together with a fresh signature by the key it was given to (RFC 9449).

The server answers ``invalid_dpop_proof`` or ``use_dpop_nonce``, as the exception says: 400 at a token endpoint, 401 at
a protected resource.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import base64url, jose, keys
from comity.errors import Code, Malformed
from comity.openid import endpoint
from comity.openid.members import Members
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from comity.ports import Signer

TYP = "dpop+jwt"
CONTEXT = "dpop"
HEADER, NONCE_HEADER = "dpop", "dpop-nonce"
"""Names of the header fields, in lower case."""

CLOCK_SKEW = timedelta(seconds=60)
MAX_AGE = timedelta(minutes=5)
"""Oldest ``iat`` accepted where the server gives no nonces; where it does, the nonce alone says how old a proof is."""

_MAX_BYTES = 16384
_REFUSE = Refusal(code=Code.DPOP_PROOF_INVALID, error=OAuthErrorCode.INVALID_DPOP_PROOF)
_NONCE = Refusal(code=Code.NONCE_INVALID, error=OAuthErrorCode.USE_DPOP_NONCE)
_ESCAPED = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]")

CheckNonce = Callable[[str], bool]
"""Tells whether a nonce is one the server gave out and not too old."""


class CheckedDpop(Struct, frozen=True, kw_only=True):
    """A DPoP proof that passed.

    Attributes:
        thumbprint: RFC 7638 thumbprint of the key that signed it.
        jti: the proof's own name; the caller sees to it that it is used once.
        nonce: the server's nonce in it.
        issued_at: its ``iat``, which is the client's clock.
    """

    thumbprint: str
    jti: str
    nonce: str | None
    issued_at: datetime


def algorithms() -> tuple[str, ...]:
    """Return the algorithms that proofs may be signed with, for metadata and challenges."""
    return tuple(sorted(keys.allowed_algorithms(CONTEXT)))


def build(
    signer: Signer, *, method: str, url: str, at: datetime, nonce: str | None = None, access_token: str | None = None
) -> str:
    """Return a proof for one request, with a ``jti`` of its own (RFC 9449 §4.2).

    Args:
        signer: the key that the token is, or is to be, bound to.
        method: of the request.
        url: of the request; query and fragment are left out.
        at: the current instant.
        nonce: the latest nonce of that server, once it gave one.
        access_token: the token sent with the request; None at the token endpoint.
    """
    claims: dict[str, Any] = {
        "jti": base64url.encode(secrets.token_bytes(16)),
        "htm": method,
        "htu": re.split("[?#]", url, maxsplit=1)[0],
        "iat": int(at.timestamp()),
    }
    if access_token is not None:
        claims["ath"] = hash_of(access_token)
    if nonce is not None:
        claims["nonce"] = nonce
    return jose.sign({"typ": TYP, "jwk": dict(signer.public_jwk)}, claims, signer)


def check(
    fields: Sequence[str],
    *,
    method: str,
    url: str,
    at: datetime,
    check_nonce: CheckNonce | None,
    access_token: str | None = None,
    bound_thumbprint: str | None = None,
) -> CheckedDpop:
    """Check the proof of one request (RFC 9449 §4.3, steps 1 to 12 as they are numbered there).

    Not checked: that the ``jti`` was not used before (§11.1: the caller's store), and that the token is alive.

    Args:
        fields: the values of all ``DPoP`` header fields of the request.
        method: of the request.
        url: of the request, as the server knows its own address, never from a ``Host`` header.
        at: the current instant.
        check_nonce: judges the nonce; None when the server gives none out, and then ``iat`` is judged instead.
        access_token: what ``ath`` must be the hash of; None at the token endpoint, where ``ath`` is not looked at.
        bound_thumbprint: the key that the token is bound to; None when there is no binding yet.

    Raises:
        OAuthError: ``invalid_dpop_proof`` with the code of what is wrong; ``use_dpop_nonce`` when everything but the
            nonce is right.
    """
    # Step 1: one header field.
    if len(fields) != 1:
        raise _REFUSE("a request has exactly one DPoP proof")
    thumbprint, claims = _signed(fields[0])
    # Step 3: every claim that must be there is there, and of its type.
    jti, issued_at = claims.string("jti"), claims.instant("iat")
    # Step 8: htm is the method of this request; methods are case-sensitive (RFC 9110 §9.1).
    if claims.string("htm") != method:
        raise _REFUSE("the DPoP proof is for another method")
    # Step 9: htu is this endpoint, without query and fragment, normalised (RFC 3986 §6.2.2, §6.2.3).
    if not _is_target(claims.string("htu"), url):
        raise _REFUSE("the DPoP proof is for another address")
    # Step 12, before 10 and 11: a nonce is asked for only when it is all that is missing.
    _check_binding(claims, thumbprint, access_token, bound_thumbprint)
    nonce = claims.optional_string("nonce")
    # Step 10: the nonce is one that this server gave out.
    if check_nonce is not None and (nonce is None or not check_nonce(nonce)):
        code = Code.NONCE_NEEDED if nonce is None else None  # a first proof cannot have one yet
        raise _NONCE("the DPoP proof needs the nonce of this server; send it with the one given now", code)
    # Step 11: young enough, by the server's own time in the nonce; by iat only where there is none (catalogue C01).
    if check_nonce is None:
        _check_time(issued_at, claims, at)
    return CheckedDpop(thumbprint=thumbprint, jti=jti, nonce=nonce, issued_at=issued_at)


def hash_of(access_token: str) -> str:
    """Return ``ath``: the SHA-256 of the token's ASCII text in base64url (RFC 9449 §4.2)."""
    return base64url.encode(hashlib.sha256(access_token.encode()).digest())


def _signed(proof: str) -> tuple[str, Members]:
    """Return the thumbprint of the key that signed ``proof``, and the claims."""
    try:
        # Step 2: one well-formed JWT.
        jws = jose.parse(proof, max_bytes=_MAX_BYTES)
        # Steps 4, 5 and 7: dpop+jwt, an asymmetric algorithm on the list, no private key in the header.
        jose.require(jws, typ=TYP, context=CONTEXT)
        key = keys.public_key(jws.header.get("jwk") or {})
        # Step 6: the signature verifies with the key in the header.
        jose.verify(jws, key)
        return keys.thumbprint(keys.public_jwk(key)), Members(jose.payload_object(jws), "DPoP proof", _REFUSE)
    except Malformed as problem:
        raise _REFUSE.of(problem) from None


def _check_binding(claims: Members, thumbprint: str, access_token: str | None, bound: str | None) -> None:
    if access_token is not None and claims.string("ath") != hash_of(access_token):
        raise _REFUSE("the DPoP proof is for another access token")
    if bound is not None and thumbprint != bound:
        raise _REFUSE("the DPoP proof is signed by another key than the access token is bound to")


def _check_time(issued_at: datetime, claims: Members, at: datetime) -> None:
    if max(issued_at, claims.optional_instant("nbf") or issued_at) > at + CLOCK_SKEW:
        raise _REFUSE("the DPoP proof was made in the future; check your clock", Code.NOT_YET_VALID)
    if issued_at < at - MAX_AGE:
        raise _REFUSE("the DPoP proof is too old; check your clock", Code.HOLDER_PROOF_EXPIRED)


def _is_target(named: str, url: str) -> bool:
    """Say whether a proof names this endpoint; what is written as the server writes it needs no normalising."""
    return named == url or ((target := _target(named)) is not None and target == _target(url))


def _target(url: str) -> tuple[tuple[str, str, int], str] | None:
    """Return origin and path of an endpoint as they are compared; None for what is no endpoint."""
    parts = endpoint.split(re.split("[?#]", url, maxsplit=1)[0])
    return None if parts is None else (endpoint.origin(parts), _ESCAPED.sub(_unescaped, parts.path or "/"))


def _unescaped(match: "re.Match[str]") -> str:
    """RFC 3986 §6.2.2.1, §6.2.2.2: escapes of unreserved characters are these; others are in upper case."""
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


def refuse_replay() -> OAuthError:
    """Return what to raise for a proof whose ``jti`` was used before (RFC 9449 §11.1)."""
    return _REFUSE("the DPoP proof was used before")


def refuse_missing() -> OAuthError:
    """Return what to raise where a proof is needed and none was sent."""
    return _REFUSE("a DPoP proof is needed here")
