"""Scanning: a credential shown as text or as a QR code, judged as held in somebody's hand.

Nothing binds it to the person who shows it, so that whatever the checks say the counter's signal is never green
(:mod:`verifier.counter_view`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from comity.errors import Code
from comity.formats.opened import ProcessedCredential
from comity.ports import Clock
from comity.runtime.evidence import EvidenceShell
from comity.trust.snapshot import RegistrySnapshot
from comity.verification import report
from comity.verification.checks import Check, CheckName, failed, not_run, passed, unknown
from comity.verification.credential import Demand
from comity.verification.presentation import PolicyJudge, verify_held
from comity.verification.status import StatusDemand
from verifier import policies
from verifier.presets import Preset


class Scanning(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs.

    Attributes:
        clock: the time.
        snapshot: returns the registry as last verified; raises when none was ever seen.
        shell: fetches status lists and DID documents.
        status: how fresh a status must be.
    """

    clock: Clock
    snapshot: Callable[[], RegistrySnapshot]
    shell: EvidenceShell
    status: StatusDemand

    async def judge(self, encoded: str, preset: Preset) -> dict[str, Any]:
        """Return the report over one credential: checks 1 to 9 and 12, and whether it answers the preset.

        A proof of possession that comes with it was made for somebody else's request and is not looked at.

        Raises:
            Unreachable: the registry was never seen.
        """
        now, snapshot = self.clock.now(), self.snapshot()
        ask = policies.prepare(preset.policy, place=preset.place, today=now.date())
        outcome = verify_held(
            encoded,
            demand=Demand(at=now, place=preset.place, holder=None, purpose=preset.policy),
            status=self.status,
            snapshot=snapshot,
            policy=_answering(preset, ask.judge),
        )
        result = await self.shell.settle(outcome)
        return {**report.document(result), "registry_read_at": snapshot.fetched_at.isoformat()}


def _answering(preset: Preset, judge: PolicyJudge) -> PolicyJudge:
    """Return checks 10 and 11 for a credential that nobody asked a wallet for."""

    def answer(credentials: Mapping[str, Sequence[ProcessedCredential]]) -> Sequence[Check]:
        presented = [each for several in credentials.values() for each in several]
        missing: set[str] = set()
        for each in presented:
            type_id = f"{each.type.slug}/{each.type.version}" if each.type else ""
            wanted = next((asked.claims for asked in preset.asked if asked.type_id == type_id), None)
            if wanted is None or preset.is_combined:
                detail = "the document is not of a kind that answers this question"
                return (failed(CheckName.QUERY, Code.CREDENTIAL_NOT_REQUESTED, detail),)
            missing.update(set(wanted) - set(each.claims))
        if missing:
            return (
                unknown(CheckName.QUERY, Code.QUERY_NOT_SATISFIED, "the document does not say what is asked"),
                not_run(CheckName.POLICY, Code.STOPPED_EARLIER, required=True),
            )
        return (passed(CheckName.QUERY), *judge(credentials))

    return answer
