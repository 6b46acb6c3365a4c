"""Checks 1 to 9 on one credential, offline but for a DID document.

The order is the documentation (``docs/decisions/0004``): 1 well-formed · 2 allowed algorithm and type · 3 issuer key
found · 4 signature · 5 validity period · 6 holder binding, audience, nonce · 7 issuer accredited for this type ·
8 recognised in the place where it is relied on · 9 schema. A failure in 1–4 stops; 5–9 all run and are all told.

The classic hole of this field is to check one name and another key: here the key of step 3 comes from the registry
entry that step 7 judges, and from nowhere else.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct, field

import schemas
from comity import formats, jose, keys, trust
from comity.credential import CredentialType
from comity.errors import Code, ComityError, Malformed
from comity.formats.opened import OpenedCredential, OpenedPresentation, ProcessedCredential
from comity.ports import Jwk
from comity.record import Discreet
from comity.trust.decision import Answer, Decision
from comity.trust.snapshot import IssuerEntry, RegistrySnapshot
from comity.verification.checks import (
    ORDER,
    Check,
    CheckName,
    CredentialResult,
    Outcome,
    failed,
    failure_of,
    not_run,
    passed,
    unknown,
)
from comity.verification.evidence import Evidence, Need, Obtained
from comity.verification.issuer_key import authority_key_ids, document_needed, issuer_key

CLOCK_SKEW = timedelta(seconds=60)
"""Tolerance of every comparison with the clock (profile C7)."""


class HolderDemand(Struct, frozen=True, kw_only=True):
    """The proof of possession that is expected.

    Attributes:
        audience: the verifier's full client identifier, or ``origin:…``.
        nonce: the nonce of this request.
        required: False when the query waives holder binding; a proof that comes all the same is verified in full.
    """

    audience: str
    nonce: str
    required: bool = True


class Demand(Struct, frozen=True, kw_only=True):
    """What the relying side insists on.

    Attributes:
        at: the instant of verification.
        place: ISO 3166-2:CA code of the place of use; None when nobody relies on it in a place (a wallet keeping it).
        holder: the proof of possession expected; None judges the credential as *held*.
        purpose: what it is relied on for, as the rules of the place name purposes; None when that is not said.
    """

    at: datetime
    place: str | None
    holder: HolderDemand | None
    purpose: str | None = None


class Prepared(Struct, frozen=True, kw_only=True):
    """A credential after checks 1 and 2 and the registry look-up of check 3.

    ``document`` is the DID document wanted before :func:`examine` can go on, or None.
    """

    query_id: str
    presentation: OpenedPresentation | None = None
    entry: IssuerEntry | None = None
    checks: tuple[Check, ...] = ()
    document: Need | None = None

    @property
    def opened(self) -> OpenedCredential:
        """The one credential of the presentation; only valid when nothing stopped earlier."""
        assert self.presentation is not None  # noqa: S101  # `prepare` stops before this is None
        return self.presentation.credentials[0]


class Examined(Discreet, frozen=True, kw_only=True):
    """A credential after checks 1 to 9.

    Attributes:
        checks: in order; complete for 1–9 unless one of 1–4 stopped.
        processed: the processed credential, None when stopped.
        entry: the registry entry of the issuer whose key verified the signature.
        about: facts for the record.
        authority_key_ids: base64url key identifiers of the authorities in its certificate chain (DCQL ``aki``).
        proof_claims: what the holder's proof says; empty without one. Check 6 says whether the proof is good.
    """

    UNPRINTED = frozenset({"proof_claims"})

    query_id: str
    format: str = ""
    issuer: str = ""
    credential_type: str = ""
    checks: tuple[Check, ...]
    processed: ProcessedCredential | None = None
    entry: IssuerEntry | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    authority_key_ids: tuple[str, ...] = ()
    proof_claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_failed(self) -> bool:
        """Whether any check so far failed."""
        return Outcome.FAILED in {check.outcome for check in self.checks}

    def result(self, status: Check) -> CredentialResult:
        """Return the result with the outcome of check 12."""
        return CredentialResult(
            query_id=self.query_id,
            format=self.format,
            issuer=self.issuer,
            credential_type=self.credential_type,
            checks=(*self.checks, status),
            disclosed=self.processed.claims if self.processed else {},
            about=self.about,
        )


def prepare(
    encoded: str, *, snapshot: RegistrySnapshot, at: datetime, query_id: str = "", expected_format: str = ""
) -> Prepared:
    """Run checks 1 and 2 and look the issuer up.

    Args:
        encoded: the credential or presentation as received.
        snapshot: the registry as last verified.
        at: the instant of verification.
        query_id: the DCQL credential id that it answers.
        expected_format: credential format that the query asked for; the empty string finds it out from the bytes.
    """
    # Check 1: well-formed. Nothing in it is believed yet.
    try:
        name = expected_format or formats.of(encoded)
        if name not in formats.FORMATS:
            raise Malformed(Code.FORMAT_UNKNOWN, "the query asks for a format that is not known here")
        presentation = formats.FORMATS[name].open(encoded)
        if len(presentation.credentials) != 1:
            raise Malformed(Code.CREDENTIAL_NOT_REQUESTED, "a presentation must carry exactly one credential here")
    except Malformed as error:
        return Prepared(query_id=query_id, checks=(failure_of(CheckName.WELL_FORMED, error),))
    opened = presentation.credentials[0]
    checks = [passed(CheckName.WELL_FORMED)]
    # Check 2: the algorithm and the token type come from our allow-list, not from the token.
    try:
        formats.FORMATS[presentation.format].check_header(opened)
    except Malformed as error:
        checks.append(failure_of(CheckName.ALGORITHM_AND_TYPE, error))
        return Prepared(query_id=query_id, presentation=presentation, checks=tuple(checks))
    checks.append(passed(CheckName.ALGORITHM_AND_TYPE))
    # Check 3, first half: the registry is asked before anything else, offline. An unknown issuer costs no fetch.
    entry = snapshot.find_issuer(opened.issuer, opened.format)
    if entry is None and snapshot.is_expired_at(at):
        detail = "the registry has expired, and what is left of it does not name this issuer"
        checks.append(unknown(CheckName.ISSUER_KEY, Code.REGISTRY_EXPIRED, detail))
        return Prepared(query_id=query_id, presentation=presentation, checks=tuple(checks))
    if entry is None:
        checks.append(failed(CheckName.ISSUER_KEY, Code.ISSUER_UNKNOWN, "no registry document names this issuer"))
        return Prepared(query_id=query_id, presentation=presentation, checks=tuple(checks))
    try:
        document = document_needed(opened, entry)
    except Malformed as error:
        checks.append(failure_of(CheckName.ISSUER_KEY, error))
        return Prepared(query_id=query_id, presentation=presentation, checks=tuple(checks))
    return Prepared(query_id=query_id, presentation=presentation, entry=entry, checks=tuple(checks), document=document)


def examine(prepared: Prepared, *, demand: Demand, snapshot: RegistrySnapshot, evidence: Evidence) -> Examined:
    """Run the second half of check 3, and checks 4 to 9.

    ``evidence`` holds the document that ``prepared`` wanted, or the reason why it could not be had.
    """
    if prepared.entry is None or prepared.presentation is None:
        return _stopped(prepared, prepared.checks)
    opened, checks = prepared.opened, list(prepared.checks)
    # Check 3, second half: the key, by the one mechanism that the entry names for this format.
    wanted = evidence.get(prepared.document.url) if prepared.document else None
    if prepared.document and not isinstance(wanted, Obtained):
        detail = "the issuer's key document could not be fetched"
        checks.append(unknown(CheckName.ISSUER_KEY, Code.DID_UNRESOLVED, detail))
        return _stopped(prepared, tuple(checks))
    try:
        key = issuer_key(opened, prepared.entry, wanted.body if isinstance(wanted, Obtained) else None, demand.at)
    except ComityError as error:
        checks.append(failure_of(CheckName.ISSUER_KEY, error))
        return _stopped(prepared, tuple(checks))
    checks.append(passed(CheckName.ISSUER_KEY, mechanism=prepared.entry.identifier.mechanism))
    # Check 4: the signature, and what only a verified payload may be asked: its disclosures and its claims.
    try:
        jose.verify(opened.jws, key)
    except Malformed as error:
        checks.append(failure_of(CheckName.SIGNATURE, error))
        return _stopped(prepared, tuple(checks))
    checks.append(passed(CheckName.SIGNATURE))
    try:
        processed = formats.FORMATS[opened.format].process(opened)
    except Malformed as error:
        checks[0] = failure_of(CheckName.WELL_FORMED, error)
        return _stopped(prepared, tuple(checks))
    return Examined(
        query_id=prepared.query_id,
        format=opened.format,
        issuer=opened.issuer,
        credential_type=processed.type_name,
        checks=(*checks, *_told_together(prepared, processed, demand, snapshot)),
        processed=processed,
        entry=prepared.entry,
        about=_about(prepared.entry, processed),
        authority_key_ids=authority_key_ids(opened.key),
        proof_claims=prepared.presentation.proof.payload if prepared.presentation.proof else {},
    )


def _told_together(
    prepared: Prepared, processed: ProcessedCredential, demand: Demand, snapshot: RegistrySnapshot
) -> list[Check]:
    """Run checks 5 to 9; each is told whatever the others say."""
    entry = prepared.entry
    assert entry is not None  # noqa: S101  # `examine` stopped otherwise
    return [
        _validity_period(processed, demand.at),
        _holder_binding(prepared, processed, demand),
        _accredited(entry, processed, demand.at, snapshot),
        _recognised(entry, processed, demand, snapshot),
        _schema(processed, snapshot),
    ]


def _validity_period(processed: ProcessedCredential, at: datetime) -> Check:
    """Check 5, on instants and with the one clock skew."""
    name = CheckName.VALIDITY_PERIOD
    facts: dict[str, Any] = {"valid_from": _iso(processed.valid_from), "valid_until": _iso(processed.valid_until)}
    if processed.valid_until is not None and processed.valid_until <= at - CLOCK_SKEW:
        return failed(name, Code.EXPIRED, "the credential's validity has ended", **facts)
    begun, issued, latest = processed.valid_from, processed.issued_at, at + CLOCK_SKEW
    if (begun is not None and begun > latest) or (issued is not None and issued > latest):
        return failed(name, Code.NOT_YET_VALID, "the credential's validity has not begun", **facts)
    return passed(name, **facts)


def _holder_binding(prepared: Prepared, processed: ProcessedCredential, demand: Demand) -> Check:
    """Check 6. Whether a proof is needed is the relying side's decision, never the sender's (RFC 9901 §7.3 step 1)."""
    name, holder = CheckName.HOLDER_BINDING, demand.holder
    presentation = prepared.presentation
    assert presentation is not None  # noqa: S101  # `examine` stopped otherwise
    if holder is None:
        return not_run(name, Code.HELD_WITHOUT_PROOF, "no proof of possession was asked for", required=False)
    if presentation.proof is None:
        if holder.required:
            return failed(name, Code.HOLDER_BINDING_MISSING, "the proof of possession is missing")
        return not_run(name, Code.NOT_REQUIRED, "the request waives proof of possession", required=False)
    if processed.holder_jwk is None:
        return failed(name, Code.HOLDER_BINDING_MISSING, "the credential is not bound to a holder key")
    try:
        formats.FORMATS[processed.format].check_holder_proof(
            presentation, processed.holder_jwk, audience=holder.audience, nonce=holder.nonce, at=demand.at
        )
    except Malformed as error:
        return failure_of(name, error)
    return passed(name)


def _accredited(entry: IssuerEntry, processed: ProcessedCredential, at: datetime, snapshot: RegistrySnapshot) -> Check:
    """Check 7: this issuer, this type, on the stated issue day and now."""
    name = CheckName.ISSUER_ACCREDITED
    if processed.type is None:
        return failed(name, Code.CREDENTIAL_TYPE_UNKNOWN, "the credential's type is not one of the federation's")
    issued_on: date | None = processed.issued_at.date() if processed.issued_at else None
    return _as_check(name, trust.may_issue(snapshot, entry, processed.type, issued_on=issued_on, at=at))


def _recognised(
    entry: IssuerEntry, processed: ProcessedCredential, demand: Demand, snapshot: RegistrySnapshot
) -> Check:
    """Check 8: does the place of use recognise this type from that jurisdiction?"""
    name = CheckName.RECOGNISED_IN_PLACE
    if demand.place is None:
        return not_run(name, Code.NOT_REQUIRED, "nobody relies on it in a place now", required=False)
    if processed.type is None:
        return failed(name, Code.CREDENTIAL_TYPE_UNKNOWN, "the credential's type is not one of the federation's")
    decision = trust.recognises(
        snapshot, demand.place, entry.jurisdiction, processed.type, at=demand.at, purpose=demand.purpose
    )
    return _as_check(name, decision)


def _schema(processed: ProcessedCredential, snapshot: RegistrySnapshot) -> Check:
    """Check 9: the claims that were disclosed fit the type's schema, and our copy of the type is the registry's."""
    name, credential_type = CheckName.SCHEMA, processed.type
    if credential_type is None or (credential_type.slug, credential_type.version) not in schemas.all_types():
        return failed(name, Code.CREDENTIAL_TYPE_UNKNOWN, "there is no schema for the credential's type")
    if not snapshot.once(_is_our_copy, credential_type.slug, credential_type.version):
        return unknown(name, Code.CREDENTIAL_TYPE_UNKNOWN, "the registry does not state this type as we hold it")
    violations = schemas.violations(credential_type.slug, credential_type.version, processed.claims, partial=True)
    if violations:
        return failed(name, Code.SCHEMA_VIOLATED, "claims do not fit the type's schema", at=list(violations))
    return passed(name)


def _is_our_copy(snapshot: RegistrySnapshot, slug: str, version: int) -> bool:
    """Return whether the federation states for this type the digest of our copy: silence is not consent."""
    credential_type = CredentialType(slug=slug, version=version)
    return snapshot.type_digest(credential_type.vct) == schemas.digest(credential_type.slug, credential_type.version)


_OUTCOMES = {answer: Outcome(answer) for answer in Answer}


def _as_check(name: CheckName, decision: Decision) -> Check:
    """Return a trust decision as a check with the chain that it rests on."""
    return Check(
        name=name,
        outcome=_OUTCOMES[decision.answer],
        code=decision.code,
        detail=decision.detail,
        facts=decision.facts,
    )


def _stopped(prepared: Prepared, checks: tuple[Check, ...]) -> Examined:
    """Return the examination ended by its last check; the rest of 1–9 is told as not run."""
    present = {check.name for check in checks}
    rest = [
        not_run(name, Code.STOPPED_EARLIER, required=True)
        for name in ORDER[: ORDER.index(CheckName.SCHEMA) + 1]
        if name not in present
    ]
    opened = prepared.presentation.credentials[0] if prepared.presentation else None
    return Examined(
        query_id=prepared.query_id,
        format=opened.format if opened else "",
        issuer=opened.issuer if opened else "",
        credential_type=opened.type_name if opened else "",
        checks=(*checks, *rest),
    )


def _about(entry: IssuerEntry, processed: ProcessedCredential) -> dict[str, Any]:
    """Return facts for the record; nothing in it is a claim about the subject."""
    return {
        "authority": entry.authority,
        "jurisdiction": entry.jurisdiction,
        "issuer_name": dict(entry.name),
        "issued_on": processed.issued_at.date().isoformat() if processed.issued_at else None,
        "holder_key": _thumbprint(processed.holder_jwk),
    }


def _thumbprint(jwk: Jwk | None) -> str | None:
    return keys.thumbprint(jwk) if jwk is not None else None


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None
