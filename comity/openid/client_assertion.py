"""``private_key_jwt``: a registered client signs who it is (RFC 7521 §4.2, RFC 7523 §2.2 and §3; FAPI 2.0 §5.3.2.1)."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace as changed

from comity import base64url, jose, keys
from comity.errors import Code, Malformed
from comity.openid.members import Members
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from comity.ports import Jwk, Signer

METHOD = "private_key_jwt"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYP = "client-authentication+jwt"
CONTEXT = "client_assertion"

CLOCK_SKEW = timedelta(seconds=60)
MAX_LIFETIME = timedelta(minutes=10)
"""Longest time until ``exp``: how long a used ``jti`` must be remembered."""

_MAX_BYTES = 16384
_REFUSE = Refusal(code=Code.CLIENT_ASSERTION_INVALID, error=OAuthErrorCode.INVALID_CLIENT)


class CheckedAssertion(Struct, frozen=True, kw_only=True):
    """A client assertion that passed; the caller sees to it that its ``jti`` is used once."""

    client_id: str
    jti: str
    expires_at: datetime


def build(signer: Signer, *, client_id: str, audience: str, at: datetime) -> dict[str, str]:
    """Return the form parameters by which ``client_id`` says who it is, once.

    Args:
        signer: the registered key.
        client_id: the registered client.
        audience: the authorization server's issuer identifier.
        at: the current instant.
    """
    issued_at = int(at.timestamp())
    claims: dict[str, Any] = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": base64url.encode(secrets.token_bytes(16)),
        "iat": issued_at,
        "exp": issued_at + 60,
    }
    header = {"typ": TYP, "kid": keys.thumbprint(signer.public_jwk)}
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": jose.sign(header, claims, signer)}


def check(
    form: Mapping[str, str], *, audience: str, registered: Mapping[str, Mapping[str, Jwk]], at: datetime
) -> CheckedAssertion:
    """Check the client assertion of a request (RFC 7523 §3, steps as they are numbered there).

    Not checked: that the ``jti`` was not used before (the caller's store).

    Args:
        form: the parameters of the request.
        audience: this server's issuer identifier; no endpoint's URL will do (FAPI 2.0 §5.3.2.1).
        registered: the keys of each client, by name.
        at: the current instant.

    Raises:
        OAuthError: ``invalid_client`` with the code of what is wrong.
    """
    # RFC 7521 §4.2: the type says how to read the assertion.
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _REFUSE("client_assertion_type must be that of a JWT")
    claims = _signed(form.get("client_assertion", ""), registered)
    # 1 and 2.B: issued by the client, about itself. Whose key signed it was looked up by the same name.
    client_id = claims.string("sub")
    if claims.string("iss") != client_id or form.get("client_id", client_id) != client_id:
        raise _REFUSE("the client assertion is of another client", Code.CLIENT_MISMATCH)
    # 3: meant for this server, as one string.
    if claims.string("aud") != audience:
        raise _REFUSE("the client assertion is meant for another server", Code.AUDIENCE_MISMATCH)
    # 4 to 6: not over, not made in the future, and not for ever.
    expires_at = claims.instant("exp")
    begins_at = max(claims.optional_instant("iat") or at, claims.optional_instant("nbf") or at)
    if expires_at <= at - CLOCK_SKEW:
        raise _REFUSE("the client assertion has expired; check your clock", Code.HOLDER_PROOF_EXPIRED)
    if begins_at > at + CLOCK_SKEW:
        raise _REFUSE("the client assertion was made in the future; check your clock", Code.NOT_YET_VALID)
    if expires_at > at + MAX_LIFETIME:
        raise _REFUSE(f"a client assertion holds at most {MAX_LIFETIME.seconds // 60} minutes")
    # 7: used once.
    return CheckedAssertion(client_id=client_id, jti=claims.string("jti"), expires_at=expires_at)


def _signed(encoded: str, registered: Mapping[str, Mapping[str, Jwk]]) -> Members:
    """Return the claims of an assertion that the client it names signed (RFC 7523 §3, steps 8 to 10)."""
    try:
        jws = jose.parse(encoded, max_bytes=_MAX_BYTES)
        # RFC 7523 knows no typ; an assertion without one reads as a plain JWT, and other kinds of token are refused.
        jose.require(changed(jws, header={"typ": "JWT", **jws.header}), typ=(TYP, "JWT"), context=CONTEXT)
        claims = Members(jose.payload_object(jws), "client assertion", _REFUSE)
        jose.verify(jws, keys.public_key(_key_of(jws, registered.get(claims.string("sub"), {}))))
    except OAuthError:
        raise
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    return claims


def _key_of(jws: jose.Jws, known: Mapping[str, Jwk]) -> Jwk:
    """Return the registered key that ``kid`` names, or the only one there is."""
    distinct = {keys.thumbprint(jwk): jwk for jwk in known.values()}
    found = known.get(jws.header["kid"]) if "kid" in jws.header else None
    if found is None and "kid" not in jws.header and len(distinct) == 1:
        (found,) = distinct.values()
    if found is None:
        raise _REFUSE("the client is not registered here, or not with this key", Code.KEY_NOT_FOUND)
    return found


def refuse_replay() -> OAuthError:
    """Return what to raise for an assertion that was used before."""
    return _REFUSE("the client assertion was used before")
