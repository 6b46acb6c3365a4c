"""Keeping: judge what an issuer sent as a verifier would, then store it or refuse it.

The credential is stored and its line of the journal goes in one step; a refusal is told to the issuer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from comity import formats
from comity.credential import SignedCredential
from comity.errors import Code, Denied, Malformed, Unreachable
from comity.openid.issuance.notification import NotificationEvent
from comity.ports import Clock
from comity.runtime.evidence import EvidenceShell
from comity.trust.snapshot import RegistrySnapshot
from comity.verification import report
from comity.verification.checks import CheckName, Result
from comity.verification.credential import Demand
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from wallet import holdings, journal
from wallet.copies import holder_of, kept_with
from wallet.journal import Line
from wallet.judging import foreign, mismatches, reasons
from wallet.notifying import Notifying
from wallet.records import CREDENTIAL, HISTORY, KEY, PENDING, OpenWallet, Sheet

ON_REQUEST_ONLY = frozenset({Code.ISSUER_UNKNOWN, Code.NOT_ACCREDITED_FOR_TYPE})
"""What may be wrong with a credential that is kept all the same, when the person says so (decision record 0014)."""

PASSING = frozenset({Code.DID_UNRESOLVED, Code.REGISTRY_EXPIRED})
"""What cannot be told now but later: the credential stays in the journal and is judged at the next unlocking."""


class Received(Struct, frozen=True, kw_only=True):
    """One credential that was kept, and what its verification found."""

    credential_id: str
    report: Mapping[str, Any]


class Keeping(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs."""

    clock: Clock
    snapshot: Callable[[], RegistrySnapshot]
    shell: EvidenceShell
    notifying: Notifying

    async def judge(self, wallet: OpenWallet, line_id: str, line: Line) -> Received:
        """Verify what came as a verifier would, then keep or refuse it."""
        refusals, undecided = set[Code](), set[Code]()
        try:
            copies = [SignedCredential(format=formats.of(each), encoded=each) for each in journal.came(line)]
            for each in copies:
                refusals |= mismatches(each, line, self.clock.now()) | foreign(each, line, self.snapshot())
        except Malformed as problem:
            raise await self._refused(wallet, line_id, line, {problem.code}) from None
        results = [await self._verify(each) for each in copies]
        for result in results:
            failed, unknown = reasons(result)
            refusals |= failed | (unknown - PASSING)
            undecided |= unknown
        bound = {holder_of(each) for each in copies}
        if len(bound) != len(copies):
            refusals.add(Code.HOLDER_KEY_MISMATCH)
        if refusals - ON_REQUEST_ONLY or (refusals and not line["keep_unrecognised"]):
            raise await self._refused(wallet, line_id, line, refusals)
        if undecided:
            detail = "the credential came but cannot be verified now; the wallet tries again when it is unlocked"
            raise Unreachable(min(undecided), detail)
        return await self._keep(wallet, line_id, line, copies, results[0])

    async def is_acceptable(self, signed: SignedCredential, line: Line) -> bool:
        """Say whether a further copy of a card passes what its first copy did; what cannot be told now does not."""
        failed, undecided = reasons(await self._verify(signed))
        return not undecided and (not failed or (failed <= ON_REQUEST_ONLY and bool(line["keep_unrecognised"])))

    async def _verify(self, signed: SignedCredential) -> Result:
        demand = Demand(at=self.clock.now(), place=None, holder=None)
        outcome = verify_held(
            signed.encoded,
            demand=demand,
            status=StatusDemand(),
            snapshot=self.snapshot(),
            expected_format=signed.format,
        )
        return await self.shell.settle(outcome)

    async def _keep(
        self, wallet: OpenWallet, line_id: str, line: Line, copies: Sequence[SignedCredential], result: Result
    ) -> Received:
        credential_id, keys = holdings.new_id(), journal.keys_of(line)
        named = [keys[holder_of(each)] for each in copies]
        content = {
            "format": copies[0].format.value,
            "encoded": copies[0].encoded,
            "about": about(result, issuer=line["issuer"], key=named[0], at=self.clock.now().isoformat())
            | {"grant": line.get("grant"), "configuration_id": line["configuration_id"]},
            **kept_with(line, copies[1:], named[1:]),
        }
        codes = [code.value for code in result.codes]
        history = {"what": "received", "credential": credential_id, "issuer": line["issuer"], "codes": codes}
        sheets = [
            Sheet(kind=CREDENTIAL, id=credential_id, content=content),
            Sheet(kind=HISTORY, id=holdings.new_id(), content=history),
        ]
        sheets += self.notifying.notice(line, NotificationEvent.ACCEPTED)
        unused = [(KEY, each) for each in keys.values() if each not in named]
        await wallet.commit(put=sheets, delete=[(PENDING, line_id), *unused])
        await self.notifying.send_all(wallet)
        return Received(credential_id=credential_id, report=report.document(result, with_claims=False))

    async def _refused(self, wallet: OpenWallet, line_id: str, line: Line, refusals: set[Code]) -> Denied:
        """Drop what came, tell the issuer, and return what to raise."""
        codes = sorted(code.value for code in refusals)
        history = {"what": "refused", "issuer": line["issuer"], "codes": codes}
        sheet = Sheet(kind=HISTORY, id=holdings.new_id(), content=history)
        notices = self.notifying.notice(line, NotificationEvent.FAILURE)
        await wallet.commit(put=[sheet, *notices], delete=journal.leftovers(line_id, line))
        await self.notifying.send_all(wallet)
        return Denied(Code.CREDENTIAL_REFUSED, f"what the issuer sent is not kept: {', '.join(codes)}")


def about(result: Result, *, issuer: str, key: str, at: str) -> dict[str, Any]:
    """Return what the wallet notes beside a credential: who issued it, whether the registry vouches, its status."""
    (credential,) = result.credentials
    status = credential.check(CheckName.STATUS)
    return {
        "issuer": issuer,
        "issuer_name": credential.about.get("issuer_name"),
        "key": key,
        "recognised": not (set(result.codes) & ON_REQUEST_ONLY),
        "codes": [code.value for code in result.codes],
        "status": status.code.value,
        "checked_at": at,
    }
