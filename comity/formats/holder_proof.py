"""What the holder's proof must say in every format: which key, to whom, for which question, and when."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from comity import jose, keys
from comity.errors import Code, Malformed
from comity.formats.instants import numeric_date, optional_numeric_date
from comity.formats.opened import HolderProof, OpenedPresentation
from comity.ports import Jwk

MAX_AGE = timedelta(seconds=300)
"""Oldest proof accepted."""

MAX_SKEW = timedelta(seconds=60)
"""How far the holder's clock may be off."""


def bound_key(payload: Mapping[str, Any], check: Callable[[Jwk], object] = keys.public_key) -> Jwk | None:
    """Return the public key in ``cnf.jwk`` of a processed payload (RFC 7800 §3.2), or None when it names none.

    Other confirmation methods (``kid``, ``jku``) name a key that somebody else would have to supply: not understood.
    ``check`` is :func:`comity.keys.check` where mostly no proof by this key follows.

    Raises:
        Malformed: ``malformed_key`` or ``private_key_exposed``.
    """
    if "cnf" not in payload:
        return None
    confirmation = payload["cnf"]
    if not isinstance(confirmation, dict):
        raise Malformed(Code.MALFORMED_KEY, "the confirmation claim is not an object")
    if "jwk" not in confirmation:
        return None
    jwk: Jwk = confirmation["jwk"]
    check(jwk)
    return jwk


def proof_of(presentation: OpenedPresentation) -> HolderProof:
    """Return the proof of ``presentation``.

    Raises:
        Malformed: ``holder_binding_missing``.
    """
    if presentation.proof is None:
        raise Malformed(Code.HOLDER_BINDING_MISSING, "the presentation carries no proof by the holder")
    return presentation.proof


def check_signature(proof: HolderProof, holder_jwk: Jwk) -> None:
    """Check that the key the credential is bound to made the proof.

    Raises:
        Malformed: ``holder_signature_invalid``, or what :func:`comity.keys.public_key` raises.
    """
    key = keys.public_key(holder_jwk)
    try:
        jose.verify(proof.jws, key)
    except Malformed:
        raise Malformed(
            Code.HOLDER_SIGNATURE_INVALID, "the holder's proof is not signed by the key that the credential is bound to"
        ) from None


def check_issued_now(payload: Mapping[str, Any], *, at: datetime) -> None:
    """Check that the proof was made at most five minutes before ``at`` and at most one minute after it.

    ``exp`` and ``nbf`` are obeyed where they are present (RFC 7519 §4.1).

    Raises:
        Malformed: ``holder_proof_malformed``, ``time_malformed`` or ``holder_proof_expired``.
    """
    if "iat" not in payload:
        raise Malformed(Code.HOLDER_PROOF_MALFORMED, "the holder's proof does not say when it was made")
    if not at - MAX_AGE <= numeric_date(payload["iat"]) <= at + MAX_SKEW:
        raise Malformed(Code.HOLDER_PROOF_EXPIRED, "the holder's proof was not made just now")
    expires, begins = optional_numeric_date(payload, "exp"), optional_numeric_date(payload, "nbf")
    if expires is not None and at - MAX_SKEW >= expires:
        raise Malformed(Code.HOLDER_PROOF_EXPIRED, "the holder's proof has expired")
    if begins is not None and at < begins - MAX_SKEW:
        raise Malformed(Code.HOLDER_PROOF_EXPIRED, "the holder's proof is not valid yet")


def check_addressed(payload: Mapping[str, Any], *, audience: str, nonce: str) -> None:
    """Check that the proof answers this request: ``nonce`` and ``aud``, both one string, both compared exactly.

    ``audience`` is the verifier's whole client identifier, prefix included (OpenID4VP §14.1).

    Raises:
        Malformed: ``holder_proof_malformed``, ``nonce_mismatch`` or ``audience_mismatch``.
    """
    if not isinstance(payload.get("nonce"), str) or not isinstance(payload.get("aud"), str):
        raise Malformed(Code.HOLDER_PROOF_MALFORMED, "the holder's proof names no nonce or not exactly one audience")
    if payload["nonce"] != nonce:
        raise Malformed(Code.NONCE_MISMATCH, "the holder's proof answers another request")
    if payload["aud"] != audience:
        raise Malformed(Code.AUDIENCE_MISMATCH, "the holder's proof is meant for another verifier")
