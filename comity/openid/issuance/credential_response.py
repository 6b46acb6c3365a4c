"""The credential response (OpenID4VCI 1.0 §8.3). Sent with ``Cache-Control: no-store``."""

from typing import Any

from msgspec import Struct

from comity.errors import Code
from comity.openid.members import Document, Members
from comity.openid.refusal import Refusal
from comity.record import Discreet

_REFUSE = Refusal(code=Code.RESPONSE_INVALID)


class Issued(Discreet, frozen=True, kw_only=True):
    """Credentials, exactly as the issuer encoded them.

    Attributes:
        credentials: compact strings, at most one per proof that was sent; nothing about them is verified.
        notification_id: to be named in notifications; None when the issuer wants none.
    """

    UNPRINTED = frozenset({"credentials"})
    credentials: tuple[str, ...]
    notification_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {"credentials": [{"credential": text} for text in self.credentials]}
        if self.notification_id is not None:
            body["notification_id"] = self.notification_id
        return body


class Deferred(Struct, frozen=True, kw_only=True):
    """The issuer needs time: ask again with ``transaction_id`` after ``interval`` seconds (HTTP 202)."""

    transaction_id: str
    interval: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"transaction_id": self.transaction_id, "interval": self.interval}


def parse(document: Document, *, proofs_sent: int) -> Issued | Deferred:
    """Read a credential response (VCI-44).

    Args:
        document: the body of a 2xx answer.
        proofs_sent: how many key proofs the request had; more credentials than that are refused (0 counts as one).

    Raises:
        OAuthError: ``response_invalid``: both or neither of credentials and transaction_id, a notification id without
            credentials, a credential that is not a compact string, more credentials than keys.
    """
    members = Members.read(document, "credential response", _REFUSE)
    if members.has("credentials") == members.has("transaction_id"):
        raise _REFUSE("credential response: exactly one of credentials and transaction_id is needed")
    if members.has("transaction_id"):
        if members.has("notification_id"):
            raise _REFUSE("credential response: a notification_id comes only with credentials")
        return Deferred(
            transaction_id=members.string("transaction_id"), interval=members.integer("interval", minimum=1)
        )
    credentials = tuple(entry.string("credential") for entry in members.array("credentials"))
    if len(credentials) > max(proofs_sent, 1):
        raise _REFUSE("credential response: more credentials than keys were sent")
    return Issued(credentials=credentials, notification_id=members.optional_string("notification_id"))
