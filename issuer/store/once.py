"""What was wished before under the same key, so that a wish sent twice is granted once."""

from msgspec import Struct
from sqlalchemy import Connection, delete, select

from issuer.store.console_tables import once
from issuer.store.insert import insert_if_absent


class Kept(Struct, frozen=True, kw_only=True):
    """What is known of a key: the digest of what was sent with it, and the id of what came of it."""

    body_digest: str
    subject: str


def keep(connection: Connection, key_digest: str, kept: Kept, *, expires_at: int) -> bool:
    """Keep a key; False when it is known already."""
    values = {"key_digest": key_digest, "body_digest": kept.body_digest, "subject": kept.subject}
    return insert_if_absent(connection, once, {**values, "expires_at": expires_at})


def find(connection: Connection, key_digest: str, *, now: int) -> Kept | None:
    """Return what is known of a key."""
    row = connection.execute(select(once).where(once.c.key_digest == key_digest, once.c.expires_at > now)).one_or_none()
    return None if row is None else Kept(body_digest=row.body_digest, subject=row.subject)


def erase_due(connection: Connection, *, now: int) -> int:
    """Forget keys whose time has come; returns how many."""
    return connection.execute(delete(once).where(once.c.expires_at <= now)).rowcount
