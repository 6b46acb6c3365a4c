"""What the verifier tells by webhooks: that a presentation is finished, with its verdict and codes, and no claim.

On one device the verdict is not told: it is released only to whoever brings the response code back in the browser that
started the request (OpenID4VP 1.0 §14.2; profile VP-23), and a webhook knows nothing of browsers.
"""

import secrets
from typing import Any

from sqlalchemy import Connection

from comity import base64url, strict_json
from comity.runtime.webhooks.outbox import Event
from verifier.store import OUTBOX, Answer, RequestRow, answer

FINISHED = "presentation.finished"
TYPES = (FINISHED,)
"""Every type of event."""


def answer_and_tell(connection: Connection, row: RequestRow, given: Answer, *, is_released: bool) -> bool:
    """Answer a request with its verdict, once, and lay ready in the same unit that it is finished.

    Args:
        connection: of the unit.
        row: the request.
        given: its answer.
        is_released: whether the verdict may be told without more; False on one device.

    Returns:
        False when it was answered before, or can no longer be answered; nothing is changed or told then.
    """
    if not answer(connection, row.id, given):
        return False
    event_id, at = base64url.encode(secrets.token_bytes(16)), int(given.at.timestamp())
    data = {
        "request_id": row.id,
        "verdict": given.verdict if is_released else None,
        "codes": strict_json.parse(given.codes) if is_released else [],
    }
    body = strict_json.serialise(body_of(event_id, data, told_at=given.at.isoformat().replace("+00:00", "Z"))).decode()
    event = Event(id=event_id, type=FINISHED, scope=row.relying_party, at=at, body=body)
    OUTBOX.tell(connection, event)
    return True


def body_of(event_id: str, data: dict[str, Any], *, told_at: str) -> dict[str, Any]:
    """Return what is sent."""
    return {"id": event_id, "type": FINISHED, "timestamp": told_at, "data": data}
