"""Sends what lies in an outbox: signed, through the guarded fetcher, again after ever longer, and not for ever.

At least once: whoever stops between sending and writing that down sends again, under the same id. In no promised
order. An endpoint that fails is left alone until what failed is due again or the next round tries another event, and
never keeps others waiting.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import structlog

from comity import base64url, strict_json
from comity.errors import Code, ComityError, NotFound
from comity.ports import Clock, Fetcher, FetchRequest
from comity.record import Discreet
from comity.runtime.database import Database
from comity.runtime.keystore import seal, unseal
from comity.runtime.webhooks import signature
from comity.runtime.webhooks.outbox import LEASE_SECONDS, Delivery, Endpoint, Event, Outbox
from comity.runtime.webhooks.state import EVERYONE, State

LOOK_SECONDS = 2.0
"""How often a service looks for what is due."""
ATTEMPTS = 10
"""Sendings after which an event is given up: 32 hours after the first."""
KEPT_SECONDS = 30 * 86_400
"""How long the log of what was heard or given up is kept."""
TEST = "webhook.test"
"""The type of an event that tells of nothing but that telling works."""
_ROUND = 20
_ROUND_SECONDS = 10.0
_LONGEST = 12 * 3600
_GONE = 410

_log = structlog.get_logger("comity.webhooks")


def pause_after(attempt: int) -> int:
    """Return the seconds until an event is sent again after its first, second … sending: 5, 20, 80 …, 12 hours."""
    return min(5 << 2 * (attempt - 1), _LONGEST)


class Webhooks(Discreet, frozen=True, kw_only=True):
    """The webhooks of one service.

    Attributes:
        outbox: its tables.
        database: where they are.
        clock: the time.
        fetcher: sends; it refuses addresses that are not public, and redirects.
        key: 32 bytes with which the endpoints' secrets are sealed.
        allow_loopback_http: whether this machine may be told; development only.
    """

    UNPRINTED = frozenset({"key"})
    outbox: Outbox
    database: Database
    clock: Clock
    fetcher: Fetcher
    key: bytes
    allow_loopback_http: bool = False

    async def add(self, url: str, *, scope: str, types: Sequence[str]) -> tuple[Endpoint, str]:
        """Add an endpoint, and return it with its secret, which is shown this once. Does NOT check the address."""
        endpoint, secret = self.new(url, scope=scope, types=types)
        await self.database.write(partial(self.outbox.add, endpoint=endpoint))
        return endpoint, secret

    def new(self, url: str, *, scope: str, types: Sequence[str]) -> tuple[Endpoint, str]:
        """Return an endpoint, not stored yet, with its secret; for a unit that writes down more than the endpoint."""
        endpoint_id = _new_id()
        secret, sealed = self.new_secret(endpoint_id)
        endpoint = Endpoint(
            id=endpoint_id,
            scope=scope,
            url=url,
            types=tuple(dict.fromkeys(types)),
            sealed_secret=sealed,
            created_at=self._now(),
        )
        return endpoint, secret

    def new_secret(self, endpoint_id: str) -> tuple[str, bytes]:
        """Return a new secret for an endpoint, and the same sealed, as it is stored."""
        secret = signature.new_secret()
        return secret, seal(self.key, secret.encode("ascii"), context=_context(endpoint_id))

    async def renew(self, endpoint_id: str) -> str:
        """Give an endpoint another secret and return it; what is sent from now on, again too, is signed with it.

        Raises:
            NotFound: there is no such endpoint.
        """
        secret, sealed = self.new_secret(endpoint_id)
        if not await self.database.write(partial(self.outbox.renew, endpoint_id=endpoint_id, sealed_secret=sealed)):
            raise NotFound(Code.NOT_FOUND, "there is no such webhook")
        return secret

    async def test(self, endpoint_id: str) -> bool:
        """Send an endpoint :data:`TEST`, like any other event; False when there is no such endpoint."""
        tell = partial(self.outbox.tell_one, event=self._test_event(), endpoint_id=endpoint_id)
        return await self.database.write(tell)

    async def all(self) -> tuple[Endpoint, ...]:
        """Return every endpoint."""
        return await self.database.read(self.outbox.all)

    async def remove(self, endpoint_id: str) -> bool:
        """Remove an endpoint and all that waits for it; False when there is none."""
        return await self.database.write(partial(self.outbox.remove, endpoint_id=endpoint_id))

    async def retry(self, endpoint_id: str) -> int:
        """Send what was given up for an endpoint once more; return how much that is."""
        return await self.database.write(partial(self.outbox.retry, endpoint_id=endpoint_id, now=self._now()))

    async def log(self, endpoint_id: str, *, state: State | None, limit: int) -> tuple[Delivery, ...]:
        """Return the latest deliveries to an endpoint, newest first."""
        wanted = partial(self.outbox.deliveries_to, endpoint_id=endpoint_id, state=state, limit=limit)
        return await self.database.read(wanted)

    async def erase(self) -> int:
        """Erase old lines of the log; return how many. Nothing is written where nothing is old."""
        before = self._now() - KEPT_SECONDS
        if not await self.database.read(partial(self.outbox.holds_old, settled_before=before)):
            return 0
        return await self.database.write(partial(self.outbox.erase, settled_before=before))

    async def deliver_due(self) -> int:
        """Send what is due now, to all endpoints side by side; return how much was heard."""
        due = await self.database.read(partial(self.outbox.waiting_for, now=self._now()))
        if not due:
            return 0
        endpoints = [each for each in await self.all() if each.id in due]
        return sum(await asyncio.gather(*(self._serve(each) for each in endpoints)))

    async def _serve(self, endpoint: Endpoint) -> int:
        """Send one after the other to one endpoint, until nothing is due, one is not heard, or others should come."""
        loop, heard = asyncio.get_running_loop(), 0
        until = loop.time() + _ROUND_SECONDS
        while heard < _ROUND and loop.time() < until:
            claim = partial(self.outbox.claim, endpoint_id=endpoint.id, now=self._now())
            delivery = await self.database.write(claim)
            if delivery is None or not await self._send(endpoint, delivery):
                break
            heard += 1
        return heard

    async def _send(self, endpoint: Endpoint, delivery: Delivery) -> bool:
        """Send one event, and write down what came of it; say whether it was heard."""
        try:
            request = self._request(endpoint, delivery)
            async with asyncio.timeout(LEASE_SECONDS / 2):
                status = (await self.fetcher.fetch(request)).status
            outcome, is_heard, is_gone = str(status), 200 <= status < 300, status == _GONE
        except ComityError as error:
            outcome, is_heard, is_gone = error.code.value, False, False
        except TimeoutError:
            outcome, is_heard, is_gone = "timeout", False, False
        state = _state_after(delivery.attempts, is_heard=is_heard, is_gone=is_gone)
        now = self._now()
        next_at = now + pause_after(delivery.attempts)
        settle = partial(self.outbox.settle, state=state, outcome=outcome, next_at=next_at, now=now)
        await self.database.write(partial(settle, delivery=delivery))
        if not is_heard:
            _log.warning("webhook not heard", endpoint=endpoint.id, type=delivery.type, outcome=outcome, state=state)
        return is_heard

    def _request(self, endpoint: Endpoint, delivery: Delivery) -> FetchRequest:
        secret = unseal(self.key, endpoint.sealed_secret, context=_context(endpoint.id)).decode("ascii")
        body = delivery.body.encode()
        signed = signature.headers(secret, event_id=delivery.event_id, at=self._now(), body=body)
        headers = {"content-type": "application/json", **signed}
        return FetchRequest(url=endpoint.url, method="POST", headers=headers, body=body)

    def _test_event(self) -> Event:
        event_id, at = _new_id(), self._now()
        told_at = datetime.fromtimestamp(at, tz=UTC).isoformat().replace("+00:00", "Z")
        said = {"id": event_id, "type": TEST, "timestamp": told_at, "data": {}}
        return Event(id=event_id, type=TEST, scope=EVERYONE, at=at, body=strict_json.serialise(said).decode())

    def _now(self) -> int:
        return int(self.clock.now().timestamp())


def _state_after(attempts: int, *, is_heard: bool, is_gone: bool) -> State:
    if is_heard:
        return State.DELIVERED
    return State.GIVEN_UP if is_gone or attempts >= ATTEMPTS else State.WAITING


def _new_id() -> str:
    return base64url.new_name(16)


def _context(endpoint_id: str) -> bytes:
    return f"webhook/{endpoint_id}/secret".encode()
