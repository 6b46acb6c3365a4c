"""The shell around the verification machine: it fetches what the core asks for, and nothing else."""

import asyncio

from comity.runtime.status_cache import StatusCache
from comity.verification.checks import Result
from comity.verification.evidence import Evidence, Need, Needs, NotObtained, Obtained
from comity.verification.status import lists_seen, lists_unfit

MAX_ROUNDS = 2
"""DID documents, then status lists; the core never asks for a third."""


class EvidenceShell:
    """Settles a verification by obtaining documents through one cache.

    One instance serves a whole process; verifications share its copies and its requests.
    """

    def __init__(self, documents: StatusCache) -> None:
        self._documents = documents

    async def settle(self, outcome: Needs[Result] | Result) -> Result:
        """Return the result, fetching at most twice on the way; what cannot be had becomes evidence of that.

        What was fetched is judged in a thread: a list of many megabytes must not keep everybody else waiting (Q10).
        """
        for _ in range(MAX_ROUNDS):
            if isinstance(outcome, Result):
                break
            evidence = await self._obtain(outcome.wanted)
            outcome = await asyncio.to_thread(self._judge, outcome, evidence)
        if not isinstance(outcome, Result):
            raise AssertionError("the verification asked for more rounds than it may")
        return outcome

    def _judge(self, outcome: Needs[Result], evidence: Evidence) -> Needs[Result] | Result:
        """Go on with what was fetched; what the result says of lists is durable before anybody has it."""
        found = outcome.resume(evidence)
        if isinstance(found, Result):
            self._remember(found)
        return found

    async def _obtain(self, wanted: tuple[Need, ...]) -> Evidence:
        answers = await asyncio.gather(*(self._one(need) for need in wanted))
        return dict(zip((need.url for need in wanted), answers, strict=True))

    async def _one(self, need: Need) -> Obtained | NotObtained:
        return await self._documents.get(need.url, need.accept, need.max_age_seconds)

    def _remember(self, result: Result) -> None:
        """Keep the issue time of every list that was verified; drop copies that turned out wrong or have ended."""
        for seen in lists_seen(result.all_checks):
            self._documents.remember_issued_at(seen.uri, seen.issued_at, ttl_seconds=seen.ttl_seconds)
        for uri in lists_unfit(result.all_checks):
            self._documents.discard(uri)
