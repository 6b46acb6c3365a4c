"""OpenID Connect, as a provider speaks it: what a website asks, what it is told, and the ID token.

OpenID Connect Core 1.0 §2, §3.1 (code flow only), Discovery 1.0 §3, RFC 6749 §4.1, RFC 7636 (``S256`` only), RFC 9207.
The other side of the same messages, a relying party's, is :mod:`comity.openid.identity_provider`. Not here: which
clients there are, what a scope means, whether a code is good.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import jose, keys
from comity.errors import Code
from comity.openid import client_assertion, form, pkce
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.ports import Signer
from comity.record import Discreet

OPENID = "openid"
WELL_KNOWN = "/.well-known/openid-configuration"
METHODS = ("client_secret_basic", "client_secret_post", client_assertion.METHOD, "none")
TOKEN_LIFE = timedelta(minutes=5)
MAX_TEXT, MAX_STATE = 2048, 8192
"""Keycloak puts the ``state`` and the address of the application behind it into its own ``state``."""
RESERVED = frozenset(
    {
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "auth_time", "acr", "amr", "azp", "sid", "typ"),
        *("at_hash", "c_hash", "s_hash", "act", "cnf", "client_id", "events", "scope", "vot", "vtm"),
    }
)
"""Members of a token that mean something by themselves: no presented claim ever stands under such a name."""

_REFUSE = Refusal(code=Code.REQUEST_INVALID)
_SCOPE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_SCOPE)
_GRANT = Refusal(code=Code.TOKEN_INVALID, error=OAuthErrorCode.INVALID_GRANT)
_UNSUPPORTED: Mapping[str, OAuthErrorCode] = {
    "request": OAuthErrorCode.REQUEST_NOT_SUPPORTED,
    "request_uri": OAuthErrorCode.REQUEST_URI_NOT_SUPPORTED,
    "registration": OAuthErrorCode.REGISTRATION_NOT_SUPPORTED,
}


class AuthenticationRequest(Struct, frozen=True, kw_only=True):
    """What a website asks, beyond who it is and where the answer goes.

    Attributes:
        scopes: the scope values besides ``openid``.
        state: returned as it is.
        nonce: goes into the ID token.
        code_challenge: ``S256`` of the verifier that the website keeps; None where it sent none.
        ui_locales: languages the person prefers, best first.
    """

    scopes: tuple[str, ...]
    state: str | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    ui_locales: str | None = None

    @classmethod
    def parse(cls, fields: Mapping[str, str], *, needs_pkce: bool) -> "AuthenticationRequest":
        """Read the parameters (Core §3.1.2.1). What nobody knows, and what has no effect here, is ignored.

        ``max_age``, ``id_token_hint``, ``login_hint``, ``display``, ``acr_values`` and ``claims`` have no effect: every
        sign-in is a new presentation, and what is disclosed is what the scope stands for.

        Args:
            fields: the parameters, each once.
            needs_pkce: whether the client must send a code challenge; one with no secret must (RFC 9700 §2.1.1).

        Raises:
            OAuthError: ``unsupported_response_type``, ``invalid_scope``, ``login_required``, ``invalid_request``, and
                ``…_not_supported`` for request objects and registrations on the way.
        """
        for name, error in _UNSUPPORTED.items():  # Core §3.1.2.6
            if name in fields:
                raise Refusal(code=Code.REQUEST_INVALID, error=error)(f"the parameter {name} is not supported")
        if fields.get("response_type") != "code":
            unsupported = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.UNSUPPORTED_RESPONSE_TYPE)
            raise unsupported("only the response type code is supported")
        if fields.get("response_mode", "query") != "query":
            raise _REFUSE("only the response mode query is supported")
        asked = cls(
            scopes=_scopes(fields.get("scope", "")),
            state=text(fields, "state", longest=MAX_STATE),
            nonce=text(fields, "nonce"),
            code_challenge=_challenge(fields, needs_pkce=needs_pkce),
            ui_locales=text(fields, "ui_locales"),
        )
        _check_prompt(fields.get("prompt", "").split())
        return asked


class CodeRequest(Discreet, frozen=True, kw_only=True):
    """A token request with a code (Core §3.1.3.1). ``code_challenge`` is that of the verifier; None without one."""

    UNPRINTED = frozenset({"code", "code_challenge"})
    code: str
    redirect_uri: str
    code_challenge: str | None = None

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> "CodeRequest":
        """Read the form of a token request.

        Raises:
            OAuthError: ``unsupported_grant_type``, ``invalid_request``, and ``invalid_grant`` for a verifier that
                cannot be one (RFC 7636 §4.6).
        """
        grant = fields.get("grant_type")
        if grant is None:
            raise _REFUSE("grant_type is missing")
        if grant != "authorization_code":
            unsupported = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.UNSUPPORTED_GRANT_TYPE)
            raise unsupported("only the grant type authorization_code is supported")
        code, redirect_uri, verifier = (fields.get(name) for name in ("code", "redirect_uri", "code_verifier"))
        if code is None or redirect_uri is None:
            raise _REFUSE("code and redirect_uri are needed")
        if verifier is not None and not pkce.is_verifier(verifier):
            raise _GRANT("code_verifier is not one")
        challenge = None if verifier is None else pkce.challenge_of(verifier)
        return cls(code=code, redirect_uri=redirect_uri, code_challenge=challenge)


class IdToken(Discreet, frozen=True, kw_only=True):
    """What an ID token says (Core §2).

    Attributes:
        issuer: this provider.
        audience: the client, alone.
        subject: who signed in, as this client may know them.
        authenticated_at: when the person presented.
        acr: what the sign-in proves.
        amr: by what means (RFC 8176).
        nonce: the request's own; None when it had none.
        claims: what was disclosed; names of :data:`RESERVED` are left out.
    """

    UNPRINTED = frozenset({"claims"})
    issuer: str
    audience: str
    subject: str
    authenticated_at: datetime
    acr: str
    amr: Sequence[str]
    nonce: str | None
    claims: Mapping[str, Any]

    def sign(self, signer: Signer, at: datetime) -> str:
        """Return the token, signed at ``at`` and good for five minutes."""
        claims: dict[str, Any] = {name: value for name, value in self.claims.items() if name not in RESERVED}
        claims |= {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.audience,
            "exp": int((at + TOKEN_LIFE).timestamp()),
            "iat": int(at.timestamp()),
            "auth_time": int(self.authenticated_at.timestamp()),
            "acr": self.acr,
            "amr": list(self.amr),
        }
        if self.nonce is not None:
            claims["nonce"] = self.nonce
        return jose.sign({"typ": "JWT", "kid": keys.thumbprint(signer.public_jwk)}, claims, signer)


def metadata(
    issuer: str, *, scopes: Sequence[str], acr_values: Sequence[str], claims: Sequence[str], algorithm: str
) -> dict[str, Any]:
    """Return the provider's configuration (Discovery 1.0 §3, RFC 8414 §2, RFC 9207 §3); endpoints lie below ``issuer``.

    Args:
        issuer: the issuer identifier.
        scopes: every scope value besides ``openid``.
        acr_values: what an ID token's ``acr`` may be.
        claims: names of claims that may be presented.
        algorithm: that of the ID tokens.
    """
    own = ["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": [OPENID, *scopes],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "acr_values_supported": list(acr_values),
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [algorithm],
        "token_endpoint_auth_methods_supported": list(METHODS),
        "token_endpoint_auth_signing_alg_values_supported": sorted(keys.allowed_algorithms(client_assertion.CONTEXT)),
        "claim_types_supported": ["normal"],
        "claims_supported": [*own, *sorted(set(claims) - RESERVED)],
        "ui_locales_supported": ["en-CA", "fr-CA"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "code_challenge_methods_supported": [pkce.METHOD],
        "authorization_response_iss_parameter_supported": True,
    }


def key_set(signer: Signer) -> dict[str, Any]:
    """Return the JWK Set by which ID tokens are checked (RFC 7517 §5)."""
    jwk = signer.public_jwk
    return {"keys": [{**jwk, "kid": keys.thumbprint(jwk), "use": "sig", "alg": signer.algorithm}]}


def parse_fields(encoded: bytes | str) -> dict[str, str]:
    """Return the parameters of a query or a form; raises ``OAuthError(invalid_request)``, one twice among it."""
    return form.decode(encoded, _REFUSE)


def text(fields: Mapping[str, str], name: str, *, longest: int = MAX_TEXT) -> str | None:
    """Return an optional parameter of ``longest`` printable characters; raises ``OAuthError(invalid_request)``."""
    value = fields.get(name)
    if value is not None and not (len(value) <= longest and value.isprintable()):
        raise _REFUSE(f"{name} is too long or not printable")
    return value


def _scopes(text_of_scopes: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text_of_scopes.split(" ")))
    if OPENID not in names:  # Core §3.1.2.1: without it the request is none of OpenID Connect
        raise _SCOPE("scope must hold openid")
    return tuple(name for name in names if name != OPENID)


def _challenge(fields: Mapping[str, str], *, needs_pkce: bool) -> str | None:
    challenge, method = fields.get("code_challenge"), fields.get("code_challenge_method")
    if challenge is None and method is None and not needs_pkce:
        return None
    # RFC 7636 §4.3: without a method "plain" is meant, which proves nothing.
    if method != pkce.METHOD or not pkce.is_challenge(challenge or ""):
        raise _REFUSE("a code_challenge with the method S256 is needed")
    return challenge


def _check_prompt(prompt: Sequence[str]) -> None:
    if "none" not in prompt:
        return  # each sign-in is one anew, with consent in the wallet, whatever else is asked
    if len(prompt) > 1:  # Core §3.1.2.1
        raise _REFUSE("prompt none stands alone")
    needed = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.LOGIN_REQUIRED)
    raise needed("nobody can be signed in here without presenting")
