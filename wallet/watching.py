"""Watching: read status lists again, and tell the citizen in plain words what changed.

The lists themselves are read on a timer, for everybody at once. What they say of one citizen's credentials can be
worked out only while those are unlocked, so that happens then, at most once in an interval; nothing about a credential
lies outside the vault for a timer to read. What an authority learns is what any reader of its list tells it: nothing
about whom it concerns.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity.errors import Code, Conflict, Unreachable
from comity.ports import Clock
from comity.runtime.evidence import EvidenceShell
from comity.trust.snapshot import RegistrySnapshot
from comity.verification.credential import Demand
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from wallet import holdings
from wallet.holdings import Held
from wallet.keeping import about
from wallet.records import CREDENTIAL, MESSAGE, OpenWallet, Sheet

TOLD = frozenset({Code.OK, Code.REVOKED, Code.SUSPENDED, Code.EXPIRED, Code.ISSUER_WITHDRAWN, Code.ISSUER_UNKNOWN})
"""States that are worth a message when they begin; a host that is down for a while is not, and changes
nothing in what the person was told last."""


class Change(Struct, frozen=True, kw_only=True):
    """One credential whose state changed; both are codes, ``ok`` when all is well."""

    credential_id: str
    before: str
    now: str


class Watching(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs. ``interval`` is the shortest time between two looks by itself."""

    clock: Clock
    snapshot: Callable[[], RegistrySnapshot]
    shell: EvidenceShell
    interval: timedelta

    def is_due(self, held: Held) -> bool:
        """Say whether a credential was last looked at longer ago than the interval."""
        return self.clock.now() - datetime.fromisoformat(held.about["checked_at"]) >= self.interval

    async def look(self, wallet: OpenWallet) -> list[Change]:
        """Verify what is held once more and note what changed; each change becomes a message.

        Raises:
            Unreachable: ``registry_unavailable``: without a registry nothing can be said.
        """
        return await self._look_at_all(wallet, await holdings.all_held(wallet))

    async def look_if_due(self, wallet: OpenWallet) -> list[Change]:
        """As :meth:`look`, at what was not looked at for a while; when that cannot be done now, the next time."""
        due = [each for each in await holdings.all_held(wallet) if self.is_due(each)]
        try:
            return await self._look_at_all(wallet, due)
        except Unreachable:
            return []

    async def _look_at_all(self, wallet: OpenWallet, held: list[Held]) -> list[Change]:
        # At once: they share lists and requests, and their writes share a commit.
        found = await asyncio.gather(*(self._look_at(wallet, each) for each in held))
        return [change for change in found if change is not None]

    async def _look_at(self, wallet: OpenWallet, held: Held) -> Change | None:
        now = self.clock.now()
        outcome = verify_held(
            held.signed.encoded,
            demand=Demand(at=now, place=None, holder=None),
            status=StatusDemand(max_age_seconds=0),
            snapshot=self.snapshot(),
            expected_format=held.signed.format,
        )
        result = await self.shell.settle(outcome)
        noted = about(result, issuer=held.about["issuer"], key=held.key_id, at=now.isoformat())
        noted["issuer_name"] = noted["issuer_name"] or held.about["issuer_name"]
        noted |= {name: held.about[name] for name in ("grant", "configuration_id")}
        before, state = _told_last(held), state_of(noted)
        is_change = state in TOLD and state != before
        noted["told"] = state if state in TOLD else before
        content = {"format": held.signed.format.value, "encoded": held.signed.encoded, "about": noted, **held.more}
        sheets = [Sheet(kind=CREDENTIAL, id=held.id, content=content, version=held.version + 1)]
        if is_change:
            message = {"credential": held.id, "before": before, "now": state}
            sheets.append(Sheet(kind=MESSAGE, id=holdings.new_id(), content=message))
        try:
            await wallet.commit(put=sheets)
        except Conflict:  # looked at by another request at the same time, or deleted meanwhile
            return None
        return Change(credential_id=held.id, before=before, now=state) if is_change else None


def state_of(noted: Mapping[str, Any]) -> str:
    """Return the one code that says how a credential stands: ``ok``, or the first thing that is wrong with it."""
    return str(noted["codes"][0]) if noted["codes"] else Code.OK.value


def _told_last(held: Held) -> str:
    """Return the last state that the person knows of: told, or seen when it was received."""
    seen = state_of(held.about)
    return str(held.about["told"] or (seen if seen in TOLD else Code.OK.value))
