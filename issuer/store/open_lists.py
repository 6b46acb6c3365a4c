"""Which status lists take entries, remembered between issuances.

A reservation that read them would conflict, on PostgreSQL, with every other one at the same moment: each reads all and
counts in one of them, so that neither can have come first (decision record 0041). What is remembered may be late: a
list that another process has just closed gets a few entries beyond three quarters of its size, which harms nobody.
"""

from msgspec import Struct, field
from sqlalchemy import Connection

from comity.errors import Code, Conflict
from issuer.store import status_lists
from issuer.store.status_lists import OpenList

KEPT_SECONDS = 10
"""How long a new list, or one that another process closed, may be unknown here."""


class _Found(Struct, frozen=True, kw_only=True):
    lists: tuple[OpenList, ...]
    at: int


class OpenLists(Struct, frozen=True, kw_only=True):
    """The open lists of each authority, as this process last read them."""

    _found: dict[str, _Found] = field(default_factory=dict)

    def of(self, connection: Connection, authority: str, *, now: int) -> tuple[OpenList, ...]:
        """Return the published lists of an authority that take entries, one at least; ``now`` in Unix seconds.

        Raises:
            Conflict: ``status_lists_full``: none does. That is never remembered.
        """
        found = self._found.get(authority)
        if found is not None and 0 <= now - found.at < KEPT_SECONDS:
            return found.lists
        lists = status_lists.open_lists(connection, authority)
        if not lists:
            raise Conflict(Code.STATUS_LISTS_FULL, "no status list has room; try again in a moment")
        self._found[authority] = _Found(lists=lists, at=now)
        return lists

    def forget(self, authority: str) -> None:
        """Read the lists of an authority anew when they are needed next: one of them has closed."""
        self._found.pop(authority, None)
