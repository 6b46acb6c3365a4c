"""The rows behind passkeys: challenges that are used once, and key slots beside the passphrase's."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from wallet.store import challenges, citizens, slots


def save_challenge(connection: Connection, digest: str, expires_at: datetime) -> None:
    """Note that a challenge was given out."""
    connection.execute(insert(challenges).values(digest=digest, expires_at=int(expires_at.timestamp())))


def use_challenge(connection: Connection, digest: str, now: datetime) -> bool:
    """Use a challenge up; of several who try, one is told True, and after its end nobody."""
    alive = (challenges.c.digest == digest) & (challenges.c.expires_at > int(now.timestamp()))
    return connection.execute(delete(challenges).where(alive)).rowcount == 1


def purge_challenges(connection: Connection, now: datetime) -> int:
    """Delete challenges that have ended; returns how many."""
    return connection.execute(delete(challenges).where(challenges.c.expires_at <= int(now.timestamp()))).rowcount


def slots_of(connection: Connection, citizen_id: str) -> dict[str, str]:
    """Return the key slots of an account, JSON by kind; empty when there is no such account."""
    found = connection.execute(select(slots.c.kind, slots.c.slot).where(slots.c.citizen == citizen_id))
    return {row.kind: row.slot for row in found}


def add_slot(connection: Connection, citizen_id: str, kind: str, slot: str) -> None:
    """Add a way to unlock."""
    connection.execute(insert(slots).values(citizen=citizen_id, kind=kind, slot=slot))


def change_slot(connection: Connection, citizen_id: str, kind: str, before: str, after: str) -> bool:
    """Replace a slot by a newer form of itself; False when somebody else was faster."""
    this = (slots.c.citizen == citizen_id) & (slots.c.kind == kind) & (slots.c.slot == before)
    return connection.execute(slots.update().where(this).values(slot=after)).rowcount == 1


def remove_slot(connection: Connection, citizen_id: str, kind: str) -> bool:
    """Take a way to unlock away; False when there was none."""
    this = (slots.c.citizen == citizen_id) & (slots.c.kind == kind)
    return connection.execute(delete(slots).where(this)).rowcount == 1


def exists(connection: Connection, citizen_id: str) -> bool:
    """Say whether there is an account of this id."""
    return connection.execute(select(citizens.c.id).where(citizens.c.id == citizen_id)).first() is not None
