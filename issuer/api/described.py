"""What the operators' API says of itself in OpenAPI 3.1: bodies, answers and examples, all of fictional people.

``tests/services/issuer/test_description.py`` sends every example and compares what comes back with what is said here.
"""

from collections.abc import Mapping
from typing import Any

from issuer.store import webhooks

Said = dict[str, Any]

_TEXT: Said = {"type": "string", "minLength": 1, "maxLength": 200}
_INSTANT: Said = {"type": "string", "format": "date-time"}
_ID: Said = {"type": "string", "pattern": "^[A-Za-z0-9_-]{22,43}$"}

OFFER_WANTED: Said = {
    "type": "object",
    "required": ["authority", "type"],
    "additionalProperties": False,
    "properties": {
        "authority": _TEXT | {"description": "Path of the authority."},
        "type": _TEXT | {"description": "Credential type, with or without its version."},
        "claims": {
            "type": ["object", "null"],
            "description": "By the type's schema; absent: from the authority's source.",
        },
        "record_reference": {"type": ["string", "null"], "maxLength": 200, "description": "The file number."},
        "valid_until": {"type": ["string", "null"], "description": "A day, or an instant with its time zone."},
        "formats": {"type": ["array", "null"], "items": {"enum": ["dc+sd-jwt", "vc+jwt"]}},
        "transaction_code": {"type": ["boolean", "null"], "default": True},
        "batch": {"type": ["integer", "null"], "minimum": 1},
        "grant": {
            "enum": ["pre-authorized_code", "authorization_code", None],
            "description": "By code, or by signing in.",
        },
        "decide_later": {"type": ["boolean", "null"], "default": False},
    },
}
OFFER: Said = {
    "type": "object",
    "required": ["offer_id", "authority", "type", "state", "created_at", "expires_at", "valid_until"],
    "properties": {
        "offer_id": _ID,
        "authority": _TEXT,
        "type": _TEXT,
        "configuration_ids": {"type": "array", "items": {"type": "string"}},
        "batch": {"type": "integer"},
        "record_reference": {"type": ["string", "null"]},
        "state": {"enum": ["open", "redeemed", "delivered", "dead", "cancelled", "expired"]},
        "grant": {"enum": ["pre-authorized_code", "authorization_code"]},
        "decision": {
            "enum": ["waiting", "approved", "denied", None],
            "description": "Of an offer made to decide later.",
        },
        "created_at": _INSTANT,
        "expires_at": _INSTANT,
        "valid_until": _INSTANT,
        "link": {"type": "string", "description": "By reference; for the QR code."},
        "link_by_value": {"type": "string"},
        "credential_offer": {"type": "object"},
        "credential_offer_uri": {"type": "string"},
        "qr_url": {"type": "string"},
        "transaction_code": {"type": "string", "description": "Only in the answer that made the offer."},
        "credentials": {"type": "array", "items": {"type": "object"}},
    },
}
CREDENTIAL: Said = {
    "type": "object",
    "required": ["id", "authority", "type", "format", "status", "issued_at", "valid_until"],
    "properties": {
        "id": _ID,
        "authority": _TEXT,
        "type": _TEXT,
        "format": {"enum": ["dc+sd-jwt", "vc+jwt"]},
        "status": {"enum": ["valid", "suspended", "revoked"]},
        "status_reason": {"type": ["string", "null"]},
        "status_changed_at": {"type": ["string", "null"]},
        "status_list": {"type": "string"},
        "status_index": {"type": "integer"},
        "record_reference": {"type": ["string", "null"]},
        "issued_at": _INSTANT,
        "valid_until": _INSTANT,
    },
}
_PROBLEM: Said = {
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; `comity doctor CODE` explains it."},
        "meaning": {"type": "string"},
        "next_step": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
    },
}

CLAIMS_EXAMPLE: Mapping[str, Any] = {
    "family_name": "Gagné",
    "given_names": "Élise",
    "birthdate": "1988-07-02",
    "age_over_18": True,
    "age_over_19": True,
    "age_over_21": True,
    "address_verified": False,
}
WANTED_EXAMPLE: Mapping[str, Any] = {
    "authority": "ca-on/services",
    "type": "person/1",
    "claims": CLAIMS_EXAMPLE,
    "record_reference": "DEMO-0001",
}
SEARCH_EXAMPLE: Mapping[str, Any] = {"authority": "ca-on/services", "record_reference": "DEMO-0001", "limit": 50}
REASON_EXAMPLE: Mapping[str, Any] = {"reason": "phone lost"}

KEY: Said = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body gives the same offer for a day; with another body, 422.",
    "schema": _TEXT,
    "example": "4f1c9a52-demo",
}
LIST_MEMBERS: Said = {
    "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 200, "default": 100},
    "cursor": {"type": ["string", "null"], "description": "`next_cursor` of the page before."},
}


def described(
    *,
    answer: Said | None,
    status: int = 200,
    body: Said | None = None,
    example: Mapping[str, Any] | None = None,
    parameters: tuple[Said, ...] = (),
    media_type: str = "application/json",
    problems: tuple[int, ...] = (400, 401, 403, 404),
) -> dict[str, Any]:
    """Return what a route's decorator is given to say what goes in and what comes out."""
    extra: dict[str, Any] = {"security": [{"operator": []}]}
    if parameters:
        extra["parameters"] = list(parameters)
    if body is not None:
        content = {"schema": body, **({"example": dict(example)} if example is not None else {})}
        extra["requestBody"] = {"required": True, "content": {"application/json": content}}
    good = {"description": "Done", "content": {media_type: {"schema": answer or {}}}}
    bad = {
        "description": "A problem document (RFC 9457)",
        "content": {"application/problem+json": {"schema": _PROBLEM}},
    }
    return {"openapi_extra": extra, "responses": {status: good, **dict.fromkeys(problems, bad)}}


CREATE_OFFER = described(
    answer=OFFER,
    status=201,
    body=OFFER_WANTED,
    example=WANTED_EXAMPLE,
    parameters=(KEY,),
    problems=(400, 401, 403, 404, 422, 502),
)
SHOW_OFFER = described(answer=OFFER)
OFFER_QR = described(answer={"type": "string", "format": "binary"}, media_type="image/png")
CANCEL_OFFER = described(answer=OFFER)
DECIDE = described(
    answer=OFFER,
    problems=(400, 401, 403, 404, 409),
    parameters=(
        {
            "name": "verdict",
            "in": "path",
            "required": True,
            "schema": {"enum": ["approve", "deny"]},
            "example": "approve",
        },
    ),
)
SEARCH = described(
    answer={
        "type": "object",
        "required": ["credentials"],
        "properties": {"credentials": {"type": "array", "items": CREDENTIAL}, "next_cursor": {"type": "string"}},
    },
    body={
        "type": "object",
        "required": ["authority"],
        "additionalProperties": False,
        "properties": {
            "authority": _TEXT,
            **{name: {"type": ["string", "null"], "maxLength": 200} for name in ("record_reference", "number", "name")},
            **LIST_MEMBERS,
        },
    },
    example=SEARCH_EXAMPLE,
)
SHOW_CREDENTIAL = described(answer=CREDENTIAL)
CHANGE_STATUS = described(
    answer=CREDENTIAL,
    body={"type": "object", "required": ["reason"], "additionalProperties": False, "properties": {"reason": _TEXT}},
    example=REASON_EXAMPLE,
    problems=(400, 401, 403, 404, 409),
)
AUDIT = described(
    answer={
        "type": "object",
        "required": ["events"],
        "properties": {
            "events": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["at", "actor", "action", "subject"],
                    "properties": {
                        "at": _INSTANT,
                        **{name: {"type": "string"} for name in ("actor", "action", "subject")},
                    },
                },
            },
            "next_cursor": {"type": "string"},
        },
    }
)
WEBHOOKS: Mapping[str, Mapping[str, Any]] = {
    kind: webhooks.body_of(
        "8wBNRVRYz1q3cVbXkDpSMA",
        kind,
        {"authority": "ca-on/services", member: "Zr8sWb5uJ6fHd9aLeGiKoA"},
        at=1_795_435_200,
    )
    for kind, member in webhooks.MEMBERS.items()
}
"""A body of each type of event."""
SECURITY: Said = {"operator": {"type": "http", "scheme": "bearer", "description": "`comity issuer operators add`"}}
