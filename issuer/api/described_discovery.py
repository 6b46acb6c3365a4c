"""What OpenAPI says of what wallets read first (OpenID4VCI 1.0 §12.2, RFC 8414), and of where browsers sign in.

``tests/services/issuer/test_described_discovery.py`` compares it with what the service answers.
"""

from collections.abc import Mapping
from typing import Any

from comity.openid.issuance import signed_metadata
from comity.openid.oauth import PRE_AUTHORIZED_GRANT
from issuer.api.described_protocol import JSON, REFUSED, Said

_TEXT: Said = {"type": "string"}
_TEXTS: Said = {"type": "array", "items": _TEXT}
_ISSUER = "https://issuer.example/ca-on/services"
_UNKNOWN: Said = REFUSED | {"description": "No authority issues under this path; an error as OAuth 2.0 writes it"}
_PAGE: Said = {"text/html": {"schema": _TEXT}}


def _document(required: tuple[str, ...], properties: Mapping[str, Said], example: Mapping[str, Any]) -> Said:
    schema = {"type": "object", "required": list(required), "properties": dict(properties)}
    return {"schema": schema, "example": dict(example)}


_METADATA = _document(
    ("credential_issuer", "credential_endpoint", "nonce_endpoint", "credential_configurations_supported"),
    {
        "credential_issuer": _TEXT,
        "credential_endpoint": _TEXT,
        "nonce_endpoint": _TEXT,
        "deferred_credential_endpoint": _TEXT,
        "notification_endpoint": _TEXT,
        "credential_request_encryption": {"type": "object"},
        "credential_response_encryption": {"type": "object"},
        "batch_credential_issuance": {"type": "object", "properties": {"batch_size": {"type": "integer"}}},
        "display": {"type": "array", "items": {"type": "object"}},
        "credential_configurations_supported": {"type": "object", "additionalProperties": {"type": "object"}},
    },
    {
        "credential_issuer": _ISSUER,
        "credential_endpoint": f"{_ISSUER}/credential",
        "nonce_endpoint": f"{_ISSUER}/nonce",
        "display": [{"name": "ServiceOntario (DEMO)", "locale": "en-CA"}],
        "credential_configurations_supported": {
            "person.1.sdjwt": {
                "format": "dc+sd-jwt",
                "vct": "https://types.comity.example/person/1",
                "scope": "person.1.sdjwt",
                "credential_signing_alg_values_supported": ["ES256"],
            }
        },
    },
)
_SERVER = _document(
    ("issuer", "token_endpoint"),
    {
        "issuer": _TEXT,
        "token_endpoint": _TEXT,
        "authorization_endpoint": _TEXT | {"description": "Only where people can sign in."},
        "pushed_authorization_request_endpoint": _TEXT,
        "require_pushed_authorization_requests": {"type": "boolean"},
        "grant_types_supported": _TEXTS,
        "dpop_signing_alg_values_supported": _TEXTS,
        "pre-authorized_grant_anonymous_access_supported": {"type": "boolean"},
    },
    {
        "issuer": _ISSUER,
        "token_endpoint": f"{_ISSUER}/token",
        "grant_types_supported": [PRE_AUTHORIZED_GRANT],
        "dpop_signing_alg_values_supported": ["ES256"],
        "pre-authorized_grant_anonymous_access_supported": True,
    },
)
ISSUER_METADATA: dict[str, Any] = {
    "openapi_extra": {"security": []},
    "responses": {
        200: {
            "description": "Done; a signed JWT for whoever asks for `application/jwt` (OpenID4VCI §12.2.3)",
            "content": {JSON: _METADATA, signed_metadata.CONTENT_TYPE: {"schema": _TEXT, "example": "eyJ0eXAiOi…"}},
        },
        404: _UNKNOWN,
    },
}
SERVER_METADATA: dict[str, Any] = {
    "openapi_extra": {"security": []},
    "responses": {200: {"description": "Done", "content": {JSON: _SERVER}}, 404: _UNKNOWN},
}


def _parameter(name: str, description: str, example: str) -> Said:
    said = {"name": name, "in": "query", "required": True, "description": description, "schema": _TEXT}
    return {**said, "example": example}


AUTHORIZE: dict[str, Any] = {
    "openapi_extra": {
        "security": [],
        "parameters": [
            _parameter("client_id", "The wallet that pushed the request.", "https://wallet.example"),
            _parameter(
                "request_uri",
                "What the wallet was given when it pushed the request (RFC 9126 §4). Other parameters have no effect.",
                "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c",
            ),
        ],
    },
    "responses": {
        303: {
            "description": "The browser goes on to sign in, here or at the identity provider, with a cookie of its own",
            "headers": {
                "Location": {"schema": _TEXT, "example": f"{_ISSUER}/sign-in/5Jq2…"},
                "Set-Cookie": {"schema": _TEXT},
            },
        },
        **{
            status: {"description": f"A page for the person: {why}", "content": _PAGE}
            for status, why in (
                (400, "the request was not pushed, was used, or has ended"),
                (403, "the request belongs to another wallet"),
                (404, "nobody signs in at this authority"),
            )
        },
    },
}
