"""An offer that is wished for twice under one key is made once: a double click, a lost answer, a retried call.

The key is kept in the very transaction that stores the offer (draft-ietf-httpapi-idempotency-key-header-07 §2).
"""

from collections.abc import Mapping
from typing import Any

from comity import strict_json
from comity.errors import Code, Conflict, Unreachable
from issuer import offering
from issuer.deployment import Deployment
from issuer.offering import CreatedOffer, Wanted
from issuer.store import Connection, once
from issuer.store.offers import Offer
from issuer.store.once import Kept

KEEP_SECONDS = 86_400
MAX_KEY = 200


async def create(
    deployment: Deployment, wanted: Wanted, *, actor: str, key: str, said: Mapping[str, Any]
) -> CreatedOffer:
    """Store an offer, or return the one that the same actor got under the same key for the same wish.

    Args:
        deployment: this one.
        wanted: the wish.
        actor: who wishes; keys of different actors do not meet.
        key: chosen by the caller, 1 to 200 characters.
        said: what the caller sent, as it was understood.

    Raises:
        Conflict: ``idempotency_key_reused``: another wish came with this key before.
        NotFound, Malformed, Unreachable: as for :func:`issuer.offering.create_offer`.
    """
    secrecy, now = deployment.secrecy, deployment.now()
    key_digest = secrecy.once_digest("offer", actor, key)
    body_digest = secrecy.once_digest("body", strict_json.serialise(dict(said)).decode())
    known = await deployment.database.read(lambda connection: once.find(connection, key_digest, now=now))
    if known is not None:
        return await _again(deployment, known, body_digest)
    prepared = await offering.prepare_offer(deployment, wanted)
    mine = Kept(body_digest=body_digest, subject=prepared.offer.id)

    def save(connection: Connection) -> Kept | None:
        once.erase_due(connection, now=now)
        if not once.keep(connection, key_digest, mine, expires_at=now + KEEP_SECONDS):
            earlier = once.find(connection, key_digest, now=now)
            if earlier is None:
                raise Unreachable(Code.BUSY, "the same wish is being granted just now; ask again")
            return earlier
        offering.save_offer(connection, prepared.offer, actor=actor)
        return None

    earlier = await deployment.database.write(save)
    return prepared if earlier is None else await _again(deployment, earlier, body_digest)


async def _again(deployment: Deployment, known: Kept, body_digest: str) -> CreatedOffer:
    """Return what was made before, with its code while it can still be used."""
    if known.body_digest != body_digest:
        raise Conflict(Code.IDEMPOTENCY_KEY_REUSED, "this Idempotency-Key came before with another request")
    offer = await offering.find_offer(deployment, known.subject)
    return CreatedOffer(offer=offer, transaction_code=code_of(deployment, offer))


def code_of(deployment: Deployment, offer: Offer) -> str | None:
    """Return the transaction code of an offer, where it asks for one."""
    return None if offer.transaction_code_hash is None else offering.transaction_code_of(deployment, offer.id)
