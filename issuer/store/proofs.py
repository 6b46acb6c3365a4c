"""Proofs that were used, of tokens (DPoP) and of clients: each has its effect once."""

from sqlalchemy import Connection

from issuer.store.insert import insert_if_absent
from issuer.store.tables import client_proofs, dpop_proofs


def use_up(connection: Connection, digest: str, *, expires_at: int) -> bool:
    """Note a proof in the transaction of what it brings about; False when it was used before.

    Of any number of callers one is told True. ``offers.erase_due`` forgets it after ``expires_at``.
    """
    return insert_if_absent(connection, dpop_proofs, {"digest": digest, "expires_at": expires_at})


def use_up_client(connection: Connection, digest: str, *, expires_at: int) -> bool:
    """Note a client's proof likewise; False when it was used before."""
    return insert_if_absent(connection, client_proofs, {"digest": digest, "expires_at": expires_at})
