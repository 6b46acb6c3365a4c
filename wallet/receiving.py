"""Receiving: look at an offer, take it, verify what came, keep it.

The order of writes is what makes a lost reply or a crash harmless: the holder key and a journal line are durable before
the proof leaves; what came is in the journal before it is judged; the journal line goes last (catalogue F06, F07).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import schemas
from comity import formats, strict_json
from comity.credential import CredentialType, SignedCredential
from comity.errors import Code, Conflict, Denied, Malformed, Unreachable
from comity.keys import KeySigner, thumbprint
from comity.openid import key_proof
from comity.openid.issuance import credential_response
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Issued
from comity.openid.issuance.display import in_language
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.notification import Notification, NotificationEvent
from comity.openid.issuance.offer import CredentialOffer, OfferReference, parse_link
from comity.openid.oauth import AuthorizationServerMetadata, TokenRequest, TokenResponse, parse_nonce_response
from comity.ports import Clock
from comity.runtime.evidence import EvidenceShell
from comity.trust import may_issue
from comity.trust.snapshot import RegistrySnapshot
from comity.verification import report
from comity.verification.checks import CheckName, Outcome, Result
from comity.verification.credential import Demand
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from wallet import holdings
from wallet.custody import CREDENTIAL, HISTORY, KEY, PENDING, OpenWallet
from wallet.outbound import FORM, JSON, Outbound, accepted, error_of

ON_REQUEST_ONLY = frozenset({Code.ISSUER_UNKNOWN, Code.NOT_ACCREDITED_FOR_TYPE})
"""What may be wrong with a credential that is kept all the same, when the person says so (decision record 0014)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """An offer as the person sees it, before anything was taken.

    Attributes:
        offer: the offer itself.
        metadata: the issuer's description of itself; nothing in it is believed but for display.
        configurations: what is on offer.
        facts: by configuration id: ``known`` (the registry names the issuer) and ``may_issue`` (this type, today).
    """

    offer: CredentialOffer
    metadata: IssuerMetadata
    configurations: tuple[CredentialConfiguration, ...]
    facts: Mapping[str, Mapping[str, Any]]

    @property
    def needs_transaction_code(self) -> bool:
        """Whether a code that was told apart from the offer is asked for."""
        grant = self.offer.pre_authorized
        return grant is not None and grant.transaction_code is not None

    def document(self, language: str) -> dict[str, Any]:
        """Return the preview for people, in ``language``."""
        issuer = in_language(self.metadata.display, language)
        grant = self.offer.pre_authorized
        code = grant.transaction_code if grant else None
        return {
            "issuer": {"id": self.metadata.credential_issuer, "name": issuer.name if issuer else None},
            "transaction_code": code.to_dict() if code else None,
            "credentials": [
                {
                    "configuration_id": each.id,
                    "format": each.format.value,
                    "name": name.name if (name := in_language(each.display, language)) else each.id,
                    "claims": [
                        label.name if (label := in_language(claim.display, language)) else str(claim.path[-1])
                        for claim in each.claims
                    ],
                    "trust": dict(self.facts[each.id]),
                }
                for each in self.configurations
            ],
        }


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

    async def preview(self, link: str) -> Preview:
        """Read an offer and the issuer's metadata; nothing is taken (VCI-10 to VCI-12).

        Raises:
            OAuthError: the offer or the metadata cannot be used.
            Unreachable: the issuer does not answer.
        """
        offer = parse_link(link)
        if isinstance(offer, OfferReference):
            offer = CredentialOffer.parse(await self.outbound.get_json(offer.url))
        issuer = offer.credential_issuer
        metadata = IssuerMetadata.parse(
            await self.outbound.get_json(IssuerMetadata.url(issuer)), credential_issuer=issuer
        )
        configurations = metadata.offered(offer)
        facts = {each.id: self._facts(metadata, each) for each in configurations}
        return Preview(offer=offer, metadata=metadata, configurations=configurations, facts=facts)

    async def receive(self, wallet: OpenWallet, link: str, terms: Terms) -> list[Received]:
        """Take an offer: a token, a proof for each credential, verification, and only then storage.

        Raises:
            Denied: the issuer refuses, or the wallet refuses what came (``credential_refused``; the detail has the
                codes).
            Malformed: what the issuer sent cannot be used.
            Unreachable: the issuer does not answer; what had come is in the journal.
        """
        preview = await self.preview(link)
        chosen = _chosen(preview, terms)
        key_id = await self._key(wallet, terms, chosen)
        token = await self._token(preview, terms)
        kept = []
        for configuration in chosen:
            step = self._one(
                wallet, configuration, metadata=preview.metadata, token=token, shared_key=key_id, terms=terms
            )
            kept.append(await step)
        return kept

    async def recover(self, wallet: OpenWallet) -> list[Received]:
        """Finish what a crash interrupted: judge and keep what the journal holds. Lines without an answer stay."""
        kept = []
        for line in await wallet.all(PENDING):
            if "encoded" not in line.content:
                continue
            terms = Terms(keep_unrecognised=bool(line.content["keep_unrecognised"]))
            try:
                kept.append(await self._judge(wallet, line.id, line.content, terms))
            except Denied:
                continue
        return kept

    # --- what is believed about the issuer before it is asked

    def _facts(self, metadata: IssuerMetadata, configuration: CredentialConfiguration) -> dict[str, Any]:
        """Return two separate facts: is this issuer known, and may it issue this type today?"""
        snapshot, now = self.snapshot(), self.clock.now()
        kind = configuration.credential_type
        for entry in snapshot.issuers():
            if entry.identifier.id == metadata.credential_issuer and kind is not None:
                decision = may_issue(snapshot, entry, kind, issued_on=now.date(), at=now)
                return {"known": True, "name": dict(entry.name), "may_issue": decision.answer, "code": decision.code}
        return {"known": False, "name": None, "may_issue": Outcome.UNKNOWN.value, "code": Code.ISSUER_UNKNOWN.value}

    # --- asking the issuer

    async def _key(self, wallet: OpenWallet, terms: Terms, chosen: tuple[CredentialConfiguration, ...]) -> str | None:
        """Return the id of the held key to bind to, or None for a fresh key for each credential."""
        if terms.same_key_as is None:
            return None
        held = await holdings.find_held(wallet, terms.same_key_as)
        kinds = [held.processed.type, *(each.credential_type for each in chosen)]
        if not all(kind is not None and _may_share(kind) for kind in kinds):
            raise Conflict(Code.KEY_NOT_SHARED, "a type among them does not allow one key for several credentials")
        return held.key_id

    async def _token(self, preview: Preview, terms: Terms) -> str:
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
        answer = await self.outbound.post(metadata.token_endpoint, request.to_form().encode(), content_type=FORM)
        if answer.status == 400 and error_of(answer) in {"invalid_grant", "invalid_tx_code"}:
            code = Code.TRANSACTION_CODE_WRONG if preview.needs_transaction_code else Code.CODE_ALREADY_USED
            raise Denied(code, "the issuer does not accept the code, or the offer is used up")
        return TokenResponse.parse(accepted(answer)).access_token

    async def _one(
        self,
        wallet: OpenWallet,
        configuration: CredentialConfiguration,
        *,
        metadata: IssuerMetadata,
        token: str,
        shared_key: str | None,
        terms: Terms,
    ) -> Received:
        if shared_key is not None:
            key_id, signer = shared_key, await holdings.signer_of(wallet, shared_key)
            keys: list[tuple[str, str, Mapping[str, Any], int]] = []
        else:
            made = KeySigner.generate()
            key_id, signer = holdings.new_id(), made
            keys = [(KEY, key_id, {"private_jwk": made.private_jwk()}, 1)]
        line_id = holdings.new_id()
        line: dict[str, Any] = {
            "issuer": metadata.credential_issuer,
            "configuration_id": configuration.id,
            "format": configuration.format.value,
            "type_name": configuration.vct or (configuration.contexts[-1].removesuffix("/context")),
            "key": key_id,
            "holder_key": thumbprint(signer.public_jwk),
            "keep_unrecognised": terms.keep_unrecognised,
            "notification_endpoint": metadata.notification_endpoint,
        }
        # Durable before the proof leaves: the key that the credential will be bound to, and the journal line.
        await wallet.put_all([*keys, (PENDING, line_id, line, 1)])
        issued = await self._ask(metadata, configuration, token, signer)
        line |= {"encoded": issued.credentials[0], "notification_id": issued.notification_id, "token": token}
        await wallet.put(PENDING, line_id, line, version=2)
        return await self._judge(wallet, line_id, line, terms)

    async def _ask(
        self, metadata: IssuerMetadata, configuration: CredentialConfiguration, token: str, signer: KeySigner | Any
    ) -> Issued:
        """Send one credential request; a nonce that is refused is fetched once more (profile 4.7)."""
        for attempt in (1, 2):
            nonce = None
            if metadata.nonce_endpoint is not None:
                nonce = parse_nonce_response(accepted(await self.outbound.post(metadata.nonce_endpoint, b"")))
            proof = key_proof.build(
                signer, audience=metadata.credential_issuer, nonce=nonce, issued_at=self.clock.now()
            )
            request = CredentialRequest(configuration_id=configuration.id, proofs=(proof,))
            body = strict_json.serialise(request.to_dict())
            answer = await self.outbound.post(metadata.credential_endpoint, body, content_type=JSON, token=token)
            if attempt == 1 and answer.status == 400 and error_of(answer) == "invalid_nonce":
                continue
            parsed = credential_response.parse(accepted(answer), proofs_sent=1)
            if isinstance(parsed, Issued):
                return parsed
            raise Denied(Code.ISSUER_REFUSED, "the issuer wants more time, which this wallet cannot give yet")
        raise Denied(Code.ISSUER_REFUSED, "the issuer does not accept its own nonce")

    # --- judging what came

    async def _judge(self, wallet: OpenWallet, line_id: str, line: Mapping[str, Any], terms: Terms) -> Received:
        """Verify what came as a verifier would, then keep or refuse it."""
        signed = SignedCredential(format=formats.of(line["encoded"]), encoded=line["encoded"])
        result = await self._verify(signed)
        refusals = _refusals(result, signed, line)
        if refusals - ON_REQUEST_ONLY or (refusals and not terms.keep_unrecognised):
            await self._refuse(wallet, line_id, line, refusals)
            codes = ", ".join(sorted(refusals))
            raise Denied(Code.CREDENTIAL_REFUSED, f"what the issuer sent is not kept: {codes}")
        credential_id = holdings.new_id()
        document = report.document(result, with_claims=False)
        content = {
            "format": signed.format.value,
            "encoded": signed.encoded,
            "about": about(result, issuer=line["issuer"], key=line["key"], at=self.clock.now().isoformat()),
        }
        history = {"what": "received", "credential": credential_id, "issuer": line["issuer"], "codes": list(refusals)}
        await wallet.put_all([(CREDENTIAL, credential_id, content, 1), (HISTORY, holdings.new_id(), history, 1)])
        await wallet.delete(PENDING, line_id)
        await self._notify(line, NotificationEvent.ACCEPTED)
        return Received(credential_id=credential_id, report=document)

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

    async def _refuse(
        self, wallet: OpenWallet, line_id: str, line: Mapping[str, Any], refusals: frozenset[Code]
    ) -> None:
        history = {"what": "refused", "issuer": line["issuer"], "codes": sorted(refusals)}
        await wallet.put(HISTORY, holdings.new_id(), history)
        await wallet.delete(PENDING, line_id)
        await self._notify(line, NotificationEvent.FAILURE)

    async def _notify(self, line: Mapping[str, Any], event: NotificationEvent) -> None:
        """Tell the issuer what became of it; it need not listen (VCI-51)."""
        endpoint, notification_id = line.get("notification_endpoint"), line.get("notification_id")
        if not endpoint or not notification_id:
            return
        told = strict_json.serialise(Notification(notification_id=notification_id, event=event).to_dict())
        try:
            await self.outbound.post(endpoint, told, content_type=JSON, token=line.get("token"))
        except (Malformed, Denied, Unreachable):
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


def _refusals(result: Result, signed: SignedCredential, line: Mapping[str, Any]) -> frozenset[Code]:
    """Return every reason not to keep what came; an unknown *status* is none."""
    opened = formats.FORMATS[signed.format].open(signed.encoded)
    reasons = {
        check.code
        for check in result.all_checks
        if check.outcome is Outcome.FAILED or (check.outcome is Outcome.UNKNOWN and check.name is not CheckName.STATUS)
    }
    processed = holdings.process(signed)
    if not opened.is_as_issued:
        reasons.add(Code.HOLDER_PROOF_MALFORMED)
    if processed.type_name != line["type_name"] or signed.format.value != line["format"]:
        reasons.add(Code.CREDENTIAL_NOT_REQUESTED)
    if processed.holder_jwk is None or thumbprint(processed.holder_jwk) != line["holder_key"]:
        reasons.add(Code.HOLDER_KEY_MISMATCH)
    return frozenset(reasons)


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
