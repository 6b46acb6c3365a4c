"""What a service's OpenAPI description says of its webhooks (OpenAPI 3.1 ``webhooks``)."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

_HEADERS: Mapping[str, str] = {
    "webhook-id": "The same at every sending of one event: take each id once.",
    "webhook-timestamp": "Unix seconds of this sending: refuse what is more than five minutes off.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`, by the endpoint's secret.",
}


def describe(app: FastAPI, examples: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to the description of ``app`` what is sent for each type of event; ``examples`` are whole bodies."""
    made = app.openapi

    def described() -> dict[str, Any]:
        document = made()
        document["webhooks"] = {kind: {"post": _operation(kind, body)} for kind, body in examples.items()}
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI documents this very assignment


def _operation(kind: str, example: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operationId": kind.replace(".", "_"),
        "summary": kind,
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": about, "schema": {"type": "string"}}
            for name, about in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _schema(kind, example), "example": dict(example)}},
        },
        "responses": {
            "2XX": {"description": "Heard."},
            "410": {"description": "Given up at once. Every other answer, a redirect too: sent again later."},
        },
    }


def _schema(kind: str, example: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["id", "type", "timestamp", "data"],
        "properties": {
            "id": {"type": "string"},
            "type": {"const": kind},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "required": list(example["data"])},
        },
    }
