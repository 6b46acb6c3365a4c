"""DPoP proofs that were used: each has its effect once."""

from sqlalchemy import Connection

from issuer.store.insert import insert_if_absent
from issuer.store.tables import dpop_proofs


def use_up(connection: Connection, digest: str, *, expires_at: int) -> bool:
    """Note a proof in the transaction of what it brings about; False when it was used before.

    Of any number of callers one is told True. ``offers.erase_due`` forgets it after ``expires_at``.
    """
    return insert_if_absent(connection, dpop_proofs, {"digest": digest, "expires_at": expires_at})
