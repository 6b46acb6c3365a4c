"""What an answer of the registry is: an outcome with its reason and the chain of documents that it rests on.

The three questions: :func:`comity.trust.accreditation.may_issue` — may this issuer issue this type? ·
:func:`comity.trust.recognition.recognises` — does the place where it is shown give effect to it? ·
:func:`comity.trust.entitlement.may_ask` — may this verifier ask for that?

Pure functions of (snapshot, instant): the same snapshot asked about a day of the past gives that day's answer. Days are
whole UTC days. What has expired is not an answer: the outcome is then UNKNOWN, never a yes (profile TR-2).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from comity.credential import CredentialType
from comity.errors import Code
from comity.trust.placement import FEDERATION
from comity.trust.places import levels_of, top_of
from comity.trust.snapshot import RegistrySnapshot


class Answer(StrEnum):
    """What a question came to; the values are those of ``comity.verification.checks.Outcome``."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ChainLink(Struct, frozen=True, kw_only=True):
    """One document that an answer rests on: its name, its version, and what it says (with its dates)."""

    document: str
    version: int
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An answer with its reason; ``chain`` starts with the registry's own dates and goes from the federation down.

    ``facts`` is the same chain as a check tells it, to be read only.
    """

    answer: Answer
    code: Code
    chain: tuple[ChainLink, ...]
    detail: str
    facts: Mapping[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chain = [{"document": link.document, "version": link.version, "says": link.says} for link in self.chain]
        object.__setattr__(self, "facts", MappingProxyType({"chain": chain}))


def type_id(credential_type: CredentialType) -> str:
    """Return the id by which registry documents name a type: ``person/1``."""
    return f"{credential_type.slug}/{credential_type.version}"


class Chain:
    """The chain as it grows, and the answers that end it."""

    def __init__(self, snapshot: RegistrySnapshot) -> None:
        self.snapshot = snapshot
        says = f"confirmed {instant(snapshot.fetched_at)}, to be believed until {instant(snapshot.expires_at)}"
        self._links = [ChainLink(document="registry", version=snapshot.versions.get("timestamp", 1), says=says)]

    def add(self, document: str, says: str) -> None:
        """Add what ``document`` says."""
        self._links.append(ChainLink(document=document, version=self.snapshot.version_of(document), says=says))

    def passed(self, code: Code, detail: str) -> Decision:
        """Return a yes over the chain so far."""
        return self._answer(Answer.PASSED, code, detail)

    def fail(self, code: Code, detail: str) -> Decision:
        """Return a no over the chain so far."""
        return self._answer(Answer.FAILED, code, detail)

    def unknown(self, code: Code, detail: str) -> Decision:
        """Return that it could not be decided, over the chain so far."""
        return self._answer(Answer.UNKNOWN, code, detail)

    def _answer(self, answer: Answer, code: Code, detail: str) -> Decision:
        return Decision(answer=answer, code=code, chain=tuple(self._links), detail=detail)


def _first_end(snapshot: RegistrySnapshot, documents: tuple[str, ...]) -> datetime:
    """Return the first instant at which the registry, or one of ``documents``, is no longer to be believed."""
    return min(snapshot.expires_at, *(snapshot.ends.get(each, snapshot.expires_at) for each in documents))


def expired_at(snapshot: RegistrySnapshot, at: datetime, documents: tuple[str, ...]) -> Decision | None:
    """Return UNKNOWN when the registry, or one of ``documents``, has ended. To be asked at every instant anew."""
    if at < snapshot.once(_first_end, documents):
        return None
    for document in documents:
        if snapshot.is_document_expired_at(document, at):
            chain = Chain(snapshot)
            end = min(snapshot.expires_at, snapshot.ends.get(document, snapshot.expires_at))
            chain.add(document, f"to be believed until {instant(end)}")
            return chain.unknown(Code.REGISTRY_EXPIRED, f"what the registry says ended {instant(end)}")
    return None


def outside_membership(chain: Chain, jurisdiction: str, issued_on: date | None, today: date) -> Decision | None:
    """Return the refusal when ``jurisdiction``, or what it lies in, is not a member now or was not on the issue day.

    A municipality need not be listed as a member; where it is, its own dates count too.
    """
    for level in levels_of(jurisdiction):
        member = chain.snapshot.federation.member(level)
        if member is None:
            if level != top_of(jurisdiction):
                continue
            chain.add(FEDERATION, f"{level} is not a member")
            return chain.fail(Code.NOT_ACCREDITED_FOR_TYPE, f"{level} is not a member of the federation")
        chain.add(FEDERATION, f"{level} is a member {span(member.since, member.until)}")
        if member.until is not None and today > member.until:
            return chain.fail(Code.ISSUER_WITHDRAWN, f"the membership of {level} ended on {member.until}")
        if today < member.since:
            return chain.fail(Code.NOT_ACCREDITED_FOR_TYPE, f"{level} becomes a member on {member.since}")
        if issued_on is not None and not member.is_member_on(issued_on):
            detail = f"{level} was not a member on {issued_on}, the issue day as stated by the issuer"
            return chain.fail(Code.NOT_ACCREDITED_ON_ISSUE_DAY, detail)
    return None


def span(since: date, until: date | None) -> str:
    """Return a span of days in words."""
    return f"from {since}" if until is None else f"from {since} to {until}"


def day_of(at: datetime) -> date:
    """Return the UTC day of an instant; whole days are what the registry counts in."""
    return at.astimezone(UTC).date()


def instant(at: datetime) -> str:
    """Return an instant in words, to the minute."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
