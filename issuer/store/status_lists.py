"""Status lists: which are open, which have changed since they were published, and what stands in them.

The truth about one credential is its row; a list is the sum of its rows. So two changes at the same moment cannot
lose one another, and a list can always be written again.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select, update

from comity.credential import Status
from issuer.store.insert import insert_if_absent
from issuer.store.tables import credentials, status_lists


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenList:
    """A published list with room. ``number`` is its name within the authority, from 1."""

    id: int
    number: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListState:
    """A list as the publisher sees it.

    Attributes:
        id: row id.
        authority: whose list.
        number: its name within the authority.
        size: entries.
        changes: how many changes it has seen; published together with the content.
        published_at: Unix seconds of the last publication; None before the first.
    """

    id: int
    authority: str
    number: int
    size: int
    changes: int
    published_at: int | None


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
    rows = connection.execute(
        select(status_lists.c.id, status_lists.c.number, status_lists.c.size).where(
            status_lists.c.authority == authority,
            status_lists.c.is_open.is_(True),
            status_lists.c.published_at.is_not(None),
        )
    )
    return tuple(OpenList(id=row.id, number=row.number, size=row.size) for row in rows)


def count(connection: Connection, list_id: int, added: int) -> None:
    """Add to the number of entries taken; at three quarters of its size a list closes for good.

    An index drawn at random is then free in one of four draws at worst, and the published list still hides in a crowd.
    """
    allocated = status_lists.c.allocated + added
    connection.execute(
        update(status_lists)
        .where(status_lists.c.id == list_id)
        .values(allocated=allocated, is_open=allocated * 4 < status_lists.c.size * 3)
    )


def mark_changed(connection: Connection, list_id: int) -> None:
    """Note that a list is no longer what was published (the outbox)."""
    connection.execute(
        update(status_lists).where(status_lists.c.id == list_id).values(changes=status_lists.c.changes + 1)
    )


def all_lists(connection: Connection) -> tuple[ListState, ...]:
    """Return every list."""
    return tuple(_states(connection))


def due(connection: Connection, *, now: int) -> tuple[ListState, ...]:
    """Return the lists that changed since their publication, and those to be signed anew before they end."""
    return tuple(
        _states(
            connection,
            or_(
                status_lists.c.changes > status_lists.c.published_changes,
                status_lists.c.republish_at <= now,
            ),
        )
    )


def _states(connection: Connection, *conditions: "object") -> "list[ListState]":
    statement = select(status_lists).order_by(status_lists.c.id)
    for condition in conditions:
        statement = statement.where(condition)  # type: ignore[arg-type]
    return [
        ListState(
            id=row.id,
            authority=row.authority,
            number=row.number,
            size=row.size,
            changes=row.changes,
            published_at=row.published_at,
        )
        for row in connection.execute(statement)
    ]


def statuses(connection: Connection, list_id: int) -> tuple[tuple[int, Status], ...]:
    """Return the entries of a list that are not valid, as (index, status)."""
    rows = connection.execute(
        select(credentials.c.status_index, credentials.c.status).where(
            credentials.c.list_id == list_id, credentials.c.status != Status.VALID.value
        )
    )
    return tuple((row.status_index, Status(row.status)) for row in rows)


def mark_published(connection: Connection, list_id: int, *, changes: int, published_at: int, republish_at: int) -> None:
    """Note which changes the published files hold. A change made meanwhile stays marked."""
    connection.execute(
        update(status_lists)
        .where(status_lists.c.id == list_id, status_lists.c.published_changes <= changes)
        .values(published_changes=changes, published_at=published_at, republish_at=republish_at)
    )
