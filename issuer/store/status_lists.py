"""Status lists: which are open, which have changed since they were published, and what stands in them.

The truth about one credential is its row; a list is the sum of its rows. So two changes at the same moment cannot
lose one another, and a list can always be written again.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, func, or_, select, true, update

from comity.credential import Status
from comity.runtime.written import change, rows
from issuer.store.insert import insert_if_absent
from issuer.store.tables import carried_statuses, credentials, status_lists


class OpenList(Struct, frozen=True, kw_only=True):
    """A published list with room. ``number`` is its name within the authority, from 1."""

    id: int
    number: int
    size: int


class ListState(Struct, frozen=True, kw_only=True):
    """A list as the publisher sees it.

    Attributes:
        id: row id.
        authority: whose list.
        number: its name within the authority.
        size: entries.
        changes: how many changes it has seen; published together with the content.
        published_at: Unix seconds of the last publication; None before the first.
        fence: number of the newest publication that was begun; whoever began it holds this number alone.
    """

    id: int
    authority: str
    number: int
    size: int
    changes: int
    published_at: int | None
    fence: int


# Built once: to put such a statement together costs several times what SQLite needs to run it.
_OPEN = select(status_lists.c.id, status_lists.c.number, status_lists.c.size).where(
    status_lists.c.authority == bindparam("whose"),
    status_lists.c.is_open.is_(True),
    status_lists.c.published_at.is_not(None),
)
_ALLOCATED = status_lists.c.allocated + bindparam("added")
_COUNT = (
    update(status_lists)
    .where(status_lists.c.id == bindparam("this"))
    .values(allocated=_ALLOCATED, is_open=and_(status_lists.c.is_open, status_lists.c.size * 3 > _ALLOCATED * 4))
    .returning(status_lists.c.is_open)
)
_MARK_CHANGED = (
    update(status_lists).where(status_lists.c.id == bindparam("this")).values(changes=status_lists.c.changes + 1)
)


def ensure_open(connection: Connection, authority: str, *, wanted: int, size: int) -> None:
    """Open lists until ``wanted`` are open. A new list takes entries only once it is published."""
    have = connection.execute(
        select(func.count()).where(status_lists.c.authority == authority, status_lists.c.is_open.is_(True))
    ).scalar_one()
    highest = connection.execute(
        select(func.coalesce(func.max(status_lists.c.number), 0)).where(status_lists.c.authority == authority)
    ).scalar_one()
    for number in range(highest + 1, highest + 1 + wanted - have):
        insert_if_absent(
            connection,
            status_lists,
            {
                "authority": authority,
                "number": number,
                "size": size,
                "allocated": 0,
                "is_open": True,
                "changes": 1,
                "published_changes": 0,
                "republish_at": 0,
            },
        )


def open_lists(connection: Connection, authority: str) -> tuple[OpenList, ...]:
    """Return the lists that take entries."""
    found = rows(connection, _OPEN, {"whose": authority})
    return tuple([OpenList(id=row.id, number=row.number, size=row.size) for row in found])


def count(connection: Connection, list_id: int, added: int) -> bool:
    """Add to the number of entries taken, and say whether the list takes more; at three quarters it closes for good.

    An index drawn at random is then free in one of four draws at worst, and the published list still hides in a crowd.
    """
    found = rows(connection, _COUNT, {"this": list_id, "added": added})
    return any(row.is_open for row in found)


def mark_changed(connection: Connection, list_id: int) -> None:
    """Note that a list is no longer what was published (the outbox)."""
    change(connection, _MARK_CHANGED, {"this": list_id})


def all_lists(connection: Connection) -> tuple[ListState, ...]:
    """Return every list."""
    return tuple(_states(connection))


def due(connection: Connection, *, now: int) -> tuple[ListState, ...]:
    """Return the lists that changed since their publication, and those to be signed anew before they end."""
    return tuple(_states(connection, _is_due(now)))


def begin_publication(connection: Connection, list_id: int, *, now: int, above: int, is_lost: bool) -> ListState | None:
    """Take the next number of a list that is to be written; None when another process has just written it.

    Args:
        connection: of the unit.
        list_id: the list.
        now: Unix seconds.
        above: the highest number known from elsewhere. After a restored backup the published files may be ahead.
        is_lost: write it even if it is neither marked nor due: its files are gone, or of an exchanged key.
    """
    fence = case((status_lists.c.fence > above, status_lists.c.fence), else_=above) + 1
    wanted = true() if is_lost else _is_due(now)
    statement = update(status_lists).where(status_lists.c.id == list_id, wanted).values(fence=fence)
    row = connection.execute(statement.returning(*status_lists.c)).one_or_none()
    return None if row is None else _state(row)


def _is_due(now: int) -> ColumnElement[bool]:
    is_marked = status_lists.c.changes > status_lists.c.published_changes
    return or_(is_marked, status_lists.c.republish_at <= now)


def _states(connection: Connection, *conditions: ColumnElement[bool]) -> list[ListState]:
    statement = select(status_lists).where(*conditions).order_by(status_lists.c.id)
    return [_state(row) for row in connection.execute(statement)]


def _state(row: "Row[Any]") -> ListState:
    return ListState(
        id=row.id,
        authority=row.authority,
        number=row.number,
        size=row.size,
        changes=row.changes,
        published_at=row.published_at,
        fence=row.fence,
    )


def statuses(connection: Connection, list_id: int) -> tuple[tuple[int, Status], ...]:
    """Return the entries of a list that are not valid, as (index, status); after a restore some have no record."""
    recorded = select(credentials.c.status_index, credentials.c.status).where(
        credentials.c.list_id == list_id, credentials.c.status != Status.VALID.value
    )
    carried = select(carried_statuses.c.status_index, carried_statuses.c.status).where(
        carried_statuses.c.list_id == list_id
    )
    rows = connection.execute(recorded.union_all(carried))
    return tuple((row.status_index, Status(row.status)) for row in rows)


def mark_published(connection: Connection, state: ListState, *, published_at: int, republish_at: int) -> None:
    """Note which changes the published files hold. A change made meanwhile stays marked.

    Who has begun a later publication of the list says this instead.
    """
    connection.execute(
        update(status_lists)
        .where(status_lists.c.id == state.id, status_lists.c.fence == state.fence)
        .values(published_changes=state.changes, published_at=published_at, republish_at=republish_at)
    )
