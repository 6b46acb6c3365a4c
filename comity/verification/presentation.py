"""A whole answer to a request, or one credential held in the hand: checks 1 to 12 over all of it.

As a small state machine: :func:`verify_presentation` and :func:`verify_held` return either a result or
:class:`~comity.verification.evidence.Needs`; at most two rounds of fetching happen (DID documents, status lists).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from comity import dcql
from comity.credential import Format
from comity.errors import Code
from comity.formats.opened import ProcessedCredential
from comity.trust.snapshot import RegistrySnapshot
from comity.verification.checks import Check, CheckName, CredentialResult, Outcome, Result, failed, not_run, passed
from comity.verification.credential import Demand, Examined, Prepared, examine, prepare
from comity.verification.evidence import Evidence, Needs
from comity.verification.status import StatusDemand, judge, needs_of, not_needed

Outcomes = Needs[Result] | Result

PolicyJudge = Callable[[Mapping[str, Sequence[ProcessedCredential]]], Sequence[Check]]
"""Check 11, given by the relying side: the processed credentials by query id → checks named ``policy``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationDemand:
    """What the relying side asked for.

    Attributes:
        query: the DCQL query that was sent; evaluated again here, since nothing about the wallet's work is believed.
        credential: what each credential must satisfy.
        status: how fresh a status must be.
        same_holder: whether all credentials must be bound to one holder key.
        policy: check 11.
    """

    query: dcql.Query
    credential: Demand
    status: StatusDemand
    same_holder: bool = False
    policy: PolicyJudge | None = None


def verify_presentation(
    vp_token: Mapping[str, Sequence[str]], *, demand: PresentationDemand, snapshot: RegistrySnapshot
) -> Outcomes:
    """Verify an OpenID4VP ``vp_token`` (query id → presentations) whose shape was already checked."""
    formats_asked = {asked.id: str(asked.format) for asked in demand.query.credentials}
    prepared = tuple(
        prepare(encoded, snapshot=snapshot, query_id=query_id, expected_format=formats_asked.get(query_id, ""))
        for query_id, presentations in vp_token.items()
        for encoded in presentations
    )
    together = partial(_query_and_policy, demand)
    return _examine_all(prepared, demand.credential, demand.status, snapshot, together)


def verify_held(
    encoded: str, *, demand: Demand, status: StatusDemand, snapshot: RegistrySnapshot, expected_format: str = ""
) -> Outcomes:
    """Verify one credential or presentation outside a query (``comity verify``, a wallet on receipt)."""
    prepared = prepare(encoded, snapshot=snapshot, expected_format=expected_format)
    return _examine_all((prepared,), demand, status, snapshot, lambda _: ())


Together = Callable[[tuple[Examined, ...]], tuple[Check, ...]]


def _examine_all(
    prepared: tuple[Prepared, ...],
    demand: Demand,
    status: StatusDemand,
    snapshot: RegistrySnapshot,
    together: Together,
) -> Outcomes:
    """Round one: obtain the DID documents that checks 3 need, if any."""

    def resume(evidence: Evidence) -> Outcomes:
        examined = tuple(examine(each, demand=demand, snapshot=snapshot, evidence=evidence) for each in prepared)
        return _ask_status(examined, together(examined), demand, status, evidence)

    wanted = {each.document.url: each.document for each in prepared if each.document}
    return Needs(wanted=tuple(wanted.values()), resume=resume) if wanted else resume({})


def _ask_status(
    examined: tuple[Examined, ...],
    over_all: tuple[Check, ...],
    demand: Demand,
    status: StatusDemand,
    known: Evidence,
) -> Outcomes:
    """Round two: obtain status lists, only when nothing failed anywhere."""
    refused = any(each.has_failed for each in examined) or any(c.outcome is Outcome.FAILED for c in over_all)
    if refused:
        return Result(credentials=tuple(each.result(not_needed()) for each in examined), checks=over_all)

    def resume(evidence: Evidence) -> Result:
        found = {**known, **evidence}
        return Result(
            credentials=tuple(_with_status(each, found, demand, status) for each in examined), checks=over_all
        )

    wanted = {
        need.url: need
        for each in examined
        if each.processed and each.entry
        for need in needs_of(each.processed, each.entry, status)
        if need.url not in known
    }
    return Needs(wanted=tuple(wanted.values()), resume=resume) if wanted else resume({})


def _with_status(each: Examined, evidence: Evidence, demand: Demand, status: StatusDemand) -> CredentialResult:
    if each.processed is None or each.entry is None:
        stopped = not_run(CheckName.STATUS, Code.STOPPED_EARLIER, "the credential could not be examined", required=True)
        return each.result(stopped)
    return each.result(judge(each.processed, each.entry, evidence, status, demand.at))


def _query_and_policy(demand: PresentationDemand, examined: tuple[Examined, ...]) -> tuple[Check, ...]:
    """Checks 10 and 11 over everything presented; not run when a credential could not be examined at all."""
    if not examined:
        return (failed(CheckName.QUERY, Code.QUERY_NOT_SATISFIED, "nothing was presented"),)
    if any(each.is_stopped for each in examined):
        return (
            not_run(CheckName.QUERY, Code.STOPPED_EARLIER, required=True),
            not_run(CheckName.POLICY, Code.STOPPED_EARLIER, required=True),
        )
    return (_query(demand, examined), *_policy(demand, examined))


def _query(demand: PresentationDemand, examined: tuple[Examined, ...]) -> Check:
    """Check 10: the whole query against what came back (OpenID4VP §6, §14; profile DQ-9)."""
    presented: dict[str, list[dcql.Presented]] = {}
    for each in examined:
        presented.setdefault(each.query_id, []).append(_presented(each))
    problems = dcql.check_answer(demand.query, presented)
    if problems:
        return failed(CheckName.QUERY, Code.QUERY_NOT_SATISFIED, "the answer does not satisfy the request")
    return passed(CheckName.QUERY)


def _presented(each: Examined) -> dcql.Presented:
    processed = each.processed
    assert processed is not None  # noqa: S101  # `_query_and_policy` asked first
    bound = any(c.name is CheckName.HOLDER_BINDING and c.outcome is Outcome.PASSED for c in each.checks)
    return dcql.Presented(
        format=Format(processed.format),
        type_names=(processed.type_name,),
        claims=processed.claims,
        is_bound=bound,
    )


def _policy(demand: PresentationDemand, examined: tuple[Examined, ...]) -> tuple[Check, ...]:
    """Check 11: one holder where that is asked, and what the policy says."""
    checks: list[Check] = []
    if demand.same_holder:
        checks.append(_same_holder(examined))
    if demand.policy is not None:
        by_query: dict[str, list[ProcessedCredential]] = {}
        for each in examined:
            if each.processed:
                by_query.setdefault(each.query_id, []).append(each.processed)
        checks.extend(demand.policy(by_query))
    return tuple(checks)


def _same_holder(examined: tuple[Examined, ...]) -> Check:
    holders = {each.about.get("holder_key") for each in examined}
    if len(holders) != 1 or None in holders:
        detail = "the credentials are not bound to one and the same holder key"
        return failed(CheckName.POLICY, Code.HOLDER_KEYS_DIFFER, detail)
    return passed(CheckName.POLICY, detail="all credentials are bound to one holder key")
