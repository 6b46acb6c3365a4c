"""Offers: what an issuer has for the person, read and shown before anything is taken."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from comity import x509
from comity.errors import Code, Malformed, NotFound
from comity.openid.endpoint import is_identifier
from comity.openid.issuance import signed_metadata
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.display import in_language
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.offer import CredentialOffer, OfferReference, parse_link
from comity.ports import Clock
from comity.trust import may_issue
from comity.trust.snapshot import RegistrySnapshot
from comity.web import i18n
from wallet import type_names
from wallet.outbound import JSON, Outbound


class Preview(Struct, frozen=True, kw_only=True):
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

    @property
    def is_by_sign_in(self) -> bool:
        """Whether the person signs in at the issuer to have it (VCI-11): so the offer says, or it says nothing."""
        return self.offer.pre_authorized is None and (
            self.offer.authorization_code is not None or self.offer.names_no_grant
        )

    def issuer_name(self, language: str) -> str | None:
        """Return the registry's name of the issuer; what it calls itself only where the registry has none."""
        named = next((each["name"] for each in self.facts.values() if each.get("name")), None)
        if named:
            return i18n.pick(named, language)
        display = in_language(self.metadata.display, language)
        return display.name if display else None

    def document(self, language: str) -> dict[str, Any]:
        """Return the preview for people, in ``language``."""
        grant = self.offer.pre_authorized
        code = grant.transaction_code if grant else None
        return {
            "issuer": {"id": self.metadata.credential_issuer, "name": self.issuer_name(language)},
            "transaction_code": code.to_dict() if code else None,
            "sign_in": self.is_by_sign_in,
            "credentials": [
                {
                    "configuration_id": each.id,
                    "format": each.format.value,
                    "name": type_names.name_of_offered(each, language),
                    "claims": [
                        label.name if (label := in_language(claim.display, language)) else str(claim.path[-1])
                        for claim in each.claims
                    ],
                    "trust": dict(self.facts[each.id]),
                }
                for each in self.configurations
            ],
        }


class Offers(Struct, frozen=True, kw_only=True):
    """Reads offers, with what that needs."""

    outbound: Outbound
    clock: Clock
    snapshot: Callable[[], RegistrySnapshot]

    async def preview(self, link: str) -> Preview:
        """Read an offer and the issuer's metadata; nothing is taken (VCI-10 to VCI-12).

        Raises:
            OAuthError: the offer or the metadata cannot be used.
            NotFound: ``offer_unknown``: the issuer does not have the offer, or not any more.
            Unreachable: the issuer does not answer.
        """
        offer = parse_link(link)
        if isinstance(offer, OfferReference):
            offer = await self._fetch(offer)
        metadata = await self.metadata(offer.credential_issuer)
        configurations = metadata.offered(offer)
        facts = {each.id: self._facts(metadata, each) for each in configurations}
        return Preview(offer=offer, metadata=metadata, configurations=configurations, facts=facts)

    async def of_issuer(self, issuer: str, configuration_ids: tuple[str, ...]) -> Preview:
        """Read what an issuer has, without an offer: all of it, or what is named.

        Raises:
            Malformed: this is no issuer's address, or its metadata cannot be used, or do not have what is named.
            NotFound, Unreachable: as :meth:`preview`.
        """
        if not is_identifier(issuer):
            raise Malformed(Code.METADATA_INVALID, "an issuer is named by an https URL without query and fragment")
        metadata = await self.metadata(issuer)
        ids = configuration_ids or tuple(metadata.configurations)
        offer = CredentialOffer(credential_issuer=issuer, configuration_ids=ids)
        configurations = metadata.offered(offer)
        facts = {each.id: self._facts(metadata, each) for each in configurations}
        return Preview(offer=offer, metadata=metadata, configurations=configurations, facts=facts)

    async def metadata(self, issuer: str) -> IssuerMetadata:
        """Return an issuer's metadata: signed ones where the registry says who may sign them, else plain ones (VCI-5).

        Raises:
            OAuthError: ``metadata_invalid``: malformed, of another issuer, or signed by somebody else.
            NotFound, Unreachable: as :meth:`wallet.outbound.Outbound.get_json`.
        """
        url, anchors = IssuerMetadata.url(issuer), self._anchors(issuer)
        if not anchors:
            return IssuerMetadata.parse(await self.outbound.get_json(url), credential_issuer=issuer)
        answer = await self.outbound.get(url, signed_metadata.CONTENT_TYPE, JSON)
        if answer.content_type == JSON:  # not every issuer signs; whose credentials come is judged by itself
            return IssuerMetadata.parse(answer.body, credential_issuer=issuer)
        token = answer.body.decode("ascii", "replace")
        return signed_metadata.read(token, credential_issuer=issuer, anchors=anchors, at=self.clock.now())

    def _anchors(self, issuer: str) -> list[x509.Certificate]:
        """Return what the registry trusts for the issuer's certificates; nothing for an issuer it does not know."""
        entries = (each.identifier for each in self.snapshot().issuers() if each.identifier.id == issuer)
        return [x509.from_base64(each.anchor) for each in entries if each.anchor is not None]

    async def _fetch(self, reference: OfferReference) -> CredentialOffer:
        try:
            return CredentialOffer.parse(await self.outbound.get_json(reference.url))
        except NotFound:
            raise NotFound(
                Code.OFFER_UNKNOWN, "the issuer does not have this offer, or it was used or expired"
            ) from None

    def _facts(self, metadata: IssuerMetadata, configuration: CredentialConfiguration) -> dict[str, Any]:
        """Return two separate facts: is this issuer known, and may it issue this type today?"""
        snapshot, now = self.snapshot(), self.clock.now()
        kind = configuration.credential_type
        entry = next((each for each in snapshot.issuers() if each.identifier.id == metadata.credential_issuer), None)
        if entry is None:
            code = Code.ISSUER_UNKNOWN.value
            return {"known": False, "name": None, "may_issue": "unknown", "code": code}
        known = {"known": True, "name": dict(entry.name)}
        if kind is None:
            return {**known, "may_issue": "unknown", "code": Code.CREDENTIAL_TYPE_UNKNOWN.value}
        decision = may_issue(snapshot, entry, kind, issued_on=now.date(), at=now)
        return {**known, "may_issue": decision.answer.value, "code": decision.code.value}
