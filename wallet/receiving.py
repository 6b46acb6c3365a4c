"""Receiving: take an offer, verify what came, keep it.

The order of writes is what makes a lost reply or a crash harmless. The holder key and a journal line with the access
token are durable before the proof leaves, so that the same credential can be asked for again; what came is in the
journal before it is judged; the credential is stored and the journal line goes in one step (catalogue F06, F07).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

import schemas
from comity import formats
from comity.credential import CredentialType, SignedCredential
from comity.errors import Code, ComityError, Conflict, Denied, Malformed, NotFound, Unreachable
from comity.keys import KeySigner, thumbprint
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.credential_response import Deferred, Issued
from comity.openid.issuance.notification import NotificationEvent
from comity.openid.oauth import AuthorizationServerMetadata, TokenRequest
from comity.ports import Clock, Signer
from comity.runtime.evidence import EvidenceShell
from comity.trust.snapshot import RegistrySnapshot
from comity.verification import report
from comity.verification.checks import CheckName, Result
from comity.verification.credential import Demand
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from wallet import deferred, holdings, journal, wrong_codes
from wallet.asking import Asking
from wallet.attesting import WalletProvider
from wallet.copies import copies_wanted, holder_of, kept_with
from wallet.journal import Line, line_of
from wallet.judging import foreign, mismatches, reasons
from wallet.notifying import Notifying
from wallet.offers import Offers, Preview
from wallet.outbound import Outbound, error_of
from wallet.records import CREDENTIAL, HISTORY, KEY, PENDING, Kept, OpenWallet, Sheet
from wallet.tokens import Exchange

ON_REQUEST_ONLY = frozenset({Code.ISSUER_UNKNOWN, Code.NOT_ACCREDITED_FOR_TYPE})
"""What may be wrong with a credential that is kept all the same, when the person says so (decision record 0014)."""

PASSING = frozenset({Code.DID_UNRESOLVED, Code.REGISTRY_EXPIRED})
"""What cannot be told now but later: the credential stays in the journal and is judged at the next unlocking."""

ASKED_FOR = timedelta(days=1)  # how long a credential is asked for whose answers cannot be read

_log = structlog.get_logger("wallet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the person takes an offer.

    Attributes:
        transaction_code: the code told apart from the offer; None when none was.
        configuration_ids: which of the offered credentials; empty takes all.
        same_key_as: id of a held credential to whose key the new one is bound, where both types allow it.
        keep_unrecognised: keep it although the registry does not vouch for the issuer, or not for this type.
    """

    transaction_code: str | None = field(default=None, repr=False)
    configuration_ids: tuple[str, ...] = ()
    same_key_as: str | None = None
    keep_unrecognised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One credential that was kept, and what its verification found."""

    credential_id: str
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """The use case, with what it needs."""

    outbound: Outbound
    clock: Clock
    snapshot: Callable[[], RegistrySnapshot]
    shell: EvidenceShell
    provider: WalletProvider | None = None

    @property
    def asking(self) -> Asking:
        """What sends credential requests."""
        return Asking(outbound=self.outbound, clock=self.clock, offers=self._offers, provider=self.provider)

    @property
    def _offers(self) -> Offers:
        return Offers(outbound=self.outbound, clock=self.clock, snapshot=self.snapshot)

    @property
    def notifying(self) -> Notifying:
        """What tells issuers what became of their credentials."""
        return Notifying(outbound=self.outbound, clock=self.clock)

    async def preview(self, link: str) -> Preview:
        """Read an offer; see :meth:`wallet.offers.Offers.preview`."""
        return await self._offers.preview(link)

    async def receive(self, wallet: OpenWallet, link: str, terms: Terms) -> list[Received]:
        """Take an offer: a token, a proof for each credential, verification, and only then storage.

        Returns what was kept; what the issuer will send later is :func:`wallet.deferred.on_the_way`.

        Raises:
            Denied: the issuer refuses, or the wallet refuses what came (``credential_refused``; the detail has the
                codes).
            Malformed: what the issuer sent cannot be used.
            Unreachable: the issuer does not answer, or what came cannot be verified now; :meth:`recover` goes on.
        """
        preview = await self.preview(link)
        chosen = _chosen(preview, terms)
        shared_key = await self._shared_key(wallet, terms, chosen)
        # Before the code is used up: whether the issuer can be spoken to at all.
        lines = self._lines(preview, chosen, terms)
        return await self._all(wallet, preview, lines, await self._access(preview, terms), shared_key)

    async def take(self, wallet: OpenWallet, preview: Preview, terms: Terms, access: Line) -> list[Received]:
        """Take what a token is for that was had otherwise; ``access`` is what a journal line holds of the token.

        Raises:
            Denied, Malformed, Unreachable: as :meth:`receive`.
        """
        chosen = _chosen(preview, terms)
        shared_key = await self._shared_key(wallet, terms, chosen)
        return await self._all(wallet, preview, self._lines(preview, chosen, terms), access, shared_key)

    def _lines(self, preview: Preview, chosen: Sequence[CredentialConfiguration], terms: Terms) -> list[dict[str, Any]]:
        """Return what journal lines hold of what is taken and of what the person said; the token is yet to come."""
        said = {"keep_unrecognised": terms.keep_unrecognised}
        return [{**line_of(each, preview.metadata, self.provider), **said} for each in chosen]

    async def _all(
        self, wallet: OpenWallet, preview: Preview, lines: Sequence[Line], access: Line, shared_key: str | None
    ) -> list[Received]:
        kept = []
        for line in lines:
            configuration = preview.metadata.configurations[line["configuration_id"]]
            copies = copies_wanted(configuration, preview.metadata) if shared_key is None else 1
            kept.append(await self._one(wallet, {**line, **access}, shared_key, copies))
        return [each for each in kept if each is not None]

    async def recover(self, wallet: OpenWallet) -> list[Received]:
        """Finish what a lost reply or a crash interrupted: ask once more, judge, keep. Never raises for a line.

        A line whose issuer does not answer, or whose credential cannot be judged now, waits for the next time.
        """
        return await self._resume_all(wallet, await wallet.all(PENDING))

    async def collect(self, wallet: OpenWallet) -> list[Received]:
        """Ask after what issuers have promised, where their interval is over. Never raises for a line."""
        return await self._resume_all(wallet, await deferred.on_the_way(wallet))

    async def give_up(self, wallet: OpenWallet, line_id: str) -> None:
        """Let go of a credential that has not arrived, or came and could not be judged yet, because the person says so.

        Raises:
            NotFound: ``credential_unknown``.
        """
        found = await wallet.find(PENDING, line_id)
        if found is None:
            raise NotFound(Code.CREDENTIAL_UNKNOWN, "nothing of this name is on its way")
        line = found.content
        history = Sheet(kind=HISTORY, id=holdings.new_id(), content={"what": "given_up", "issuer": line["issuer"]})
        notices = self.notifying.notice(line, NotificationEvent.DELETED)
        await wallet.commit(put=[history, *notices], delete=journal.leftovers(line_id, line))
        await self.notifying.send_all(wallet)

    async def _resume_all(self, wallet: OpenWallet, lines: Sequence[Kept]) -> list[Received]:
        kept = []
        for line in lines:
            try:
                kept.append(await self._resume(wallet, line))
            except ComityError as error:
                _log.warning("an interrupted credential was not kept", code=error.code.value)
        await self.notifying.send_all(wallet)
        return [each for each in kept if each is not None]

    # --- asking the issuer

    async def _shared_key(
        self, wallet: OpenWallet, terms: Terms, chosen: tuple[CredentialConfiguration, ...]
    ) -> str | None:
        """Return the id of the held key to bind to, or None for a fresh key for each credential."""
        if terms.same_key_as is None:
            return None
        held = await holdings.find_held(wallet, terms.same_key_as)
        kinds = [held.processed.type, *(each.credential_type for each in chosen)]
        if not all(kind is not None and _may_share(kind) for kind in kinds):
            raise Conflict(Code.KEY_NOT_SHARED, "a type among them does not allow one key for several credentials")
        return held.key_id

    async def _access(self, preview: Preview, terms: Terms) -> dict[str, Any]:
        """Return the token, and the key it is bound to, as a line of the journal holds them."""
        grant = preview.offer.pre_authorized
        if grant is None:
            raise Malformed(Code.OFFER_INVALID, "the offer has no pre-authorized code")
        if preview.needs_transaction_code and not terms.transaction_code:
            raise Denied(Code.TRANSACTION_CODE_REQUIRED, "the offer needs the code that was told apart from it")
        server = preview.metadata.authorization_server(grant.authorization_server)
        document = await self.outbound.get_json(AuthorizationServerMetadata.url(server))
        metadata = AuthorizationServerMetadata.parse(document, issuer=server)
        request = TokenRequest(
            pre_authorized_code=grant.code,
            tx_code=terms.transaction_code if preview.needs_transaction_code else None,
            resource=preview.metadata.credential_issuer,
        )
        exchange = Exchange.begin(self.outbound, self.clock, metadata, self.provider)
        answer = await exchange.send_code(metadata.token_endpoint, request)
        if answer.status == 400 and error_of(answer) in {"invalid_grant", "invalid_tx_code"}:
            raise wrong_codes.told_by(answer, is_typed=preview.needs_transaction_code)
        return exchange.for_journal(exchange.token_of(answer))

    async def _one(self, wallet: OpenWallet, line: Line, shared_key: str | None, copies: int) -> Received | None:
        signers: list[Signer]
        sheets = []
        if shared_key is not None:
            key_ids, signers = [shared_key], [await holdings.signer_of(wallet, shared_key)]
        else:
            made = [KeySigner.generate() for _ in range(copies)]
            key_ids, signers = [holdings.new_id() for _ in made], list(made)
            sheets = [
                Sheet(kind=KEY, id=key_id, content={"private_jwk": each.private_jwk()})
                for key_id, each in zip(key_ids, made, strict=True)
            ]
        named = {thumbprint(each.public_jwk): key_id for each, key_id in zip(signers, key_ids, strict=True)}
        record = Kept(
            id=holdings.new_id(),
            version=1,
            created_at=self.clock.now(),
            content={**line, "keys": named, "own_key": shared_key is None},
        )
        # Durable before the proof leaves: the keys that the copies will be bound to, and how to ask again.
        await wallet.commit(put=[*sheets, Sheet(kind=PENDING, id=record.id, content=record.content)])
        try:
            answer = await self.asking.for_credentials(record.content, signers)
        except Denied:
            await wallet.commit(delete=journal.leftovers(record.id, record.content))
            raise
        return await self._take(wallet, record, answer)

    async def _resume(self, wallet: OpenWallet, record: Kept) -> Received | None:
        """Go on with a line of the journal; a line that the issuer will not answer any more is dropped."""
        line = record.content
        if "encoded" in line:
            return await self._judge(wallet, record.id, line)
        if deferred.is_waiting(line):
            return await self._ask_after(wallet, record)
        try:
            answer = await self.asking.for_credentials(line, await journal.signers(wallet, line))
        except (Denied, Malformed) as error:  # what cannot be read may have been cut on its way, more than once
            if isinstance(error, Denied) or record.created_at + ASKED_FOR <= self.clock.now():
                await self._not_received(wallet, record)
            raise
        return await self._take(wallet, record, answer)

    async def _ask_after(self, wallet: OpenWallet, record: Kept) -> Received | None:
        """Ask after what was promised; of several who try at once, one does."""
        now = self.clock.now()
        if not deferred.is_due(record.content, now):
            return None
        record = await journal.rewritten(wallet, record, deferred.postponed(record.content, now))
        try:
            answer: Issued | Deferred | None = await self.asking.for_deferred(record.content)
            if answer is None:  # delivered, and lost on the way: the first request, said again, is answered once more
                signers = await journal.signers(wallet, record.content)
                answer = await self.asking.for_credentials(record.content, signers)
        except Denied:
            await self._not_received(wallet, record)
            raise
        return await self._take(wallet, record, answer)

    async def _not_received(self, wallet: OpenWallet, record: Kept) -> None:
        history = {"what": "not_received", "issuer": record.content["issuer"]}
        sheet = Sheet(kind=HISTORY, id=holdings.new_id(), content=history)
        await wallet.commit(put=[sheet], delete=journal.leftovers(record.id, record.content))

    async def _take(self, wallet: OpenWallet, record: Kept, answer: Issued | Deferred) -> Received | None:
        line = record.content
        if isinstance(answer, Deferred):
            await journal.rewritten(wallet, record, deferred.waiting(line, answer, self.clock.now()))
            return None
        came = {"encoded": list(answer.credentials), "notification_id": answer.notification_id}
        record = await journal.rewritten(wallet, record, {**line, **came})
        return await self._judge(wallet, record.id, record.content)

    # --- judging what came

    async def _judge(self, wallet: OpenWallet, line_id: str, line: Line) -> Received:
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


def _chosen(preview: Preview, terms: Terms) -> tuple[CredentialConfiguration, ...]:
    if not terms.configuration_ids:
        return preview.configurations
    chosen = tuple(each for each in preview.configurations if each.id in terms.configuration_ids)
    if len(chosen) != len(set(terms.configuration_ids)):
        raise Malformed(Code.CREDENTIAL_CONFIGURATION_UNKNOWN, "the offer does not hold everything that was chosen")
    return chosen


def _may_share(kind: CredentialType) -> bool:
    if (kind.slug, kind.version) not in schemas.all_types():
        return False
    return bool(schemas.type_metadata(kind.slug, kind.version)["comity"]["holder_key"] == "shared")
