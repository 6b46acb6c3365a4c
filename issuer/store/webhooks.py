"""What an issuer tells by webhooks, laid ready in the very transaction of what happens (decision record 0035)."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from comity import base64url, strict_json
from comity.runtime.webhooks.outbox import Event, outbox
from issuer.store.tables import metadata

OUTBOX = outbox(metadata)
COLLECTED = "offer.collected"
_OFFER, _CREDENTIAL = "offer_id", "credential_id"

OF_AUDIT: Mapping[str, tuple[str, str]] = {
    "credential_accepted": ("offer.accepted", _OFFER),
    "credential_failure": ("offer.failed", _OFFER),
    "credential_deleted": ("offer.deleted", _OFFER),
    "credential_deferred": ("deferred.waiting", _OFFER),
    "offer_approved": ("deferred.approved", _OFFER),
    "offer_denied": ("deferred.denied", _OFFER),
    "revoked": ("credential.revoked", _CREDENTIAL),
    "suspended": ("credential.suspended", _CREDENTIAL),
    "reinstated": ("credential.reinstated", _CREDENTIAL),
    "revocation_started": ("credential.revocation_started", _CREDENTIAL),
    "revocation_undone": ("credential.revocation_undone", _CREDENTIAL),
}
"""Which lines of the audit log are told: as what, and what their subject is."""
MEMBERS: Mapping[str, str] = {COLLECTED: _OFFER, **dict(OF_AUDIT.values())}
"""Every type of event, with the member that names its subject."""
TYPES = tuple(MEMBERS)


def tell_of(connection: Connection, action: str, *, authority: str, subject: str, at: int) -> None:
    """Tell of a line of the audit log, where such lines are told."""
    told = OF_AUDIT.get(action)
    if told is not None:
        _tell(connection, told[0], {"authority": authority, told[1]: subject}, authority=authority, at=at)


def tell_collected(connection: Connection, *, authority: str, offer_id: str, at: int) -> None:
    """Tell that the credentials of an offer left for the wallet, the first time."""
    _tell(connection, COLLECTED, {"authority": authority, _OFFER: offer_id}, authority=authority, at=at)


def body_of(event_id: str, kind: str, data: Mapping[str, str], *, at: int) -> dict[str, Any]:
    """Return what is sent: ids, and nothing about a person."""
    told_at = datetime.fromtimestamp(at, tz=UTC).isoformat().replace("+00:00", "Z")
    return {"id": event_id, "type": kind, "timestamp": told_at, "data": dict(data)}


def _tell(connection: Connection, kind: str, data: Mapping[str, str], *, authority: str, at: int) -> None:
    event_id = base64url.encode(secrets.token_bytes(16))
    body = strict_json.serialise(body_of(event_id, kind, data, at=at)).decode()
    OUTBOX.tell(connection, Event(id=event_id, type=kind, scope=authority, at=at, body=body))
