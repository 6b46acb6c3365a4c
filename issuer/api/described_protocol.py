"""What OpenAPI says of the endpoints that wallets call (OpenID4VCI 1.0, RFC 9126, RFC 9449), with an example of each.

``tests/services/issuer/test_description.py`` compares it with what the endpoints take and answer.
"""

from collections.abc import Mapping
from typing import Any

from comity.openid.issuance import attempts
from comity.openid.issuance.notification import NotificationEvent
from comity.openid.oauth import PRE_AUTHORIZED_GRANT

Said = dict[str, Any]

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
SECURITY: Said = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "From the token endpoint; sent as `DPoP` where it is bound to a key (RFC 9449).",
    }
}
_TEXT: Said = {"type": "string"}
_TRIES_LEFT: Said = {
    "type": "integer",
    "minimum": 0,
    "maximum": attempts.MOST,
    "description": "After a wrong transaction code: how many more the offer bears; 0: it is closed for good.",
}
_ERROR: Said = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": _TEXT, "error_description": _TEXT, attempts.MEMBER: _TRIES_LEFT},
}
REFUSED: Said = {
    "description": "An error as OAuth 2.0 writes it (RFC 6749 §5.2)",
    "content": {JSON: {"schema": _ERROR, "example": {"error": "invalid_request", "error_description": "…"}}},
}
_PROOF: Said = {
    "name": "DPoP",
    "in": "header",
    "required": False,
    "description": "A proof that binds the token to a key of the wallet (RFC 9449 §4).",
    "schema": _TEXT,
}
_ATTESTATION: Said = {
    "name": "OAuth-Client-Attestation",
    "in": "header",
    "required": False,
    "description": "Who made the wallet; comes with OAuth-Client-Attestation-PoP.",
    "schema": _TEXT,
}


def _object(required: tuple[str, ...], **properties: Said) -> Said:
    return {"type": "object", "required": list(required), "properties": properties}


def _said(
    *,
    answer: Said | None,
    given: Mapping[str, Any] | None,
    status: int = 200,
    body: Said | None = None,
    example: Mapping[str, Any] | None = None,
    media_type: str = JSON,
    refused: tuple[int, ...] = (400,),
    is_protected: bool = False,
    parameters: tuple[Said, ...] = (),
) -> dict[str, Any]:
    """Return what a route's decorator is given: ``body`` with its example, ``answer`` with ``given`` as its example."""
    extra: dict[str, Any] = {"security": [{"accessToken": []}] if is_protected else []}
    if parameters:
        extra["parameters"] = list(parameters)
    if body is not None:
        content = {media_type: {"schema": body, "example": dict(example or {})}}
        extra["requestBody"] = {"required": True, "content": content}
    good: Said = {"description": "Done"}
    if answer is not None:
        good["content"] = {JSON: {"schema": answer, "example": dict(given or {})}}
    return {"openapi_extra": extra, "responses": {status: good, **dict.fromkeys(refused, REFUSED)}}


TOKEN = _said(
    body=_object(
        ("grant_type",),
        grant_type={"enum": [PRE_AUTHORIZED_GRANT, "authorization_code", "refresh_token"]},
        **{
            "pre-authorized_code": _TEXT,
            "tx_code": _TEXT | {"description": "The code that was told apart from the offer."},
            "code": _TEXT,
            "code_verifier": _TEXT,
            "redirect_uri": _TEXT,
            "refresh_token": _TEXT,
            "client_id": _TEXT,
            "authorization_details": _TEXT | {"description": "JSON: less than was granted (RFC 9396)."},
        },
    ),
    example={"grant_type": PRE_AUTHORIZED_GRANT, "pre-authorized_code": "oaKazRN8I0IbtZ0C7JuMn5", "tx_code": "493536"},
    media_type=FORM,
    answer=_object(
        ("access_token", "token_type", "expires_in"),
        access_token=_TEXT,
        token_type={"enum": ["Bearer", "DPoP"]},
        expires_in={"type": "integer"},
        refresh_token=_TEXT,
        scope=_TEXT,
        authorization_details={"type": "array", "items": {"type": "object"}},
    ),
    given={"access_token": "eiHae8eiQuaighu8ahquahg4", "token_type": "DPoP", "expires_in": 300},
    refused=(400, 401, 503),
    parameters=(_PROOF, _ATTESTATION),
)
PUSH = _said(
    status=201,
    body=_object(
        ("response_type", "client_id", "redirect_uri", "code_challenge", "code_challenge_method"),
        response_type={"const": "code"},
        client_id=_TEXT,
        redirect_uri=_TEXT,
        code_challenge=_TEXT,
        code_challenge_method={"const": "S256"},
        state=_TEXT,
        scope=_TEXT | {"description": "Credential configurations, of one or more types."},
        authorization_details=_TEXT | {"description": "JSON: credential configurations (RFC 9396)."},
        issuer_state=_TEXT,
    ),
    example={
        "response_type": "code",
        "client_id": "https://wallet.example",
        "redirect_uri": "https://wallet.example/callback",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "state": "xyz",
        "scope": "person.1.sdjwt",
    },
    media_type=FORM,
    answer=_object(("request_uri", "expires_in"), request_uri=_TEXT, expires_in={"type": "integer"}),
    given={"request_uri": "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c", "expires_in": 60},
    refused=(400, 401, 404, 503),
    parameters=(_PROOF, _ATTESTATION),
)
NONCE = _said(answer=_object(("c_nonce",), c_nonce=_TEXT), given={"c_nonce": "wKI4LT17ac15ES9bw8ac4"}, refused=())
CHALLENGE = _said(
    answer=_object(("attestation_challenge",), attestation_challenge=_TEXT),
    given={"attestation_challenge": "AYjcyMzY3ZDhiNmJkNTZ"},
    refused=(),
)
_ISSUED = _object(
    (),
    credentials={"type": "array", "items": _object(("credential",), credential=_TEXT)},
    notification_id=_TEXT,
    transaction_id=_TEXT | {"description": "With status 202: somebody has yet to decide."},
    interval={"type": "integer"},
)
_CREDENTIALS: Mapping[str, Any] = {
    "credentials": [{"credential": "eyJhbGciOiJFUzI1NiIs…~WyJlbHVWNU9nM2dT…~"}],
    "notification_id": "3fwe98js",
}
CREDENTIAL = _said(
    body=_object(
        ("proofs",),
        credential_configuration_id=_TEXT,
        credential_identifier=_TEXT,
        proofs=_object((), jwt={"type": "array", "items": _TEXT}, attestation={"type": "array", "items": _TEXT}),
        credential_response_encryption={"type": "object"},
    ),
    example={"credential_configuration_id": "person.1.sdjwt", "proofs": {"jwt": ["eyJ0eXAiOiJvcGVuaWQ0dmNpLXByb29m…"]}},
    answer=_ISSUED,
    given=_CREDENTIALS,
    refused=(400, 401, 403, 503),
    is_protected=True,
    parameters=(_PROOF,),
)
DEFERRED_CREDENTIAL = _said(
    body=_object(("transaction_id",), transaction_id=_TEXT, credential_response_encryption={"type": "object"}),
    example={"transaction_id": "8xLOxBtZp8"},
    answer=_ISSUED,
    given=_CREDENTIALS,
    refused=(400, 401, 503),
    is_protected=True,
    parameters=(_PROOF,),
)
NOTIFICATION = _said(
    status=204,
    body=_object(
        ("notification_id", "event"),
        notification_id=_TEXT,
        event={"enum": [each.value for each in NotificationEvent]},
        event_description=_TEXT,
    ),
    example={"notification_id": "3fwe98js", "event": "credential_accepted"},
    answer=None,
    given=None,
    refused=(400, 401),
    is_protected=True,
    parameters=(_PROOF,),
)
