"""The authorization request and what comes back to the wallet (RFC 6749 §4.1, RFC 9207, OpenID4VCI 1.0 §5).

A request is only ever pushed (RFC 9126): what the browser carries is its name. Not here: who the client is, whether
the credentials exist, whether anybody signed in.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from comity import strict_json
from comity.errors import Code
from comity.openid import authorization_details, form, pkce
from comity.openid.authorization_details import CredentialDetail
from comity.openid.members import Members
from comity.openid.refusal import OAuthErrorCode, Refusal, description
from comity.record import Discreet

MAX_TEXT = 2048
_REFUSE = Refusal(code=Code.REQUEST_INVALID)
_SCOPE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_SCOPE)
_TYPE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.UNSUPPORTED_RESPONSE_TYPE)
_OBJECT = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.REQUEST_NOT_SUPPORTED)
_RESPONSE = Refusal(code=Code.RESPONSE_INVALID)
_URI_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+\Z")
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+\Z")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+\Z")
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9\-._~]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?\Z")
"""Host and port of a redirect URI: no user name, and nothing that would mean more in a header (CSP) or on a page."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class AuthorizationRequest(Discreet, frozen=True, kw_only=True):
    """What a wallet asks for.

    Attributes:
        client_id: the wallet.
        redirect_uri: where the answer goes.
        code_challenge: ``S256`` of the verifier that the wallet keeps.
        state: returned as it is.
        scope: the scopes, in the order given.
        details: the credentials of ``authorization_details``.
        issuer_state: from an offer; may have been planted by anybody (VCI-12), grants nothing.
        resource: the credential issuer the token is meant for (RFC 8707).
        dpop_jkt: thumbprint of the key that the code is to be bound to (RFC 9449 §10).
        ui_locales: languages the person prefers, best first (OpenID Connect Core §3.1.2.1).
    """

    UNPRINTED = frozenset({"issuer_state"})
    client_id: str
    redirect_uri: str
    code_challenge: str
    state: str | None = None
    scope: tuple[str, ...] = ()
    details: tuple[CredentialDetail, ...] = ()
    issuer_state: str | None = None
    resource: str | None = None
    dpop_jkt: str | None = None
    ui_locales: str | None = None

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> "AuthorizationRequest":
        """Read the parameters of a pushed request. Parameters that nobody knows are ignored (VCI-20).

        Raises:
            OAuthError: ``unsupported_response_type``, ``request_not_supported`` for a request object,
                ``invalid_scope`` for text that is no scope, ``invalid_authorization_details``, and ``invalid_request``
                for everything else, PKCE other than S256 among it (VCI-21).
        """
        _refuse_other_flows(fields)
        challenge = fields.get("code_challenge", "")
        # RFC 7636 §4.3: without a method "plain" is meant.
        if fields.get("code_challenge_method") != pkce.METHOD or not pkce.is_challenge(challenge):
            raise _REFUSE("a code_challenge with the method S256 is needed")
        redirect_uri = fields.get("redirect_uri", "")
        if not is_redirect_uri(redirect_uri):
            raise _REFUSE("redirect_uri must be https, a loopback address, or a private scheme such as org.example.app")
        return cls(
            client_id=_text(fields, "client_id") or _missing("client_id"),
            redirect_uri=redirect_uri,
            code_challenge=challenge,
            state=_text(fields, "state"),
            scope=_scopes(fields.get("scope")),
            details=authorization_details.parse(fields.get("authorization_details")),
            issuer_state=_text(fields, "issuer_state"),
            resource=_text(fields, "resource"),
            dpop_jkt=_thumbprint(fields.get("dpop_jkt")),
            ui_locales=_text(fields, "ui_locales"),
        )

    def to_fields(self) -> dict[str, str]:
        """Return the parameters, as :meth:`parse` reads them."""
        fields = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": self.code_challenge,
            "code_challenge_method": pkce.METHOD,
            "scope": " ".join(self.scope),
            "authorization_details": authorization_details.build(self.details) if self.details else "",
        }
        for name in ("state", "issuer_state", "resource", "dpop_jkt", "ui_locales"):
            fields[name] = getattr(self, name) or ""
        return {name: value for name, value in fields.items() if value}


class AuthorizationResponse(Discreet, frozen=True, kw_only=True):
    """What the browser brings back: a code, or an error. Nothing of it is verified.

    Attributes:
        code: None for an error.
        error: None for a code; a code of another party, perhaps not one of ours.
        state: as the request had it.
        issuer: ``iss`` (RFC 9207); None when absent.
    """

    UNPRINTED = frozenset({"code"})
    code: str | None = None
    error: str | None = None
    error_description: str | None = None
    state: str | None = None
    issuer: str | None = None

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> "AuthorizationResponse":
        """Read the query of the redirect.

        Raises:
            OAuthError: ``response_invalid``: both or neither of ``code`` and ``error``.
        """
        if ("code" in fields) == ("error" in fields):
            raise _RESPONSE("authorization response: exactly one of code and error is needed")
        told = fields.get("error_description")
        return cls(
            code=fields.get("code"),
            error=fields.get("error"),
            error_description=None if told is None else description(told),
            state=fields.get("state"),
            issuer=fields.get("iss"),
        )

    def redirect(self, redirect_uri: str) -> str:
        """Return where to send the browser: ``redirect_uri`` with the answer in its query (RFC 6749 §4.1.2)."""
        fields = {
            "code": self.code,
            "error": self.error,
            "error_description": None if self.error_description is None else description(self.error_description),
            "state": self.state,
            "iss": self.issuer,
        }
        query = form.encode({name: value for name, value in fields.items() if value is not None})
        parts = urlsplit(redirect_uri)
        return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))


def is_redirect_uri(text: str) -> bool:
    """Say whether a browser may be sent to ``text`` (RFC 6749 §3.1.2, RFC 8252 §7).

    https; http to this machine itself; or a private scheme in reverse-domain form. Never ``javascript:``, ``data:``
    and their like, never a fragment or user information.
    """
    if not _URI_CHARACTERS.match(text) or len(text) > MAX_TEXT:
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not _AUTHORITY.match(parts.netloc):
        return False
    if parts.scheme == "https":
        return bool(host)
    return host in _LOOPBACK if parts.scheme == "http" else _PRIVATE_SCHEME.match(parts.scheme) is not None


def kept(request: AuthorizationRequest) -> str:
    """Return the request as text to keep it by; :func:`of_kept` reads it."""
    return strict_json.serialise(request.to_fields()).decode()


def of_kept(text: str) -> AuthorizationRequest:
    """Return the request that :func:`kept` wrote."""
    return AuthorizationRequest.parse(strict_json.parse_object(text))


def parse_parameters(query: str) -> dict[str, str]:
    """Return the parameters of an authorization endpoint's or redirect's query.

    Raises:
        OAuthError: ``invalid_request``: one is there twice, or it is not percent-encoded ASCII.
    """
    return form.decode(query, _REFUSE)


class PushedResponse(Struct, frozen=True, kw_only=True):
    """Where a pushed request is kept, and for how many seconds (RFC 9126 §2.2). Sent with 201, never cached."""

    request_uri: str
    expires_in: int

    @classmethod
    def parse(cls, document: bytes | Mapping[str, Any]) -> "PushedResponse":
        """Read the answer to a pushed request.

        Raises:
            OAuthError: ``response_invalid``.
        """
        members = Members.read(document, "pushed authorization response", _RESPONSE)
        return cls(request_uri=members.string("request_uri"), expires_in=members.integer("expires_in", minimum=1))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"request_uri": self.request_uri, "expires_in": self.expires_in}


def _refuse_other_flows(fields: Mapping[str, str]) -> None:
    # RFC 9126 §2.1: a pushed request names no other one.
    if "request_uri" in fields:
        raise _REFUSE("a pushed request carries no request_uri")
    if "request" in fields:
        raise _OBJECT("request objects are not supported; push the parameters")
    if fields.get("response_type") != "code":
        raise _TYPE("only the response type code is supported")
    if fields.get("response_mode", "query") != "query":
        raise _REFUSE("only the response mode query is supported")


def _text(fields: Mapping[str, str], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not (len(value) <= MAX_TEXT and value.isprintable()):
        raise _REFUSE(f"{name} is too long or not printable")
    return value


def _missing(name: str) -> str:
    raise _REFUSE(f"{name} is missing")


def _scopes(text: str | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys((text or "").split(" "))) if text else ()
    if not all(_SCOPE_TOKEN.match(name) for name in names):
        raise _SCOPE("scope is not a list of scopes with single spaces between them")
    return names


def _thumbprint(text: str | None) -> str | None:
    if text is not None and not pkce.is_challenge(text):  # both are 43 characters of base64url
        raise _REFUSE("dpop_jkt is not a thumbprint")
    return text
