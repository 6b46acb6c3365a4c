"""OpenID Connect, as far as a service needs it to learn who signed in: a relying party's messages.

OpenID Connect Core 1.0 §3.1 (code flow), Discovery 1.0 §4, RFC 7523 (``private_key_jwt``). Only the algorithms of this
house are accepted: a provider must sign with ES256, ES384 or EdDSA.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import base64url, jose, keys
from comity.errors import Code, Malformed
from comity.openid import endpoint, form
from comity.openid.members import Document, Members
from comity.openid.refusal import OAuthError, Refusal
from comity.ports import Jwk, Signer

CONTEXT = "id_token"
WELL_KNOWN = "/.well-known/openid-configuration"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLOCK_SKEW = timedelta(seconds=60)
MAX_AGE = timedelta(minutes=10)
_ASSERTION_LIFE = timedelta(minutes=1)
_MAX_KEYS = 32
_MAX_BYTES = 32768

_METADATA = Refusal(code=Code.METADATA_INVALID)
_TOKEN = Refusal(code=Code.SIGN_IN_FAILED)


class ProviderMetadata(Struct, frozen=True, kw_only=True):
    """What an identity provider says of itself (Discovery 1.0 §3). ``names_issuer``: RFC 9207."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_issuer: bool = False

    @staticmethod
    def url(issuer: str) -> str:
        """Return where the metadata of ``issuer`` are: appended, not inserted (Discovery 1.0 §4)."""
        return issuer.rstrip("/") + WELL_KNOWN

    @classmethod
    def parse(cls, document: Document, *, issuer: str) -> "ProviderMetadata":
        """Read metadata fetched for ``issuer``; its endpoints may be anywhere, as common providers have them.

        Raises:
            OAuthError: ``metadata_invalid``: malformed, or of another issuer (plain string comparison, §4.3).
        """
        members = Members.read(document, "identity provider metadata", _METADATA)
        if members.string("issuer") != issuer:
            raise _METADATA("identity provider metadata: issuer is not the one asked for")
        return cls(
            issuer=issuer,
            authorization_endpoint=members.url("authorization_endpoint"),
            token_endpoint=members.url("token_endpoint"),
            jwks_uri=members.url("jwks_uri"),
            names_issuer=members.boolean("authorization_response_iss_parameter_supported", default=False),
        )


def authentication_url(metadata: ProviderMetadata, fields: Mapping[str, str]) -> str:
    """Return where the browser goes (Core §3.1.2.1): ``fields`` with ``response_type=code`` in the query."""
    query = form.encode({"response_type": "code", **fields})
    joint = "&" if "?" in metadata.authorization_endpoint else "?"
    return f"{metadata.authorization_endpoint}{joint}{query}"


def client_assertion(signer: Signer, *, client_id: str, audience: str, kid: str, at: datetime) -> str:
    """Return a ``private_key_jwt`` for one token request (RFC 7523 §3, Core §9); good for a minute."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": base64url.encode(secrets.token_bytes(16)),
        "iat": int(at.timestamp()),
        "exp": int((at + _ASSERTION_LIFE).timestamp()),
    }
    return jose.sign({"kid": kid, "typ": "JWT"}, claims, signer)


def keys_of(document: Document) -> tuple[Jwk, ...]:
    """Return the keys of a JWK Set (RFC 7517 §5) that this house can use; others are passed over.

    Raises:
        OAuthError: ``sign_in_failed``: not a JWK Set, or too many keys.
    """
    found = Members.read(document, "JWK Set", _TOKEN).array("keys")
    if len(found) > _MAX_KEYS:
        raise _TOKEN("the identity provider publishes too many keys")
    return tuple(each.value for each in found if _is_usable(each.value))


def id_token_of(document: Document) -> str:
    """Return the ``id_token`` of a token response (Core §3.1.3.3); raises ``OAuthError(sign_in_failed)``."""
    return Members.read(document, "token response", _TOKEN).string("id_token")


def has_key_for(id_token: str, known: tuple[Jwk, ...]) -> bool:
    """Say whether the key that an ID token names is among ``known``; one that cannot be read names none."""
    try:
        return bool(_candidates(jose.parse(id_token, max_bytes=_MAX_BYTES), known))
    except Malformed:
        return False


def check_id_token(
    id_token: str, known: tuple[Jwk, ...], *, issuer: str, client_id: str, nonce: str, at: datetime
) -> Mapping[str, Any]:
    """Check an ID token and return its claims (Core §3.1.3.7, steps as they are numbered there).

    Raises:
        OAuthError: ``sign_in_failed``, or the code of what is wrong with the signature.
    """
    try:
        jws = jose.parse(id_token, max_bytes=_MAX_BYTES)
        # Steps 7 and 8: an asymmetric algorithm on the list, never the token's own choice. Many send no typ at all.
        jose.require(jws, typ=("JWT", "jwt", ""), context=CONTEXT)
        # Step 6: the signature is by a key that the provider publishes.
        _verify(jws, known)
        claims = Members(jose.payload_object(jws), "ID token", _TOKEN)
    except OAuthError:
        raise
    except Malformed as problem:
        raise _TOKEN.of(problem) from None
    # Step 2: the issuer, by string comparison.
    if claims.string("iss") != issuer:
        raise _TOKEN("the ID token is of another identity provider")
    # Steps 3 to 5: meant for us, and asked for by us.
    _check_audience(claims, client_id)
    # Steps 9 and 10.
    issued_at, expires_at = claims.instant("iat"), claims.instant("exp")
    if expires_at <= at - CLOCK_SKEW or not at - MAX_AGE <= issued_at <= at + CLOCK_SKEW:
        raise _TOKEN("the ID token has ended, or was not made just now")
    # Step 11: the answer to this very request.
    if claims.string("nonce") != nonce:
        raise _TOKEN("the ID token answers another request")
    claims.string("sub")
    return claims.value


def _check_audience(claims: Members, client_id: str) -> None:
    value = claims.value.get("aud")
    audiences = (value,) if isinstance(value, str) else claims.strings("aud")
    authorized = claims.optional_string("azp")
    if client_id not in audiences or (len(audiences) > 1 and authorized is None):
        raise _TOKEN("the ID token is for somebody else")
    if authorized not in {None, client_id}:
        raise _TOKEN("the ID token was asked for by somebody else")


def _verify(jws: jose.Jws, known: tuple[Jwk, ...]) -> None:
    candidates = _candidates(jws, known)
    if not candidates:
        raise _TOKEN("the identity provider does not publish the key of its ID token", Code.KEY_NOT_FOUND)
    for position, jwk in enumerate(candidates, start=1):
        try:
            jose.verify(jws, keys.public_key(jwk))
            return
        except Malformed:
            if position == len(candidates):
                raise


def _candidates(jws: jose.Jws, known: tuple[Jwk, ...]) -> list[Jwk]:
    kid = jws.header.get("kid")
    named = [each for each in known if kid is None or each.get("kid") == kid]
    return [each for each in named if keys.algorithm_of(keys.public_key(each)) == jws.header.get("alg")]


def _is_usable(jwk: Jwk) -> bool:
    try:
        keys.public_key(jwk)
    except Malformed:
        return False
    return True


def is_issuer(text: str) -> bool:
    """Say whether ``text`` can be an identity provider's issuer identifier (Discovery 1.0 §3)."""
    return endpoint.is_identifier(text)
