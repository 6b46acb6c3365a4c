"""Notifications: the wallet tells the issuer what became of a credential (OpenID4VCI 1.0 §11)."""

from enum import StrEnum

from msgspec import Struct

from comity.errors import Code
from comity.openid.members import Document, Members
from comity.openid.refusal import OAuthErrorCode, Refusal, description

_REFUSE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_NOTIFICATION_REQUEST)


class NotificationEvent(StrEnum):
    """What happened. ``DELETED`` reports a failed issuance (the person said no), not a later deletion."""

    ACCEPTED = "credential_accepted"
    FAILURE = "credential_failure"
    DELETED = "credential_deleted"


class Notification(Struct, frozen=True, kw_only=True):
    """One notification; the same one may come again and is then answered the same way (VCI-51)."""

    notification_id: str
    event: NotificationEvent
    event_description: str | None = None

    @classmethod
    def parse(cls, document: Document) -> "Notification":
        """Read a notification request. Whether the id is known is the issuer's to say.

        Raises:
            OAuthError: ``invalid_notification_request``.
        """
        members = Members.read(document, "notification", _REFUSE)
        event = members.string("event")
        if event not in set(NotificationEvent):
            raise _REFUSE("notification: event is not one of the three the protocol knows")
        text = members.optional_string("event_description")
        if text is not None and description(text) != text:
            raise _REFUSE("notification: event_description holds characters the protocol does not allow")
        return cls(
            notification_id=members.string("notification_id"),
            event=NotificationEvent(event),
            event_description=text,
        )

    def to_dict(self) -> dict[str, str]:
        """Return the JSON object."""
        body = {"notification_id": self.notification_id, "event": self.event.value}
        if self.event_description is not None:
            body["event_description"] = description(self.event_description)
        return body
