"""The verifier attestation: a third party says who a verifier is and with which key it signs (OpenID4VP 1.0 §12).

It travels in the header ``jwt`` of the signed request under the prefix ``verifier_attestation`` (§5.9.3). Who may say
such a thing is asked of the registry by ``iss``; the keys of whoever that is come from there and from nowhere else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import jose, keys
from comity.errors import Code, Malformed
from comity.jose import Jws
from comity.openid import endpoint
from comity.openid.members import Members
from comity.openid.refusal import Refusal
from comity.ports import Jwk, Signer

TYP = "verifier-attestation+jwt"
HEADER = "jwt"
CLOCK_SKEW = timedelta(seconds=60)
MAX_LENGTH, MAX_ADDRESSES = 16_384, 64
_REFUSE = Refusal(code=Code.VERIFIER_ATTESTATION_INVALID)


class VerifierAttestation(Struct, frozen=True, kw_only=True):
    """What an attestation says.

    Attributes:
        issuer: who says so (``iss``).
        subject: the client identifier without its prefix (``sub``).
        jwk: the key with which this verifier signs its requests (``cnf``).
        expires_at: from then on it is worth nothing.
        redirect_uris: the only addresses that may be named for the answer; None where it does not say.
        name: what the verifier is called, by language; empty where it does not say. Our own claim, ``name``.
    """

    issuer: str
    subject: str
    jwk: Jwk
    expires_at: datetime
    redirect_uris: tuple[str, ...] | None = None
    name: Mapping[str, str]

    def allows(self, address: object) -> bool:
        """Say whether an answer may go to ``address``: letter by letter one of ``redirect_uris``, if there are any."""
        return self.redirect_uris is None or address in self.redirect_uris


class Shown(Struct, frozen=True, kw_only=True):
    """An attestation as it was shown; nothing about it is verified.

    Attributes:
        issuer: who is to be asked of the registry.
        jws: its parts.
    """

    issuer: str
    jws: Jws


def sign(
    signer: Signer,
    *,
    issuer: str,
    subject: str,
    jwk: Jwk,
    at: datetime,
    until: datetime,
    redirect_uris: Sequence[str] = (),
    name: Mapping[str, str] | None = None,
) -> str:
    """Return the attestation of a verifier.

    Raises:
        Malformed: ``time_malformed``: it would end before it begins; ``malformed_key``, ``private_key_exposed``;
            ``verifier_attestation_invalid``: an address that no answer can go to.
    """
    if not at < until:
        raise Malformed(Code.TIME_MALFORMED, "an attestation ends after it begins")
    if not all(endpoint.is_endpoint(each) for each in redirect_uris):
        raise _REFUSE("an attestation names https addresses only")
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "iat": int(at.timestamp()),
        "exp": int(until.timestamp()),
        "cnf": {"jwk": keys.public_jwk(keys.public_key(jwk))},
        **({"redirect_uris": list(redirect_uris)} if redirect_uris else {}),
        **({"name": dict(name)} if name else {}),
    }
    return jose.sign({"typ": TYP, "kid": keys.thumbprint(signer.public_jwk)}, claims, signer)


def read(encoded: object) -> Shown:
    """Return the attestation that the header of a request shows, as far as it can be read without a key.

    Raises:
        OAuthError: ``invalid_request``: there is none, it is of another type or under an algorithm that is not
            allowed, or it does not say who issued it.
    """
    # §5.9.3: the attestation MUST be there; §12: explicitly typed.
    if not isinstance(encoded, str):
        raise _REFUSE("the request shows no attestation of its verifier")
    try:
        jws = jose.parse(encoded, max_bytes=MAX_LENGTH)
        jose.require(jws, typ=TYP, context="verifier_attestation")
        issuer = jose.payload_object(jws).get("iss")
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    if not isinstance(issuer, str):
        raise _REFUSE("the attestation does not say who issued it")
    return Shown(issuer=issuer, jws=jws)


def verify(shown: Shown, trusted: Sequence[Jwk], *, subject: str, at: datetime) -> VerifierAttestation:
    """Verify an attestation with the keys that the registry lists for its issuer.

    Not checked: that the request is signed with ``cnf``, and where its answer goes; see :class:`VerifierAttestation`.

    Args:
        shown: as :func:`read` returned it.
        trusted: public keys of ``shown.issuer``; none of them means that nobody is trusted.
        subject: the client identifier of the request, without its prefix.
        at: the current instant.

    Raises:
        OAuthError: ``invalid_request``: ``signature_invalid``, ``client_mismatch``, ``verifier_attestation_expired``,
            ``verifier_attestation_invalid``, or what is wrong with the key in it.
    """
    # §5.9.3: the wallet MUST validate the signature; iss identifies whom it trusts for this.
    if not any(_is_by(shown.jws, jwk) for jwk in trusted):
        raise _REFUSE("the attestation is not signed by whom it names", Code.SIGNATURE_INVALID)
    try:
        found = _parsed(shown)
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    # §5.9.3: the original client identifier MUST equal sub.
    if found.subject != subject:
        raise _REFUSE("the attestation is that of another verifier", Code.CLIENT_MISMATCH)
    # §12: exp is REQUIRED and MUST NOT have passed; nbf and iat, where present, must have come.
    claims = _members(shown)
    begins = [moment for name in ("nbf", "iat") if (moment := claims.optional_instant(name)) is not None]
    if found.expires_at <= at - CLOCK_SKEW or any(moment > at + CLOCK_SKEW for moment in begins):
        raise _REFUSE("the attestation does not hold at this time", Code.VERIFIER_ATTESTATION_EXPIRED)
    return found


def own(encoded: str) -> VerifierAttestation:
    """Return what an attestation says that a verifier was given for itself. Its signature is not checked.

    Raises:
        Malformed: it is none.
    """
    return _parsed(read(encoded))


def _is_by(jws: Jws, jwk: Jwk) -> bool:
    try:
        jose.verify(jws, keys.public_key(jwk))
    except Malformed:
        return False
    return True


def _members(shown: Shown) -> Members:
    return Members(jose.payload_object(shown.jws), "attestation", _REFUSE)


def _parsed(shown: Shown) -> VerifierAttestation:
    claims = _members(shown)
    # RFC 7800 §3.2: cnf holds the key itself; §12: a JWK, public.
    jwk = dict(claims.members("cnf").members("jwk").value)
    keys.public_key(jwk)
    redirect_uris = claims.strings("redirect_uris") if claims.has("redirect_uris") else None
    if redirect_uris is not None and len(redirect_uris) > MAX_ADDRESSES:
        raise _REFUSE("the attestation names too many addresses")
    return VerifierAttestation(
        issuer=shown.issuer,
        subject=claims.string("sub"),
        jwk=jwk,
        expires_at=claims.instant("exp"),
        redirect_uris=redirect_uris,
        name=_name(claims),
    )


def _name(claims: Members) -> Mapping[str, str]:
    """Return the name in both languages; a name in any other form is none (the claim is not the specification's)."""
    name = claims.value.get("name")
    if not isinstance(name, dict) or set(name) != {"en", "fr"}:
        return {}
    return name if all(isinstance(each, str) and 0 < len(each) <= 200 for each in name.values()) else {}
