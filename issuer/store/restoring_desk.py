"""What a restore settles at the desk: accounts, revocations under way, and files that were being worked through.

A person decided about these after the backup, and nobody knows how. So a password opens nothing until it is given
anew, a revocation is as far as the published lists say, and no row of a file becomes an offer by itself.
"""

from sqlalchemy import Connection, func, select, update

from comity.credential import Status
from issuer.store import desk, revocations
from issuer.store.bulk import JobState, RowState
from issuer.store.console_tables import bulk_jobs, bulk_rows, clerks
from issuer.store.console_tables import revocations as table
from issuer.store.revocations import Revocation, RevocationState
from issuer.store.tables import credentials

NO_PASSWORD = ""
"""No hash of anything: :func:`issuer.passwords.is_right` says no to every password."""
RESTORED = "$: restored"
"""What is wrong with a row that was ready at the backup: it may have been offered since."""


def void_passwords(connection: Connection) -> int:
    """Let no password of the backup open an account: it may have been replaced since, or the account closed."""
    return connection.execute(update(clerks).values(password_hash=NO_PASSWORD, failures=0, locked_until=0)).rowcount


def settle_revocations(connection: Connection, *, now: int) -> int:
    """Take every revocation that was under way to where the published lists say it is; return how many there were.

    Call it after the lists were adopted. One that any copy says was done is final at once, and the timer does the
    rest. One that was undone is undone. Of one that still suspends nobody knows whether it was undone in the last
    moment: it goes on, and the time to undo it begins anew. What waits for a second person goes on waiting.
    """
    rows = connection.execute(select(table.c.id).where(table.c.state.in_([each.value for each in revocations.OPEN])))
    found = [revocations.find(connection, row.id) for row in rows.all()]
    for each in found:
        if each is not None:
            _settle(connection, each, now=now)
    return len(found)


def _settle(connection: Connection, revocation: Revocation, *, now: int) -> None:
    copies = desk.copies(connection, revocation.credential_id)
    said = set(connection.execute(select(credentials.c.status).where(credentials.c.id.in_(copies))).scalars())
    undoable = revocation.state is RevocationState.UNDOABLE
    if Status.REVOKED.value in said:
        values: dict[str, object] = {"state": RevocationState.UNDOABLE.value, "final_at": now}
    elif undoable and said == {Status.VALID.value}:
        values = {"state": RevocationState.UNDONE.value, "open_for": None}
    elif undoable:
        begun = func.coalesce(table.c.decided_at, table.c.asked_at)
        values = {"final_at": now + table.c.final_at - begun}
    else:
        return
    connection.execute(update(table).where(table.c.id == revocation.id).values(values))


def end_files(connection: Connection) -> int:
    """End every file that is not done, and refuse its rows that are ready; return how many rows that were."""
    connection.execute(update(bulk_jobs).values(state=JobState.DONE.value))
    ready = connection.execute(
        update(bulk_rows)
        .where(bulk_rows.c.state == RowState.READY.value)
        .values(state=RowState.REFUSED.value, problems=RESTORED)
    )
    return ready.rowcount
