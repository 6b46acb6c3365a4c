"""Patience: asking issuers on behalf of a page, or of the JSON interface, which do not wait long for them.

An issuer that is down must hold nobody's page. What a page asks for goes on when the page is out, and what comes is
kept even then; of a person's pages that look at once, one asks, and the others wait for that one's answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct, field

from wallet.records import OpenWallet

SECONDS = 2.0
"""How long a page waits; most issuers have answered by then, and what they promised is on that page already."""


class Patience(Struct, frozen=True, kw_only=True):
    """Who is being asked for whom, in this process; other workers are kept away by the interval that issuers say."""

    _running: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    async def ask(
        self, wallet: OpenWallet, what: Callable[[OpenWallet], Awaitable[object]]
    ) -> Callable[[], Awaitable[None]]:
        """Begin ``what`` unless something is being asked for this person already, and wait for it, but not for long.

        Returns what waits until it is over, to be called when the page is out. Neither that nor an end of the request
        stops the asking.

        Raises:
            Exception: whatever ``what`` raises within that time.
        """
        asking = self._running.get(wallet.citizen)
        if asking is None:
            asking = self._running[wallet.citizen] = asyncio.create_task(_awaited(what(wallet)))
            asking.add_done_callback(lambda _: self._running.pop(wallet.citizen))
        await asyncio.wait({asking}, timeout=SECONDS)
        if asking.done():
            asking.result()

        async def over() -> None:
            await asyncio.shield(asking)

        return over


async def _awaited(asking: Awaitable[object]) -> None:
    await asking
