"""Looking up whether attestations of clients and keys were taken back, in lists that are kept and renewed.

A list is read when the first attestation names it and from then on by a timer, so that its host learns neither which
wallet asks for a credential nor when.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct

from comity.errors import Code, Malformed
from comity.openid import attestation_status
from comity.openid.attestation_status import Read, Stated
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.ports import Clock
from comity.runtime.periodic import SHORTEST
from comity.runtime.status_cache import StatusCache
from comity.verification.evidence import Obtained

RENEW_SECONDS = 300
"""How often lists that were read before are read again."""

Refuse = Callable[[Malformed], OAuthError]


class AttestationStatus(Struct, frozen=True, kw_only=True):
    """Looks them up. ``cache`` keeps the lists."""

    cache: StatusCache
    clock: Clock

    async def require_valid(self, places: Iterable[Stated | None], refuse: Refuse) -> None:
        """Check that none of some attestations was taken back; None stands for one that cannot be.

        Raises:
            OAuthError: what ``refuse`` makes of the reason; ``temporarily_unavailable`` where the list cannot be had.
        """
        for each in {place.uri + f"#{place.index}": place for place in places if place is not None}.values():
            await self._require(each, refuse)

    async def renew(self) -> None:
        """Read again every list that was read before."""
        await self.cache.renew(int(RENEW_SECONDS * SHORTEST))

    async def _require(self, place: Stated, refuse: Refuse) -> None:
        found = await self.cache.get(place.uri, (attestation_status.MEDIA_TYPE,))
        if not isinstance(found, Obtained):
            detail = "the status list of the attestation cannot be had now; try again"
            raise OAuthError(Code.STATUS_UNAVAILABLE, detail, error=OAuthErrorCode.TEMPORARILY_UNAVAILABLE)
        came = Read(body=found.body, confirmed_at=found.fetched_at, newest_issued_at=found.newest_issued_at)
        try:
            # Inflating a list is no work for the event loop.
            await asyncio.to_thread(partial(self._judge, place, came))
        except Malformed as problem:
            if problem.code not in {Code.REVOKED, Code.SUSPENDED}:  # the copy is worth nothing; the next one may be
                await asyncio.to_thread(self.cache.discard, place.uri)
            raise refuse(problem) from None

    def _judge(self, place: Stated, came: Read) -> None:
        listed = attestation_status.require_valid(place, came, at=self.clock.now())
        self.cache.remember_issued_at(place.uri, listed.issued_at, ttl_seconds=listed.ttl_seconds)
