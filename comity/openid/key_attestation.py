"""Key attestations: somebody trusted says where keys lie and what guards their use (OpenID4VCI 1.0 appendix D).

Sent alone as proof of type ``attestation`` (appendix F.3), or as ``key_attestation`` in the header of a ``jwt`` proof
(appendix F.1). The issuer answers ``invalid_proof`` or ``invalid_nonce``, as the exception says.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import jose, keys
from comity.errors import Code, Malformed
from comity.openid import attestation_status, attester
from comity.openid.attestation_status import Stated
from comity.openid.attester import Attester
from comity.openid.members import Members
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from comity.ports import Jwk, Signer

TYP = "key-attestation+jwt"
CONTEXT = "key_proof"
"""The list of algorithms is that of the proofs (OpenID4VCI appendix F.1: the same metadata entry covers both)."""

CLOCK_SKEW = timedelta(seconds=60)
BASIC = "iso_18045_basic"
"""Appendix D.2: resists an attacker of basic potential. The other values are not told apart here: they are names."""

_MAX_BYTES = 65536
_REFUSE = Refusal(code=Code.KEY_ATTESTATION_INVALID, error=OAuthErrorCode.INVALID_PROOF)
_NONCE = Refusal(code=Code.NONCE_INVALID, error=OAuthErrorCode.INVALID_NONCE)

CheckNonce = Callable[[str], bool]
"""Tells whether a nonce is one the issuer gave out, not too old and not used up."""


class Demand(Struct, frozen=True, kw_only=True):
    """``key_attestations_required`` of a proof type (OpenID4VCI §12.2.4).

    Attributes:
        key_storage: one of these will do; () demands an attestation and no level.
        user_authentication: likewise.
    """

    key_storage: tuple[str, ...] = ()
    user_authentication: tuple[str, ...] = ()

    @classmethod
    def parse(cls, members: Members) -> "Demand":
        """Read the object.

        Raises:
            OAuthError: a member that is there is not a non-empty array of strings.
        """
        return cls(
            key_storage=members.optional_strings("key_storage"),
            user_authentication=members.optional_strings("user_authentication"),
        )

    def to_dict(self) -> dict[str, list[str]]:
        """Return the JSON object; ``{}`` demands an attestation and no level."""
        levels = {"key_storage": self.key_storage, "user_authentication": self.user_authentication}
        return {name: list(values) for name, values in levels.items() if values}

    def is_met_by(self, key_storage: Sequence[str], user_authentication: Sequence[str]) -> bool:
        """Tell whether an attestation that states these levels will do."""
        stated = ((self.key_storage, key_storage), (self.user_authentication, user_authentication))
        return all(not wanted or set(wanted) & set(given) for wanted, given in stated)


class Rules(Struct, frozen=True, kw_only=True):
    """By what an issuer judges key attestations.

    Attributes:
        trusted: whose attestations are taken.
        demand: what they must state; None where none is needed, and one that is sent must still be true.
        most_keys: longest list of attested keys.
    """

    trusted: tuple[Attester, ...]
    demand: Demand | None = None
    most_keys: int = 1


class CheckedKeyAttestation(Struct, frozen=True, kw_only=True):
    """A key attestation that passed.

    Attributes:
        jwks: the attested keys, with the members that a key is made of and no others.
        names: for each key, what a ``kid`` may call it.
        nonce: the issuer's nonce in it; to be used up when a credential is issued.
        issued_at: its ``iat``.
        status: where its status stands, for the caller to look up; None where it cannot be revoked.
    """

    jwks: tuple[Jwk, ...]
    names: tuple[frozenset[str], ...]
    nonce: str | None
    issued_at: datetime
    status: Stated | None = None

    def key_named(self, kid: str) -> Jwk | None:
        """Return the attested key that the ``kid`` of a proof names (appendix F.1: the example says ``"0"``)."""
        found = [jwk for jwk, names in zip(self.jwks, self.names, strict=True) if kid in names]
        return found[0] if len(found) == 1 else None


def build(
    signer: Signer,
    *,
    issuer: str,
    jwks: Sequence[Jwk],
    nonce: str | None,
    at: datetime,
    lifetime: timedelta,
    key_storage: Sequence[str] = (),
    user_authentication: Sequence[str] = (),
    chain: Sequence[str] = (),
) -> str:
    """Return an attestation of ``jwks`` (appendix D.1).

    Args:
        signer: the wallet provider's key.
        issuer: who the wallet provider is.
        jwks: the public keys; all of one key storage.
        nonce: the issuer's ``c_nonce``; None when it has no nonce endpoint.
        at: the current instant.
        lifetime: how long the attestation holds.
        key_storage: what the storage resists (appendix D.2).
        user_authentication: what the person's authentication resists.
        chain: the signer's certificates without the root, for ``x5c``; else the key is named by its thumbprint.
    """
    named = {"x5c": list(chain)} if chain else {"kid": keys.thumbprint(signer.public_jwk)}
    claims: dict[str, Any] = {
        "iss": issuer,
        "iat": int(at.timestamp()),
        "exp": int((at + lifetime).timestamp()),
        "attested_keys": [dict(jwk) for jwk in jwks],
    }
    claims |= Demand(key_storage=tuple(key_storage), user_authentication=tuple(user_authentication)).to_dict()
    if nonce is not None:
        claims["nonce"] = nonce
    return jose.sign({"typ": TYP, **named}, claims, signer)


def check(
    encoded: str, *, rules: Rules, check_nonce: CheckNonce | None, at: datetime, in_proof: bool
) -> CheckedKeyAttestation:
    """Check one key attestation (VCI-42).

    Not checked: that anybody holds the keys (a ``jwt`` proof shows it for one of them), and what a status list says of
    the attestation (:mod:`comity.openid.attestation_status`).

    Args:
        encoded: the compact JWT.
        rules: whose word counts, and for what.
        check_nonce: judges the nonce; None when the issuer has no nonce endpoint, and then none is required.
        at: the current instant.
        in_proof: it stands in the header of a ``jwt`` proof, and then must have an end.

    Raises:
        OAuthError: ``invalid_proof`` with the code of what is wrong, or ``invalid_nonce``.
    """
    try:
        # D.1: typ, an asymmetric algorithm that the metadata list, signed by somebody who is trusted for this.
        signed = attester.verify(encoded, typ=TYP, context=CONTEXT, trusted=rules.trusted, at=at, max_bytes=_MAX_BYTES)
        claims = Members(signed.claims, "key attestation", _REFUSE)
        # D.1 attested_keys: at least one; public ones; each once.
        jwks, names = _attested_keys(claims, rules.most_keys)
    except OAuthError:
        raise
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    # D.1 status: where it stands; the caller looks there.
    status = attestation_status.stated(claims, signed.attester, _REFUSE)
    issued_at = _check_period(claims, at, must_end=in_proof)
    # D.1 key_storage, user_authentication; §12.2.4: what this credential needs.
    stated = (claims.optional_strings("key_storage"), claims.optional_strings("user_authentication"))
    if rules.demand is not None and not rules.demand.is_met_by(*stated):
        raise _REFUSE("the key attestation does not state the level of protection that this credential needs")
    nonce = _check_nonce(claims, check_nonce)
    return CheckedKeyAttestation(jwks=jwks, names=names, nonce=nonce, issued_at=issued_at, status=status)


def refuse_status(problem: Malformed) -> OAuthError:
    """Return what to raise for an attestation that was taken back, or of which that cannot be excluded."""
    return _REFUSE.of(problem)


def refuse_missing() -> OAuthError:
    """Return what to raise where a key attestation is needed and none was sent."""
    return _REFUSE("a key attestation is needed for this credential")


def refuse_unlisted() -> OAuthError:
    """Return what to raise where the key of a proof is not one of those attested beside it."""
    return _REFUSE("the key of the proof is not one of the attested keys")


def _attested_keys(claims: Members, most: int) -> tuple[tuple[Jwk, ...], tuple[frozenset[str], ...]]:
    listed = claims.array("attested_keys")
    if len(listed) > most:
        raise _REFUSE(f"at most {most} attested keys are accepted at once", Code.BATCH_TOO_LARGE)
    jwks = tuple(keys.public_jwk(keys.public_key(each.value)) for each in listed)
    thumbprints = [keys.thumbprint(jwk) for jwk in jwks]
    if len(set(thumbprints)) != len(thumbprints):
        raise _REFUSE("a key is attested twice")
    named = [{str(place), thumbprints[place], each.value.get("kid")} for place, each in enumerate(listed)]
    return jwks, tuple(frozenset(name for name in names if isinstance(name, str)) for names in named)


def _check_period(claims: Members, at: datetime, *, must_end: bool) -> datetime:
    # D.1: iat always; exp with a jwt proof. RFC 7519 §4.1.5: not before its time.
    issued_at = claims.instant("iat")
    expires_at = claims.instant("exp") if must_end else claims.optional_instant("exp")
    if max(issued_at, claims.optional_instant("nbf") or issued_at) > at + CLOCK_SKEW:
        raise _REFUSE("the key attestation was made in the future", Code.NOT_YET_VALID)
    if expires_at is not None and expires_at <= at - CLOCK_SKEW:
        raise _REFUSE("the key attestation has expired", Code.HOLDER_PROOF_EXPIRED)
    return issued_at


def _check_nonce(claims: Members, check_nonce: CheckNonce | None) -> str | None:
    # F.1, F.3: with a nonce endpoint, the nonce is the server's. Absent: invalid_proof; wrong: invalid_nonce.
    nonce = claims.optional_string("nonce")
    if check_nonce is None:
        return nonce
    if nonce is None:
        raise _REFUSE("the key attestation carries no nonce")
    if not check_nonce(nonce):
        raise _NONCE("the nonce of the key attestation is not accepted; ask for a new one")
    return nonce
