"""Signatures of webhooks, as the Standard Webhooks specification lays them out: HMAC-SHA-256 over id, instant and body.

A receiver recomputes the signature over the bytes that came, compares in constant time, refuses an instant that is
more than five minutes off, and remembers ids: ``docs/guides/webhooks.md`` shows how.
"""

import base64
import hashlib
import hmac
import secrets

from comity.errors import Code, Malformed

PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a new signing secret as its receiver is given it: ``whsec_`` and 256 random bits in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def headers(secret: str, *, event_id: str, at: int, body: bytes) -> dict[str, str]:
    """Return the three headers of one sending.

    Args:
        secret: as :func:`new_secret` gave it.
        event_id: the same at every sending of one event, so that the receiver can tell a repetition.
        at: Unix seconds of this sending.
        body: the exact bytes that are sent.

    Raises:
        Malformed: the secret is none.
    """
    signed = f"{event_id}.{at}.".encode("ascii") + body
    mac = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode("ascii")
    return {"webhook-id": event_id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{mac}"}


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if len(key) != _SECRET_BYTES or not secret.startswith(PREFIX):
        raise Malformed(Code.RECORD_TAMPERED, "this is no secret of a webhook")
    return key
