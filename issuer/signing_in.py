"""Clerks sign in, stay in while they work, and are out when they leave the desk.

A session is a random token in a cookie and its hash in the database. It ends after some idle minutes, after a working
day at the latest, and at once when the account is closed. A wrong password is counted; after a few in a row nothing is
looked at for a while, whoever asks (so a colleague can be locked out by guessing: a supervisor's telephone, not a
stranger's dictionary, is what that costs).
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comity.errors import Code, Conflict, Denied, Malformed, NotFound
from issuer import passwords
from issuer.deployment import Deployment
from issuer.operators import RIGHTS, Right, Role
from issuer.secrecy import hashed, new_secret
from issuer.store import Connection, audit, clerks, credentials
from issuer.store.clerks import Clerk, Session

ATTEMPTS = 5
LOCK_SECONDS = 900
IDLE_SECONDS = 1200
LONGEST_SECONDS = 10 * 3600
_TOUCH_EVERY = 30
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,58}[a-z0-9]\Z")


class SignedIn(Struct, frozen=True, kw_only=True):
    """What a right password gives: the token for the cookie, once, and who it is."""

    token: str
    clerk: Clerk


def may(clerk: Clerk, right: Right) -> bool:
    """Say whether the clerk's role includes this."""
    return right in RIGHTS[Role(clerk.role)]


def require(clerk: Clerk, right: Right, authority: str | None = None) -> None:
    """Check that the clerk may do this, and in the name of ``authority`` where one is given.

    Raises:
        Denied: ``not_permitted``.
    """
    if not may(clerk, right) or authority not in {None, clerk.authority}:
        raise Denied(Code.NOT_PERMITTED, "this account does not include that")


async def add(
    deployment: Deployment,
    *,
    name: str,
    role: Role,
    authority: str,
    password: str,
    actor: str,
    stored: str | None = None,
) -> Clerk:
    """Add a clerk; ``stored`` is the hash of the password where that was made already.

    Raises:
        Malformed: ``request_invalid``: the name or the password is not fit.
        NotFound: ``authority_unknown``.
        Conflict: ``request_invalid``: the name is taken.
    """
    if not _NAME.match(name):
        raise Malformed(Code.REQUEST_INVALID, "a name has 3 to 60 of a-z, 0-9, dot, hyphen and underscore")
    deployment.authority(authority)
    now = deployment.now()
    if stored is None:
        stored = await asyncio.to_thread(passwords.hash_of, password)
    clerk = Clerk(
        id=credentials.new_id(),
        name=name,
        authority=authority,
        role=role.value,
        password_hash=stored,
        created_at=now,
    )

    def save(connection: Connection) -> bool:
        if not clerks.add(connection, clerk):
            return False
        _tell(connection, clerk, "clerk_added", actor=actor, at=now)
        return True

    if not await deployment.database.write(save):
        raise Conflict(Code.REQUEST_INVALID, "there is a clerk of this name already")
    return clerk


async def set_disabled(deployment: Deployment, name: str, *, authority: str | None, disabled: bool, actor: str) -> None:
    """Close an account, which ends its sessions at once, or open it again.

    Raises:
        NotFound: ``not_found``: no such clerk of this authority.
    """
    now = deployment.now()

    def change(connection: Connection) -> bool:
        if not clerks.set_disabled(connection, name, authority=authority, at=now if disabled else None):
            return False
        found = clerks.by_name(connection, name)
        if found is not None:
            _tell(connection, found, "clerk_disabled" if disabled else "clerk_enabled", actor=actor, at=now)
        return True

    if not await deployment.database.write(change):
        raise NotFound(Code.NOT_FOUND, "there is no such clerk")


async def reset(deployment: Deployment, name: str, *, authority: str | None, password: str, actor: str) -> None:
    """Give a clerk a new password, which ends the sessions and the lock of the account.

    Raises:
        NotFound: ``not_found``: no such clerk of this authority.
        Malformed: ``request_invalid``: the password is not fit.
    """
    now, stored = deployment.now(), await asyncio.to_thread(passwords.hash_of, password)

    def change(connection: Connection) -> bool:
        found = clerks.by_name(connection, name)
        if found is None or authority not in {None, found.authority}:
            return False
        _tell(connection, found, "clerk_password", actor=actor, at=now)
        return clerks.set_password(connection, name, stored)

    if not await deployment.database.write(change):
        raise NotFound(Code.NOT_FOUND, "there is no such clerk")


async def sign_in(deployment: Deployment, name: str, password: str) -> SignedIn:
    """Open a session for who knows the password.

    Raises:
        Denied: ``too_many_attempts`` while the account is locked, ``not_authenticated`` for everything else that is
            wrong: whether the name exists is not told, by words or by time.
    """
    now = deployment.now()
    clerk = await deployment.database.read(lambda connection: clerks.by_name(connection, name.strip().lower()))
    if clerk is not None and clerk.locked_until > now:
        raise _locked()
    is_right = await asyncio.to_thread(passwords.is_right, password, None if clerk is None else clerk.password_hash)
    if clerk is None or not is_right or clerk.is_disabled or clerk.authority not in deployment.authorities:
        if clerk is not None and not is_right:
            await _count_failure(deployment, clerk, now)
        raise Denied(Code.NOT_AUTHENTICATED, "the name or the password is wrong")
    token = new_secret()

    def open_session(connection: Connection) -> bool:
        if not clerks.forgive(connection, clerk.id, now=now):  # many guesses at once are no more than one by one
            return False
        clerks.open_session(connection, token_hash=hashed(token), clerk_id=clerk.id, now=now)
        _tell(connection, clerk, "signed_in", actor=clerk.name, at=now)
        return True

    if not await deployment.database.write(open_session):
        raise _locked()
    return SignedIn(token=token, clerk=clerk)


def _locked() -> Denied:
    return Denied(Code.TOO_MANY_ATTEMPTS, "too many wrong passwords; try again later")


async def _count_failure(deployment: Deployment, clerk: Clerk, now: int) -> None:
    def count(connection: Connection) -> None:
        clerks.count_failure(connection, clerk.id, limit=ATTEMPTS, lock_until=now + LOCK_SECONDS)
        _tell(connection, clerk, "sign_in_refused", actor=clerk.name, at=now)

    await deployment.database.write(count)


async def session_of(deployment: Deployment, token: str | None) -> Session | None:
    """Return the session of a cookie and keep it alive; None when there is none or it has ended."""
    if not token:
        return None
    now, token_hash = deployment.now(), hashed(token)

    def find(connection: Connection) -> Session | None:
        return clerks.session(
            connection, token_hash, seen_after=now - IDLE_SECONDS, created_after=now - LONGEST_SECONDS
        )

    found = await deployment.database.read(find)
    if found is not None and found.seen_at <= now - _TOUCH_EVERY:
        await deployment.database.write(lambda connection: clerks.touch(connection, token_hash, now=now))
    return found if found is not None and found.clerk.authority in deployment.authorities else None


async def sign_out(deployment: Deployment, token: str | None) -> None:
    """End a session; doing it again changes nothing."""
    if token:
        token_hash = hashed(token)
        await deployment.database.write(lambda connection: clerks.close_session(connection, token_hash))


async def erase_due(deployment: Deployment) -> int:
    """Remove sessions that ended by themselves, with what was searched for and begun in them; return how many."""
    now = deployment.now()
    return await deployment.database.write(
        lambda connection: clerks.erase_sessions(
            connection, seen_before=now - IDLE_SECONDS, created_before=now - LONGEST_SECONDS
        )
    )


async def keep_search(deployment: Deployment, session: Session, text: str) -> None:
    """Keep what a clerk searches for, sealed, with the session: it is personal and stays out of every URL."""
    sealed = deployment.secrecy.seal({"search": text}, session.token_hash)
    await deployment.database.write(lambda connection: clerks.keep_search(connection, session.token_hash, sealed))


def kept_search(deployment: Deployment, session: Session) -> str:
    """Return what the clerk searched for last; empty when nothing."""
    if session.sealed_search is None:
        return ""
    return str(deployment.secrecy.unseal(session.sealed_search, session.token_hash)["search"])


async def keep_draft(deployment: Deployment, session: Session, draft: Mapping[str, Any]) -> None:
    """Keep a form that was filled in, sealed, with the session: going back in the browser loses nothing."""
    sealed = deployment.secrecy.seal(draft, f"draft {session.token_hash}")
    await deployment.database.write(lambda connection: clerks.keep_draft(connection, session.token_hash, sealed))


def kept_draft(deployment: Deployment, session: Session) -> dict[str, Any] | None:
    """Return the form that was filled in last; None when there is none."""
    if session.sealed_draft is None:
        return None
    return deployment.secrecy.unseal(session.sealed_draft, f"draft {session.token_hash}")


def _tell(connection: Connection, clerk: Clerk, action: str, *, actor: str, at: int) -> None:
    event = audit.Event(at=at, actor=actor, action=action, authority=clerk.authority, subject=clerk.id)
    audit.record(connection, event)
