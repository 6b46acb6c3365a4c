"""What a restored database is told about the time since its backup (decision record 0026).

The backup is behind the world: codes were used, lists were published, indices were given. What the published lists say
is kept; what cannot be known is closed.
"""

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, case, exists, insert, select, update

from comity.credential import Status
from comity.errors import Code, Misconfigured
from issuer.store import audit
from issuer.store.credentials import new_id
from issuer.store.insert import insert_if_absent
from issuer.store.offers import OfferState
from issuer.store.tables import carried_statuses, credentials, issuances, offers, restorations, status_lists

_MARGIN_SECONDS = 60
"""How much younger than the backup a list must be before its *valid* ends a suspension that the backup knows."""


class Published(Struct, frozen=True, kw_only=True):
    """A list as the world sees it.

    Attributes:
        authority: whose list.
        number: its name within the authority.
        size: entries.
        issued_at: Unix seconds.
        fence: number of the publication.
        statuses: what is not valid, by index.
    """

    authority: str
    number: int
    size: int
    issued_at: int
    fence: int
    statuses: Mapping[int, Status]


def epoch(connection: Connection) -> str:
    """Return the epoch since the last restore, empty when there never was one."""
    newest = select(restorations.c.epoch).order_by(restorations.c.restored_at.desc(), restorations.c.epoch).limit(1)
    return connection.execute(newest).scalar() or ""


def begin_epoch(connection: Connection, *, backup_id: str, backup_at: int, now: int) -> None:
    """Note the restore, in the audit log too; from now on no nonce given before is good for anything."""
    values = {"epoch": new_id(), "backup_id": backup_id, "backup_at": backup_at, "restored_at": now}
    connection.execute(insert(restorations).values(values))
    event = audit.Event(at=now, actor="restore", action="restored", authority="*", subject=backup_id)
    audit.record(connection, event)


def void_offers(connection: Connection) -> int:
    """End every offer that could still be used: whether it was used since the backup, nobody knows any more.

    One that was collected keeps saying so, or a file that is given again would give the same things again; there is no
    token for it any more. Returns how many ended.
    """
    alive = (OfferState.OPEN, OfferState.APPROVED, OfferState.REDEEMED)
    of_this = (issuances.c.offer_id == offers.c.id) & issuances.c.delivered_at.is_not(None)
    was_collected = (offers.c.state == OfferState.REDEEMED.value) & exists().where(of_this)
    state = case((was_collected, OfferState.REDEEMED.value), else_=OfferState.CANCELLED.value)
    ended = update(offers).where(offers.c.state.in_([each.value for each in alive]))
    return connection.execute(ended.values(state=state, token_hash=None, sealed_claims=None)).rowcount


def close_lists(connection: Connection) -> None:
    """Let no list of the backup take another entry: free indices may have been given since. All are written anew."""
    connection.execute(update(status_lists).values(is_open=False, changes=status_lists.c.changes + 1))


def require_published(connection: Connection, found: Mapping[tuple[str, int], Published]) -> None:
    """Refuse when a list that was published before the backup cannot be read any more.

    Raises:
        Misconfigured: what it says now is unknown, and revocations could be lost.
    """
    rows = connection.execute(
        select(status_lists.c.authority, status_lists.c.number).where(status_lists.c.published_at.is_not(None))
    )
    missing = sorted({(row.authority, row.number) for row in rows} - set(found))
    if missing:
        names = ", ".join(f"{authority}/status/{number}" for authority, number in missing[:5])
        raise Misconfigured(
            Code.MISCONFIGURED,
            f"published status lists that are needed are not there, or not of an authority that issues here: {names}",
        )


def adopt(connection: Connection, published: Published, *, backup_at: int) -> int:
    """Make the rows say at least what the published list says; return how many statuses were taken from it.

    Revoked stays revoked, whoever says so. A suspension that the list says is kept; one that only the backup knows ends
    when the list is clearly younger than the backup. What has no record is carried on by its index.
    """
    list_id = _row_of(connection, published)
    known = {
        row.status_index: row
        for row in connection.execute(
            select(credentials.c.id, credentials.c.status_index, credentials.c.status).where(
                credentials.c.list_id == list_id
            )
        )
    }
    is_younger = published.issued_at >= backup_at + _MARGIN_SECONDS
    changed = 0
    for index, row in known.items():
        said, stored = published.statuses.get(index, Status.VALID), Status(row.status)
        status = _settled(stored, said, is_younger=is_younger)
        if status is not stored:
            values = {"status": status.value, "status_reason": "published", "status_changed_at": published.issued_at}
            connection.execute(update(credentials).where(credentials.c.id == row.id).values(values))
            changed += 1
    carried = [(index, said) for index, said in published.statuses.items() if index not in known]
    for index, said in carried:
        entry = {"list_id": list_id, "status_index": index, "status": said.value}
        _carry(connection, entry)
    return changed + len(carried)


def _settled(stored: Status, said: Status, *, is_younger: bool) -> Status:
    if Status.REVOKED in {stored, said}:
        return Status.REVOKED
    if stored is Status.SUSPENDED and not is_younger:
        return Status.SUSPENDED
    return said


def _carry(connection: Connection, entry: Mapping[str, object]) -> None:
    """Keep a status without a record; one that an earlier restore carried already may only grow worse."""
    if insert_if_absent(connection, carried_statuses, entry):
        return
    this = (carried_statuses.c.list_id == entry["list_id"]) & (carried_statuses.c.status_index == entry["status_index"])
    not_final = carried_statuses.c.status != Status.REVOKED.value
    connection.execute(update(carried_statuses).where(this, not_final).values(status=entry["status"]))


def _row_of(connection: Connection, published: Published) -> int:
    """Return the row id of a published list, made now when the list is younger than the backup. It stays closed."""
    this = (status_lists.c.authority == published.authority) & (status_lists.c.number == published.number)
    values = {
        "authority": published.authority,
        "number": published.number,
        "size": published.size,
        "allocated": published.size,
        "is_open": False,
        "changes": 1,
        "published_changes": 0,
        "published_at": published.issued_at,
        "republish_at": 0,
        "fence": published.fence,
    }
    if not insert_if_absent(connection, status_lists, values):
        later = {
            "published_at": _later(status_lists.c.published_at, published.issued_at),
            "fence": _later(status_lists.c.fence, published.fence),
        }
        connection.execute(update(status_lists).where(this).values(later))
    return int(connection.execute(select(status_lists.c.id).where(this)).scalar_one())


def _later(column: ColumnElement[int], value: int) -> ColumnElement[int]:
    return case((column > value, column), else_=value)
