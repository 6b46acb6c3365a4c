"""Answers are checks with codes, never a boolean (decision record 0004)."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NoReturn

from msgspec import Struct, field

from comity.errors import Code, ComityError, Denied
from comity.record import Discreet


class Outcome(StrEnum):
    """What one check found."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_RUN = "not_run"


class Verdict(StrEnum):
    """What all checks together say. ``UNDETERMINED`` is never shown or treated as acceptance."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDETERMINED = "undetermined"


class CheckName(StrEnum):
    """The twelve checks, in the order in which they run."""

    WELL_FORMED = "well_formed"
    ALGORITHM_AND_TYPE = "algorithm_and_type"
    ISSUER_KEY = "issuer_key"
    SIGNATURE = "signature"
    VALIDITY_PERIOD = "validity_period"
    HOLDER_BINDING = "holder_binding"
    ISSUER_ACCREDITED = "issuer_accredited"
    RECOGNISED_IN_PLACE = "recognised_in_place"
    SCHEMA = "schema"
    QUERY = "query"
    POLICY = "policy"
    STATUS = "status"


ORDER: tuple[CheckName, ...] = tuple(CheckName)


class Check(Struct, frozen=True, kw_only=True):
    """One check and what it found.

    Attributes:
        name: which check.
        outcome: what it found.
        code: why, stable and translated.
        detail: one plain sentence for the person who operates the service; no claim values.
        facts: what the answer rests on, for machines (dates, versions, registry chain); no claim values.
        required: whether the policy needs this check to have run; a required NOT_RUN leaves the verdict undetermined.
    """

    name: CheckName
    outcome: Outcome
    code: Code = Code.OK
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    required: bool = True


_PASSED = {name: Check(name=name, outcome=Outcome.PASSED, facts=MappingProxyType({})) for name in CheckName}
"""Most checks pass and say no more than that."""


def passed(name: CheckName, code: Code = Code.OK, detail: str = "", **facts: Any) -> Check:
    """Return a check that found what it wanted."""
    if code is Code.OK and not detail and not facts:
        return _PASSED[name]
    return Check(name=name, outcome=Outcome.PASSED, code=code, detail=detail, facts=facts)


def failed(name: CheckName, code: Code, detail: str = "", **facts: Any) -> Check:
    """Return a check that found the opposite."""
    return Check(name=name, outcome=Outcome.FAILED, code=code, detail=detail, facts=facts)


def unknown(name: CheckName, code: Code, detail: str = "", **facts: Any) -> Check:
    """Return a check that could not be decided."""
    return Check(name=name, outcome=Outcome.UNKNOWN, code=code, detail=detail, facts=facts)


def not_run(name: CheckName, code: Code, detail: str = "", *, required: bool) -> Check:
    """Return a check that did not run: not asked for (``required=False``), or an earlier one stopped everything."""
    return Check(name=name, outcome=Outcome.NOT_RUN, code=code, detail=detail, required=required)


def verdict_of(checks: Iterable[Check]) -> Verdict:
    """Return the verdict over ``checks``.

    Any FAILED rejects; else any UNKNOWN, any required NOT_RUN, or no check at all is undetermined; else accepted.
    """
    seen = tuple(checks)
    outcomes = {check.outcome for check in seen}
    if Outcome.FAILED in outcomes:
        return Verdict.REJECTED
    owed = Outcome.NOT_RUN in outcomes and any(check.required for check in seen if check.outcome is Outcome.NOT_RUN)
    undecided = Outcome.UNKNOWN in outcomes or owed
    return Verdict.UNDETERMINED if undecided or not seen else Verdict.ACCEPTED


class CredentialResult(Discreet, frozen=True, kw_only=True):
    """The checks of one credential.

    Attributes:
        query_id: the DCQL credential id it answers, or the empty string outside a query.
        format: credential format identifier, empty when not even that was readable.
        issuer: the issuer as *named* in the credential; trustworthy only when the result is accepted.
        credential_type: the type name as stated.
        checks: in the order of :data:`ORDER`.
        disclosed: claims that were disclosed; released only through :meth:`Result.claims`.
        about: facts for the record without claim values: holder key thumbprint, issue day, registry chain.
    """

    UNPRINTED = frozenset({"disclosed"})

    query_id: str = ""
    format: str = ""
    issuer: str = ""
    credential_type: str = ""
    checks: tuple[Check, ...] = ()
    disclosed: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The verdict over this credential's own checks."""
        return verdict_of(self.checks)

    def __bool__(self) -> NoReturn:
        """Refuse to be read as yes or no."""
        raise TypeError("a result is not a boolean: read its verdict and its checks")

    def check(self, name: CheckName) -> Check:
        """Return the check called ``name``; raises KeyError when it is not part of this result."""
        for each in self.checks:
            if each.name is name:
                return each
        raise KeyError(name)


class Result(Struct, frozen=True, kw_only=True):
    """The answer to one presentation, or to one credential held in the hand.

    Attributes:
        credentials: one result for each credential presented.
        checks: checks over all of them together (query, policy), beside those of each credential.
    """

    credentials: tuple[CredentialResult, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def all_checks(self) -> tuple[Check, ...]:
        """Every check: those of each credential, then those over all."""
        return (*[check for credential in self.credentials for check in credential.checks], *self.checks)

    @property
    def verdict(self) -> Verdict:
        """The verdict over every check; no credential at all is undetermined at best."""
        if not self.credentials and verdict_of(self.checks) is not Verdict.REJECTED:
            return Verdict.UNDETERMINED
        return verdict_of(self.all_checks)

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codes of every check that failed or is unknown, in order, each once."""
        undecided = (Outcome.FAILED, Outcome.UNKNOWN)
        return tuple(dict.fromkeys(check.code for check in self.all_checks if check.outcome in undecided))

    def __bool__(self) -> NoReturn:
        """Refuse to be read as yes or no."""
        raise TypeError("a result is not a boolean: read its verdict and its checks")

    def claims(self) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """Return the disclosed claims by query id; several when the query asked for ``multiple``.

        Raises:
            Denied: the result is not accepted. Claims of a presentation that was not accepted never reach an
                application.
        """
        if self.verdict is not Verdict.ACCEPTED:
            raise Denied(self.codes[0] if self.codes else Code.POLICY_NOT_MET, "the presentation was not accepted")
        released: dict[str, tuple[Mapping[str, Any], ...]] = {}
        for credential in self.credentials:
            released[credential.query_id] = (*released.get(credential.query_id, ()), credential.disclosed)
        return released


def failure_of(name: CheckName, error: ComityError) -> Check:
    """Return ``error``, raised while ``name`` ran, as the failed check it is."""
    return failed(name, error.code, error.detail)
