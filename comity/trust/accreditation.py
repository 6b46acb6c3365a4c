"""May this issuer issue this type? Check 7 of a verification."""

from datetime import date, datetime
from functools import lru_cache

from comity.credential import CredentialType
from comity.errors import Code
from comity.trust.decision import Chain, Decision, day_of, expired_at, outside_membership, span, type_id
from comity.trust.entries import COMPROMISED, Accreditation
from comity.trust.placement import FEDERATION, document_of
from comity.trust.places import levels_of
from comity.trust.snapshot import IssuerEntry, RegistrySnapshot


def may_issue(
    snapshot: RegistrySnapshot,
    entry: IssuerEntry,
    credential_type: CredentialType,
    *,
    issued_on: date | None,
    at: datetime,
) -> Decision:
    """Say whether ``entry`` may issue ``credential_type`` (check 7, profile TR-1).

    Passed when it was accredited on the stated issue day and now either is accredited or was withdrawn with effect
    ``keep`` (then ``withdrawn_keeps_effect``). A credential issued on the day of withdrawal counts as issued before;
    the withdrawal itself holds from the start of that day. A compromised key loses everything it can have signed: every
    issue day up to that of the withdrawal, also those of an earlier accreditation, since whoever has it writes any day.

    An accreditation counts only while every level above, from the federation down, has the type in the scope that it
    passes on, and while its jurisdiction is a member. The issue day is as stated by the issuer; that it is true is NOT
    checked, and cannot be.

    Args:
        snapshot: the registry.
        entry: the issuer, from the same snapshot.
        credential_type: what it issued.
        issued_on: the UTC day of issue that the credential states; None when it states none (UNKNOWN, unless the answer
            does not depend on it).
        at: the instant of the question.
    """
    expired = expired_at(snapshot, at, _documents_of(entry.jurisdiction))
    if expired:
        return expired
    return snapshot.once(_may_issue_on, entry, type_id(credential_type), issued_on, day_of(at))


def _may_issue_on(
    snapshot: RegistrySnapshot, entry: IssuerEntry, wanted: str, issued_on: date | None, today: date
) -> Decision:
    """Answer for a day on which nothing asked has ended."""
    chain = Chain(snapshot)
    refused = outside_membership(chain, entry.jurisdiction, issued_on, today)
    if refused:
        return refused
    accreditations = [each for each in entry.accreditations if each.type == wanted]
    if not accreditations:
        chain.add(entry.document, f"{entry.authority} is not accredited for {wanted}")
        return chain.fail(Code.NOT_ACCREDITED_FOR_TYPE, f"{entry.authority} is not accredited for {wanted}")
    refused = _outside_scope(chain, entry.jurisdiction, wanted, today)
    if refused:
        return refused
    for accreditation in accreditations:
        chain.add(entry.document, f"{entry.authority}: {_told(accreditation)}")
    return _judge_issue_day(chain, entry, accreditations, issued_on, today)


@lru_cache
def _documents_of(jurisdiction: str) -> tuple[str, ...]:
    """Return the names of the documents that the answer rests on, from the federation's down."""
    return (FEDERATION, *(document_of(level, "issuers") for level in levels_of(jurisdiction)))


def _outside_scope(chain: Chain, jurisdiction: str, wanted: str, today: date) -> Decision | None:
    """Return the refusal when a level from the federation down does not pass the type on."""
    if chain.snapshot.federation.type_record(wanted) is None:
        chain.add(FEDERATION, f"there is no type {wanted}")
        return chain.fail(Code.NOT_ACCREDITED_FOR_TYPE, f"the federation has no type {wanted}")
    giver, document = "federation", FEDERATION
    for level in levels_of(jurisdiction):
        grants = [each for each in chain.snapshot.grants_of(giver) if each.to == level and wanted in each.types]
        told = f"{giver} {'lets' if grants else 'does not let'} {level} issue {wanted}"
        ends = [each.until for each in grants if each.until is not None]
        if grants and len(ends) == len(grants):
            told += f" until {max(ends)}"
        chain.add(document, told)
        if not any(each.covers(level, wanted, today) for each in grants):
            return chain.fail(Code.NOT_ACCREDITED_FOR_TYPE, told)
        giver, document = level, document_of(level, "issuers")
    return None


def _judge_issue_day(
    chain: Chain, entry: IssuerEntry, accreditations: list[Accreditation], issued_on: date | None, today: date
) -> Decision:
    """Judge the accreditations for the type; the best answer counts, except within reach of a compromise."""
    compromised = [each for each in accreditations if each.reason == COMPROMISED]
    if any(issued_on is None or each.is_within_reach(issued_on) for each in compromised):
        return chain.fail(Code.ISSUER_WITHDRAWN, f"{entry.authority} was withdrawn because its key was compromised")
    if issued_on is None:
        lost = [each for each in accreditations if _is_lost(each, today)]
        if len(lost) == len(accreditations):
            return chain.fail(Code.ISSUER_WITHDRAWN, f"{entry.authority} was withdrawn; what it issued lost its effect")
        return chain.unknown(Code.ISSUE_DAY_UNKNOWN, "the credential does not state the day of its issue")
    answers = [_judge(chain, entry.authority, each, issued_on, today) for each in accreditations]
    return min(answers, key=lambda decision: _BEST_FIRST.index(decision.code))


_BEST_FIRST = (
    Code.OK,
    Code.WITHDRAWN_KEEPS_EFFECT,
    Code.ISSUER_WITHDRAWN,
    Code.NOT_ACCREDITED_ON_ISSUE_DAY,
    Code.NOT_ACCREDITED_FOR_TYPE,
)


def _judge(chain: Chain, authority: str, accreditation: Accreditation, issued_on: date, today: date) -> Decision:
    """Judge one accreditation for the type."""
    stated = f"the issue day {issued_on} is as stated by the issuer"
    if _is_lost(accreditation, today):
        detail = f"{authority} was withdrawn on {accreditation.withdrawn_at}; what it issued lost its effect"
        return chain.fail(Code.ISSUER_WITHDRAWN, detail)
    if not accreditation.covers_issue_on(issued_on):
        detail = f"{authority} was not accredited for {accreditation.type} on the issue day; {stated}"
        return chain.fail(Code.NOT_ACCREDITED_ON_ISSUE_DAY, detail)
    if accreditation.withdrawn_at is not None and accreditation.withdrawn_at <= today:
        detail = f"{authority} was withdrawn on {accreditation.withdrawn_at}; what it issued before keeps its effect"
        return chain.passed(Code.WITHDRAWN_KEEPS_EFFECT, f"{detail}; {stated}")
    if today < accreditation.since:
        detail = f"{authority} becomes accredited for {accreditation.type} on {accreditation.since}"
        return chain.fail(Code.NOT_ACCREDITED_FOR_TYPE, detail)
    if accreditation.until is not None and today > accreditation.until:
        detail = f"the accreditation of {authority} for {accreditation.type} ended on {accreditation.until}"
        return chain.fail(Code.NOT_ACCREDITED_FOR_TYPE, detail)
    return chain.passed(Code.OK, f"{authority} is accredited for {accreditation.type}; {stated}")


def _is_lost(accreditation: Accreditation, today: date) -> bool:
    """Say whether the withdrawal took effect away from what was issued before; a compromise does so at once."""
    if accreditation.withdrawn_at is None:
        return False
    if accreditation.reason == COMPROMISED:
        return True
    return accreditation.effect == "lose" and accreditation.withdrawn_at <= today


def _told(accreditation: Accreditation) -> str:
    told = f"accredited for {accreditation.type} {span(accreditation.since, accreditation.until)}"
    if accreditation.withdrawn_at is None:
        return told
    return f"{told}, withdrawn on {accreditation.withdrawn_at} ({accreditation.effect}, {accreditation.reason})"
