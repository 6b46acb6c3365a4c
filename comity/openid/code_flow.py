"""What an authorization server's metadata say of the authorization code flow.

RFC 8414 §2, RFC 9126 §5, RFC 9207 §3, RFC 7636 §6.2 and OpenID4VCI 1.0 §12.3; profile VCI-21.
"""

from typing import Any

from msgspec import Struct

from comity.errors import Code
from comity.openid import authorization_details, endpoint, pkce
from comity.openid.members import Members
from comity.openid.refusal import Refusal

CODE_GRANT, REFRESH_GRANT = "authorization_code", "refresh_token"
_REFUSE = Refusal(code=Code.METADATA_INVALID)


class CodeFlow(Struct, frozen=True, kw_only=True):
    """The endpoints and rules of the flow.

    Attributes:
        authorization_endpoint: where the browser goes.
        pushed_endpoint: where requests are pushed; None where the server takes none.
        names_issuer: the answer carries ``iss``, and its absence is an attack (RFC 9207 §2.4).
        challenge_methods: PKCE methods; () when not said.
        scopes: ``scopes_supported``; () when not said.
        takes_details: ``authorization_details`` of type ``openid_credential`` are understood.
    """

    authorization_endpoint: str
    pushed_endpoint: str | None = None
    names_issuer: bool = True
    challenge_methods: tuple[str, ...] = (pkce.METHOD,)
    scopes: tuple[str, ...] = ()
    takes_details: bool = True

    @classmethod
    def parse(cls, members: Members, *, issuer: str) -> "CodeFlow | None":
        """Read the part of the metadata of ``issuer``; None where the server has no authorization endpoint.

        Raises:
            OAuthError: ``metadata_invalid``: malformed, or an endpoint that does not lie below the issuer (I20, I21).
        """
        if not members.has("authorization_endpoint"):
            return None
        authorization, pushed = (
            members.url("authorization_endpoint"),
            members.optional_url("pushed_authorization_request_endpoint"),
        )
        if not all(endpoint.belongs_to(each, issuer) for each in (authorization, pushed) if each is not None):
            raise _REFUSE("authorization server metadata: an endpoint belongs to somebody else")
        return cls(
            authorization_endpoint=authorization,
            pushed_endpoint=pushed,
            names_issuer=members.boolean("authorization_response_iss_parameter_supported", default=False),
            challenge_methods=members.optional_strings("code_challenge_methods_supported"),
            scopes=members.optional_strings("scopes_supported"),
            takes_details=authorization_details.TYPE
            in members.optional_strings("authorization_details_types_supported"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the members."""
        body: dict[str, Any] = {
            "authorization_endpoint": self.authorization_endpoint,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "code_challenge_methods_supported": list(self.challenge_methods),
            "authorization_response_iss_parameter_supported": self.names_issuer,
        }
        if self.pushed_endpoint is not None:
            body["pushed_authorization_request_endpoint"] = self.pushed_endpoint
            body["require_pushed_authorization_requests"] = True
        if self.scopes:
            body["scopes_supported"] = list(self.scopes)
        if self.takes_details:
            body["authorization_details_types_supported"] = [authorization_details.TYPE]
        return body
