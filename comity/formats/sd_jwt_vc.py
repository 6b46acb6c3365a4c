"""SD-JWT VC, ``dc+sd-jwt``: credentials whose claims the holder discloses one by one.

Read as draft-ietf-oauth-sd-jwt-vc-13, which HAIP 1.0 pins, over RFC 9901. The JSON serialisation is not supported.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from comity import jose, x509
from comity.credential import Credential, CredentialType, Format, KeyReference, SignedCredential, X5c
from comity.errors import Code, Malformed
from comity.formats import sd_jwt
from comity.formats.concealing import conceal
from comity.formats.holder_proof import bound_key, check_addressed, check_issued_now, check_signature, proof_of
from comity.formats.instants import check_period, optional_numeric_date, to_day, to_numeric_date
from comity.formats.opened import (
    HeldCredential,
    HolderProof,
    OpenedCredential,
    OpenedPresentation,
    ProcessedCredential,
    WantedPath,
    key_header,
    key_reference,
)
from comity.formats.status_entries import of_status_claim, to_status_claim
from comity.ports import Jwk, Signer

TYP = "dc+sd-jwt"
KEY_BINDING_TYP = "kb+jwt"

NEVER_DISCLOSED = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
"""Members that stand in the clear, with everything inside them (SD-JWT VC §2.2.2.2; its later drafts add aka_vcts)."""

_PROTOCOL = NEVER_DISCLOSED | {"iat", "sub", "aud", "jti"}


def sign(credential: Credential, signer: Signer, key: KeyReference) -> SignedCredential:
    """Sign ``credential`` as an SD-JWT VC; ``key`` tells the reader how to find the public half of ``signer``.

    Claims named in ``credential.disclosable`` become Disclosures. For each such name without a claim a decoy digest is
    added, so that their number does not tell who lacks a claim (RFC 9901 §10.4). ``iat`` and ``nbf`` are rounded down
    to the UTC day: an exact instant would link presentations. Not checked: claims against the type's schema.

    Raises:
        Malformed: ``claims_invalid`` for claims with a name that belongs to the protocol; ``time_malformed`` for a
            reversed validity period; ``malformed`` for more than one token list entry.
    """
    if not _PROTOCOL.isdisjoint(credential.claims):
        raise Malformed(Code.CLAIMS_INVALID, "a claim has a name that belongs to the protocol")
    check_period(credential.valid_from, credential.valid_until)
    chosen = [(name,) for name in credential.claims if name in credential.disclosable]
    concealed = conceal(credential.claims, chosen, decoys=len(credential.disclosable) - len(chosen))
    payload: dict[str, Any] = {
        "iss": credential.issuer,
        "iat": to_day(credential.issued_at),
        "nbf": to_day(credential.valid_from),
        "vct": credential.type.vct,
    }
    if credential.valid_until is not None:
        payload["exp"] = to_numeric_date(credential.valid_until)
    if credential.holder_jwk is not None:
        payload["cnf"] = {"jwk": dict(credential.holder_jwk)}
    if (status := to_status_claim(credential.status)) is not None:
        payload["status"] = status
    jwt = jose.sign_under(_header(signer.algorithm, key), payload | concealed.payload, signer)
    return SignedCredential(format=Format.DC_SD_JWT, encoded=sd_jwt.combine(jwt, concealed.disclosures))


@lru_cache
def _header(algorithm: str, key: KeyReference) -> str:
    return jose.protected({"typ": TYP, **key_header(key)}, algorithm)


@lru_cache
def _proof_header(algorithm: str) -> str:
    return jose.protected({"typ": KEY_BINDING_TYP}, algorithm)


def open_presentation(encoded: str) -> OpenedPresentation:
    """Read an SD-JWT VC with or without key binding. Nothing is verified.

    Raises:
        Malformed: it cannot be read, or names no issuer, type or key; ``type_not_allowed`` when the reason is that it
            is another kind of token.
    """
    # RFC 9901 §7.1 step 1 and §7.3 step 3: separate the parts.
    parts = sd_jwt.parse(encoded)
    jws = jose.parse(parts.jwt)
    payload = jose.payload_object(jws)
    try:
        key = key_reference(jws.header)
        issuer, type_name = _issuer(payload, key), _text(payload, "vct")
    except Malformed:
        _check_typ(jws)
        raise
    credential = OpenedCredential(
        format=Format.DC_SD_JWT,
        encoded=parts.encoded,
        issuer=issuer,
        type_name=type_name,
        jws=jws,
        key=key,
        payload=payload,
        disclosures=parts.disclosures,
    )
    proof = None
    if parts.key_binding is not None:
        proof_jws = jose.parse(parts.key_binding)
        proof = HolderProof(jws=proof_jws, payload=jose.payload_object(proof_jws))
    return OpenedPresentation(format=Format.DC_SD_JWT, encoded=encoded, credentials=(credential,), proof=proof)


def check_header(opened: OpenedCredential) -> None:
    """Check algorithm, type and critical headers of the issuer-signed JWT (RFC 9901 §7.1 step 2.a; profile 2b step 3).

    Raises:
        Malformed: ``algorithm_not_allowed``, ``type_not_allowed``, ``critical_header`` or ``private_key_exposed``.
    """
    jose.require(opened.jws, typ=TYP, context="credential")


def process(opened: OpenedCredential) -> ProcessedCredential:
    """Put the Disclosures in place and read the claims. To be called once the issuer's signature was found good.

    Not checked: the signature, whether the period of validity holds now, the holder's proof, status, trust, schema.

    Raises:
        Malformed: what :func:`comity.formats.sd_jwt.process_payload` raises; ``disclosure_forbidden`` for a Disclosure
            in a member that stands in the clear; ``time_malformed``, ``malformed_key``, ``audience_mismatch`` or
            ``malformed`` for members of the wrong form.
    """
    # RFC 9901 §7.1 steps 2.d to 5 (profile 2b steps 4 to 7).
    processed = sd_jwt.process_payload(opened.payload, opened.disclosures)
    payload = processed.payload
    # SD-JWT VC §2.2.2.2, profile 2b step 8: what decides validity is in the clear, whether disclosed or withheld.
    concealed = {path[0] for path in (*processed.disclosed, *processed.concealing) if path}
    if not NEVER_DISCLOSED.isdisjoint(concealed):
        raise Malformed(Code.DISCLOSURE_FORBIDDEN, "a member that must stand in the clear is concealed")
    _check_aliases(payload)
    # RFC 7519 §4.1.3: a credential made out to one audience is none for everybody else.
    if "aud" in payload:
        raise Malformed(Code.AUDIENCE_MISMATCH, "the credential itself is limited to an audience")
    # RFC 9901 §7.1 step 6, on the processed payload: the members that say when it is valid must at least be times.
    valid_from, valid_until = optional_numeric_date(payload, "nbf"), optional_numeric_date(payload, "exp")
    check_period(valid_from, valid_until)
    status = of_status_claim(payload)
    claims = {name: value for name, value in payload.items() if name not in _PROTOCOL}
    disclosable = frozenset([str(path[0]) for path in processed.disclosed if len(path) == 1]) - _PROTOCOL
    return ProcessedCredential(
        format=Format.DC_SD_JWT,
        issuer=opened.issuer,
        type=CredentialType.from_vct(opened.type_name),
        type_name=opened.type_name,
        claims=claims,
        document=payload,
        disclosable=disclosable,
        always_disclosed=frozenset(claims) - disclosable,
        holder_jwk=bound_key(payload),
        issued_at=optional_numeric_date(payload, "iat"),
        valid_from=valid_from,
        valid_until=valid_until,
        status=status.entries,
        unknown_status=status.is_unknown,
        disclosed=processed.disclosed,
    )


def present(
    held: SignedCredential | HeldCredential,
    disclose: Collection[WantedPath | str],
    holder: Signer | None,
    *,
    audience: str,
    nonce: str,
    at: datetime,
    also: Mapping[str, Any] | None = None,
) -> str:
    """Return ``held`` with only what ``disclose`` names (top-level claim names or paths), bound to this request.

    What was read already is not read again; bytes are checked to hold nothing but what belongs to the credential.
    With a ``holder`` a KB-JWT over exactly these Disclosures follows; without one the credential goes unbound and
    ``audience``, ``nonce`` and ``at`` are not used. See :func:`comity.formats.sd_jwt.disclose` for what travels along.
    ``also`` are further claims of the KB-JWT (RFC 9901 §4.3); they replace none of its own.

    Raises:
        Malformed: ``held`` is not a credential as issued, or what :func:`open_presentation` and
            :func:`comity.formats.sd_jwt.process_payload` raise.
    """
    wanted = [(path,) if isinstance(path, str) else path for path in disclose]
    if isinstance(held, HeldCredential):
        presented, payload = _disclose_read(held, wanted)
    else:
        presented, payload = _disclose_bytes(held.encoded, wanted)
    if holder is None:
        return presented
    proof = {
        **(also or {}),
        "iat": to_numeric_date(at),
        "aud": audience,
        "nonce": nonce,
        "sd_hash": sd_jwt.digest(presented, sd_jwt.hash_name(payload)),
    }
    return presented + jose.sign_under(_proof_header(holder.algorithm), proof, holder)


def _disclose_read(held: HeldCredential, wanted: Collection[WantedPath]) -> tuple[str, Mapping[str, Any]]:
    if not held.opened.is_as_issued:
        raise _not_as_issued()
    credential, chosen = held.opened.credentials[0], sd_jwt.choose(held.processed.disclosed, wanted)
    kept = [encoded for encoded in credential.disclosures if encoded in chosen]
    return sd_jwt.combine(credential.jws.encoded, kept), credential.payload


def _disclose_bytes(encoded: str, wanted: Collection[WantedPath]) -> tuple[str, Mapping[str, Any]]:
    parts = sd_jwt.parse(encoded)
    if parts.key_binding is not None:
        raise _not_as_issued()
    payload = jose.payload_object(jose.parse(parts.jwt))
    return sd_jwt.disclose(parts, payload, wanted), payload


def _not_as_issued() -> Malformed:
    return Malformed(Code.MALFORMED, "what is held is a presentation, not a credential as issued")


def check_holder_proof(
    presentation: OpenedPresentation, holder_jwk: Jwk, *, audience: str, nonce: str, at: datetime
) -> None:
    """Check the KB-JWT of ``presentation`` against the key the credential is bound to (RFC 9901 §7.3 step 5).

    ``holder_jwk`` is the one of the *processed* credential (step 5.a). Whether a proof is needed at all is for the
    caller's policy to say (step 1); one that is attached is checked in full either way (profile 2b step 2). Not
    checked: whether this nonce was used before.

    Raises:
        Malformed: ``holder_binding_missing``; ``algorithm_not_allowed``, ``type_not_allowed``, ``critical_header``;
            ``holder_signature_invalid``; ``holder_proof_malformed``, ``time_malformed``, ``holder_proof_expired``;
            ``nonce_mismatch``, ``audience_mismatch``; ``disclosures_not_bound``.
    """
    # RFC 9901 §7.3 step 2: a proof that is needed is there.
    proof = proof_of(presentation)
    # Steps 5.b and 5.d: an allowed algorithm, and the type of a KB-JWT.
    jose.require(proof.jws, typ=KEY_BINDING_TYP, context="holder_proof")
    # Step 5.c: signed by the key in the credential.
    check_signature(proof, holder_jwk)
    # Steps 5.e and 5.h: made just now, and within its own period of validity.
    check_issued_now(proof.payload, at=at)
    # Step 5.f: for this request and this verifier.
    check_addressed(proof.payload, audience=audience, nonce=nonce)
    # Step 5.g: over exactly the JWT and the Disclosures that came with it, under the hash the issuer chose.
    credential = presentation.credentials[0]
    if proof.payload.get("sd_hash") != sd_jwt.digest(credential.encoded, sd_jwt.hash_name(credential.payload)):
        raise Malformed(Code.DISCLOSURES_NOT_BOUND, "the holder's proof is over other Disclosures")


def _issuer(payload: dict[str, Any], key: KeyReference) -> str:
    """Return ``iss``; without it the certificate's one URI names the issuer (SD-JWT VC §2.2.2.2, §2.5)."""
    if "iss" in payload or not isinstance(key, X5c):
        return _text(payload, "iss")
    names = x509.uri_sans(x509.from_base64(key.chain[0]))
    if len(names) != 1:
        raise Malformed(Code.MALFORMED, "neither the credential nor its certificate names one issuer")
    return names[0]


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(Code.MALFORMED, f"the credential does not say in the clear what its {name} is")
    return value


def _check_typ(jws: jose.Jws) -> None:
    if jws.header.get("typ") != TYP:
        raise Malformed(Code.TYPE_NOT_ALLOWED, f"the token's type is not {TYP}") from None


def _check_aliases(payload: dict[str, Any]) -> None:
    """Refuse malformed ``aka_vcts`` (SD-JWT VC -18); well-formed ones are ignored: they give no authority."""
    if "aka_vcts" not in payload:
        return
    names = payload["aka_vcts"]
    if not isinstance(names, list) or not names or payload["vct"] in names:
        raise Malformed(Code.MALFORMED, "the further type names are not an array of other names")
    if not all(isinstance(name, str) for name in names):
        raise Malformed(Code.MALFORMED, "the further type names are not an array of names")
