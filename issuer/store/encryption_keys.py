"""Keys of encrypted requests: one for each authority and period of time, sealed, gone when it is read no longer."""

from sqlalchemy import ColumnElement, Connection, select

from comity.record import Discreet
from issuer.store.insert import insert_if_absent
from issuer.store.tables import encryption_keys


class StoredKey(Discreet, frozen=True, kw_only=True):
    """One key. ``expires_at`` is the first second, in Unix time, at which nothing is decrypted with it any more."""

    UNPRINTED = frozenset({"sealed"})
    kid: str
    authority: str
    period: int
    sealed: bytes
    expires_at: int


def add(connection: Connection, key: StoredKey) -> bool:
    """Store a key; False when its authority has one for that period already."""
    values = {
        "kid": key.kid,
        "authority": key.authority,
        "period": key.period,
        "sealed": key.sealed,
        "expires_at": key.expires_at,
    }
    return insert_if_absent(connection, encryption_keys, values)


def of_period(connection: Connection, authority: str, period: int) -> StoredKey | None:
    """Return an authority's key of one period."""
    wanted = (encryption_keys.c.authority == authority) & (encryption_keys.c.period == period)
    return _one(connection, wanted)


def by_kid(connection: Connection, authority: str, kid: str, *, now: int) -> StoredKey | None:
    """Return an authority's key by its name, while it is read."""
    named = (encryption_keys.c.authority == authority) & (encryption_keys.c.kid == kid)
    return _one(connection, named & (encryption_keys.c.expires_at > now))


def _one(connection: Connection, wanted: ColumnElement[bool]) -> StoredKey | None:
    row = connection.execute(select(encryption_keys).where(wanted)).one_or_none()
    if row is None:
        return None
    return StoredKey(
        kid=row.kid, authority=row.authority, period=row.period, sealed=row.sealed, expires_at=row.expires_at
    )
