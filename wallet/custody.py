"""Accounts, unlocking and sessions.

The hosted wallet and the local file share all of this. A session row holds the data key wrapped under a random key that
only the citizen's cookie has: neither the database nor the cookie alone opens anything, and any worker can serve the
next request (house.md, "Wallet custody").
"""

import asyncio
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from comity import base64url, strict_json
from comity.errors import Code, Denied, Malformed
from comity.ports import Clock
from comity.runtime.database import Database
from wallet import passkey_store, store, vault
from wallet.deletions import Deletions
from wallet.records import HISTORY, OpenWallet
from wallet.vault import PASSPHRASE, RECOVERY, Slot

MAX_NAME = 100
KEEP_ATTEMPTS = timedelta(days=1)
"""How long a count of wrong tries is remembered after the last of them."""

_OPEN = "open"
"""Marks tries made from an open session, in place of a browser."""

T = TypeVar("T")


class Custody:
    """Creates, unlocks and deletes wallets, and keeps them unlocked between requests."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        pepper: bytes | None,
        attempts: int = 5,
        wait: timedelta = timedelta(seconds=60),
        session: timedelta = timedelta(minutes=15),
        longest_session: timedelta = timedelta(hours=12),
        threads: int = 2,
        deletions: Deletions | None = None,
    ) -> None:
        """Make the custodian of one database.

        Args:
            database: where everything is kept.
            clock: the time.
            pepper: what a thief of the database lacks; None for a local file.
            attempts: wrong tries in a row after which an account waits.
            wait: for how long it waits then.
            session: idle time after which a session ends.
            longest_session: when it ends in any case.
            threads: passphrases tried at one time.
            deletions: where deletions are noted outside the database; None for a local file.
        """
        self._database = database
        self._clock = clock
        self._pepper = pepper
        self._attempts = attempts
        self._wait = wait
        self._session = session
        self._longest_session = longest_session
        self._deletions = deletions
        # Argon2 costs what an attacker may not have for free; a bounded pool keeps it from starving everybody else.
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="unlock")

    async def create(self, name: str, passphrase: str) -> tuple[OpenWallet, str]:
        """Open an account; returns the open wallet and the recovery code, which is shown once and kept nowhere.

        Raises:
            Malformed: the name is empty or too long, or the passphrase too short.
            Conflict: ``account_exists``.
        """
        citizen, data_key, code = _identifier(), vault.new_data_key(), vault.new_recovery_code()
        folded = account_name(name)
        kept = await self.in_thread(partial(self._new_slots, data_key, passphrase, code, citizen))
        unit = partial(store.add_citizen, citizen_id=citizen, name=folded, at=self._clock.now(), kept=kept)
        await self._database.write(unit)
        return self._opened(citizen, data_key), code

    async def create_with(
        self, name: str, citizen: str, slot_of: Callable[[OpenWallet], tuple[str, str]]
    ) -> tuple[OpenWallet, str]:
        """Open an account without a passphrase: one slot (kind, JSON) and the recovery code open it.

        ``citizen`` was drawn here before (:func:`new_citizen`); a passkey is bound to it. Returns as :meth:`create`.

        Raises:
            Malformed: the name is empty or too long.
            Conflict: ``account_exists``.
        """
        data_key, code, folded = vault.new_data_key(), vault.new_recovery_code(), account_name(name)
        wallet = self._opened(citizen, data_key)
        make = partial(vault.recovery_slot, data_key, code, citizen=citizen, pepper=self._pepper)
        kept = [slot_of(wallet), (RECOVERY, _as_text(await self.in_thread(make)))]
        unit = partial(store.add_citizen, citizen_id=citizen, name=folded, at=self._clock.now(), kept=kept)
        await self._database.write(unit)
        return wallet, code

    async def has_passphrase(self, wallet: OpenWallet) -> bool:
        """Say whether a passphrase opens the wallet; one that began with a passkey may have none."""
        kept = await self._database.read(partial(passkey_store.slots_of, citizen_id=wallet.citizen))
        return PASSPHRASE in kept

    async def unlock(self, name: str, secret: str, *, by: str = PASSPHRASE, browser: str | None = None) -> OpenWallet:
        """Unlock with the passphrase or the recovery code; the use of a recovery code is noted in the history.

        An unknown name costs the same work and gets the same answers as a wrong passphrase (catalogue W12). Tries from
        a ``browser`` that was made known (:meth:`known_browser`) are counted for themselves, by the same limit: whoever
        has only the account's name cannot make its owner wait there (catalogue Q12).

        Raises:
            Denied: ``passphrase_wrong``; ``too_many_attempts`` while the account waits.
        """
        now, folded = self._clock.now(), account_name(name)
        digest = self._count_of(folded, browser)
        begin = partial(
            store.begin_attempt, name_digest=digest, now=now, most=self._attempts, wait_until=now + self._wait
        )
        if not await self._database.write(begin):
            raise Denied(Code.TOO_MANY_ATTEMPTS, "too many wrong tries; wait a little")
        citizen = await self._database.read(partial(store.find_citizen, name=folded))
        if citizen is None or by not in citizen.slots:
            slot, citizen_id = vault.decoy_slot(by, pepper=self._pepper), ""
        else:
            slot, citizen_id = Slot.from_dict(strict_json.parse_object(citizen.slots[by])), citizen.id
        data_key = await self.in_thread(partial(vault.unlock, slot, secret, citizen=citizen_id, pepper=self._pepper))
        await self._database.write(partial(store.forget_attempts, name_digest=digest))
        wallet = self._opened(citizen_id, data_key)
        if by == RECOVERY:
            await wallet.put(HISTORY, _identifier(), {"what": "recovery_code_used"})
        return wallet

    def passkey_slot(self, wallet: OpenWallet, kind: str, secret: str) -> Slot:
        """Return a slot that an authenticator's secret opens; :mod:`wallet.passkeys` keeps it."""
        return vault.passkey_slot(wallet.data_key, secret, kind=kind, citizen=wallet.citizen, pepper=self._pepper)

    async def unlock_slot(self, citizen: str, slot: Slot, secret: str) -> OpenWallet:
        """Return the wallet that ``secret`` opens; raises ``Denied(passphrase_wrong)``."""
        data_key = await self.in_thread(partial(vault.unlock, slot, secret, citizen=citizen, pepper=self._pepper))
        return self._opened(citizen, data_key)

    async def confirm(self, wallet: OpenWallet, secret: str, *, by: str = PASSPHRASE) -> None:
        """Ask once more for the secret of a wallet that is open already, before what an open session may not do alone.

        Raises:
            Denied: as for :meth:`unlock`; ``vault_locked`` when the account is gone.
        """
        name = await self._database.read(partial(store.name_of, citizen_id=wallet.citizen))
        if name is None:
            raise _locked()
        await self.unlock(name, secret, by=by, browser=self._known(account_name(name), _OPEN))

    async def change_passphrase(self, wallet: OpenWallet, passphrase: str) -> None:
        """Replace the passphrase and end every session; old or new opens at any moment, never neither.

        Raises:
            Malformed: ``passphrase_too_short``.
        """
        make = partial(vault.passphrase_slot, wallet.data_key, passphrase, citizen=wallet.citizen, pepper=self._pepper)
        slot = _as_text(await self.in_thread(make))

        def unit(connection: Any) -> None:
            store.replace_slot(connection, wallet.citizen, PASSPHRASE, slot)
            store.end_sessions_of(connection, wallet.citizen)

        await self._database.write(unit)
        if self._deletions is not None:
            await self._deletions.slot(wallet.citizen, PASSPHRASE, slot, self._clock.now())

    async def delete(self, wallet: OpenWallet) -> None:
        """Delete the account and everything in it; no restored backup brings it back."""
        await self._database.write(partial(store.delete_citizen, citizen_id=wallet.citizen))
        if self._deletions is not None:
            await self._deletions.account(wallet.citizen, self._clock.now())

    # --- sessions of the hosted wallet

    async def known_browser(self, wallet: OpenWallet) -> str:
        """Return a new mark for a browser in which the wallet was opened; it opens nothing, and names nobody.

        Raises:
            Denied: ``vault_locked`` when the account is gone.
        """
        name = await self._database.read(partial(store.name_of, citizen_id=wallet.citizen))
        if name is None:
            raise _locked()
        return self._known(name, _identifier())

    async def begin_session(self, wallet: OpenWallet) -> str:
        """Return the cookie of a new session: its name and the key that opens it."""
        name, key, now = _identifier(), secrets.token_bytes(vault.KEY_BYTES), self._clock.now()
        session = store.Session(
            citizen=wallet.citizen,
            wrapped=vault.wrap_for_session(wallet.data_key, key, session=name),
            expires_at=now + self._session,
            ends_at=now + self._longest_session,
        )
        await self._database.write(partial(store.save_session, session_id=name, session=session))
        return f"{name}.{base64url.encode(key)}"

    async def resume(self, cookie: str | None) -> OpenWallet:
        """Return the wallet of a session and let the session live on.

        Raises:
            Denied: ``vault_locked``: no session, ended, or not with this key.
        """
        name, key = _cookie(cookie)
        now = self._clock.now()
        session = await self._database.read(partial(store.find_session, session_id=name, now=now))
        if session is None:
            raise _locked()
        wallet = self._opened(session.citizen, vault.unwrap_for_session(session.wrapped, key, session=name))
        expires_at = min(now + self._session, session.ends_at)
        if expires_at - session.expires_at > self._session / 15:  # a write for every request would be a waste
            await self._database.write(partial(store.renew_session, session_id=name, expires_at=expires_at))
        return wallet

    async def end_session(self, cookie: str | None) -> None:
        """Lock: the session is gone from the database. Only whoever holds its key can end it.

        Raises:
            Denied: ``vault_locked``: there is no such session, or not with this key.
        """
        await self.resume(cookie)
        await self._database.write(partial(store.end_session, session_id=_cookie(cookie)[0]))

    async def purge(self) -> None:
        """Delete sessions that have ended, and counts of tries that are over."""
        now = self._clock.now()

        def unit(connection: Any) -> None:
            store.purge_sessions(connection, now)
            store.purge_attempts(connection, now, idle_since=now - KEEP_ATTEMPTS)
            passkey_store.purge_challenges(connection, now)

        await self._database.write(unit)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do slow cryptographic work without holding up everybody else."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False)

    # --- inside

    def _opened(self, citizen: str, data_key: bytes) -> OpenWallet:
        return OpenWallet(
            citizen=citizen,
            data_key=data_key,
            database=self._database,
            clock=self._clock,
            deletions=self._deletions,
        )

    def _new_slots(self, data_key: bytes, passphrase: str, code: str, citizen: str) -> list[tuple[str, str]]:
        by_passphrase = vault.passphrase_slot(data_key, passphrase, citizen=citizen, pepper=self._pepper)
        by_code = vault.recovery_slot(data_key, code, citizen=citizen, pepper=self._pepper)
        return [(PASSPHRASE, _as_text(by_passphrase)), (RECOVERY, _as_text(by_code))]

    def _known(self, name: str, mark: str) -> str:
        digest = self._name_digest(f"{name}\0{mark}")
        return f"{mark}.{digest}"

    def _count_of(self, name: str, browser: str | None) -> str:
        """Return under what a try is counted: the account, or one browser that was made known to it."""
        mark = (browser or "").partition(".")[0]
        if browser is not None and hmac.compare_digest(browser.encode(), self._known(name, mark).encode()):
            return self._name_digest(f"{name}\0{mark}\0known")
        return self._name_digest(name)

    def _name_digest(self, name: str) -> str:
        """Return the name under which tries are counted; people also type secrets into the wrong field."""
        return hmac.digest(self._pepper or b"local", name.encode("utf-8", "surrogatepass"), "sha256").hex()


def new_citizen() -> str:
    """Return the identifier of an account to be."""
    return _identifier()


def account_name(name: str) -> str:
    """Return the account name as it is compared: NFKC, case folded.

    Raises:
        Malformed: empty, or longer than 100 characters.
    """
    folded = unicodedata.normalize("NFKC", name).casefold().strip()
    if not folded or len(folded) > MAX_NAME or not folded.isprintable():
        raise Malformed(Code.MALFORMED, f"an account name has 1 to {MAX_NAME} printable characters")
    return folded


def _as_text(slot: Slot) -> str:
    return strict_json.serialise(slot.to_dict()).decode()


def _identifier() -> str:
    return base64url.encode(secrets.token_bytes(16))


def _locked() -> Denied:
    return Denied(Code.VAULT_LOCKED, "the wallet is locked; unlock it again")


def _cookie(cookie: str | None) -> tuple[str, bytes]:
    session, _, key = (cookie or "").partition(".")
    try:
        opened = base64url.decode(key)
    except Malformed:
        opened = b""
    if not session or len(opened) != vault.KEY_BYTES:
        raise _locked()
    return session, opened
