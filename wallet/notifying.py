"""Notifying: tell issuers what became of their credentials, without ever keeping the person waiting (OpenID4VCI §11).

A notice is written in the same step as what it tells of, sent at once when that goes quickly, and otherwise again
whenever the wallet is open, until the issuer heard it or it is too old to matter.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import strict_json
from comity.errors import ComityError
from comity.openid.issuance.notification import Notification, NotificationEvent
from comity.ports import Clock
from wallet import holdings
from wallet.outbound import JSON, Outbound
from wallet.records import NOTICE, Kept, OpenWallet, Sheet
from wallet.tokens import Exchange

PATIENCE_SECONDS = 2.0
KEPT = timedelta(days=1)
"""How long a notice is tried; the access token that it needs is dead long before, unless it could be renewed."""

_OF_LINE = ("issuer", "notification_endpoint", "notification_id", "token", "dpop_key", "dpop_nonces")


class Notifying(Struct, frozen=True, kw_only=True):
    """Writes notices, and sends them."""

    outbound: Outbound
    clock: Clock

    def notice(self, line: Mapping[str, Any], event: NotificationEvent) -> list[Sheet]:
        """Return the notice to be written with what it tells of; nothing where the issuer wants none (VCI-51)."""
        if line["notification_endpoint"] is None or line["notification_id"] is None:
            return []
        until = self.clock.now() + KEPT
        content = {name: line.get(name) for name in _OF_LINE}
        content |= {"dpop_nonces": line.get("dpop_nonces", {}), "event": event.value, "until": until.isoformat()}
        return [Sheet(kind=NOTICE, id=holdings.new_id(), content=content)]

    async def send_all(self, wallet: OpenWallet) -> None:
        """Send what waits; never raises, and takes a moment at most: what the issuer does not hear now stays."""
        waiting = await wallet.all(NOTICE)
        if not waiting:
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(self._send(wallet, each) for each in waiting))
        except TimeoutError:
            return

    async def _send(self, wallet: OpenWallet, waiting: Kept) -> None:
        line, now = waiting.content, self.clock.now()
        if datetime.fromisoformat(line["until"]) > now and not await self._is_heard(line):
            return
        await wallet.delete(NOTICE, waiting.id)

    async def _is_heard(self, line: Mapping[str, Any]) -> bool:
        """Say whether the issuer answered; a refusal is an answer too, and final."""
        told = Notification(notification_id=line["notification_id"], event=NotificationEvent(line["event"]))
        try:
            exchange = Exchange.resume(self.outbound, self.clock, line)
            body = strict_json.serialise(told.to_dict())
            answer = await exchange.post(line["notification_endpoint"], body, content_type=JSON, token=line["token"])
        except ComityError:
            return False
        return answer.status < 500
