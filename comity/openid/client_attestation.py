"""Wallet attestations: a client shows that its maker vouches for it, and that it is the one that is vouched for.

OAuth 2.0 Attestation-Based Client Authentication: draft -07, which OpenID4VCI 1.0 appendix E pins, and -08 and later.
They differ in ``iss``: -07 demands it in both tokens, later drafts have none. It is sent, and is not needed here.
In the combined mode of -09 a DPoP proof stands in place of the proof of possession (:func:`check_combined`).
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import base64url, jose, keys
from comity.errors import Code, Malformed
from comity.openid import attestation_status, attester
from comity.openid.attestation_status import Stated
from comity.openid.attester import Attester
from comity.openid.members import Document, Members
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from comity.ports import Jwk, Signer

METHOD = "attest_jwt_client_auth"
METHOD_DPOP = "attest_jwt_client_auth_dpop"
"""The combined mode of drafts -09 and later: the DPoP proof is the proof of possession, by one key for both."""
TYP, POP_TYP = "oauth-client-attestation+jwt", "oauth-client-attestation-pop+jwt"
CONTEXT, POP_CONTEXT = "client_attestation", "client_attestation_pop"
HEADER, POP_HEADER = "oauth-client-attestation", "oauth-client-attestation-pop"
CHALLENGE_HEADER = "oauth-client-attestation-challenge"
"""Names of the header fields, in lower case."""

CLOCK_SKEW = timedelta(seconds=60)
MAX_AGE = timedelta(minutes=5)
"""Oldest ``iat`` of a proof of possession where the server gives no challenges, and how long our own ones hold."""

_MAX_BYTES = 16384
_REFUSE = Refusal(code=Code.CLIENT_ATTESTATION_INVALID, error=OAuthErrorCode.INVALID_CLIENT_ATTESTATION)
_FRESH = Refusal(code=Code.CLIENT_ATTESTATION_INVALID, error=OAuthErrorCode.USE_FRESH_ATTESTATION)
_CHALLENGE = Refusal(code=Code.NONCE_INVALID, error=OAuthErrorCode.USE_ATTESTATION_CHALLENGE)

CheckChallenge = Callable[[str], bool]
"""Tells whether a challenge is one the server gave out and not too old."""


class CheckedClientAttestation(Struct, frozen=True, kw_only=True):
    """An attestation and a proof of possession that passed.

    Attributes:
        client_id: which client it is; the same for every instance of one wallet.
        thumbprint: RFC 7638 thumbprint of the client instance key.
        jti: the proof's own name; the caller sees to it that it is used once.
        challenge: the server's challenge in the proof, likewise.
        issued_at: the proof's ``iat``, which is the client's clock.
        status: where the attestation's status stands, for the caller to look up; None where it cannot be revoked.
    """

    client_id: str
    thumbprint: str
    jti: str
    challenge: str | None
    issued_at: datetime
    status: Stated | None = None


def attest(
    signer: Signer,
    *,
    issuer: str,
    client_id: str,
    instance_jwk: Jwk,
    at: datetime,
    lifetime: timedelta,
    chain: Sequence[str] = (),
) -> str:
    """Return the attestation of one client instance ("Client Attestation JWT"; OpenID4VCI appendix E).

    Args:
        signer: the wallet provider's key.
        issuer: who the wallet provider is (``iss``, needed by -07).
        client_id: shared by all instances: nothing in the attestation names a person or a device.
        instance_jwk: the public key of this instance, used with one authorization server only (HAIP §4.4.1).
        at: the current instant.
        lifetime: how long it holds.
        chain: the signer's certificates without the root, for ``x5c``; else the key is named by its thumbprint.
    """
    named = {"x5c": list(chain)} if chain else {"kid": keys.thumbprint(signer.public_jwk)}
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": client_id,
        "iat": int(at.timestamp()),
        "exp": int((at + lifetime).timestamp()),
        "cnf": {"jwk": dict(instance_jwk)},
    }
    return jose.sign({"typ": TYP, **named}, claims, signer)


def prove(signer: Signer, *, client_id: str, audience: str, at: datetime, challenge: str | None) -> str:
    """Return a proof of possession for one request ("Client Attestation PoP JWT"), with a ``jti`` of its own.

    Args:
        signer: the key that the attestation names.
        client_id: of the attestation (``iss``, needed by -07).
        audience: the authorization server's issuer identifier.
        at: the current instant.
        challenge: the server's latest challenge; None when it gives none.
    """
    issued_at = int(at.timestamp())
    claims: dict[str, Any] = {
        "iss": client_id,
        "aud": audience,
        "jti": base64url.encode(secrets.token_bytes(16)),
        "iat": issued_at,
        "exp": issued_at + int(MAX_AGE.total_seconds()),  # of drafts before -07, which some servers still want
    }
    if challenge is not None:
        claims["challenge"] = challenge
    return jose.sign({"typ": POP_TYP}, claims, signer)


class AttestedKey(Struct, frozen=True, kw_only=True):
    """An attestation that passed, whose key is the one that a DPoP proof names.

    Attributes:
        client_id: which client it is.
        thumbprint: RFC 7638 thumbprint of the key, which must have signed the DPoP proof.
        status: where the attestation's status stands, for the caller to look up; None where it cannot be revoked.
    """

    client_id: str
    thumbprint: str
    status: Stated | None


def check_combined(
    attestations: Sequence[str],
    dpop_proofs: Sequence[str],
    *,
    client_id: str | None,
    trusted: Sequence[Attester],
    max_age: timedelta,
    at: datetime,
) -> AttestedKey:
    """Check the attestation of a request without a proof of possession of its own ("DPoP Combined Mode", -09).

    Not checked: the DPoP proof itself (:func:`comity.openid.dpop.check`, with the key that is returned), its nonce,
    and what a status list says of the attestation.

    Args:
        attestations: the values of all ``OAuth-Client-Attestation`` header fields.
        dpop_proofs: the values of all ``DPoP`` header fields.
        client_id: what the request itself says; None when it does not.
        trusted: whose attestations are taken.
        max_age: oldest attestation that is fresh enough.
        at: the current instant.

    Raises:
        OAuthError: ``invalid_client_attestation`` with the code of what is wrong; ``use_fresh_attestation``.
    """
    # Step 2: precisely one DPoP header field, and one attestation.
    if len(attestations) != 1 or len(dpop_proofs) != 1:
        raise _REFUSE("a request has exactly one client attestation and one proof of possession")
    subject, instance_jwk, status = _attested(attestations[0], trusted, max_age, at)
    if client_id is not None and client_id != subject:
        raise _REFUSE("the client attestation is for another client than the request", Code.CLIENT_MISMATCH)
    # Step 4: the key in the DPoP proof is identical to the one in cnf.
    try:
        named = keys.thumbprint(jose.parse(dpop_proofs[0], max_bytes=_MAX_BYTES).header.get("jwk") or {})
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    thumbprint = keys.thumbprint(instance_jwk)
    if named != thumbprint:
        raise _REFUSE("the DPoP proof is by another key than the client attestation names", Code.HOLDER_KEY_MISMATCH)
    return AttestedKey(client_id=subject, thumbprint=thumbprint, status=status)


def check(
    attestations: Sequence[str],
    proofs: Sequence[str],
    *,
    audience: str,
    client_id: str | None,
    trusted: Sequence[Attester],
    max_age: timedelta,
    check_challenge: CheckChallenge | None,
    at: datetime,
) -> CheckedClientAttestation:
    """Check the attestation and the proof of possession of one request.

    The steps are those of "Verification and Processing" in the draft, as they are numbered there.
    Not checked: that the challenge or ``jti`` was not used before (the caller's store), and what a status list says of
    the attestation (:mod:`comity.openid.attestation_status`).

    Args:
        attestations: the values of all ``OAuth-Client-Attestation`` header fields.
        proofs: the values of all ``OAuth-Client-Attestation-PoP`` header fields.
        audience: this server's issuer identifier.
        client_id: what the request itself says; None when it does not.
        trusted: whose attestations are taken.
        max_age: oldest attestation that is fresh enough.
        check_challenge: judges the challenge; None when the server gives none out, and then ``iat`` is judged instead.
        at: the current instant.

    Raises:
        OAuthError: ``invalid_client_attestation`` with the code of what is wrong; ``use_fresh_attestation``;
            ``use_attestation_challenge`` when everything but the challenge is right.
    """
    # Client Attestation JWT, step 1: precisely one header field.
    if len(attestations) != 1 or len(proofs) != 1:
        raise _REFUSE("a request has exactly one client attestation and one proof of possession")
    subject, instance_jwk, status = _attested(attestations[0], trusted, max_age, at)
    # Client Attestation JWT, step 7: the client is the one that the request names.
    if client_id is not None and client_id != subject:
        raise _REFUSE("the client attestation is for another client than the request", Code.CLIENT_MISMATCH)
    claims = _proven(proofs[0], subject, instance_jwk, audience=audience)
    _check_time(claims, at, is_by_clock=check_challenge is None)
    # Client Attestation PoP JWT, steps 5 and 8, last: a challenge is asked for only when it is all that is missing.
    challenge = claims.optional_string("challenge") if check_challenge is not None else None
    if check_challenge is not None and (challenge is None or not check_challenge(challenge)):
        told = "the proof of possession needs a challenge of this server; send it with the one given now"
        raise _CHALLENGE(told, Code.NONCE_NEEDED if challenge is None else None)  # a first proof cannot have one yet
    return CheckedClientAttestation(
        client_id=subject,
        thumbprint=keys.thumbprint(instance_jwk),
        jti=claims.string("jti"),
        challenge=challenge,
        issued_at=claims.instant("iat"),
        status=status,
    )


def _attested(
    encoded: str, trusted: Sequence[Attester], max_age: timedelta, at: datetime
) -> tuple[str, Jwk, Stated | None]:
    """Return the client, its instance key and where its status stands, of an attestation that passed."""
    try:
        # Steps 3 and 4: typ, an asymmetric algorithm on the list, signed by a trusted attester.
        signed = attester.verify(encoded, typ=TYP, context=CONTEXT, trusted=trusted, at=at, max_bytes=_MAX_BYTES)
        claims = Members(signed.claims, "client attestation", _REFUSE)
        # Step 2: every claim that must be there. Step 5: the key in cnf is a public one.
        subject, expires_at = claims.string("sub"), claims.instant("exp")
        key = keys.public_key(claims.members("cnf").value.get("jwk") or {})
    except OAuthError:
        raise
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    # An attester speaks for its own clients only: another trusted one cannot borrow their names.
    if subject not in signed.attester.client_ids:
        raise _REFUSE("the client attestation is of an attester that does not speak for this client")
    jwk = keys.public_jwk(key)
    if jwk == keys.public_jwk(signed.key):
        raise _REFUSE("the client attestation is signed by the instance that it attests")
    status = attestation_status.stated(claims, signed.attester, _REFUSE)
    _check_period(claims, expires_at, max_age, at)
    return subject, jwk, status


def _check_period(claims: Members, expires_at: datetime, max_age: timedelta, at: datetime) -> None:
    # RFC 7519 §4.1.4, §4.1.5: not over, and not before its time.
    begins_at = claims.optional_instant("iat") or claims.optional_instant("nbf")
    if expires_at <= at - CLOCK_SKEW:
        raise _REFUSE("the client attestation has expired", Code.HOLDER_PROOF_EXPIRED)
    if max(begins_at or at, claims.optional_instant("nbf") or at) > at + CLOCK_SKEW:
        raise _REFUSE("the client attestation is not valid yet", Code.NOT_YET_VALID)
    # Step 6: fresh enough. One that does not say when it was made is as old as its end lets it be.
    if (at - begins_at if begins_at else expires_at - at) > max_age:
        raise _FRESH("the client attestation is too old; get a new one from the wallet provider")


def _proven(encoded: str, subject: str, instance_jwk: Jwk, *, audience: str) -> Members:
    """Return the claims of a proof of possession (Client Attestation PoP JWT, steps 2 to 4 and 7)."""
    try:
        # Steps 3 and 4: typ, an asymmetric algorithm on the list, signed by the key in cnf.
        jws = jose.parse(encoded, max_bytes=_MAX_BYTES)
        jose.require(jws, typ=POP_TYP, context=POP_CONTEXT)
        jose.verify(jws, keys.public_key(instance_jwk))
        claims = Members(jose.payload_object(jws), "proof of possession", _REFUSE)
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    # Step 2: every claim that must be there.
    claims.string("jti")
    claims.instant("iat")
    # Step 7: meant for this server, and for no other.
    if claims.value.get("aud") not in (audience, [audience]):
        raise _REFUSE("the proof of possession is meant for another server", Code.AUDIENCE_MISMATCH)
    # -07: iss is the client.
    if claims.optional_string("iss") not in {None, subject}:
        raise _REFUSE("the proof of possession is of another client", Code.CLIENT_MISMATCH)
    return claims


def _check_time(claims: Members, at: datetime, *, is_by_clock: bool) -> None:
    issued_at = claims.instant("iat")
    # RFC 7519 §4.1.4, §4.1.5: whatever end and beginning it states itself.
    expires_at, begins_at = claims.optional_instant("exp"), claims.optional_instant("nbf")
    if expires_at is not None and expires_at <= at - CLOCK_SKEW:
        raise _REFUSE("the proof of possession has expired; check your clock", Code.HOLDER_PROOF_EXPIRED)
    # Step 6: young enough, by the server's own time in the challenge; by iat only where there is none.
    if max(issued_at if is_by_clock else at, begins_at or at) > at + CLOCK_SKEW:
        raise _REFUSE("the proof of possession was made in the future; check your clock", Code.NOT_YET_VALID)
    if is_by_clock and issued_at < at - MAX_AGE:
        raise _REFUSE("the proof of possession is too old; check your clock", Code.HOLDER_PROOF_EXPIRED)


def challenge_response(challenge: str) -> dict[str, str]:
    """Return the body of the challenge endpoint ("Challenges"); sent with ``Cache-Control: no-store``."""
    return {"attestation_challenge": challenge}


def parse_challenge_response(document: Document) -> str:
    """Return the challenge of a challenge endpoint's answer.

    Raises:
        OAuthError: no non-empty ``attestation_challenge`` in it.
    """
    refuse = Refusal(code=Code.RESPONSE_INVALID)
    return Members.read(document, "challenge response", refuse).string("attestation_challenge")


def refuse_status(problem: Malformed) -> OAuthError:
    """Return what to raise for an attestation that was taken back, or of which that cannot be excluded."""
    return _REFUSE.of(problem)


def refuse_replay() -> OAuthError:
    """Return what to raise for a proof of possession that was used before."""
    return _REFUSE("the proof of possession was used before")
