"""Receiving: take an offer, verify what came, keep it.

The order of writes is what makes a lost reply or a crash harmless. The holder key and a journal line with the access
token are durable before the proof leaves, so that the same credential can be asked for again; what came is in the
journal before it is judged; the credential is stored and the journal line goes in one step (catalogue F06, F07).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

import schemas
from comity import formats, strict_json
from comity.credential import CredentialType, Format, SignedCredential
from comity.did import web
from comity.errors import Code, ComityError, Conflict, Denied, Malformed, Unreachable
from comity.keys import KeySigner, thumbprint
from comity.openid.issuance import credential_response
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Issued
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.notification import Notification, NotificationEvent
from comity.openid.oauth import AuthorizationServerMetadata, TokenRequest, parse_nonce_response
from comity.ports import Clock, Signer
from comity.runtime.evidence import EvidenceShell
from comity.trust.snapshot import RegistrySnapshot
from comity.verification import report
from comity.verification.checks import CheckName, Outcome, Result
from comity.verification.credential import Demand
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from wallet import attesting, holdings
from wallet.attesting import WalletProvider
from wallet.offers import Offers, Preview
from wallet.outbound import JSON, Outbound, accepted, error_of
from wallet.records import CREDENTIAL, HISTORY, KEY, PENDING, OpenWallet, Sheet
from wallet.tokens import Exchange

ON_REQUEST_ONLY = frozenset({Code.ISSUER_UNKNOWN, Code.NOT_ACCREDITED_FOR_TYPE})
"""What may be wrong with a credential that is kept all the same, when the person says so (decision record 0014)."""

PASSING = frozenset({Code.DID_UNRESOLVED, Code.REGISTRY_EXPIRED})
"""What cannot be told now but later: the credential stays in the journal and is judged at the next unlocking."""

_log = structlog.get_logger("wallet")

Line = Mapping[str, Any]
"""A line of the journal: what is needed to ask for one credential, or once more for it, and what came."""


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

    async def preview(self, link: str) -> Preview:
        """Read an offer; see :meth:`wallet.offers.Offers.preview`."""
        offers = Offers(outbound=self.outbound, clock=self.clock, snapshot=self.snapshot)
        return await offers.preview(link)

    async def receive(self, wallet: OpenWallet, link: str, terms: Terms) -> list[Received]:
        """Take an offer: a token, a proof for each credential, verification, and only then storage.

        Raises:
            Denied: the issuer refuses, or the wallet refuses what came (``credential_refused``; the detail has the
                codes).
            Malformed: what the issuer sent cannot be used.
            Unreachable: the issuer does not answer, or what came cannot be verified now; :meth:`recover` goes on.
        """
        preview = await self.preview(link)
        chosen = _chosen(preview, terms)
        kinds = {each.id: attesting.proof_kind(each, self.provider) for each in chosen}
        shared_key = await self._shared_key(wallet, terms, chosen)
        access = {**await self._access(preview, terms), "proofs": kinds}
        return [await self._one(wallet, _line(each, preview.metadata, access, terms), shared_key) for each in chosen]

    async def take(self, wallet: OpenWallet, preview: Preview, terms: Terms, access: Line) -> list[Received]:
        """Take what a token is for that was had otherwise; ``access`` is what a journal line holds of the token.

        Raises:
            Denied, Malformed, Unreachable: as :meth:`receive`.
        """
        chosen = _chosen(preview, terms)
        kinds = {each.id: attesting.proof_kind(each, self.provider) for each in chosen}
        shared_key = await self._shared_key(wallet, terms, chosen)
        access = {**access, "proofs": kinds}
        return [await self._one(wallet, _line(each, preview.metadata, access, terms), shared_key) for each in chosen]

    async def recover(self, wallet: OpenWallet) -> list[Received]:
        """Finish what a lost reply or a crash interrupted: ask once more, judge, keep. Never raises for a line.

        A line whose issuer does not answer, or whose credential cannot be judged now, waits for the next time.
        """
        kept = []
        for line in await wallet.all(PENDING):
            try:
                kept.append(await self._resume(wallet, line.id, line.content))
            except ComityError as error:
                _log.warning("an interrupted credential was not kept", code=error.code.value)
        return kept

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
            code = Code.TRANSACTION_CODE_WRONG if preview.needs_transaction_code else Code.CODE_ALREADY_USED
            raise Denied(code, "the issuer does not accept the code, or the offer is used up")
        return exchange.for_journal(exchange.token_of(answer))

    async def _one(self, wallet: OpenWallet, line: Line, shared_key: str | None) -> Received:
        signer: Signer
        sheets = []
        if shared_key is not None:
            key_id, signer = shared_key, await holdings.signer_of(wallet, shared_key)
        else:
            made = KeySigner.generate()
            key_id, signer = holdings.new_id(), made
            sheets.append(Sheet(kind=KEY, id=key_id, content={"private_jwk": made.private_jwk()}))
        line_id = holdings.new_id()
        line = {**line, "key": key_id, "own_key": shared_key is None, "holder_key": thumbprint(signer.public_jwk)}
        # Durable before the proof leaves: the key that the credential will be bound to, and how to ask again.
        await wallet.commit(put=[*sheets, Sheet(kind=PENDING, id=line_id, content=line)])
        try:
            issued = await self._ask(line, signer)
        except Denied:
            await wallet.commit(delete=_leftovers(line_id, line))
            raise
        return await self._take(wallet, line_id, line, issued)

    async def _resume(self, wallet: OpenWallet, line_id: str, line: Line) -> Received:
        """Go on with a line of the journal; a line that the issuer will not answer any more is dropped."""
        if "encoded" in line:
            return await self._judge(wallet, line_id, line)
        try:
            issued = await self._ask(line, await holdings.signer_of(wallet, line["key"]))
        except (Denied, Malformed):
            history = {"what": "not_received", "issuer": line["issuer"]}
            sheet = Sheet(kind=HISTORY, id=holdings.new_id(), content=history)
            await wallet.commit(put=[sheet], delete=_leftovers(line_id, line))
            raise
        return await self._take(wallet, line_id, line, issued)

    async def _take(self, wallet: OpenWallet, line_id: str, line: Line, issued: Issued) -> Received:
        line = {**line, "encoded": issued.credentials[0], "notification_id": issued.notification_id}
        await wallet.put(PENDING, line_id, line, version=2)
        return await self._judge(wallet, line_id, line)

    async def _ask(self, line: Line, signer: Signer) -> Issued:
        """Send one credential request; a nonce that is refused is fetched once more (profile 4.7)."""
        exchange = Exchange.resume(self.outbound, self.clock, line)
        for attempt in (1, 2):
            nonce = None
            if line["nonce_endpoint"] is not None:
                nonce = parse_nonce_response(accepted(await exchange.post(line["nonce_endpoint"], b"")))
            now = self.clock.now()
            request = attesting.request_for(line, signer, nonce=nonce, at=now, provider=self.provider)
            request = _by_identifier(request, line)
            body = strict_json.serialise(request.to_dict())
            answer = await exchange.post(line["credential_endpoint"], body, content_type=JSON, token=line["token"])
            if attempt == 1 and answer.status == 400 and error_of(answer) == "invalid_nonce":
                continue
            parsed = credential_response.parse(accepted(answer), proofs_sent=1)
            if isinstance(parsed, Issued):
                return parsed
            break
        raise Denied(Code.ISSUER_REFUSED, "the issuer wants more time, which this wallet cannot give yet")

    # --- judging what came

    async def _judge(self, wallet: OpenWallet, line_id: str, line: Line) -> Received:
        """Verify what came as a verifier would, then keep or refuse it."""
        try:
            signed = SignedCredential(format=formats.of(line["encoded"]), encoded=line["encoded"])
            refusals = _mismatches(signed, line, self.clock.now()) | self._foreign(signed, line)
        except Malformed as problem:
            raise await self._refused(wallet, line_id, line, {problem.code}) from None
        result = await self._verify(signed)
        failed, undecided = _reasons(result)
        refusals |= failed | (undecided - PASSING)
        if refusals - ON_REQUEST_ONLY or (refusals and not line["keep_unrecognised"]):
            raise await self._refused(wallet, line_id, line, refusals)
        if undecided:
            detail = "the credential came but cannot be verified now; the wallet tries again when it is unlocked"
            raise Unreachable(min(undecided), detail)
        return await self._keep(wallet, line_id, line, signed, result)

    def _foreign(self, signed: SignedCredential, line: Line) -> set[Code]:
        """Refuse the credential of another issuer than the one that was shown to the person (catalogue I23)."""
        own = {line["issuer"]} | ({web.did_of(line["issuer"])} if signed.format is Format.VC_JWT else set())
        entries = self.snapshot().issuers()
        authorities = {each.authority for each in entries if each.identifier.id in own}
        own |= {each.identifier.id for each in entries if each.authority in authorities}
        return set() if holdings.process(signed).issuer in own else {Code.ISSUER_MISMATCH}

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
        self, wallet: OpenWallet, line_id: str, line: Line, signed: SignedCredential, result: Result
    ) -> Received:
        credential_id = holdings.new_id()
        content = {
            "format": signed.format.value,
            "encoded": signed.encoded,
            "about": about(result, issuer=line["issuer"], key=line["key"], at=self.clock.now().isoformat())
            | {"grant": line.get("grant"), "configuration_id": line["configuration_id"]},
        }
        codes = [code.value for code in result.codes]
        history = {"what": "received", "credential": credential_id, "issuer": line["issuer"], "codes": codes}
        sheets = [
            Sheet(kind=CREDENTIAL, id=credential_id, content=content),
            Sheet(kind=HISTORY, id=holdings.new_id(), content=history),
        ]
        await wallet.commit(put=sheets, delete=[(PENDING, line_id)])
        await self._notify(line, NotificationEvent.ACCEPTED)
        return Received(credential_id=credential_id, report=report.document(result, with_claims=False))

    async def _refused(self, wallet: OpenWallet, line_id: str, line: Line, refusals: set[Code]) -> Denied:
        """Drop what came, tell the issuer, and return what to raise."""
        codes = sorted(code.value for code in refusals)
        history = {"what": "refused", "issuer": line["issuer"], "codes": codes}
        sheet = Sheet(kind=HISTORY, id=holdings.new_id(), content=history)
        await wallet.commit(put=[sheet], delete=_leftovers(line_id, line))
        await self._notify(line, NotificationEvent.FAILURE)
        return Denied(Code.CREDENTIAL_REFUSED, f"what the issuer sent is not kept: {', '.join(codes)}")

    async def _notify(self, line: Line, event: NotificationEvent) -> None:
        """Tell the issuer what became of it; it need not listen (VCI-51)."""
        endpoint, notification_id = line["notification_endpoint"], line["notification_id"]
        if endpoint is None or notification_id is None:
            return
        told = strict_json.serialise(Notification(notification_id=notification_id, event=event).to_dict())
        try:
            exchange = Exchange.resume(self.outbound, self.clock, line)
            await exchange.post(endpoint, told, content_type=JSON, token=line["token"])
        except (Malformed, Unreachable):
            return


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


def _by_identifier(request: CredentialRequest, line: Line) -> CredentialRequest:
    """Ask by the identifier where the token came with one, else by the configuration (VCI-23, VCI-40)."""
    identifier = line.get("identifiers", {}).get(line["configuration_id"])
    return request if identifier is None else replace(request, configuration_id=None, credential_identifier=identifier)


def _line(
    configuration: CredentialConfiguration, metadata: IssuerMetadata, access: Line, terms: Terms
) -> dict[str, Any]:
    """Return what a journal line holds of what is taken, of the token, and of what the person said."""
    return {
        **access,
        "keep_unrecognised": terms.keep_unrecognised,
        "proof": access["proofs"][configuration.id],
        "issuer": metadata.credential_issuer,
        "configuration_id": configuration.id,
        "format": configuration.format.value,
        "type_name": configuration.vct or configuration.contexts[-1].removesuffix("/context"),
        "credential_endpoint": metadata.credential_endpoint,
        "nonce_endpoint": metadata.nonce_endpoint,
        "notification_endpoint": metadata.notification_endpoint,
        "notification_id": None,
    }


def _leftovers(line_id: str, line: Line) -> list[tuple[str, str]]:
    """Return what goes when nothing came of a line: itself, and the key that was made for it."""
    return [(PENDING, line_id), *([(KEY, line["key"])] if line["own_key"] else [])]


def _mismatches(signed: SignedCredential, line: Line, now: datetime) -> set[Code]:
    """Return in what the credential is not the one that was asked for (catalogue S14, I23).

    The validity period is looked at here too: the checks of a credential whose issuer nobody knows stop before it.

    Raises:
        Malformed: it cannot be read.
    """
    opened, processed = formats.FORMATS[signed.format].open(signed.encoded), holdings.process(signed)
    found = {
        Code.HOLDER_PROOF_MALFORMED: not opened.is_as_issued,
        Code.CREDENTIAL_NOT_REQUESTED: (processed.type_name, signed.format) != (line["type_name"], line["format"]),
        Code.HOLDER_KEY_MISMATCH: processed.holder_jwk is None
        or thumbprint(processed.holder_jwk) != line["holder_key"],
        Code.EXPIRED: processed.valid_until is not None and processed.valid_until <= now,
    }
    return {code for code, is_so in found.items() if is_so}


def _reasons(result: Result) -> tuple[set[Code], set[Code]]:
    """Return the codes of what failed and of what could not be decided; an undecided *status* is no reason."""
    failed = {check.code for check in result.all_checks if check.outcome is Outcome.FAILED}
    undecided = {
        check.code
        for check in result.all_checks
        if check.outcome is Outcome.UNKNOWN and check.name is not CheckName.STATUS
    }
    return failed, undecided


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
