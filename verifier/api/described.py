"""What OpenAPI says about routes that parse their own bodies: members, answers, and an example of each."""

from typing import Any

from fastapi import FastAPI

from comity.web import webhook_docs
from verifier import telling
from verifier.policies import POLICIES
from verifier.requesting import Flow

Extra = dict[str, Any]
MAX_TRANSACTIONS = 16
"""Most transactions, and most origins, that one request names."""
_STARTED = {
    "request_id": "pQ3vXn0cN4m1yT7kq2Zr8sWb5uJ6fHd9aLeGiKoMtEw",
    "transaction_id": "Zr8sWb5uJ6fHd9aLeGiKoMtEwpQ3vXn0cN4m1yT7kq2",
    "link": "openid4vp://?client_id=x509_hash%3A…&request_uri=https%3A%2F%2Fverifier.example%2Fopenid%2Frequests%2F…",
    "request_uri": "https://verifier.example/openid/requests/pQ3vXn0cN4m1yT7kq2Zr8sWb5uJ6fHd9aLeGiKoMtEw",
    "qr_url": "https://verifier.example/api/v1/qr/pQ3vXn0cN4m1yT7kq2Zr8sWb5uJ6fHd9aLeGiKoMtEw.png",
    "expires_at": "2026-11-23T12:05:00+00:00",
}
_OUTCOME = {
    "request_id": _STARTED["request_id"],
    "policy": "age-alcohol",
    "place": "ca-on",
    "state": "answered",
    "expires_at": "2026-11-23T12:05:00+00:00",
    "answered_at": "2026-11-23T12:01:10+00:00",
    "result": {
        "verdict": "accepted",
        "codes": [],
        "credentials": [],
        "checks": [{"name": "policy", "outcome": "passed", "code": "ok", "detail": "", "required": True, "facts": {}}],
        "claims": {"person_sdjwt": [{"age_over_19": True}]},
        "registry_read_at": "2026-11-23T12:00:58+00:00",
    },
}
_FINISHED = telling.body_of(
    "8wBNRVRYz1q3cVbXkDpSMA",
    {"request_id": _STARTED["request_id"], "verdict": "accepted", "codes": []},
    told_at="2026-11-23T12:01:10Z",
)
_PROBLEM = {
    "type": "urn:comity:problem:not_authenticated",
    "title": "Not signed in",
    "status": 401,
    "code": "not_authenticated",
    "meaning": "The request carries no valid credentials.",
    "next_step": "Sign in, or send a token.",
    "request_id": "0f3c9d2b7a6e5f41",
}
_TEXT = {"type": "string"}


def _json(schema: Extra, example: Any, *, media_type: str = "application/json") -> Extra:
    return {"content": {media_type: {"schema": schema, "example": example}}}


def _answer(description: str, schema: Extra, example: Any) -> Extra:
    return {"description": description, **_json(schema, example)}


def _problems(*statuses: int) -> dict[str, Extra]:
    """Return the answers of RFC 9457 with these statuses."""
    schema: Extra = {"type": "object", "required": ["type", "title", "status", "code"]}
    described = _json(schema, _PROBLEM, media_type="application/problem+json")
    return {str(status): {"description": "A problem document (RFC 9457).", **described} for status in statuses}


def _oauth_errors(*statuses: int) -> dict[str, Extra]:
    """Return the answers of RFC 6749 §5.2 with these statuses."""
    schema: Extra = {"type": "object", "required": ["error", "code"]}
    example = {"error": "invalid_request", "error_description": "there is no such request", "code": "request_unknown"}
    return {str(status): _answer("An error as OAuth 2.0 writes it.", schema, example) for status in statuses}


_BEARER: Extra = {"security": [{"relyingParty": []}]}
SECURITY_SCHEMES: Extra = {
    "relyingParty": {"type": "http", "scheme": "bearer"},
    "website": {"type": "http", "scheme": "basic"},
}
answer_of, body_of_type, oauth_errors = _answer, _json, _oauth_errors
"""The same, for :mod:`verifier.api.described_bridge`."""

START: Extra = {
    **_BEARER,
    "requestBody": {
        "required": True,
        **_json(
            {
                "type": "object",
                "required": ["policy"],
                "additionalProperties": False,
                "properties": {
                    "policy": {"type": "string", "enum": list(POLICIES)},
                    "place": {"type": "string", "description": "Province or territory, such as ca-on."},
                    "flow": {"type": "string", "enum": [each.value for each in Flow], "default": "cross_device"},
                    "same_holder": {"type": "boolean", "default": False},
                    "redirect_uri": {"type": "string", "format": "uri"},
                    "transactions": {
                        "type": "array",
                        "items": {"type": "object"},
                        "maxItems": MAX_TRANSACTIONS,
                        "description": "What the person confirms by answering, such as a payment.",
                    },
                    "trusted_only": {
                        "type": "boolean",
                        "default": False,
                        "description": "Name the authorities that the registry accredits.",
                    },
                    "origins": {
                        "type": "array",
                        "items": {"type": "string"},
                        "maxItems": MAX_TRANSACTIONS,
                        "description": "Websites that may ask by the browser; for `digital_credentials` only.",
                    },
                },
            },
            {"policy": "age-alcohol", "place": "ca-on"},
        ),
    },
    "responses": {
        "201": _answer("The request; show `link` as a QR code or a button.", {"type": "object"}, _STARTED),
        **_problems(400, 401, 413, 415),
    },
}
READ: Extra = {
    **_BEARER,
    "responses": {
        "200": _answer("State and, once it is answered, result.", {"type": "object"}, _OUTCOME),
        **_problems(401, 403, 404),
    },
}
RECEIVE_DIGITAL: Extra = {
    **_BEARER,
    "requestBody": {
        "required": True,
        **_json(
            {
                "type": "object",
                "required": ["data"],
                "additionalProperties": False,
                "properties": {
                    "data": {"type": "object", "description": "What the browser's Digital Credentials API returned."},
                    "origin": {"type": "string", "description": "Where it was asked, when a request names several."},
                },
            },
            {"data": {"response": "eyJhbGciOiJFQ0RILUVTIi…"}, "origin": "https://shop.example"},
        ),
    },
    "responses": {
        "200": _answer("State and result.", {"type": "object"}, _OUTCOME),
        **_problems(400, 401, 403, 404, 409),
    },
}
WATCH: Extra = {
    **_BEARER,
    "responses": {
        "200": {
            "description": "Server-sent events, one for each change, until it is answered or expired.",
            **_json(_TEXT, 'data: {"request_id":"…","state":"fetched"}\n\n', media_type="text/event-stream"),
        },
        **_problems(401, 404),
    },
}
DRAW: Extra = {
    "responses": {
        "200": {"description": "The QR code.", "content": {"image/png": {"schema": {**_TEXT, "format": "binary"}}}},
        **_problems(404, 409),
    }
}
POLICIES_LIST: Extra = {
    "responses": {"200": _answer("Names of the policies.", {"type": "object"}, {"policies": list(POLICIES)})}
}
FETCH: Extra = {
    "responses": {
        "200": {
            "description": "The signed request object (OpenID4VP 1.0 §5.10).",
            **_json(_TEXT, "eyJhbGciOiJFUzI1NiIs…", media_type="application/oauth-authz-req+jwt"),
        },
        **_oauth_errors(400, 404),
    }
}
FETCH_WITH_NONCE: Extra = {
    "requestBody": _json(
        {"type": "object", "properties": {"wallet_nonce": _TEXT, "wallet_metadata": _TEXT}},
        {"wallet_nonce": "qPmxiNFCR3QTm19POc8u"},
        media_type="application/x-www-form-urlencoded",
    ),
    "responses": {**FETCH["responses"], **_oauth_errors(400, 404, 413)},
}
RECEIVE: Extra = {
    "requestBody": _json(
        {"type": "object", "properties": {"response": _TEXT, "vp_token": _TEXT, "state": _TEXT, "error": _TEXT}},
        {"response": "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSJ9…"},
        media_type="application/x-www-form-urlencoded",
    ),
    "responses": {
        "200": _answer("Taken, whatever the verdict.", {"type": "object"}, {}),
        **_oauth_errors(400, 404, 413, 503),
    },
}
DOCUMENT: Extra = {
    "responses": {
        "200": {
            "description": "The verifier's DID document.",
            **_json({"type": "object"}, {"id": "did:web:verifier.example"}, media_type="application/did+json"),
        }
    }
}


def complete(app: FastAPI) -> None:
    """Add to the application's description what belongs to no single route: how parties sign in, what they are told."""
    webhook_docs.describe(app, {telling.FINISHED: _FINISHED})
    draw = app.openapi

    def described() -> Extra:
        document = draw()
        document.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
        return document

    app.openapi = described  # type: ignore[method-assign]  # what FastAPI's documentation says to do
