"""Looking up: what a desk finds by a number or a name, and what it sees of the day."""

from collections.abc import Sequence

from issuer import offering, revoking
from issuer.deployment import Deployment
from issuer.revoking import Change
from issuer.store import Connection, audit, desk
from issuer.store.credentials import IssuedCredential
from issuer.store.desk import LogFilter, LogLine, OfferLine

DAY = 86_400
FOUND_LIMIT = 50
LIST_LIMIT = 200


async def find_any(deployment: Deployment, authority: str, text: str) -> tuple[IssuedCredential, ...]:
    """Return records whose file number, document number or exact full name is ``text``; one for each offer.

    Numbers and names are compared by keyed blind index: nothing here can list, guess or sort by them.
    """
    whose = deployment.authority(authority)
    found: dict[str, IssuedCredential] = {}
    for record, number, name in ((text, None, None), (None, text, None), (None, None, text)):
        for each in await offering.search(
            deployment, whose, record_reference=record, number=number, name=name, limit=FOUND_LIMIT
        ):
            found.setdefault(each.id, each)
    return await _one_for_each_offer(deployment, tuple(found.values()))


async def _one_for_each_offer(
    deployment: Deployment, found: Sequence[IssuedCredential]
) -> tuple[IssuedCredential, ...]:
    ids = [each.id for each in found]
    offer_of = await deployment.database.read(lambda connection: desk.offers_of(connection, ids))
    firsts: dict[str, IssuedCredential] = {}
    for each in sorted(found, key=lambda each: (-each.issued_at, each.id)):
        firsts.setdefault(offer_of[each.id], each)
    return tuple(firsts.values())


async def offers_since(deployment: Deployment, authority: str, *, since: int) -> tuple[OfferLine, ...]:
    """Return what was offered since an instant, newest first."""
    now = deployment.now()
    return await deployment.database.read(
        lambda connection: desk.recent_offers(connection, authority, since=since, now=now, limit=LIST_LIMIT)
    )


async def expiring(
    deployment: Deployment, authority: str, *, days: int, limit: int = LIST_LIMIT
) -> tuple[IssuedCredential, ...]:
    """Return what ends within some days and is not revoked, soonest first."""
    now = deployment.now()
    return await deployment.database.read(
        lambda connection: desk.expiring(connection, authority, since=now, until=now + days * DAY, limit=limit)
    )


async def timeline(deployment: Deployment, credential: IssuedCredential) -> tuple[audit.Event, ...]:
    """Return everything that happened to a credential and to its copies, oldest first; one line for one act."""

    def read(connection: Connection) -> tuple[audit.Event, ...]:
        ids = desk.copies(connection, credential.id)
        return desk.happened_to(connection, [*ids, *set(desk.offers_of(connection, ids).values())])

    events = await deployment.database.read(read)
    seen: dict[tuple[int, str, str], audit.Event] = {}
    for each in events:
        seen.setdefault((each.at, each.actor, each.action), each)
    return tuple(seen.values())


async def log(
    deployment: Deployment, authority: str, wanted: LogFilter, *, before: int | None = None, limit: int = 50
) -> tuple[LogLine, ...]:
    """Return lines of the audit log, newest first."""
    return await deployment.database.read(
        lambda connection: desk.log(connection, authority, wanted, before=before, limit=limit)
    )


async def note(deployment: Deployment, authority: str, action: str, subject: str, *, actor: str) -> None:
    """Append one line to the audit log about something that changed nothing else, such as a printed slip."""
    event = audit.Event(at=deployment.now(), actor=actor, action=action, authority=authority, subject=subject)
    await deployment.database.write(lambda connection: audit.record(connection, event))


async def change_all(
    deployment: Deployment, credential: IssuedCredential, change: Change, *, reason: str, actor: str
) -> None:
    """Suspend or reinstate a credential in all its formats, with their copies: for its holder they are one thing.

    Raises:
        Conflict: as for :func:`issuer.revoking.change_status`; formats before the one that refused were changed, and
            asking again goes on from there.
    """
    ids = await deployment.database.read(lambda connection: desk.copies(connection, credential.id))
    records = [await revoking.find(deployment, each) for each in ids]
    for record in {each.format: each for each in (*records, credential)}.values():
        await revoking.change_status(deployment, record, change, reason=reason, actor=actor)
