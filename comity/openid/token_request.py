"""Token requests of every grant: with a pre-authorized code, with an authorization code, with a refresh token.

RFC 6749 §4.1.3 and §6, RFC 7636 §4.5, OpenID4VCI 1.0 §6.1. Who the client is, and whether a code or token is good, is
decided elsewhere.
"""

from collections.abc import Mapping

from comity.errors import Code
from comity.openid import authorization_details, form, pkce
from comity.openid.authorization_details import CredentialDetail
from comity.openid.code_flow import CODE_GRANT, REFRESH_GRANT
from comity.openid.oauth import PRE_AUTHORIZED_GRANT, TokenRequest
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.record import Discreet

_REFUSE = Refusal(code=Code.REQUEST_INVALID)
_GRANT = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.UNSUPPORTED_GRANT_TYPE)
_INVALID_GRANT = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_GRANT)


class CodeRequest(Discreet, frozen=True, kw_only=True):
    """A request for a token with an authorization code. ``details`` may narrow what was granted."""

    UNPRINTED = frozenset({"code", "code_verifier"})
    code: str
    code_verifier: str
    redirect_uri: str
    client_id: str | None = None
    details: tuple[CredentialDetail, ...] = ()
    resource: str | None = None

    def to_form(self) -> str:
        """Return the form body."""
        fields = {
            "grant_type": CODE_GRANT,
            "code": self.code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.code_verifier,
        }
        return form.encode(fields | _optional(client_id=self.client_id, resource=self.resource))


class RefreshRequest(Discreet, frozen=True, kw_only=True):
    """A request for a new token with a refresh token. ``scope`` may narrow what was granted, never widen it."""

    UNPRINTED = frozenset({"refresh_token"})
    refresh_token: str
    client_id: str | None = None
    scope: tuple[str, ...] = ()
    resource: str | None = None

    def to_form(self) -> str:
        """Return the form body."""
        fields = {"grant_type": REFRESH_GRANT, "refresh_token": self.refresh_token}
        scope = " ".join(self.scope) or None
        return form.encode(fields | _optional(client_id=self.client_id, resource=self.resource, scope=scope))


AnyTokenRequest = TokenRequest | CodeRequest | RefreshRequest


def read_form(body: bytes | str) -> dict[str, str]:
    """Return the parameters of a token request or a pushed request; ``resource`` alone may repeat (RFC 8707 §2).

    Raises:
        OAuthError: ``invalid_request``.
    """
    return form.decode(body, _REFUSE, repeatable=("resource",))


def parse(body: bytes | str) -> AnyTokenRequest:
    """Read the form body of a token request. Parameters that nobody knows are ignored.

    Raises:
        OAuthError: ``unsupported_grant_type``, ``invalid_request``, ``invalid_authorization_details``, and
            ``invalid_grant`` for a verifier that cannot be one (RFC 7636 §4.6).
    """
    fields = read_form(body)
    match fields.get("grant_type"):
        case None:
            raise _REFUSE("grant_type is missing")
        case grant if grant == CODE_GRANT:
            return _code_request(fields)
        case grant if grant == REFRESH_GRANT:
            return RefreshRequest(
                refresh_token=_needed(fields, "refresh_token"),
                client_id=fields.get("client_id"),
                scope=tuple(fields.get("scope", "").split()),
                resource=fields.get("resource"),
            )
        case grant if grant == PRE_AUTHORIZED_GRANT:
            return TokenRequest.parse(body)
    raise _GRANT("this grant type is not supported")


def _code_request(fields: Mapping[str, str]) -> CodeRequest:
    verifier = _needed(fields, "code_verifier")
    if not pkce.is_verifier(verifier):
        raise _INVALID_GRANT("code_verifier is not one")
    return CodeRequest(
        code=_needed(fields, "code"),
        code_verifier=verifier,
        redirect_uri=_needed(fields, "redirect_uri"),
        client_id=fields.get("client_id"),
        details=authorization_details.parse(fields.get("authorization_details")),
        resource=fields.get("resource"),
    )


def _needed(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise _REFUSE(f"{name} is missing")
    return value


def _optional(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
