"""Refilling: more copies of a card before its copies run out, without anybody noticing (decision record 0025).

Asked with the access token that the card came with, while it lives; by ``renew`` with a new one, where a sign-in gave a
refresh token for it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from comity import formats
from comity.credential import SignedCredential
from comity.errors import Code, ComityError, Denied
from comity.keys import KeySigner
from comity.openid.issuance.credential_response import Issued
from comity.openid.issuance.notification import NotificationEvent
from wallet import copies, holdings
from wallet.copies import Spent
from wallet.holdings import Held
from wallet.judging import mismatches
from wallet.receiving import Receiving
from wallet.records import CREDENTIAL, KEY, OpenWallet, Sheet

Renew = Callable[[OpenWallet, Held], Awaitable[Mapping[str, Any] | None]]
"""Returns what a journal line holds of a new access token for a card; None where none is to be had."""

_log = structlog.get_logger("wallet")


class Refilling(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs."""

    receiving: Receiving
    renew: Renew | None = None

    async def refill(self, wallet: OpenWallet) -> int:
        """Ask for more copies of every card that runs low; returns how many cards got some. Never raises.

        A service calls it when its answer is out: whoever looks at their cards does not wait for an issuer.
        What does not work now is tried when the wallet is looked at next; what the issuer refuses is not asked for
        again, and the copy that is left is shown from then on.
        """
        filled = 0
        for held in await holdings.all_held(wallet):
            if copies.runs_low(held):
                try:
                    filled += await self._fill(wallet, held)
                except Denied as error:
                    await self._stop(wallet, held)
                    _log.info("an issuer gives no further copies", code=error.code.value)
                except ComityError as error:
                    _log.warning("further copies could not be had now", code=error.code.value)
        return filled

    async def _fill(self, wallet: OpenWallet, held: Held) -> int:
        access = await self._access(wallet, held)
        made = [KeySigner.generate() for _ in range(copies.COPIES)]
        named = {each.thumbprint: holdings.new_id() for each in made}
        line = {**access, "keys": named, "notification_id": None}
        answer = await self.receiving.asking.for_credentials(line, made)
        if not isinstance(answer, Issued):  # a card that is here needs no decision to be copied
            raise Denied(Code.ISSUER_REFUSED, "the issuer wants more time for a copy of what it issued")
        line = {**line, "notification_id": answer.notification_id}
        came = [SignedCredential(format=formats.of(each), encoded=each) for each in answer.credentials]
        notifying = self.receiving.notifying
        if not await self._is_good(held, line, came):
            await wallet.commit(put=notifying.notice(line, NotificationEvent.FAILURE))
            await notifying.send_all(wallet)
            raise Denied(Code.CREDENTIAL_REFUSED, "the copies are not what the card is")
        bound = [named[copies.holder_of(each)] for each in came]
        keys = [
            Sheet(kind=KEY, id=named[each.thumbprint], content={"private_jwk": each.private_jwk()})
            for each in made
            if named[each.thumbprint] in bound
        ]
        spares = [*held.more.get("spares", ()), *copies.spares(came, bound)]
        more = {**held.more, "spares": spares, "access": access}
        cards = Spent(put=(_card(held, more),))
        if copies.was_shown(held):  # a copy that nobody has seen takes its place at once
            cards = copies.spent([replace(held, more=more)])
        told = notifying.notice(line, NotificationEvent.ACCEPTED)
        await wallet.commit(put=[*keys, *cards.put, *told], delete=cards.delete)
        await notifying.send_all(wallet)
        return 1

    async def _access(self, wallet: OpenWallet, held: Held) -> dict[str, Any]:
        renewed = await self.renew(wallet, held) if self.renew is not None else None
        return {**held.more["access"], **(renewed or {})}

    async def _is_good(self, held: Held, line: Mapping[str, Any], came: Sequence[SignedCredential]) -> bool:
        """Judge the copies as what came first was judged; they are of the card's own type, issuer and keys."""
        now, holders = self.receiving.clock.now(), {copies.holder_of(each) for each in came}
        if not came or len(holders) != len(came) or any(mismatches(each, line, now) for each in came):
            return False
        if any(holdings.process(each).issuer != held.processed.issuer for each in came):
            return False
        return all([await self.receiving.keeping.is_acceptable(each, line) for each in came])

    async def _stop(self, wallet: OpenWallet, held: Held) -> None:
        """Note that this card gets no further copies."""
        card = _card(held, {name: value for name, value in held.more.items() if name != "access"})
        try:
            await wallet.commit(put=[card])
        except ComityError as error:  # changed or deleted meanwhile
            _log.info("a card was changed meanwhile", code=error.code.value)


def _card(held: Held, more: Mapping[str, Any]) -> Sheet:
    """Return the record of a card with other copies or another grant beside the copy in front."""
    front = {"format": held.signed.format.value, "encoded": held.signed.encoded, "about": dict(held.about)}
    return Sheet(kind=CREDENTIAL, id=held.id, content={**more, **front}, version=held.version + 1)
