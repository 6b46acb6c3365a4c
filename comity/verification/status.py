"""Check 12: what the authority says today about the credential, and how old that statement is.

Runs only when nothing failed before (Token Status List draft §8.3: a credential that is refused anyway is nobody's
reason to ask for its status). Every entry of the credential is judged; the worst answer counts. A list that could not
be had leaves the answer unknown; a list that is wrong (signature, subject, length, index) fails, never softly.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct

from comity import jose
from comity.credential import Kid, Status, StatusEntry, X5c
from comity.errors import Code, Malformed
from comity.formats.opened import ProcessedCredential
from comity.keys import PublicKey
from comity.status import bitstring_list, token_list
from comity.status.status_list import OpenedStatusList, StatusList
from comity.trust.snapshot import IssuerEntry, StatusSigner
from comity.verification.checks import Check, CheckName, Outcome, failed, not_run, passed, unknown
from comity.verification.credential import CLOCK_SKEW
from comity.verification.evidence import Evidence, Need, NeedKind, NotObtained, Obtained, Source
from comity.verification.issuer_key import certified_key, document_need, pinned_key

TOKEN_LIST_TYPE = "application/statuslist+jwt"
BITSTRING_LIST_TYPE = "application/vc+jwt"
_LISTS_KEPT = 64

SHORTEST_TTL_SECONDS, LONGEST_TTL_SECONDS = 60, 24 * 3600
"""Bounds within which a list's own ttl is believed (TSL §11.5; profile TSL-6)."""


class StatusDemand(Struct, frozen=True, kw_only=True):
    """How fresh a status must be.

    Attributes:
        max_age_seconds: an older list is re-validated first; None leaves it to the list's ttl.
        accept_stale: whether a list past its ttl but before its end, whose host does not answer, may still be used
            (profile 3.4); False makes the answer unknown.
    """

    max_age_seconds: int | None = None
    accept_stale: bool = True


def needs_of(processed: ProcessedCredential, entry: IssuerEntry, demand: StatusDemand) -> tuple[Need, ...]:
    """Return the documents that :func:`judge` needs: each list once, and DID documents of their signers."""
    wanted: dict[str, Need] = {}
    for status in processed.status:
        signer = _signer_of(status, entry)
        if signer is None:
            continue  # `judge` refuses the list; nothing is fetched from an address nobody vouches for
        accept = TOKEN_LIST_TYPE if status.purpose is None else BITSTRING_LIST_TYPE
        wanted[status.list_uri] = Need(
            url=status.list_uri,
            kind=NeedKind.STATUS_LIST,
            accept=(accept,),
            max_age_seconds=demand.max_age_seconds,
        )
        document = document_need(signer.id) if signer.mechanism == "did" else None
        if document:
            wanted[document.url] = document
    return tuple(wanted.values())


def judge(
    processed: ProcessedCredential, entry: IssuerEntry, evidence: Evidence, demand: StatusDemand, at: datetime
) -> Check:
    """Return check 12 over every status entry of the credential."""
    if not processed.status:
        if processed.unknown_status:
            return unknown(CheckName.STATUS, Code.STATUS_MECHANISM_UNKNOWN, "its status is kept in an unknown way")
        return unknown(CheckName.STATUS, Code.STATUS_MISSING, "the credential does not say where its status stands")
    answers = [_judge_entry(status, entry, evidence, demand, at) for status in processed.status]
    if processed.unknown_status:
        answers.append(unknown(CheckName.STATUS, Code.STATUS_MECHANISM_UNKNOWN, "part of its status is unreadable"))
    worst = min(answers, key=_severity)
    facts: dict[str, list[Any]] = {"lists": [], "unfit": []}
    for answer in answers:
        for kind, told in answer.facts.items():
            facts[kind] += told
    return Check(name=worst.name, outcome=worst.outcome, code=worst.code, detail=worst.detail, facts=facts)


def not_needed() -> Check:
    """Return check 12 for a credential that is already refused."""
    return not_run(CheckName.STATUS, Code.NOT_NEEDED, "already refused, so nobody's status was asked", required=False)


def _severity(check: Check) -> tuple[int, int]:
    """Order answers worst first: failed (revoked before the rest), unknown, passed with a remark, passed."""
    return _BY_OUTCOME[check.outcome], _BY_CODE.get(check.code, 2)


_BY_OUTCOME = {Outcome.FAILED: 0, Outcome.UNKNOWN: 1, Outcome.NOT_RUN: 2, Outcome.PASSED: 3}
_BY_CODE = {Code.REVOKED: 0, Code.SUSPENDED: 1, Code.STATUS_STALE: 0, Code.STATUS_FROM_CACHE: 1, Code.OK: 3}


def _judge_entry(
    status: StatusEntry, entry: IssuerEntry, evidence: Evidence, demand: StatusDemand, at: datetime
) -> Check:
    """Judge one entry (TSL §8.3; Bitstring Status List §3.2 "Validate Algorithm").

    The address of a list that is wrong or has ended is told under ``unfit``: its copy is worth nothing to anybody.
    """
    # TSL-4 / BSL-3 step 1: the list itself. A failure makes no statement.
    signer = _signer_of(status, entry)
    if signer is None:
        detail = "nobody vouches for the list that the credential names"
        return failed(CheckName.STATUS, Code.STATUS_LIST_UNTRUSTED, detail)
    obtained = evidence.get(status.list_uri)
    if not isinstance(obtained, Obtained):
        return _unavailable(obtained)
    document = evidence.get(need.url) if (need := _document_of(signer)) else None
    if need and not isinstance(document, Obtained):
        return _unavailable(document)
    # TSL-4 / BSL-3 steps 2 to 6: signature by a vouched-for key, subject, end, length, range.
    try:
        listed = _verified_list(status, signer, obtained, document, at)
        meaning = listed.status_of(status)
    except Malformed as error:
        return failed(CheckName.STATUS, error.code, error.detail, unfit=[status.list_uri])
    told = {"lists": [_fact(listed, obtained)]}
    outdated = _outdated(listed, obtained, at, told)
    if outdated:
        return outdated
    remark = _remark(listed, obtained, at)
    if remark is Code.STATUS_STALE and not demand.accept_stale:
        return unknown(CheckName.STATUS, remark, "the list is older than the policy accepts", **told)
    # TSL-4 / BSL-3 step 7: the value.
    return _meaning(meaning, remark, told)


def _outdated(listed: StatusList, obtained: Obtained, at: datetime, told: dict[str, Any]) -> Check | None:
    """Return why the age of a list that is otherwise good forbids to rely on it, whatever the policy, or None."""
    if listed.issued_at - CLOCK_SKEW > at:
        # Never told under `lists`: remembered, it would make every honest list look rolled back.
        detail = "the list is dated in the future"
        return failed(CheckName.STATUS, Code.STATUS_LIST_INVALID, detail, unfit=[listed.uri])
    if obtained.newest_issued_at is not None and listed.issued_at < obtained.newest_issued_at:
        detail = "the list is older than one seen before"
        return failed(CheckName.STATUS, Code.STATUS_LIST_ROLLED_BACK, detail, **told, unfit=[listed.uri])
    # Profile 3.4: how old may the statement be?
    if listed.expires_at is not None and listed.expires_at <= at - CLOCK_SKEW:
        detail = "the only list at hand has ended"
        return unknown(CheckName.STATUS, Code.STATUS_UNAVAILABLE, detail, **told, unfit=[listed.uri])
    return None


def _meaning(meaning: Status, remark: Code, facts: dict[str, Any]) -> Check:
    """Say what the authority's value means for the credential."""
    if meaning is Status.REVOKED:
        return failed(CheckName.STATUS, Code.REVOKED, "the authority has revoked the credential", **facts)
    if meaning is Status.SUSPENDED:
        return failed(CheckName.STATUS, Code.SUSPENDED, "the authority has suspended the credential", **facts)
    return passed(CheckName.STATUS, remark, _REMARKS[remark], **facts)


_REMARKS = {
    Code.OK: "",
    Code.STATUS_FROM_CACHE: "the list's host did not answer; a copy that is still fresh was used",
    Code.STATUS_STALE: "the list's host did not answer; a copy past its refresh time was used",
}


def _remark(listed: StatusList, obtained: Obtained, at: datetime) -> Code:
    """Return OK, or what must be said about the age of the copy that was used."""
    stated = LONGEST_TTL_SECONDS if listed.ttl_seconds is None else listed.ttl_seconds
    ttl = min(max(stated, SHORTEST_TTL_SECONDS), LONGEST_TTL_SECONDS)
    if at > obtained.fetched_at + timedelta(0, ttl):
        return Code.STATUS_STALE
    return Code.STATUS_FROM_CACHE if obtained.source is Source.CACHED_HOST_DOWN else Code.OK


def _verified_list(
    status: StatusEntry, signer: StatusSigner, obtained: Obtained, document: Obtained | NotObtained | None, at: datetime
) -> StatusList:
    """Return the decoded list after its signature was verified with the key of a signer that the registry names."""
    opened = _open(status.purpose, obtained.body)
    key = _signer_key(opened, signer, document.body if isinstance(document, Obtained) else None, at)
    return _decoded(status.purpose, obtained.body, _Known(key))


class _Known:
    """A key as part of what a result is kept by: ``cryptography`` compares its keys, but gives them no hash."""

    __slots__ = ("key",)

    def __init__(self, key: PublicKey) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and (self.key is other.key or self.key == other.key)

    def __hash__(self) -> int:
        return 0  # what stands beside it tells the results apart


@lru_cache(maxsize=_LISTS_KEPT)
def _open(purpose: str | None, body: bytes) -> OpenedStatusList:
    try:
        token = body.decode("ascii")
    except UnicodeDecodeError:
        raise Malformed(Code.STATUS_LIST_INVALID, "the status list is not a signed token") from None
    return token_list.open(token) if purpose is None else bitstring_list.open(token)


@lru_cache(maxsize=_LISTS_KEPT)
def _decoded(purpose: str | None, body: bytes, signer: _Known) -> StatusList:
    """Verify and inflate once per list and key: the decoded list is what makes a status look-up cost nothing.

    Everything that depends on time (chain, end, age) is judged by the caller on every use.
    """
    opened = _open(purpose, body)
    jose.verify(opened.jws, signer.key)
    return token_list.decode(opened) if purpose is None else bitstring_list.decode(opened)


def _signer_key(opened: OpenedStatusList, signer: StatusSigner, document: bytes | None, at: datetime) -> PublicKey:
    if signer.mechanism == "x5c":
        if not isinstance(opened.key, X5c):
            raise Malformed(Code.STATUS_LIST_UNTRUSTED, "the list's signer is known by its certificate")
        return certified_key(opened.key, anchor=signer.anchor, name=signer.uri_prefix, at=at)
    if not isinstance(opened.key, Kid) or opened.key.did_url.partition("#")[0] != signer.id:
        raise Malformed(Code.STATUS_LIST_UNTRUSTED, "the list is signed by another than its signer")
    # VC-JOSE-COSE §3.1.3, profile 2a step 5: the key's controller is the issuer that the list names.
    if opened.issuer not in (None, signer.id):
        raise Malformed(Code.STATUS_LIST_UNTRUSTED, "the list names another issuer than its signer")
    return pinned_key(opened.key, document, pins=signer.key_thumbprints, at=at)


def _signer_of(status: StatusEntry, entry: IssuerEntry) -> StatusSigner | None:
    """Return the signer that the *issuer's own* registry entry names for this list, or None."""
    kind = "statuslist+jwt" if status.purpose is None else "vc+jwt"
    for signer in entry.status_signers:
        if signer.format == kind and status.list_uri.startswith(signer.uri_prefix.rstrip("/") + "/"):
            return signer
    return None


def _document_of(signer: StatusSigner) -> Need | None:
    return document_need(signer.id) if signer.mechanism == "did" else None


def _unavailable(failure: NotObtained | None) -> Check:
    detail = failure.detail if failure else "the status list could not be fetched"
    return unknown(CheckName.STATUS, Code.STATUS_UNAVAILABLE, detail)


def _fact(listed: StatusList, obtained: Obtained) -> dict[str, Any]:
    return {
        "uri": listed.uri,
        "issued_at": listed.issued_at.isoformat(),
        "ttl_seconds": listed.ttl_seconds,
        "fetched_at": obtained.fetched_at.isoformat(),
        "source": obtained.source.value,
    }


class SeenList(Struct, frozen=True, kw_only=True):
    """A list whose signature was verified, for the cache to remember against roll-back."""

    uri: str
    issued_at: datetime
    ttl_seconds: int | None


def lists_seen(checks: Sequence[Check]) -> tuple[SeenList, ...]:
    """Return the lists on which check 12 rests, wherever it is found among ``checks``."""
    facts = [fact for check in checks if check.name is CheckName.STATUS for fact in check.facts.get("lists", ())]
    return tuple(
        SeenList(uri=f["uri"], issued_at=datetime.fromisoformat(f["issued_at"]), ttl_seconds=f["ttl_seconds"])
        for f in facts
    )


def lists_unfit(checks: Sequence[Check]) -> tuple[str, ...]:
    """Return the addresses whose copies turned out wrong or ended, wherever check 12 is found among ``checks``."""
    return tuple(uri for check in checks if check.name is CheckName.STATUS for uri in check.facts.get("unfit", ()))
