"""The OAuth 2.0 parts of issuing: the pre-authorized code grant and authorization server metadata.

OpenID4VCI 1.0 §6 (token endpoint), RFC 6749 §5, RFC 8414. What is not here: whether a code is known, unused and whether
the transaction code is right (the issuer's store), and everything about access tokens.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from comity.errors import Code
from comity.openid import authorization_details, endpoint, form
from comity.openid.authorization_details import CredentialDetail
from comity.openid.client_authentication import ClientAuthentication
from comity.openid.code_flow import CODE_GRANT, CodeFlow
from comity.openid.members import Document, Members
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal, description
from comity.record import Discreet

__all__ = [
    "PRE_AUTHORIZED_GRANT",
    "AuthorizationServerMetadata",
    "ErrorResponse",
    "GrantedConfiguration",
    "OAuthError",
    "OAuthErrorCode",
    "Refusal",
    "TokenRequest",
    "TokenResponse",
    "description",
]

PRE_AUTHORIZED_GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
WELL_KNOWN_NAME = "oauth-authorization-server"

_TOKEN_REQUEST = Refusal(code=Code.REQUEST_INVALID)
_GRANT = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.UNSUPPORTED_GRANT_TYPE)
_TOKEN_RESPONSE = Refusal(code=Code.RESPONSE_INVALID)
_METADATA = Refusal(code=Code.METADATA_INVALID)


class TokenRequest(Discreet, frozen=True, kw_only=True):
    """A request for an access token with a pre-authorized code (OpenID4VCI §6.1).

    Attributes:
        pre_authorized_code: from the offer.
        tx_code: what the person typed; None when absent or empty (RFC 6749 §3.1: no value means omitted).
        client_id: None for an anonymous wallet.
        resource: the credential issuer the token is meant for (RFC 8707); None when not said.
        details: which of several offered credentials; () for all (OpenID4VCI §6.1.1).
    """

    UNPRINTED = frozenset({"pre_authorized_code", "tx_code"})
    pre_authorized_code: str
    tx_code: str | None = None
    client_id: str | None = None
    resource: str | None = None
    details: tuple[CredentialDetail, ...] = ()

    @classmethod
    def parse(cls, body: bytes | str) -> "TokenRequest":
        """Read the form body of a token request. Parameters that nobody knows are ignored.

        Whether a transaction code is expected, and right, is not checked here.

        Raises:
            OAuthError: ``unsupported_grant_type`` for another grant; ``invalid_request`` for anything else.
        """
        fields = form.decode(body, _TOKEN_REQUEST, repeatable=("resource",))
        grant = fields.get("grant_type")
        if grant is None:
            raise _TOKEN_REQUEST("grant_type is missing")
        if grant != PRE_AUTHORIZED_GRANT:
            raise _GRANT("only the pre-authorized code grant is supported")
        code = fields.get("pre-authorized_code")
        if code is None:
            raise _TOKEN_REQUEST("pre-authorized_code is missing")
        return cls(
            pre_authorized_code=code,
            tx_code=fields.get("tx_code"),
            client_id=fields.get("client_id"),
            resource=fields.get("resource"),
            details=authorization_details.parse(fields.get("authorization_details")),
        )

    def to_form(self) -> str:
        """Return the form body."""
        fields = {"grant_type": PRE_AUTHORIZED_GRANT, "pre-authorized_code": self.pre_authorized_code}
        optional = {"tx_code": self.tx_code, "client_id": self.client_id, "resource": self.resource}
        if self.details:
            optional["authorization_details"] = authorization_details.build(self.details)
        return form.encode(fields | {name: value for name, value in optional.items() if value is not None})


class GrantedConfiguration(Struct, frozen=True, kw_only=True):
    """One ``authorization_details`` entry of type ``openid_credential`` in a token response (OpenID4VCI §6.2)."""

    configuration_id: str
    credential_identifiers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "type": "openid_credential",
            "credential_configuration_id": self.configuration_id,
            "credential_identifiers": list(self.credential_identifiers),
        }


class TokenResponse(Discreet, frozen=True, kw_only=True):
    """An access token (OpenID4VCI §6.2). ``expires_in`` is in seconds. Sent with ``Cache-Control: no-store``.

    ``is_bound`` says that it is good only with DPoP proofs by the key that asked for it (RFC 9449 §5). ``scope`` tells
    what was granted where less than was asked for, ``refresh_token`` gets the next token (RFC 6749 §5.1).
    """

    UNPRINTED = frozenset({"access_token", "refresh_token"})
    access_token: str
    expires_in: int | None = None
    is_bound: bool = False
    granted: tuple[GrantedConfiguration, ...] = ()
    refresh_token: str | None = None
    scope: str | None = None

    @classmethod
    def parse(cls, document: Document, *, with_dpop: bool = False) -> "TokenResponse":
        """Read a token response. A ``c_nonce`` of older drafts is ignored.

        Args:
            document: the body.
            with_dpop: a DPoP proof was sent; then a token that is not bound is a downgrade.

        Raises:
            OAuthError: malformed, or of another token type than was asked for.
        """
        members = Members.read(document, "token response", _TOKEN_RESPONSE)
        wanted = "DPoP" if with_dpop else "Bearer"
        if members.string("token_type").lower() != wanted.lower():  # RFC 6749 §5.1: case insensitive
            raise _TOKEN_RESPONSE(f"token response: token_type is not {wanted}")
        return cls(
            is_bound=with_dpop,
            access_token=members.string("access_token"),
            expires_in=members.optional_integer("expires_in", minimum=1),
            refresh_token=members.optional_string("refresh_token"),
            scope=members.optional_string("scope"),
            granted=tuple(
                GrantedConfiguration(
                    configuration_id=entry.string("credential_configuration_id"),
                    credential_identifiers=entry.strings("credential_identifiers"),
                )
                for entry in members.optional_array("authorization_details")
                if entry.string("type") == "openid_credential"
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        token_type = "DPoP" if self.is_bound else "Bearer"
        body: dict[str, Any] = {"access_token": self.access_token, "token_type": token_type}
        if self.expires_in is not None:
            body["expires_in"] = self.expires_in
        if self.refresh_token is not None:
            body["refresh_token"] = self.refresh_token
        if self.scope is not None:
            body["scope"] = self.scope
        if self.granted:
            body["authorization_details"] = [entry.to_dict() for entry in self.granted]
        return body


class ErrorResponse(Struct, frozen=True, kw_only=True):
    """An error another party answered with; ``error`` may be a code this house does not know."""

    error: str
    description: str | None = None

    @classmethod
    def parse(cls, document: Document) -> "ErrorResponse":
        """Read an error body.

        Raises:
            OAuthError: not an object with an ``error``.
        """
        members = Members.read(document, "error response", _TOKEN_RESPONSE)
        text = members.value.get("error_description")
        return cls(error=members.string("error"), description=description(text) if isinstance(text, str) else None)

    @property
    def known(self) -> OAuthErrorCode | None:
        """The error as one of ours, or None."""
        return OAuthErrorCode(self.error) if self.error in set(OAuthErrorCode) else None


class AuthorizationServerMetadata(Struct, frozen=True, kw_only=True):
    """What the authorization server says of itself (RFC 8414, OpenID4VCI §12.3).

    Attributes:
        issuer: its identifier.
        token_endpoint: where codes are exchanged.
        grant_types: None when the document does not list them (RFC 8414 then means code and implicit).
        anonymous_access: whether a pre-authorized code may be exchanged without a client_id.
        dpop_algorithms: what DPoP proofs may be signed with; () where tokens are never bound (RFC 9449 §5.1).
        code_flow: the authorization code flow; None where there is none.
        client_authentication: how clients show who they are.
        status_list_aggregation_endpoint: where all status lists of this issuer are named (Token Status List §9.1).
            Told, not read: wallets and verifiers of comity ask for the lists that their credentials name.
    """

    issuer: str
    token_endpoint: str
    grant_types: tuple[str, ...] | None = (PRE_AUTHORIZED_GRANT,)
    anonymous_access: bool = True
    dpop_algorithms: tuple[str, ...] = ()
    code_flow: CodeFlow | None = None
    client_authentication: ClientAuthentication = field(default_factory=ClientAuthentication)
    status_list_aggregation_endpoint: str | None = None

    @staticmethod
    def url(issuer: str) -> str:
        """Return where the metadata of ``issuer`` are (RFC 8414 §3, path inserted)."""
        return endpoint.well_known_url(issuer, WELL_KNOWN_NAME)

    @classmethod
    def parse(cls, document: Document, *, issuer: str) -> "AuthorizationServerMetadata":
        """Read metadata fetched for ``issuer``.

        Raises:
            OAuthError: ``metadata_invalid``: malformed, of another issuer (string comparison, RFC 8414 §3.3), or a
                token endpoint that does not lie below the issuer (attack I20, I21).
        """
        members = Members.read(document, "authorization server metadata", _METADATA)
        if members.string("issuer") != issuer:
            raise _METADATA("authorization server metadata: issuer is not the one asked for")
        token_endpoint = members.url("token_endpoint")
        if not endpoint.belongs_to(token_endpoint, issuer):
            raise _METADATA("authorization server metadata: the token endpoint belongs to somebody else")
        return cls(
            issuer=issuer,
            token_endpoint=token_endpoint,
            grant_types=members.optional_strings("grant_types_supported") or None,
            anonymous_access=members.boolean("pre-authorized_grant_anonymous_access_supported", default=False),
            dpop_algorithms=members.optional_strings("dpop_signing_alg_values_supported"),
            code_flow=CodeFlow.parse(members, issuer=issuer),
            client_authentication=ClientAuthentication.parse(members, issuer=issuer),
        )

    @property
    def supports_code_grant(self) -> bool:
        """Whether codes can be had by signing in: RFC 8414 §2 takes this grant for granted where none is listed."""
        return self.code_flow is not None and (self.grant_types is None or CODE_GRANT in self.grant_types)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object (OpenID4VCI §12.3: ``response_types_supported`` belongs to the code flow)."""
        body: dict[str, Any] = {"issuer": self.issuer, "token_endpoint": self.token_endpoint}
        if self.grant_types is not None:
            body["grant_types_supported"] = list(self.grant_types)
        body |= self.client_authentication.to_dict()
        body["pre-authorized_grant_anonymous_access_supported"] = self.anonymous_access
        if self.dpop_algorithms:
            body["dpop_signing_alg_values_supported"] = list(self.dpop_algorithms)
        if self.code_flow is not None:
            body |= self.code_flow.to_dict()
        if self.status_list_aggregation_endpoint is not None:
            body["status_list_aggregation_endpoint"] = self.status_list_aggregation_endpoint
        return body


def nonce_response(nonce: str) -> Mapping[str, str]:
    """Return the body of the nonce endpoint (OpenID4VCI §7.2); sent with ``Cache-Control: no-store``."""
    return {"c_nonce": nonce}


def parse_nonce_response(document: Document) -> str:
    """Return the ``c_nonce`` of a nonce response.

    Raises:
        OAuthError: no non-empty ``c_nonce`` in it.
    """
    return Members.read(document, "nonce response", _TOKEN_RESPONSE).string("c_nonce")
