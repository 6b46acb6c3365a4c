"""A fetcher for who seldom fetches: made when something is fetched for the first time.

An HTTP client, and the list of authorities that a machine trusts, take a tenth of the start of a service.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from comity.ports import Fetched, Fetcher, FetchRequest

if TYPE_CHECKING:
    from comity.runtime.http import GuardedFetcher


class FetcherAtFirstUse(Fetcher):
    """Fetches as the fetcher does that ``make`` returns.

    ``make`` is called once, in a thread, for it loads modules and reads files. One instance belongs to one event loop.
    """

    def __init__(self, make: "Callable[[], GuardedFetcher]") -> None:
        self._make = make
        self._made: GuardedFetcher | None = None
        self._making = asyncio.Lock()

    async def fetch(self, request: FetchRequest) -> Fetched:
        """Send ``request``; see :class:`comity.ports.Fetcher`."""
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
        return await self._made.fetch(request)

    async def close(self) -> None:
        """Close the fetcher if there is one."""
        if self._made is not None:
            await self._made.close()
