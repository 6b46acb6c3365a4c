"""Receiving: take an offer, verify what came, keep it.

The order of writes is what makes a lost reply or a crash harmless. The holder key and a journal line with the access
token are durable before the proof leaves, so that the same credential can be asked for again; what came is in the
journal before :mod:`wallet.keeping` judges it (catalogue F06, F07).
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from msgspec import Struct

import schemas
from comity.credential import CredentialType
from comity.errors import Code, ComityError, Conflict, Denied, Malformed, NotFound
from comity.keys import KeySigner, thumbprint
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.credential_response import Deferred, Issued
from comity.openid.issuance.notification import NotificationEvent
from comity.openid.oauth import AuthorizationServerMetadata, TokenRequest
from comity.ports import Clock, Signer
from comity.record import Discreet
from comity.runtime.evidence import EvidenceShell
from comity.trust.snapshot import RegistrySnapshot
from wallet import deferred, holdings, journal, wrong_codes
from wallet.asking import Asking
from wallet.attesting import WalletProvider
from wallet.copies import copies_wanted
from wallet.journal import Line, line_of
from wallet.keeping import Keeping, Received
from wallet.notifying import Notifying
from wallet.offers import Offers, Preview
from wallet.outbound import Outbound, error_of
from wallet.records import HISTORY, KEY, PENDING, Kept, OpenWallet, Sheet
from wallet.tokens import Exchange

ASKED_FOR = timedelta(days=1)  # how long a credential is asked for whose answers cannot be read

_log = structlog.get_logger("wallet")


class Terms(Discreet, frozen=True, kw_only=True):
    """How the person takes an offer.

    Attributes:
        transaction_code: the code told apart from the offer; None when none was.
        configuration_ids: which of the offered credentials; empty takes all.
        same_key_as: id of a held credential to whose key the new one is bound, where both types allow it.
        keep_unrecognised: keep it although the registry does not vouch for the issuer, or not for this type.
    """

    UNPRINTED = frozenset({"transaction_code"})
    transaction_code: str | None = None
    configuration_ids: tuple[str, ...] = ()
    same_key_as: str | None = None
    keep_unrecognised: bool = False


class Receiving(Struct, frozen=True, kw_only=True):
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

    @property
    def keeping(self) -> Keeping:
        """What judges what came, and stores or refuses it."""
        return Keeping(clock=self.clock, snapshot=self.snapshot, shell=self.shell, notifying=self.notifying)

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
            except (AttributeError, LookupError, TypeError, ValueError):  # an import may bring anything
                _log.warning("an interrupted credential cannot be read", code=Code.RECORD_TAMPERED.value)
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
            return await self.keeping.judge(wallet, record.id, line)
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
        return await self.keeping.judge(wallet, record.id, record.content)


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
