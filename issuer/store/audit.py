"""Who did what, when: append-only, without personal data (the database refuses updates and deletes by trigger)."""

from msgspec import Struct
from sqlalchemy import Connection, insert

from comity.runtime.written import change
from issuer.store import webhooks
from issuer.store.tables import audit

_RECORD = insert(audit).inline()


class Event(Struct, frozen=True, kw_only=True):
    """One line of the audit log.

    Attributes:
        at: Unix seconds.
        actor: name of the operator, or ``wallet``.
        action: such as ``offer_created``, ``credential_issued``, ``revoked``.
        authority: in whose name.
        subject: id of the offer or credential.
    """

    at: int
    actor: str
    action: str
    authority: str
    subject: str


def record(connection: Connection, event: Event) -> None:
    """Append ``event``, in the transaction of what it tells about, and lay it ready for who is told by webhook."""
    change(
        connection,
        _RECORD,
        {
            "at": event.at,
            "actor": event.actor,
            "action": event.action,
            "authority": event.authority,
            "subject": event.subject,
        },
    )
    webhooks.tell_of(connection, event.action, authority=event.authority, subject=event.subject, at=event.at)
