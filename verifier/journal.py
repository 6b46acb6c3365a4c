"""The counter's journal: what its devices ask, what came of it, and a history without personal data.

A check is begun when a device asks. It is ended by whoever looks first: the device's page, the list of the history, or
the timer that runs while nobody looks. The request behind it was answered, once, by :mod:`verifier.verifying`; this is
only the counter's note of it.
"""

import csv
import io
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec import Struct, field

from comity import strict_json
from comity.errors import Code, Conflict, NotFound
from comity.runtime.database import Database
from comity.runtime.keystore import seal, unseal
from verifier import counter_store, presets
from verifier.counter_store import CounterCheck, Device, Ending
from verifier.counter_view import Means, issuer_of, view
from verifier.presets import Preset
from verifier.requesting import Flow, Terms
from verifier.scanning import Scanning
from verifier.states import Answered, Expired, Requested
from verifier.verifying import Verifying

PAGE = 50
MAX_EXPORT = 100_000
COLUMNS = ("time", "counter_place", "question", "means", "signal", "verdict", "reason_code", "issuer")


class Standing(Struct, frozen=True, kw_only=True):
    """Where a check stands.

    Attributes:
        check: its record.
        state: ``requested``, ``fetched``, ``expired`` or ``ended``.
        link: what leads a wallet to the request, while it is open.
        expires_at: until when it can be answered, while it is open.
        view: what is shown about it once it ended; None when that was erased.
    """

    check: CounterCheck
    state: str
    link: str = ""
    expires_at: datetime | None = None
    view: dict[str, Any] | None = None


class Journal(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs.

    Attributes:
        verifying: knows the requests and their reports.
        scanning: judges what is shown as text or QR code.
        keep: how long a record stays in the history.
        own: the installation's own questions.
    """

    verifying: Verifying
    scanning: Scanning
    keep: timedelta
    own: presets.Own = field(default_factory=dict)

    async def ask(self, device: Device, preset: Preset) -> CounterCheck:
        """Start a request for a wallet and note it.

        Raises:
            Malformed: unknown policy or place.
        """
        terms = Terms(policy=preset.policy, place=preset.place, flow=Flow.CROSS_DEVICE)
        started = await self.verifying.requesting.start(terms, relying_party=device.relying_party)
        check = self._begun(device, preset, Means.WALLET, started.request_id)
        await self._database.write(partial(counter_store.begin_check, row=check))
        return check

    async def scan(self, device: Device, preset: Preset, encoded: str) -> CounterCheck:
        """Judge a credential that was shown as text, and note the verdict.

        Raises:
            Unreachable: the registry was never seen.
        """
        report = await self.scanning.judge(encoded, preset)
        begun = self._begun(device, preset, Means.SCAN, None)
        await self._database.write(partial(counter_store.begin_check, row=begun))
        await self._end(begun, report, preset)
        return begun

    async def standing(self, device: Device, check_id: str) -> Standing:
        """Return where a check of this device stands; a verdict that came meanwhile is noted.

        Raises:
            NotFound: this device has no such check.
        """
        check = await self._find(device, check_id)
        if check.ended_at is None and check.request_id is not None:
            standing = await self._looked_after(check)
            if standing is not None:
                return standing
            check = await self._find(device, check_id)
        return Standing(check=check, state="ended", view=self._view(check))

    async def history(self, device: Device, *, page: int = 0) -> tuple[CounterCheck, ...]:
        """Return one page of what this device's relying party checked, the newest first; one more says there is more.

        The number of a page below 0 is 0.
        """
        await self.look_after()
        wanted = partial(
            counter_store.history,
            relying_party=device.relying_party,
            limit=PAGE + 1,
            offset=max(page, 0) * PAGE,
        )
        return await self._database.read(wanted)

    async def export(self, device: Device) -> str:
        """Return the history of this device's relying party as CSV (RFC 4180): no names, numbers or claims."""
        await self.look_after()
        wanted = partial(counter_store.history, relying_party=device.relying_party, limit=MAX_EXPORT)
        return as_csv(await self._database.read(wanted))

    async def look_after(self) -> int:
        """End every open check whose request was answered, forget those that expired; returns how many were open."""
        found = await self._database.read(counter_store.open_checks)
        for check in found:
            await self._looked_after(check, drop=True)
        return len(found)

    async def erase(self) -> int:
        """Erase what was shown as soon as reports are, and whole records after the time that is set."""
        now = self.verifying.requesting.clock.now()
        erased = partial(
            counter_store.erase_checks, viewed_before=now - self.verifying.keep, ended_before=now - self.keep
        )
        return await self._database.write(erased)

    async def _looked_after(self, check: CounterCheck, *, drop: bool = False) -> Standing | None:
        """Return where an open check stands; None when it has ended now."""
        state, report = await self.verifying.answered(check.request_id or "", relying_party=check.relying_party)
        if isinstance(state, Answered):
            await self._end(check, report, presets.find(check.policy, check.place, self.own))
            return None
        if isinstance(state, Expired):
            if drop:
                await self._database.write(partial(counter_store.drop_check, check_id=check.id))
            return Standing(check=check, state="expired", expires_at=state.row.expires_at)
        name = "requested" if isinstance(state, Requested) else "fetched"
        try:
            link = await self.verifying.requesting.link_of(state.row.id)
        except Conflict:  # answered, or over, since it was read: the next look tells
            link = ""
        return Standing(check=check, state=name, link=link, expires_at=state.row.expires_at)

    async def _end(self, check: CounterCheck, report: dict[str, Any], preset: Preset | None) -> None:
        shown = view(report, preset, Means(check.means))
        sealed = seal(self._seal, strict_json.serialise(shown), context=_context(check.id))
        ending = Ending(
            at=self.verifying.requesting.clock.now(),
            signal=shown["signal"],
            verdict=shown["verdict"],
            code=shown["code"],
            issuer=issuer_of(shown)[:200],
            sealed_view=None if "erased" in report else sealed,
        )
        await self._database.write(partial(counter_store.end_check, check_id=check.id, ending=ending))

    async def _find(self, device: Device, check_id: str) -> CounterCheck:
        found = None
        if check_id.isascii() and check_id.isalnum() and len(check_id) <= 32:
            wanted = partial(counter_store.find_check, check_id=check_id, device_id=device.id)
            found = await self._database.read(wanted)
        if found is None:
            raise NotFound(Code.REQUEST_UNKNOWN, "this counter has no such check")
        return found

    def _begun(self, device: Device, preset: Preset, means: Means, request_id: str | None) -> CounterCheck:
        return CounterCheck(
            id=secrets.token_hex(16),
            device_id=device.id,
            relying_party=device.relying_party,
            request_id=request_id,
            means=means.value,
            policy=preset.policy,
            place=preset.place,
            started_at=self.verifying.requesting.clock.now(),
        )

    def _view(self, check: CounterCheck) -> dict[str, Any] | None:
        if check.sealed_view is None:
            return None
        return strict_json.parse_object(unseal(self._seal, check.sealed_view, context=_context(check.id)))

    @property
    def _database(self) -> Database:
        return self.verifying.requesting.database

    @property
    def _seal(self) -> bytes:
        return self.verifying.requesting.identity.seal


def as_csv(found: Iterable[CounterCheck]) -> str:
    """Return records as CSV with a heading line."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for each in found:
        at = each.started_at.isoformat()
        writer.writerow((at, each.place, each.policy, each.means, each.signal, each.verdict, each.code, each.issuer))
    return out.getvalue()


def _context(check_id: str) -> bytes:
    return f"verifier/counter/{check_id}/view".encode()
