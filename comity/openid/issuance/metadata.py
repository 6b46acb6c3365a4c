"""Credential issuer metadata (OpenID4VCI 1.0 §12.2); for the signed form see :mod:`.signed_metadata`."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comity.errors import Code
from comity.openid import endpoint
from comity.openid.endpoint import well_known_url
from comity.openid.issuance import configuration, display
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.display import Display
from comity.openid.issuance.encryption import Choice, RequestEncryption, ResponseEncryption, choose
from comity.openid.issuance.offer import CredentialOffer
from comity.openid.members import Document, Members
from comity.openid.refusal import Refusal

__all__ = ["WELL_KNOWN_NAME", "IssuerMetadata", "well_known_url"]

WELL_KNOWN_NAME = "openid-credential-issuer"
_ENDPOINTS = ("credential_endpoint", "nonce_endpoint", "deferred_credential_endpoint", "notification_endpoint")

_REFUSE = Refusal(code=Code.METADATA_INVALID)
_OFFER = Refusal(code=Code.OFFER_INVALID)
_CONFIGURATION = Refusal(code=Code.CREDENTIAL_CONFIGURATION_UNKNOWN)


class IssuerMetadata(Struct, frozen=True, kw_only=True):
    """What a credential issuer says of itself.

    Attributes:
        credential_issuer: its identifier, without a query.
        credential_endpoint: where credentials are requested.
        configurations: by id, those in formats this house speaks.
        other_configurations: ids of those in other formats.
        authorization_servers: () means that the issuer is its own.
        nonce_endpoint: where a ``c_nonce`` is had; None when proofs carry none.
        notification_endpoint: where notifications go; None when none are wanted.
        deferred_credential_endpoint: where deferred credentials are had.
        batch_size: most key proofs in one request; 1 when batches are not offered.
        request_encryption: how requests can be encrypted; None when they cannot.
        response_encryption: how responses can be; None when they cannot.
        display: name of the issuer, by language.
    """

    credential_issuer: str
    credential_endpoint: str
    configurations: Mapping[str, CredentialConfiguration]
    other_configurations: frozenset[str] = frozenset()
    authorization_servers: tuple[str, ...] = ()
    nonce_endpoint: str | None = None
    notification_endpoint: str | None = None
    deferred_credential_endpoint: str | None = None
    batch_size: int = 1
    request_encryption: RequestEncryption | None = None
    response_encryption: ResponseEncryption | None = None
    display: tuple[Display, ...] = ()

    @staticmethod
    def url(credential_issuer: str) -> str:
        """Return where the metadata of an issuer are: the path is inserted, not appended (VCI-1)."""
        return well_known_url(credential_issuer, WELL_KNOWN_NAME)

    @classmethod
    def parse(cls, document: Document, *, credential_issuer: str) -> "IssuerMetadata":
        """Read metadata fetched for ``credential_issuer`` (VCI-1 to VCI-4, VCI-7).

        Not checked: that the issuer is trusted, and that its URLs may be contacted.

        Raises:
            OAuthError: ``metadata_invalid``: malformed; of another issuer (string comparison, attack I22); an endpoint
                that does not lie below the issuer (attack I20: somebody else's endpoint would receive our token).
        """
        members = Members.read(document, "issuer metadata", _REFUSE)
        # VCI-1: plain string comparison, nothing is normalised.
        if members.string("credential_issuer") != credential_issuer or not endpoint.is_identifier(credential_issuer):
            raise _REFUSE("issuer metadata: credential_issuer is not the one asked for")
        endpoints = _endpoints(members, credential_issuer)
        known, other = _configurations(members)
        batch = members.optional_members("batch_credential_issuance")
        request, response = (
            members.optional_members(f"credential_{name}_encryption") for name in ("request", "response")
        )
        return cls(
            credential_issuer=credential_issuer,
            credential_endpoint=endpoints["credential_endpoint"],
            configurations=known,
            other_configurations=other,
            authorization_servers=_authorization_servers(members),
            nonce_endpoint=endpoints.get("nonce_endpoint"),
            notification_endpoint=endpoints.get("notification_endpoint"),
            deferred_credential_endpoint=endpoints.get("deferred_credential_endpoint"),
            batch_size=batch.integer("batch_size", minimum=2) if batch else 1,
            request_encryption=None if request is None else RequestEncryption.parse(request),
            response_encryption=None if response is None else ResponseEncryption.parse(response),
            display=display.parse(members),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {"credential_issuer": self.credential_issuer}
        if self.authorization_servers:
            body["authorization_servers"] = list(self.authorization_servers)
        for name in _ENDPOINTS:
            if (url := getattr(self, name)) is not None:
                body[name] = url
        for name in ("request_encryption", "response_encryption"):
            if (offered := getattr(self, name)) is not None:
                body[f"credential_{name}"] = offered.to_dict()
        if self.batch_size > 1:
            body["batch_credential_issuance"] = {"batch_size": self.batch_size}
        if self.display:
            body["display"] = [entry.to_dict() for entry in self.display]
        body["credential_configurations_supported"] = {
            name: entry.to_dict() for name, entry in self.configurations.items()
        }
        return body

    @property
    def encryption_required(self) -> bool:
        """Whether the issuer takes no plain requests, or gives no plain answers."""
        return any(
            each is not None and each.is_required for each in (self.request_encryption, self.response_encryption)
        )

    def encryption(self) -> Choice | None:
        """Return how a wallet encrypts, as far as the issuer offers it; raises as :func:`.encryption.choose`."""
        return choose(self.request_encryption, self.response_encryption)

    def offered(self, offer: CredentialOffer) -> tuple[CredentialConfiguration, ...]:
        """Return the configurations that ``offer`` names, in its order.

        Raises:
            OAuthError: the offer is of another issuer (``offer_invalid``), or none of what it offers is in these
                metadata in a format this house speaks (``credential_configuration_unknown``).
        """
        if offer.credential_issuer != self.credential_issuer:
            raise _OFFER("the credential offer is of another issuer than the metadata")
        unknown = set(offer.configuration_ids) - set(self.configurations) - self.other_configurations
        if unknown:
            raise _CONFIGURATION("the credential offer names a credential that the issuer does not describe")
        found = tuple(self.configurations[name] for name in offer.configuration_ids if name in self.configurations)
        if not found:
            raise _CONFIGURATION("the credentials on offer are all in formats this wallet does not know")
        return found

    def authorization_server(self, hint: str | None = None) -> str:
        """Return the identifier of the authorization server to use (VCI-11).

        An issuer with one server must not give a hint (OpenID4VCI 1.0, 4.1.1). EUDIPLO does in every offer; one that
        names the server that is used anyway chooses nothing, and is no reason to refuse the person the credential.

        Args:
            hint: ``authorization_server`` of the offer's grant.

        Raises:
            OAuthError: ``offer_invalid`` when the hint is none of the issuer's servers; ``metadata_invalid`` when
                several are listed and nothing chooses.
        """
        servers = self.authorization_servers or (self.credential_issuer,)
        if hint is not None:
            if hint not in servers:
                raise _OFFER("the credential offer names an authorization server that the issuer does not list")
            return hint
        if len(servers) > 1:
            raise _REFUSE("issuer metadata: several authorization servers and no hint which one to use")
        return servers[0]


def _endpoints(members: Members, issuer: str) -> dict[str, str]:
    members.url("credential_endpoint")
    found = {name: members.url(name) for name in _ENDPOINTS if members.has(name)}
    for name, url in found.items():
        if not endpoint.belongs_to(url, issuer):
            raise _REFUSE(f"issuer metadata: {name} belongs to somebody else")
    return found


def _configurations(members: Members) -> tuple[dict[str, CredentialConfiguration], frozenset[str]]:
    supported = members.members("credential_configurations_supported")
    parsed = {name: configuration.parse(name, supported.members(name)) for name in supported.value}
    known = {name: entry for name, entry in parsed.items() if entry is not None}
    return known, frozenset(parsed) - frozenset(known)


def _authorization_servers(members: Members) -> tuple[str, ...]:
    servers = members.optional_strings("authorization_servers")
    if not all(endpoint.is_identifier(server) for server in servers):
        raise _REFUSE("issuer metadata: an authorization server is not an https URL without query and fragment")
    return servers
