"""A revocation with a second person and with a time to undo it (decision record 0023).

Asked → agreed (by another supervisor, where the authority wants that) → to be undone until some instant (where the law
of the type lets it) → done. While it can be undone the credential is *suspended*, from the first moment: nobody can
use it, and nothing has been published that cannot be taken back. Each step is one statement that only the right state
lets through, in one transaction with its line in the audit log.
"""

import schemas
from comity.credential import Status
from comity.errors import Code, Conflict, Denied, NotFound
from comity.runtime.database import Unit
from issuer import catalog
from issuer.deployment import Deployment
from issuer.store import Connection, audit, credentials, desk, revocations
from issuer.store.credentials import IssuedCredential
from issuer.store.revocations import Revocation, RevocationState

_OPEN_STATUSES = frozenset({Status.VALID, Status.SUSPENDED})
TIMER = "timer"
"""The actor of what happens because its time has come."""


def undo_seconds(credential: IssuedCredential) -> int:
    """Return for how long a revocation of this credential can be undone: never without suspension."""
    return schemas.undo_minutes(credential.type.slug) * 60 if catalog.is_suspendable(credential.type) else 0


def needs_second_person(deployment: Deployment, authority: str) -> bool:
    """Say whether the authority wants two people for a revocation."""
    return deployment.authority(authority).description.revocation_approval


async def ask(
    deployment: Deployment, credential: IssuedCredential, *, reason: str, actor: str, may_decide: bool
) -> Revocation:
    """Ask for a revocation; it takes effect at once where the actor may decide and no second person is wanted.

    Raises:
        Conflict: ``status_change_not_allowed``: it is revoked, or a revocation is under way.
    """
    now = deployment.now()
    asked = Revocation(
        id=credentials.new_id(),
        credential_id=credential.id,
        authority=credential.authority,
        state=RevocationState.WAITING,
        reason=reason,
        previous_status=credential.status,
        asked_by=actor,
        asked_at=now,
    )
    at_once = may_decide and not needs_second_person(deployment, credential.authority)

    def save(connection: Connection) -> Revocation | None:
        current = credentials.find(connection, credential.id)
        if current is None or current.status is not credential.status or current.status is Status.REVOKED:
            return None
        if revocations.open_for(connection, credential.id) or not revocations.add(connection, asked):
            return None
        if at_once:
            _take_effect(connection, asked, current, actor=actor, decided_by=None, now=now)
        else:
            _tell(connection, asked, "revocation_asked", actor=actor, at=now)
        return revocations.find(connection, asked.id)

    return await _changed(deployment, save)


async def agree(deployment: Deployment, revocation_id: str, *, authority: str, actor: str) -> Revocation:
    """Agree to a revocation that somebody else asked for.

    Raises:
        NotFound: ``not_found``.
        Denied: ``not_permitted``: by who asked for it.
        Conflict: ``status_change_not_allowed``: it does not wait any more.
    """
    asked = await find(deployment, revocation_id, authority=authority)
    if asked.asked_by == actor:
        raise Denied(Code.NOT_PERMITTED, "a second person has to agree")
    now = deployment.now()

    def save(connection: Connection) -> Revocation | None:
        current = credentials.find(connection, asked.credential_id)
        if current is None or not _take_effect(connection, asked, current, actor=actor, decided_by=actor, now=now):
            return None
        return revocations.find(connection, asked.id)

    return await _changed(deployment, save)


async def refuse(deployment: Deployment, revocation_id: str, *, authority: str, actor: str) -> Revocation:
    """Refuse a revocation, or withdraw one's own; the credential stays what it is.

    Raises:
        NotFound, Conflict: as for :func:`agree`.
    """
    asked, now = await find(deployment, revocation_id, authority=authority), deployment.now()

    def save(connection: Connection) -> Revocation | None:
        waiting, refused = RevocationState.WAITING, RevocationState.REFUSED
        if not revocations.move(connection, asked.id, start=waiting, end=refused, decided_by=actor, now=now):
            return None
        _tell(connection, asked, "revocation_refused", actor=actor, at=now)
        return revocations.find(connection, asked.id)

    return await _changed(deployment, save)


async def undo(deployment: Deployment, revocation_id: str, *, authority: str, actor: str) -> Revocation:
    """Take back a revocation while there is time; the credential is again what it was.

    Raises:
        NotFound, Conflict: as for :func:`agree`.
    """
    found, now = await find(deployment, revocation_id, authority=authority), deployment.now()

    def save(connection: Connection) -> Revocation | None:
        start, end = RevocationState.UNDOABLE, RevocationState.UNDONE
        if found.final_at is None or found.final_at <= now:
            return None
        if not revocations.move(connection, found.id, start=start, end=end, now=now):
            return None
        if found.previous_status is Status.VALID and not _set(
            connection, found, Status.VALID, frozenset({Status.SUSPENDED}), now
        ):
            raise _not_now()
        _tell(connection, found, "revocation_undone", actor=actor, at=now)
        return revocations.find(connection, found.id)

    return await _changed(deployment, save)


async def finish_due(deployment: Deployment) -> int:
    """Revoke for good what can no longer be undone; return how many."""
    now = deployment.now()

    def finish(connection: Connection) -> int:
        due = revocations.final(connection, now=now)
        for each in due:
            start, end = RevocationState.UNDOABLE, RevocationState.DONE
            if revocations.move(connection, each.id, start=start, end=end, now=now):
                _set(connection, each, Status.REVOKED, _OPEN_STATUSES, now)
                _tell(connection, each, "revoked", actor=TIMER, at=now)
        return len(due)

    if not await deployment.database.read(lambda connection: revocations.final(connection, now=now)):
        return 0
    count = await deployment.database.write(finish)
    deployment.publisher.wake()
    return count


async def find(deployment: Deployment, revocation_id: str, *, authority: str) -> Revocation:
    """Return a revocation of one authority.

    Raises:
        NotFound: ``not_found``.
    """
    found = await deployment.database.read(lambda connection: revocations.find(connection, revocation_id))
    if found is None or found.authority != authority:
        raise NotFound(Code.NOT_FOUND, "there is no such revocation")
    return found


async def open_for(deployment: Deployment, credential_id: str) -> Revocation | None:
    """Return the revocation that is under way for a credential."""
    return await deployment.database.read(lambda connection: revocations.open_for(connection, credential_id))


async def waiting(deployment: Deployment, authority: str, *, limit: int = 100) -> tuple[Revocation, ...]:
    """Return what waits for a second person, the oldest first."""
    state = RevocationState.WAITING
    return await deployment.database.read(
        lambda connection: revocations.in_state(connection, state, authority=authority, limit=limit)
    )


def _take_effect(
    connection: Connection,
    asked: Revocation,
    credential: IssuedCredential,
    *,
    actor: str,
    decided_by: str | None,
    now: int,
) -> bool:
    """Revoke for good, or suspend until it is final. False when it does not wait any more."""
    seconds = undo_seconds(credential)
    end = RevocationState.UNDOABLE if seconds else RevocationState.DONE
    if not revocations.move(
        connection,
        asked.id,
        start=RevocationState.WAITING,
        end=end,
        decided_by=decided_by,
        now=now,
        final_at=now + seconds,
        previous_status=credential.status,
    ):
        return False
    if not seconds:
        _set(connection, asked, Status.REVOKED, _OPEN_STATUSES, now)
    elif credential.status is Status.VALID:
        _set(connection, asked, Status.SUSPENDED, frozenset({Status.VALID}), now)
    _tell(connection, asked, "revocation_started" if seconds else "revoked", actor=actor, at=now)
    return True


def _set(connection: Connection, which: Revocation, status: Status, start: frozenset[Status], now: int) -> bool:
    """Set the status of the credential and of all that is one thing with it for its holder."""
    changed = [
        credentials.set_status(connection, each, status, allowed_from=start, reason=which.reason, now=now)
        for each in desk.copies(connection, which.credential_id)
    ]
    return any(changed)


async def _changed(deployment: Deployment, save: Unit[Revocation | None]) -> Revocation:
    changed = await deployment.database.write(save)
    if changed is None:
        raise _not_now()
    deployment.publisher.wake()
    return changed


def _not_now() -> Conflict:
    return Conflict(Code.STATUS_CHANGE_NOT_ALLOWED, "this was settled meanwhile, or another revocation is under way")


def _tell(connection: Connection, which: Revocation, action: str, *, actor: str, at: int) -> None:
    event = audit.Event(at=at, actor=actor, action=action, authority=which.authority, subject=which.credential_id)
    audit.record(connection, event)
