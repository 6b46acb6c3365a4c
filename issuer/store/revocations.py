"""Revocations that take more than one moment or more than one person; at most one is open for a credential."""

from enum import StrEnum

from msgspec import Struct
from sqlalchemy import Connection, Row, select, update

from comity.credential import Status
from issuer.store import desk
from issuer.store.console_tables import revocations
from issuer.store.insert import insert_if_absent


class RevocationState(StrEnum):
    """Where a revocation stands."""

    WAITING = "waiting"
    UNDOABLE = "undoable"
    DONE = "done"
    REFUSED = "refused"
    UNDONE = "undone"


OPEN = (RevocationState.WAITING, RevocationState.UNDOABLE)


class Revocation(Struct, frozen=True, kw_only=True):
    """One revocation.

    Attributes:
        id: 128 random bits.
        credential_id: of which credential.
        authority: whose.
        state: where it stands.
        reason: for the authority's own file.
        previous_status: what the credential was, and is again when the revocation is undone.
        asked_by: who asked, by name.
        asked_at: Unix seconds.
        decided_by: who agreed or refused; None while it waits, and where nobody had to.
        decided_at: Unix seconds.
        final_at: from when on it cannot be undone; None while it waits.
    """

    id: str
    credential_id: str
    authority: str
    state: RevocationState
    reason: str
    previous_status: Status
    asked_by: str
    asked_at: int
    decided_by: str | None = None
    decided_at: int | None = None
    final_at: int | None = None


def add(connection: Connection, revocation: Revocation) -> bool:
    """Store a revocation that waits; False when one is open for this credential already."""
    return insert_if_absent(
        connection,
        revocations,
        {
            "id": revocation.id,
            "credential_id": revocation.credential_id,
            "open_for": revocation.credential_id,
            "authority": revocation.authority,
            "state": revocation.state.value,
            "reason": revocation.reason,
            "previous_status": revocation.previous_status.value,
            "asked_by": revocation.asked_by,
            "asked_at": revocation.asked_at,
        },
    )


def move(
    connection: Connection,
    revocation_id: str,
    *,
    start: RevocationState,
    end: RevocationState,
    decided_by: str | None = None,
    now: int,
    final_at: int | None = None,
    previous_status: Status | None = None,
) -> bool:
    """Take a revocation from one state to the next by one statement; False when it is not there (any more)."""
    values: dict[str, object] = {"state": end.value}
    if end not in OPEN:
        values["open_for"] = None
    if decided_by is not None:
        values |= {"decided_by": decided_by, "decided_at": now}
    if final_at is not None:
        values["final_at"] = final_at
    if previous_status is not None:
        values["previous_status"] = previous_status.value
    changed = connection.execute(
        update(revocations)
        .where(revocations.c.id == revocation_id, revocations.c.state == start.value)
        .values(values)
        .returning(revocations.c.id)
    )
    return changed.one_or_none() is not None


def find(connection: Connection, revocation_id: str) -> Revocation | None:
    """Return one revocation."""
    row = connection.execute(select(revocations).where(revocations.c.id == revocation_id)).one_or_none()
    return None if row is None else _revocation(row)


def open_for(connection: Connection, credential_id: str) -> Revocation | None:
    """Return the revocation that is open for a credential, or for anything that is one thing with it."""
    copies = desk.copies(connection, credential_id)
    row = connection.execute(select(revocations).where(revocations.c.open_for.in_(copies))).first()
    return None if row is None else _revocation(row)


def in_state(connection: Connection, state: RevocationState, *, authority: str, limit: int) -> tuple[Revocation, ...]:
    """Return the revocations of one authority in one state, the oldest first."""
    rows = connection.execute(
        select(revocations)
        .where(revocations.c.authority == authority, revocations.c.state == state.value)
        .order_by(revocations.c.asked_at, revocations.c.id)
        .limit(limit)
    )
    return tuple(_revocation(row) for row in rows)


def final(connection: Connection, *, now: int) -> tuple[Revocation, ...]:
    """Return the revocations whose time to undo has ended, and are not done yet."""
    rows = connection.execute(
        select(revocations).where(revocations.c.state == RevocationState.UNDOABLE.value, revocations.c.final_at <= now)
    )
    return tuple(_revocation(row) for row in rows)


def _revocation(row: "Row[tuple[object, ...]]") -> Revocation:
    return Revocation(
        id=row.id,
        credential_id=row.credential_id,
        authority=row.authority,
        state=RevocationState(row.state),
        reason=row.reason,
        previous_status=Status(row.previous_status),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        final_at=row.final_at,
    )
