"""Watching: read status lists again, and tell the citizen in plain words what changed.

The hosted wallet can read a citizen's credentials only while they are unlocked, so it watches then, at most once in an
interval; nothing about a credential lies outside the vault for a timer to read. What an authority learns is what any
reader of its list tells it: nothing about whom it concerns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from comity.errors import Code
from comity.ports import Clock
from comity.runtime.evidence import EvidenceShell
from comity.trust.snapshot import RegistrySnapshot
from comity.verification.credential import Demand
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from wallet import holdings
from wallet.custody import CREDENTIAL, MESSAGE, OpenWallet
from wallet.holdings import Held
from wallet.receiving import about

TOLD = frozenset({Code.OK, Code.REVOKED, Code.SUSPENDED, Code.EXPIRED, Code.ISSUER_WITHDRAWN, Code.ISSUER_UNKNOWN})
"""States that are worth a message when they begin; a host that is down for a while is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One credential whose state changed; both are codes, ``ok`` when all is well."""

    credential_id: str
    before: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """The use case, with what it needs. ``interval`` is the shortest time between two looks by itself."""

    clock: Clock
    snapshot: Callable[[], RegistrySnapshot]
    shell: EvidenceShell
    interval: timedelta

    def is_due(self, held: Held) -> bool:
        """Say whether a credential was last looked at longer ago than the interval."""
        return self.clock.now() - datetime.fromisoformat(held.about["checked_at"]) >= self.interval

    async def look(self, wallet: OpenWallet, *, only_due: bool = False) -> list[Change]:
        """Verify what is held once more and note what changed; each change becomes a message."""
        changes = []
        for held in await holdings.all_held(wallet):
            if only_due and not self.is_due(held):
                continue
            change = await self._look_at(wallet, held)
            if change is not None:
                changes.append(change)
        return changes

    async def _look_at(self, wallet: OpenWallet, held: Held) -> Change | None:
        outcome = verify_held(
            held.signed.encoded,
            demand=Demand(at=self.clock.now(), place=None, holder=None),
            status=StatusDemand(max_age_seconds=0),
            snapshot=self.snapshot(),
            expected_format=held.signed.format,
        )
        result = await self.shell.settle(outcome)
        noted = about(result, issuer=held.about["issuer"], key=held.key_id, at=self.clock.now().isoformat())
        before, now = state_of(held.about), state_of(noted)
        content = {"format": held.signed.format.value, "encoded": held.signed.encoded, "about": noted}
        writes: list[tuple[str, str, Mapping[str, Any], int]] = [(CREDENTIAL, held.id, content, held.version + 1)]
        is_change = before != now and now in TOLD
        if is_change:
            message = {"credential": held.id, "before": before, "now": now}
            writes.append((MESSAGE, holdings.new_id(), message, 1))
        await wallet.put_all(writes)
        return Change(credential_id=held.id, before=before, now=now) if is_change else None


def state_of(noted: Mapping[str, Any]) -> str:
    """Return the one code that says how a credential stands: ``ok``, or the first thing that is wrong with it."""
    return str(noted["codes"][0]) if noted["codes"] else Code.OK.value
