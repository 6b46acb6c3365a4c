"""Key proofs: the wallet shows that it holds the key a credential will be bound to, or somebody trusted attests it.

OpenID4VCI 1.0 appendix F.1 (``jwt``), F.3 (``attestation``) and F.4. The issuer answers ``invalid_proof`` or
``invalid_nonce``, as the exception says.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from comity import did, jose, keys
from comity.errors import Code, Malformed
from comity.openid import key_attestation
from comity.openid.attestation_status import Stated
from comity.openid.key_attestation import CheckedKeyAttestation, Rules
from comity.openid.members import Members
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from comity.ports import Jwk, Signer

TYP = "openid4vci-proof+jwt"
CLOCK_SKEW = timedelta(seconds=60)
MAX_AGE = timedelta(minutes=10)
"""Oldest ``iat`` accepted; the nonce, not the clock, is what makes a proof fresh."""

_MAX_BYTES = 16384
_REFUSE = Refusal(code=Code.PROOF_INVALID, error=OAuthErrorCode.INVALID_PROOF)
_NONCE = Refusal(code=Code.NONCE_INVALID, error=OAuthErrorCode.INVALID_NONCE)

CheckNonce = Callable[[str], bool]
"""Tells whether a nonce is one the issuer gave out, not too old and not used up."""


class CheckedProof(Struct, frozen=True, kw_only=True):
    """A key proof that passed.

    Attributes:
        jwk: the public key the credential is to be bound to.
        thumbprint: its RFC 7638 thumbprint.
        nonce: the nonce the proof carried; to be used up when the credential is issued.
        issued_at: the proof's ``iat``.
        attested: the keys of the key attestation in the proof, this one among them; () without one.
        attestation_nonce: the nonce of that attestation, which is used up likewise.
        attestation_status: where the status of that attestation stands, for the caller to look up.
    """

    jwk: Jwk
    thumbprint: str
    nonce: str | None
    issued_at: datetime
    attested: tuple[Jwk, ...] = ()
    attestation_nonce: str | None = None
    attestation_status: Stated | None = None

    @property
    def nonces(self) -> frozenset[str]:
        """Every nonce that goes with it."""
        return frozenset(nonce for nonce in (self.nonce, self.attestation_nonce) if nonce is not None)


def build(
    signer: Signer,
    *,
    audience: str,
    nonce: str | None,
    issued_at: datetime,
    client_id: str | None = None,
    attestation: str | None = None,
) -> str:
    """Return a key proof for ``signer``'s key.

    Args:
        signer: the holder key.
        audience: the credential issuer identifier.
        nonce: the issuer's ``c_nonce``; None when it has no nonce endpoint.
        issued_at: the current instant.
        client_id: the client that the access token was given to (``iss``); None for an anonymous wallet.
        attestation: a key attestation that lists the key.
    """
    claims: dict[str, Any] = {} if client_id is None else {"iss": client_id}
    claims |= {"aud": audience, "iat": int(issued_at.timestamp())}
    if nonce is not None:
        claims["nonce"] = nonce
    header: dict[str, Any] = {"typ": TYP, "jwk": dict(signer.public_jwk)}
    return jose.sign(header if attestation is None else {**header, "key_attestation": attestation}, claims, signer)


def check(
    proof: str, *, audience: str, at: datetime, check_nonce: CheckNonce | None, client_id: str | None = None
) -> Jwk:
    """Return the public key that ``proof`` shows possession of; see :func:`examine`."""
    return examine(proof, audience=audience, at=at, check_nonce=check_nonce, client_id=client_id).jwk


def examine(
    proof: str,
    *,
    audience: str,
    at: datetime,
    check_nonce: CheckNonce | None,
    client_id: str | None = None,
    rules: Rules | None = None,
) -> CheckedProof:
    """Check one key proof (VCI-41, VCI-42).

    Not checked: that other proofs of the batch use other keys (:func:`examine_all`). The nonce is not used up here.

    Args:
        proof: the compact JWT.
        audience: the credential issuer identifier.
        at: the current instant.
        check_nonce: judges the nonce; None when the issuer has no nonce endpoint, and then none is required.
        client_id: the client the access token was given to; None for anonymous access.
        rules: how key attestations are judged; None where nobody's are trusted, and then they are not looked at.

    Raises:
        OAuthError: ``invalid_proof`` with the code of what is wrong, or ``invalid_nonce`` for a nonce that is there
            but not acceptable.
    """
    signed = _signed(proof, rules, check_nonce, at)
    claims = signed.claims
    # F.1 aud: the credential issuer identifier; not the authorization server, not the endpoint.
    if claims.string("aud") != audience:
        raise _REFUSE("the key proof is meant for another issuer", Code.AUDIENCE_MISMATCH)
    # F.1 iss: the client_id, and absent for anonymous access.
    if claims.optional_string("iss") not in {None, client_id}:
        raise _REFUSE("the key proof names a client that did not ask for this credential")
    issued_at = _check_time(claims, at)
    nonce = _check_nonce(claims, check_nonce)
    found = CheckedProof(jwk=signed.jwk, thumbprint=keys.thumbprint(signed.jwk), nonce=nonce, issued_at=issued_at)
    beside = signed.attestation
    if beside is None:
        return found
    return replace(found, attested=beside.jwks, attestation_nonce=beside.nonce, attestation_status=beside.status)


class _Signed(Struct, frozen=True, kw_only=True):
    jwk: Jwk
    claims: Members
    attestation: CheckedKeyAttestation | None


def _signed(proof: str, rules: Rules | None, check_nonce: CheckNonce | None, at: datetime) -> _Signed:
    """Return what the key that the header names did sign."""
    try:
        # F.4: explicitly typed, an asymmetric algorithm that the metadata list, no private key in the header.
        jws = jose.parse(proof, max_bytes=_MAX_BYTES)
        jose.require(jws, typ=TYP, context="key_proof")
        attestation = _attestation(jws, rules, check_nonce, at)
        # F.1: exactly one of kid, jwk and x5c names the key.
        key = keys.public_key(_named_key(jws, attestation, at))
        # F.4: the signature verifies with that key.
        jose.verify(jws, key)
        claims = Members(jose.payload_object(jws), "key proof", _REFUSE)
    except OAuthError:
        raise
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    # Only the key itself goes into the credential: other members of the sender's JWK (kid, alg, x5u …) are dropped.
    jwk = keys.public_jwk(key)
    # Appendix D.1: the key of the proof is one of those that the attestation beside it lists.
    if attestation is not None and jwk not in attestation.jwks:
        raise key_attestation.refuse_unlisted()
    return _Signed(jwk=jwk, claims=claims, attestation=attestation)


def _attestation(
    jws: jose.Jws, rules: Rules | None, check_nonce: CheckNonce | None, at: datetime
) -> CheckedKeyAttestation | None:
    encoded = jws.header.get("key_attestation")
    if rules is None or (encoded is None and rules.demand is None):
        return None
    if not isinstance(encoded, str):
        raise key_attestation.refuse_missing()
    return key_attestation.check(encoded, rules=rules, check_nonce=check_nonce, at=at, in_proof=True)


def examine_all(
    proofs: Sequence[str],
    *,
    audience: str,
    at: datetime,
    check_nonce: CheckNonce | None,
    client_id: str | None = None,
    rules: Rules | None = None,
) -> tuple[CheckedProof, ...]:
    """Check the proofs of one request, all or nothing; each must use a key of its own.

    Raises:
        OAuthError: as :func:`examine`; the detail names the position of the bad proof, from 1.
    """
    checked: list[CheckedProof] = []
    seen: set[str] = set()
    for position, proof in enumerate(proofs, start=1):
        try:
            found = examine(proof, audience=audience, at=at, check_nonce=check_nonce, client_id=client_id, rules=rules)
        except OAuthError as problem:
            detail = f"key proof {position} of {len(proofs)}: {problem.detail}"
            raise OAuthError(problem.code, detail, error=problem.error) from None
        if found.thumbprint in seen:
            raise _REFUSE(f"key proof {position} of {len(proofs)}: the key was used by an earlier proof")
        seen.add(found.thumbprint)
        checked.append(found)
    return tuple(checked)


def also_attested(proofs: Sequence[CheckedProof], *, most: int) -> tuple[CheckedProof, ...]:
    """Return ``proofs`` and, up to ``most``, one more for each further key attested in them (appendix F.1, S)."""
    found, seen = list(proofs), {proof.thumbprint for proof in proofs}
    for proof in proofs:
        for jwk in proof.attested:
            thumbprint = keys.thumbprint(jwk)
            if thumbprint not in seen and len(found) < most:
                seen.add(thumbprint)
                found.append(replace(proof, jwk=jwk, thumbprint=thumbprint))
    return tuple(found)


def examine_attestation(
    encoded: str, *, rules: Rules | None, at: datetime, check_nonce: CheckNonce | None
) -> tuple[CheckedProof, ...]:
    """Check a proof of type ``attestation`` (appendix F.3); returns one for each attested key.

    Nobody shows possession of the keys: that they are the wallet's is the attester's word.

    Raises:
        OAuthError: ``invalid_proof``, also where nobody's attestations are trusted (``rules`` is None);
            ``invalid_nonce``.
    """
    if rules is None:
        raise _REFUSE("this proof type is not supported")
    found = key_attestation.check(encoded, rules=rules, check_nonce=check_nonce, at=at, in_proof=False)
    return tuple(
        CheckedProof(
            jwk=jwk,
            thumbprint=keys.thumbprint(jwk),
            nonce=found.nonce,
            issued_at=found.issued_at,
            attested=found.jwks,
            attestation_status=found.status,
        )
        for jwk in found.jwks
    )


def _named_key(jws: jose.Jws, attestation: CheckedKeyAttestation | None, at: datetime) -> Jwk:
    names = {"kid", "jwk", "x5c"} & set(jws.header)
    if len(names) != 1:
        raise _REFUSE("a key proof names its key by exactly one of kid, jwk and x5c")
    if "jwk" in names:
        jwk: Jwk = jws.header["jwk"]  # whether it is a key at all is judged by keys.public_key
        return jwk
    if "x5c" in names:
        raise _REFUSE("key proofs with certificates are not accepted", Code.KEY_MECHANISM_NOT_ALLOWED)
    kid = jws.header["kid"]
    named = None if attestation is None else attestation.key_named(kid)
    return _did_key(kid, at) if named is None else named


def _did_key(did_url: str, at: datetime) -> Jwk:
    """Only a DID that is its own key: nothing is fetched on behalf of somebody who wants a credential."""
    document = did.local_document(did_url.split("#", maxsplit=1)[0]) if did_url.startswith("did:jwk:") else None
    if document is None:
        raise _REFUSE("a kid in a key proof must be a did:jwk", Code.KEY_MECHANISM_NOT_ALLOWED)
    return did.verification_key(document, did_url, relationships=("authentication",), at=at).jwk


def _check_time(claims: Members, at: datetime) -> datetime:
    # F.4: the creation time, by iat, is within an acceptable window.
    issued_at, expires_at = claims.instant("iat"), claims.optional_instant("exp")
    # RFC 7519 §4.1.5: a proof that says from when it holds is not used before.
    if max(issued_at, claims.optional_instant("nbf") or issued_at) > at + CLOCK_SKEW:
        raise _REFUSE("the key proof was made in the future", Code.NOT_YET_VALID)
    if issued_at < at - MAX_AGE or (expires_at is not None and expires_at <= at - CLOCK_SKEW):
        raise _REFUSE("the key proof is too old", Code.HOLDER_PROOF_EXPIRED)
    return issued_at


def _check_nonce(claims: Members, check_nonce: CheckNonce | None) -> str | None:
    # F.4: with a nonce endpoint, the nonce is the server's. Absent: invalid_proof; there but wrong: invalid_nonce.
    nonce = claims.optional_string("nonce")
    if check_nonce is None:
        return nonce
    if nonce is None:
        raise _REFUSE("the key proof carries no nonce")
    if not check_nonce(nonce):
        raise _NONCE("the nonce of the key proof is not accepted; ask for a new one")
    return nonce
