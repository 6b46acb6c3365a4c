"""Keys of encrypted credential requests (OpenID4VCI §10): one for each authority, exchanged in time and then erased.

The row decides which key is the period's, so all workers give out the same one. A key is read for one period more than
the metadata show it, since wallets keep metadata; after that the row goes, and what was recorded on the wire stays
shut.
"""

import secrets

from comity import base64url
from comity.jwe import EncryptionKey
from comity.ports import Clock, Jwk
from comity.runtime.database import Database
from issuer.secrecy import Secrecy
from issuer.store import Connection, encryption_keys
from issuer.store.encryption_keys import StoredKey


class RequestKeys:
    """The keys of one deployment, made when they are first needed."""

    def __init__(self, database: Database, clock: Clock, secrecy: Secrecy, *, period_seconds: int) -> None:
        self._database, self._clock, self._secrecy = database, clock, secrecy
        self._period_seconds = period_seconds

    async def current(self, authority: str) -> Jwk:
        """Return the public key that the authority's metadata show now."""
        period = int(self._clock.now().timestamp()) // self._period_seconds
        found = await self._database.read(
            lambda connection: encryption_keys.of_period(connection, authority, period)
        ) or await self._make(authority, period)
        return self._opened(found).public_jwk

    async def find(self, authority: str, kid: str) -> EncryptionKey | None:
        """Return the authority's key called ``kid`` while it is read; None for any other name."""
        now = int(self._clock.now().timestamp())
        found = await self._database.read(
            lambda connection: encryption_keys.by_kid(connection, authority, kid, now=now)
        )
        return None if found is None else self._opened(found)

    async def _make(self, authority: str, period: int) -> StoredKey:
        """Make the key of a period, or return the one that another worker was faster with."""
        kid = base64url.encode(secrets.token_bytes(16))
        made = StoredKey(
            kid=kid,
            authority=authority,
            period=period,
            sealed=self._secrecy.seal_encryption_key(EncryptionKey.generate(kid), authority),
            expires_at=(period + 2) * self._period_seconds,
        )

        def save(connection: Connection) -> StoredKey:
            encryption_keys.add(connection, made)
            return encryption_keys.of_period(connection, authority, period) or made

        return await self._database.write(save)

    def _opened(self, stored: StoredKey) -> EncryptionKey:
        return self._secrecy.unseal_encryption_key(stored.sealed, stored.authority)
