"""A whole answer to a request, or one credential held in the hand: checks 1 to 12 over all of it.

As a small state machine: :func:`verify_presentation` and :func:`verify_held` return either a result or
:class:`~comity.verification.evidence.Needs`; at most two rounds of fetching happen (DID documents, status lists).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace
from msgspec.structs import replace as changed

from comity import dcql
from comity.credential import Format
from comity.errors import Code
from comity.formats.opened import ProcessedCredential
from comity.openid.presentation.transaction_data import Transaction
from comity.trust.snapshot import RegistrySnapshot
from comity.verification.checks import Check, CheckName, CredentialResult, Outcome, Result, failed, not_run, passed
from comity.verification.credential import Demand, Examined, Prepared, examine, prepare
from comity.verification.evidence import Evidence, Needs
from comity.verification.status import StatusDemand, judge, needs_of, not_needed
from comity.verification.transaction import Confirmation, check_transactions

Outcomes = Needs[Result] | Result

PolicyJudge = Callable[[Mapping[str, Sequence[ProcessedCredential]]], Sequence[Check]]
"""Check 11, given by the relying side: the processed credentials by query id → checks named ``policy``."""


class PresentationDemand(Struct, frozen=True, kw_only=True):
    """What the relying side asked for.

    Attributes:
        query: the DCQL query that was sent; evaluated again here, since nothing about the wallet's work is believed.
        credential: what each credential must satisfy.
        status: how fresh a status must be.
        same_holder: whether all credentials must be bound to one holder key.
        policy: check 11.
        transactions: what the holder had to confirm; part of check 10.
    """

    query: dcql.Query
    credential: Demand
    status: StatusDemand
    same_holder: bool = False
    policy: PolicyJudge | None = None
    transactions: tuple[Transaction, ...] = ()

    def of_query(self, query_id: str) -> Demand:
        """Return what the credential presented for ``query_id`` must satisfy: its query may waive holder binding."""
        asked, holder = self.query.credential(query_id), self.credential.holder
        if asked is None or holder is None:
            return self.credential
        return replace(self.credential, holder=replace(holder, required=asked.require_holder_binding))


def verify_presentation(
    vp_token: Mapping[str, Sequence[str]], *, demand: PresentationDemand, snapshot: RegistrySnapshot
) -> Outcomes:
    """Verify an OpenID4VP ``vp_token`` (query id → presentations) whose shape was already checked."""
    formats_asked = {asked.id: str(asked.format) for asked in demand.query.credentials}
    prepared = tuple(
        prepare(
            encoded,
            snapshot=snapshot,
            at=demand.credential.at,
            query_id=query_id,
            expected_format=formats_asked.get(query_id, ""),
        )
        for query_id, presentations in vp_token.items()
        for encoded in presentations
    )
    together = partial(_query_and_policy, demand)
    return _examine_all(prepared, demand.of_query, demand.status, snapshot, together)


def verify_held(
    encoded: str,
    *,
    demand: Demand,
    status: StatusDemand,
    snapshot: RegistrySnapshot,
    expected_format: str = "",
    policy: PolicyJudge | None = None,
) -> Outcomes:
    """Verify one credential or presentation outside a query (``comity verify``, a wallet on receipt, a scan).

    ``policy`` gives checks over what it says, once it could be examined.
    """

    def together(examined: tuple[Examined, ...]) -> tuple[tuple[Examined, ...], tuple[Check, ...]]:
        read = {each.query_id: (each.processed,) for each in examined if each.processed is not None}
        return examined, tuple(policy(read)) if policy is not None and read else ()

    prepared = prepare(encoded, snapshot=snapshot, at=demand.at, expected_format=expected_format)
    return _examine_all((prepared,), lambda _: demand, status, snapshot, together)


Together = Callable[[tuple[Examined, ...]], tuple[tuple[Examined, ...], tuple[Check, ...]]]
"""Checks 10 and 11 over everything examined → what is kept of it, and the checks."""


def _examine_all(
    prepared: tuple[Prepared, ...],
    demand_of: Callable[[str], Demand],
    status: StatusDemand,
    snapshot: RegistrySnapshot,
    together: Together,
) -> Outcomes:
    """Round one: obtain the DID documents that checks 3 need, if any."""

    def resume(evidence: Evidence) -> Outcomes:
        examined = tuple(
            [examine(each, demand=demand_of(each.query_id), snapshot=snapshot, evidence=evidence) for each in prepared]
        )
        kept, over_all = together(examined)
        return _ask_status(kept, over_all, demand_of("").at, status, evidence)

    wanted = {each.document.url: each.document for each in prepared if each.document}
    return Needs(wanted=tuple(wanted.values()), resume=resume) if wanted else resume({})


def _ask_status(
    examined: tuple[Examined, ...],
    over_all: tuple[Check, ...],
    at: datetime,
    status: StatusDemand,
    known: Evidence,
) -> Outcomes:
    """Round two: obtain status lists, only when nothing failed anywhere."""
    refused = any(each.has_failed for each in examined) or any(c.outcome is Outcome.FAILED for c in over_all)
    if refused:
        return Result(credentials=tuple(each.result(not_needed()) for each in examined), checks=over_all)

    def resume(evidence: Evidence) -> Result:
        found = {**known, **evidence}
        return Result(credentials=tuple([_with_status(each, found, at, status) for each in examined]), checks=over_all)

    wanted = {
        need.url: need
        for each in examined
        if each.processed and each.entry
        for need in needs_of(each.processed, each.entry, status)
        if need.url not in known
    }
    return Needs(wanted=tuple(wanted.values()), resume=resume) if wanted else resume({})


def _with_status(each: Examined, evidence: Evidence, at: datetime, status: StatusDemand) -> CredentialResult:
    if each.processed is None or each.entry is None:
        stopped = not_run(CheckName.STATUS, Code.STOPPED_EARLIER, "the credential could not be examined", required=True)
        return each.result(stopped)
    return each.result(judge(each.processed, each.entry, evidence, status, at))


def _query_and_policy(
    demand: PresentationDemand, examined: tuple[Examined, ...]
) -> tuple[tuple[Examined, ...], tuple[Check, ...]]:
    """Checks 10 and 11 over everything presented; not run when a credential could not be examined at all."""
    if not examined:
        return examined, (failed(CheckName.QUERY, Code.QUERY_NOT_SATISFIED, "nothing was presented"),)
    read = tuple((each, each.processed) for each in examined if each.processed is not None)
    if len(read) < len(examined):
        stopped = (CheckName.QUERY, CheckName.POLICY)
        return examined, tuple(not_run(name, Code.STOPPED_EARLIER, required=True) for name in stopped)
    shown = [Confirmation(query_id=each.query_id, claims=each.proof_claims) for each in examined]
    checks = (_query(demand, read), *check_transactions(demand.transactions, shown), *_policy(demand, read))
    return _without_surplus(demand, read), checks


_Read = tuple[tuple[Examined, ProcessedCredential], ...]
"""Credentials none of which stopped, each with what it says."""


def _query(demand: PresentationDemand, read: _Read) -> Check:
    """Check 10: the whole query against what came back (OpenID4VP §6, §14; profile DQ-9)."""
    problems = dcql.check_answer(demand.query, _answer(read))
    if problems:
        detail = "the answer does not satisfy the request"
        return failed(CheckName.QUERY, Code.QUERY_NOT_SATISFIED, detail, problems=list(problems))
    return passed(CheckName.QUERY)


def _answer(read: _Read) -> dict[str, list[dcql.Presented]]:
    answer: dict[str, list[dcql.Presented]] = {}
    for each, processed in read:
        answer.setdefault(each.query_id, []).append(_presented(each, processed))
    return answer


def _presented(each: Examined, processed: ProcessedCredential) -> dcql.Presented:
    kind = processed.format
    names = dcql.type_names(kind, processed.type) if processed.type else (processed.type_name,)
    may_be_withheld = processed.disclosable if kind is Format.DC_SD_JWT else processed.claims
    return dcql.Presented(
        format=kind,
        type_names=names,
        claims=processed.document,
        is_bound=_came_with_proof(each),
        disclosed=[dcql.claim_path(kind, name) for name in may_be_withheld],
        authority_key_ids=each.authority_key_ids,
    )


def _came_with_proof(each: Examined) -> bool:
    """Say whether check 6 ran; whether it passed is its own to tell, once."""
    return any(c.name is CheckName.HOLDER_BINDING and c.outcome is not Outcome.NOT_RUN for c in each.checks)


def _without_surplus(demand: PresentationDemand, read: _Read) -> tuple[Examined, ...]:
    """Drop from each result what was disclosed without being asked for; the application never sees it (DQ-9)."""
    surplus = {query_id: list(places) for query_id, places in dcql.over_disclosed(demand.query, _answer(read)).items()}
    kept = []
    for each, processed in read:
        over = {place[-1] for place in surplus[each.query_id].pop(0)}
        claims = {name: value for name, value in processed.claims.items() if name not in over}
        about = {**each.about, "dropped": len(over)}
        kept.append(changed(each, processed=changed(processed, claims=claims), about=about))
    return tuple(kept)


def _policy(demand: PresentationDemand, read: _Read) -> tuple[Check, ...]:
    """Check 11: one holder where that is asked, and what the policy says."""
    checks: list[Check] = []
    if demand.same_holder:
        checks.append(_same_holder(read))
    if demand.policy is not None:
        by_query: dict[str, list[ProcessedCredential]] = {}
        for each, processed in read:
            by_query.setdefault(each.query_id, []).append(processed)
        checks.extend(demand.policy(by_query))
    return tuple(checks)


def _same_holder(read: _Read) -> Check:
    holders = {each.about.get("holder_key") for each, _ in read}
    if len(holders) != 1 or None in holders:
        detail = "the credentials are not bound to one and the same holder key"
        return failed(CheckName.POLICY, Code.HOLDER_KEYS_DIFFER, detail)
    return passed(CheckName.POLICY, detail="all credentials are bound to one holder key")
