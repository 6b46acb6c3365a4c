"""VCDM 2.0 credentials and presentations secured with JOSE, ``vc+jwt`` and ``vp+jwt`` (VC-JOSE-COSE §3.1).

No selective disclosure: a holder shows the whole credential or none of it.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from comity import did, jose, keys
from comity.credential import W3C_CONTEXT, Credential, Format, KeyReference, SignedCredential
from comity.errors import Code, Malformed
from comity.formats import vcdm
from comity.formats.holder_proof import bound_key, check_addressed, check_issued_now, check_signature, proof_of
from comity.formats.instants import (
    check_period,
    optional_numeric_date,
    start_of_day,
    to_date_time_stamp,
    to_day,
    to_numeric_date,
)
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
from comity.formats.status_entries import to_credential_status
from comity.ports import Jwk, Signer

TYP = "vc+jwt"
PRESENTATION_TYP = "vp+jwt"

_SUBJECT_MEMBERS = frozenset({"id", "type", "@context"})


def sign(credential: Credential, signer: Signer, key: KeyReference) -> SignedCredential:
    """Sign ``credential`` as a W3C credential; ``key`` tells the reader how to find the public half of ``signer``.

    ``validFrom`` and ``iat`` are rounded down to the UTC day: an exact instant would link presentations.
    ``credential.disclosable`` has no meaning here. Not checked: claims against the type's schema.

    Raises:
        Malformed: ``claims_invalid`` for claims named ``id``, ``type`` or ``@context``, or none at all;
            ``time_malformed`` for a reversed validity period.
    """
    if not credential.claims or not _SUBJECT_MEMBERS.isdisjoint(credential.claims):
        raise Malformed(Code.CLAIMS_INVALID, "there is no claim, or a claim has a name that belongs to the data model")
    check_period(credential.valid_from, credential.valid_until)
    document: dict[str, Any] = {
        "@context": [W3C_CONTEXT, credential.type.context],
        "type": ["VerifiableCredential", credential.type.w3c_type],
        "issuer": credential.issuer,
        "validFrom": to_date_time_stamp(start_of_day(credential.valid_from)),
        "credentialSubject": dict(credential.claims),
        "iat": to_day(credential.issued_at),
    }
    if credential.valid_until is not None:
        document["validUntil"] = to_date_time_stamp(credential.valid_until)
    if status := to_credential_status(credential.status):
        document["credentialStatus"] = status
    if credential.holder_jwk is not None:
        document["cnf"] = {"jwk": dict(credential.holder_jwk)}
    return SignedCredential(format=Format.VC_JWT, encoded=jose.sign({"typ": TYP, **key_header(key)}, document, signer))


def open_presentation(encoded: str) -> OpenedPresentation:
    """Read a ``vc+jwt``, or a ``vp+jwt`` with the credentials enveloped in it. Nothing is verified.

    Raises:
        Malformed: it cannot be read, or names no issuer, type or key; ``type_not_allowed`` when the reason is that it
            is another kind of token.
    """
    # Profile 2a step 1: parse the compact JWS strictly.
    jws = jose.parse(encoded)
    payload = jose.payload_object(jws)
    if jws.header.get("typ") != PRESENTATION_TYP:
        return OpenedPresentation(
            format=Format.VC_JWT, encoded=encoded, credentials=(_credential(jws, payload),), proof=None
        )
    _check_claims_absent(payload)
    # Profile 2a step 8: every credential in a presentation is read from step 1, one level deep.
    inner = [jose.parse(each) for each in vcdm.read_presentation(payload)]
    return OpenedPresentation(
        format=Format.VC_JWT,
        encoded=encoded,
        credentials=tuple(_credential(each, jose.payload_object(each)) for each in inner),
        proof=HolderProof(jws=jws, payload=payload),
    )


def check_header(opened: OpenedCredential) -> None:
    """Check algorithm, type and critical headers of the credential's JWS (profile 2a step 1).

    Raises:
        Malformed: ``algorithm_not_allowed``, ``type_not_allowed``, ``critical_header`` or ``private_key_exposed``.
    """
    jose.require(opened.jws, typ=TYP, context="credential")
    _check_content_type(opened.jws, "vc")


def process(opened: OpenedCredential) -> ProcessedCredential:
    """Check the document and read it. To be called once the issuer's signature was found good.

    Validity is that of the data and of the signature together: the later of ``validFrom`` and ``nbf``, the earlier of
    ``validUntil`` and ``exp``. Not checked: the signature, whose key it was made with, whether the period of validity
    holds now, the holder's proof, status, trust, schema.

    Raises:
        Malformed: what :func:`comity.formats.vcdm.read_credential` raises; ``issuer_mismatch``; ``time_malformed``,
            ``malformed_key``, ``audience_mismatch`` or ``malformed`` for members of the wrong form.
    """
    payload = opened.payload
    # VC-JOSE-COSE §3.1.3: the claims vc and vp of the old mapping are absent.
    _check_claims_absent(payload)
    # Profile 2a step 3, RFC 7519 §4.1: the signature's own times, as times.
    begins, expires = optional_numeric_date(payload, "nbf"), optional_numeric_date(payload, "exp")
    issued_at = optional_numeric_date(payload, "iat")
    # RFC 7519 §4.1.3: a credential made out to one audience is none for everybody else.
    if "aud" in payload:
        raise Malformed(Code.AUDIENCE_MISMATCH, "the credential itself is limited to an audience")
    # Step 4: a conforming document.
    document = vcdm.read_credential(payload)
    # Step 5, VC-JOSE-COSE §3.1.3: what header and claims repeat agrees with the document.
    _check_repeated(opened.jws.header, payload, document)
    # Step 6: one period of validity from both.
    valid_from = _one_of(max, document.valid_from, begins)
    valid_until = _one_of(min, document.valid_until, expires)
    check_period(valid_from, valid_until)
    claims = {name: value for name, value in document.subject.items() if name not in _SUBJECT_MEMBERS}
    return ProcessedCredential(
        format=Format.VC_JWT,
        issuer=document.issuer,
        type=document.type,
        type_name=opened.type_name,
        claims=claims,
        document=payload,
        disclosable=frozenset(),
        always_disclosed=frozenset(claims),
        holder_jwk=_holder_key(payload, document),
        issued_at=document.valid_from if issued_at is None else issued_at,
        valid_from=valid_from,
        valid_until=valid_until,
        status=document.status.entries,
        unknown_status=document.status.is_unknown,
    )


def present(
    held: SignedCredential | HeldCredential,
    disclose: Collection[WantedPath | str],  # noqa: ARG001 - one signature for all formats; here all is shown
    holder: Signer | None,
    *,
    audience: str,
    nonce: str,
    at: datetime,
    also: Mapping[str, Any] | None = None,
) -> str:
    """Return a ``vp+jwt`` of ``held`` by ``holder``, or ``held`` itself when there is no holder.

    The whole credential is shown, whatever ``disclose`` names: who asks for consent says so. ``also`` are further
    claims of the presentation; they replace none of its own.

    Raises:
        Malformed: ``held`` is not one credential as issued.
    """
    opened = held.opened if isinstance(held, HeldCredential) else open_presentation(held.encoded)
    if not opened.is_as_issued:
        raise Malformed(Code.MALFORMED, "what is held is a presentation, not a credential as issued")
    if holder is None:
        return opened.encoded
    presenter = did.jwk.did_of(holder.public_jwk)
    document = {**(also or {}), **vcdm.presentation([opened.encoded], presenter)}
    document |= {"iat": to_numeric_date(at), "aud": audience, "nonce": nonce}
    return jose.sign({"typ": PRESENTATION_TYP, "kid": f"{presenter}#0"}, document, holder)


def check_holder_proof(
    presentation: OpenedPresentation, holder_jwk: Jwk, *, audience: str, nonce: str, at: datetime
) -> None:
    """Check the signature of a ``vp+jwt`` against the key that a credential in it is bound to (profile 2a step 8).

    To be called with the key of *each* credential of the presentation. Not checked: whether this nonce was used before.

    Raises:
        Malformed: ``holder_binding_missing``; ``algorithm_not_allowed``, ``type_not_allowed``, ``critical_header``;
            ``holder_key_mismatch``, ``holder_signature_invalid``; ``holder_proof_malformed``, ``time_malformed``,
            ``holder_proof_expired``; ``nonce_mismatch``, ``audience_mismatch``.
    """
    # A proof that is needed is there.
    proof = proof_of(presentation)
    # Profile 2a step 1: an allowed algorithm, and the type of a presentation.
    jose.require(proof.jws, typ=PRESENTATION_TYP, context="holder_proof")
    _check_content_type(proof.jws, "vp")
    # Step 2: the key id is a hint; the key that counts is the one in the credential, and the hint must not differ.
    _check_presenter(proof, holder_jwk)
    # Step 3: the signature, then the signature's times.
    check_signature(proof, holder_jwk)
    check_issued_now(proof.payload, at=at)
    # Step 8, profile 6.6: for this request and this verifier.
    check_addressed(proof.payload, audience=audience, nonce=nonce)


def _credential(jws: jose.Jws, payload: Mapping[str, Any]) -> OpenedCredential:
    try:
        return OpenedCredential(
            format=Format.VC_JWT,
            encoded=jws.encoded,
            issuer=vcdm.issuer_id(payload),
            type_name=vcdm.type_name(payload),
            jws=jws,
            key=key_reference(jws.header),
            payload=payload,
        )
    except Malformed:
        if jws.header.get("typ") != TYP:
            raise Malformed(Code.TYPE_NOT_ALLOWED, f"the token's type is not {TYP}") from None
        raise


def _check_content_type(jws: jose.Jws, expected: str) -> None:
    if jws.header.get("cty", expected) != expected:
        raise Malformed(Code.TYPE_NOT_ALLOWED, f"the token's content type is not {expected}")


def _check_claims_absent(payload: Mapping[str, Any]) -> None:
    if "vc" in payload or "vp" in payload:
        raise Malformed(Code.MALFORMED, "the payload has a vc or vp claim of the old data model")


def _check_repeated(header: Mapping[str, Any], payload: Mapping[str, Any], document: vcdm.CredentialDocument) -> None:
    """Refuse a credential that says one thing in its JWT claims and another in its document."""
    for place in (header, payload):
        if place.get("iss", document.issuer) != document.issuer:
            raise Malformed(Code.ISSUER_MISMATCH, "the issuer in the token is not the issuer in the document")
    subject = document.subject.get("id", payload.get("sub"))
    if payload.get("sub", subject) != subject or payload.get("jti", payload.get("id")) != payload.get("id"):
        raise Malformed(Code.MALFORMED, "the token names another subject or id than the document")


def _one_of(
    choose: Callable[[datetime, datetime], datetime], one: datetime | None, other: datetime | None
) -> datetime | None:
    """Return the instant chosen from two, or the one of them that is stated."""
    if one is None or other is None:
        return one or other
    return choose(one, other)


def _holder_key(payload: Mapping[str, Any], document: vcdm.CredentialDocument) -> Jwk | None:
    """Return the key in ``cnf``, else the key that a did:jwk subject consists of."""
    key = bound_key(payload, keys.check)
    return _key_of_did(str(document.subject.get("id", ""))) if key is None else key


def _key_of_did(identifier: str) -> Jwk | None:
    """Return the key that a did:jwk consists of, or None for anything else."""
    if not identifier.startswith("did:jwk:"):
        return None
    document = did.jwk.document(did.parse(identifier))
    jwk: Jwk = document.methods[f"{document.id}#0"]["publicKeyJwk"]
    keys.public_key(jwk)
    return jwk


def _check_presenter(proof: HolderProof, holder_jwk: Jwk) -> None:
    """Refuse a presentation whose key id, holder or iss names somebody else than the key it is checked with."""
    named_did = str(proof.jws.header.get("kid", "")).partition("#")[0]
    named = _key_of_did(named_did)
    if named is not None and not _is_one_key(named, holder_jwk):
        raise Malformed(Code.HOLDER_KEY_MISMATCH, "the presentation is signed by another key than the credential's")
    payload = proof.payload
    if "holder" not in payload:
        return
    holder = vcdm.issuer_id(payload, "holder")
    held = _key_of_did(holder)
    # One key can be written as several did:jwk; of other DIDs only the text can be compared here.
    is_same = named is None or holder == named_did if held is None else _is_one_key(held, holder_jwk)
    if payload.get("iss", holder) != holder or not is_same:
        raise Malformed(Code.HOLDER_PROOF_MALFORMED, "the presentation names two different holders")


def _is_one_key(one: Jwk, other: Jwk) -> bool:
    return keys.thumbprint(one) == keys.thumbprint(other)
