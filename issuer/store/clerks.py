"""Clerks and their sessions. Passwords are hashed, session tokens too; what was searched for is sealed."""

from sqlalchemy import BigInteger, Connection, Row, case, delete, insert, literal, or_, select, update

from comity.record import Discreet
from issuer.store.console_tables import clerk_sessions, clerks
from issuer.store.insert import insert_if_absent


class Clerk(Discreet, frozen=True, kw_only=True):
    """One account at the console.

    Attributes:
        id: 128 random bits.
        name: what the clerk signs in with and what the audit log calls them.
        authority: the one authority that the clerk acts for.
        role: one of the four roles.
        password_hash: Argon2id, in its own text form.
        locked_until: no password is looked at before this instant.
        is_disabled: whether the account is closed.
        created_at: Unix seconds.
    """

    UNPRINTED = frozenset({"password_hash"})
    id: str
    name: str
    authority: str
    role: str
    password_hash: str
    locked_until: int = 0
    is_disabled: bool = False
    created_at: int = 0


class Session(Discreet, frozen=True, kw_only=True):
    """A clerk who is signed in."""

    UNPRINTED = frozenset({"sealed_draft", "sealed_search"})
    token_hash: str
    clerk: Clerk
    seen_at: int
    sealed_search: bytes | None
    sealed_draft: bytes | None


def add(connection: Connection, clerk: Clerk) -> bool:
    """Store a new clerk; False when the name is taken."""
    return insert_if_absent(
        connection,
        clerks,
        {
            "id": clerk.id,
            "name": clerk.name,
            "authority": clerk.authority,
            "role": clerk.role,
            "password_hash": clerk.password_hash,
            "failures": 0,
            "locked_until": 0,
            "created_at": clerk.created_at,
        },
    )


def by_name(connection: Connection, name: str) -> Clerk | None:
    """Return the clerk called ``name``."""
    row = connection.execute(select(clerks).where(clerks.c.name == name)).one_or_none()
    return None if row is None else _clerk(row)


def of_authority(connection: Connection, authority: str | None) -> tuple[Clerk, ...]:
    """Return the clerks of one authority, or of all for None, by name."""
    statement = select(clerks).order_by(clerks.c.name)
    if authority is not None:
        statement = statement.where(clerks.c.authority == authority)
    return tuple(_clerk(row) for row in connection.execute(statement))


def count_failure(connection: Connection, clerk_id: str, *, limit: int, lock_until: int) -> None:
    """Count a wrong password by one statement; the ``limit``-th in a row locks the account until ``lock_until``."""
    last = clerks.c.failures + 1 >= limit
    connection.execute(
        update(clerks)
        .where(clerks.c.id == clerk_id)
        .values(
            failures=case((last, 0), else_=clerks.c.failures + 1),
            locked_until=case((last, literal(lock_until, BigInteger)), else_=clerks.c.locked_until),
        )
    )


def forgive(connection: Connection, clerk_id: str, *, now: int) -> bool:
    """Forget wrong passwords after a right one; False when others locked the account while it was looked at."""
    unlocked = (clerks.c.id == clerk_id) & (clerks.c.locked_until <= now)
    return connection.execute(update(clerks).where(unlocked).values(failures=0, locked_until=0)).rowcount == 1


def set_password(connection: Connection, name: str, password_hash: str) -> bool:
    """Replace a password, unlock the account and end its sessions; False when there is no such clerk."""
    row = connection.execute(
        update(clerks)
        .where(clerks.c.name == name)
        .values(password_hash=password_hash, failures=0, locked_until=0)
        .returning(clerks.c.id)
    ).one_or_none()
    if row is None:
        return False
    connection.execute(delete(clerk_sessions).where(clerk_sessions.c.clerk_id == row.id))
    return True


def set_disabled(connection: Connection, name: str, *, authority: str | None, at: int | None) -> bool:
    """Close an account at ``at`` and end its sessions, or open it again with None. False when there is no such one."""
    statement = update(clerks).where(clerks.c.name == name).values(disabled_at=at)
    if authority is not None:
        statement = statement.where(clerks.c.authority == authority)
    row = connection.execute(statement.returning(clerks.c.id)).one_or_none()
    if row is None:
        return False
    connection.execute(delete(clerk_sessions).where(clerk_sessions.c.clerk_id == row.id))
    return True


# --- sessions


def open_session(connection: Connection, *, token_hash: str, clerk_id: str, now: int) -> None:
    """Store a new session."""
    connection.execute(
        insert(clerk_sessions).values(token_hash=token_hash, clerk_id=clerk_id, created_at=now, seen_at=now)
    )


def session(connection: Connection, token_hash: str, *, seen_after: int, created_after: int) -> Session | None:
    """Return a session that was neither idle too long nor is too old, of a clerk whose account is open."""
    row = connection.execute(
        select(
            clerks,
            clerk_sessions.c.token_hash,
            clerk_sessions.c.seen_at,
            clerk_sessions.c.sealed_search,
            clerk_sessions.c.sealed_draft,
        )
        .join(clerks, clerks.c.id == clerk_sessions.c.clerk_id)
        .where(
            clerk_sessions.c.token_hash == token_hash,
            clerk_sessions.c.seen_at > seen_after,
            clerk_sessions.c.created_at > created_after,
            clerks.c.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    return Session(
        token_hash=row.token_hash,
        clerk=_clerk(row),
        seen_at=row.seen_at,
        sealed_search=row.sealed_search,
        sealed_draft=row.sealed_draft,
    )


def touch(connection: Connection, token_hash: str, *, now: int) -> None:
    """Note that a session is in use."""
    connection.execute(update(clerk_sessions).where(clerk_sessions.c.token_hash == token_hash).values(seen_at=now))


def keep_search(connection: Connection, token_hash: str, sealed: bytes | None) -> None:
    """Keep what was searched for, so that a results page can be shown again without its being in a URL."""
    connection.execute(
        update(clerk_sessions).where(clerk_sessions.c.token_hash == token_hash).values(sealed_search=sealed)
    )


def keep_draft(connection: Connection, token_hash: str, sealed: bytes) -> None:
    """Keep a form that was filled in, so that its review can be gone back to."""
    connection.execute(
        update(clerk_sessions).where(clerk_sessions.c.token_hash == token_hash).values(sealed_draft=sealed)
    )


def close_session(connection: Connection, token_hash: str) -> None:
    """End a session."""
    connection.execute(delete(clerk_sessions).where(clerk_sessions.c.token_hash == token_hash))


def erase_sessions(connection: Connection, *, seen_before: int, created_before: int) -> int:
    """Remove sessions that ended by themselves, and what had been searched for and begun in them."""
    ended = or_(clerk_sessions.c.seen_at <= seen_before, clerk_sessions.c.created_at <= created_before)
    return connection.execute(delete(clerk_sessions).where(ended)).rowcount


def _clerk(row: "Row[tuple[object, ...]]") -> Clerk:
    return Clerk(
        id=row.id,
        name=row.name,
        authority=row.authority,
        role=row.role,
        password_hash=row.password_hash,
        locked_until=row.locked_until,
        is_disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )
