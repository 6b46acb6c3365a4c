"""Reissuing: everything that a lost key signed is offered anew, with today's claims, and the old is revoked.

A thing is settled in the very transaction that stores its new offer, by a statement that only a ready thing lets
through: a stopped run, a second run or two runs at once never give two offers for one thing (decision record 0031).
What cannot be offered, because the authority's own system does not know it or nobody wrote a file number down, is
refused with its reason, and is for the counter. What is suspended is not given out anew.
"""

from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct

from comity.credential import Format, Status
from comity.errors import Code, ComityError, Conflict, NotFound, Unreachable
from issuer import looking_up, offering, offering_once
from issuer.deployment import Deployment
from issuer.offering import CreatedOffer, Wanted
from issuer.store import Connection, audit, credentials, offers, reissues
from issuer.store.offers import Offer, OfferState
from issuer.store.reissues import Item, ItemState, PlanLine, Scope

_BATCH = 100
_NOT_REVOKED = frozenset({Status.VALID, Status.SUSPENDED})
Progress = Callable[[int], None]
"""Told of how many things were settled since it was told before."""


class Reissuing(Struct, frozen=True, kw_only=True):
    """The use case for one key.

    Attributes:
        deployment: of the issuer.
        key: thumbprint of the key that is lost.
        actor: who does it, for the audit log.
        only_known: leave out credentials from before keys were written down.
        named: what the key is said to have signed, where nothing is written down.
    """

    deployment: Deployment
    key: str
    actor: str
    only_known: bool = False
    named: tuple[Scope, ...] = ()

    async def scopes(self) -> tuple[Scope, ...]:
        """Return of which authorities, in which formats, there may be credentials of this key.

        Raises:
            NotFound: ``key_not_found``: it is no key of this deployment, and nothing is known to be signed by it.
        """
        known = await self.deployment.database.read(lambda connection: reissues.signed_in(connection, self.key))
        found = known | frozenset(self._current()) | frozenset(self.named)
        if not found:
            raise NotFound(Code.KEY_NOT_FOUND, "no credential is known that this key signed")
        return tuple(sorted(found, key=lambda each: (each.authority, each.format)))

    def is_in_use(self) -> bool:
        """Say whether this deployment still signs with the key."""
        return any(True for _ in self._current())

    async def plan(self) -> tuple[PlanLine, ...]:
        """Return what is to be done; nothing is changed.

        Raises:
            NotFound: as :meth:`scopes`.
        """
        wanted = partial(reissues.plan, key=self.key, scopes=await self.scopes(), only_known=self.only_known)
        return await self.deployment.database.read(partial(wanted, now=self.deployment.now()))

    async def begin(self) -> int:
        """Write down what is to be done and is not yet; return how much that is.

        Raises:
            Conflict: ``conflict``: the key still signs here.
            NotFound: as :meth:`scopes`.
        """
        if self.is_in_use():
            raise Conflict(
                Code.CONFLICT,
                "this key still signs here: move its file away, run `comity issuer keys init`, start the service anew "
                "and tell the registry",
            )
        scopes, now = await self.scopes(), self.deployment.now()
        begin = partial(reissues.begin, key=self.key, scopes=scopes, only_known=self.only_known, now=now)
        return await self.deployment.database.write(begin)

    async def again(self) -> int:
        """Make ready again what was offered and can no longer be collected; return how much."""
        now = self.deployment.now()
        return await self.deployment.database.write(partial(reissues.again, key=self.key, now=now))

    async def offer_all(self, progress: Progress) -> None:
        """Offer everything that is ready.

        Raises:
            Unreachable: the authority's own system does not answer; what is left stays ready.
        """
        database = self.deployment.database
        while (item := await database.read(lambda connection: reissues.next_ready(connection, self.key))) is not None:
            await self._settle(item)
            progress(1)

    async def revoke(self, progress: Progress, *, only_collected: bool) -> int:
        """Revoke the old credentials: of all things that are settled, or of those whose new ones were collected.

        Returns how many credentials were revoked. They are published by the running service.
        """
        revoked = 0
        database, wanted = self.deployment.database, partial(reissues.to_revoke, key=self.key, limit=_BATCH)
        while items := await database.read(partial(wanted, only_collected=only_collected)):
            for item in items:
                revoked += await database.write(partial(self._revoke, item=item, now=self.deployment.now()))
            progress(len(items))
        return revoked

    async def counts(self) -> dict[str, int]:
        """Return how many things stand where."""
        return await self.deployment.database.read(lambda connection: reissues.counts(connection, self.key))

    async def refused(self) -> tuple[Item, ...]:
        """Return what could not be offered, with the reasons."""
        return await self._in(ItemState.REFUSED)

    async def open_offers(self) -> tuple[tuple[Item, CreatedOffer], ...]:
        """Return the new offers that wait to be collected, with their transaction codes."""
        now, found = self.deployment.now(), []
        for item in await self._in(ItemState.OFFERED):
            offer_id = item.offer_id or ""
            offer = await self.deployment.database.read(partial(offers.find, offer_id=offer_id, now=now))
            if offer is not None and offer.state is OfferState.OPEN:
                code = offering_once.code_of(self.deployment, offer)
                found.append((item, CreatedOffer(offer=offer, transaction_code=code)))
        return tuple(found)

    def link_of(self, offer: Offer) -> str:
        """Return the link by which an offer is collected."""
        return offering.offer_reference(self.deployment, offer).link()

    async def note(self, action: str, authorities: Iterable[str]) -> None:
        """Write down in each authority's audit log that links or codes were handed out."""
        for each in sorted(set(authorities)):
            await looking_up.note(self.deployment, each, action, self.key, actor=self.actor)

    def _current(self) -> Iterable[Scope]:
        for path, authority in self.deployment.authorities.items():
            for each in Format:
                if authority.signer_of(each).thumbprint == self.key:
                    yield Scope(authority=path, format=each)

    async def _in(self, state: ItemState) -> tuple[Item, ...]:
        return await self.deployment.database.read(partial(reissues.in_state, key=self.key, state=state))

    async def _settle(self, item: Item) -> None:
        """Make the offer of one thing, or say why there is none."""
        database = self.deployment.database
        try:
            if item.was_suspended:
                raise Conflict(Code.SUSPENDED, "what is suspended is not given out anew")
            prepared = await offering.prepare_offer(self.deployment, _wanted(item))
        except Unreachable:
            raise
        except ComityError as error:
            refuse = partial(reissues.settle, item=item, state=ItemState.REFUSED, problem=error.code.value)
            await database.write(refuse)
            return

        def save(connection: Connection) -> None:
            with connection.begin_nested() as together:
                offering.save_offer(connection, prepared.offer, actor=self.actor)
                if not reissues.settle(connection, item, state=ItemState.OFFERED, offer_id=prepared.offer.id):
                    together.rollback()

        await database.write(save)

    def _revoke(self, connection: Connection, item: Item, now: int) -> int:
        """Revoke what the key signed of one thing, whoever else is at it; return how many records."""
        changed = 0
        for each in reissues.old_records(connection, item):
            if credentials.set_status(
                connection, each, Status.REVOKED, allowed_from=_NOT_REVOKED, reason="key compromised", now=now
            ):
                changed += 1
                event = audit.Event(at=now, actor=self.actor, action="revoked", authority=item.authority, subject=each)
                audit.record(connection, event)
        reissues.mark_revoked(connection, item, now=now)
        return changed


def _wanted(item: Item) -> Wanted:
    return Wanted(
        authority=item.authority,
        type_name=f"{item.type.slug}/{item.type.version}",
        record_reference=item.record_reference,
        formats=(item.format,),
        is_for_later=True,
    )
