"""Accounts, unlocking, sessions, and the open wallet: the one place where the data key is in use.

The hosted wallet and the local file share all of this. A session row holds the data key wrapped under a random key that
only the citizen's cookie has: neither the database nor the cookie alone opens anything, and any worker can serve the
next request (house.md, "Wallet custody").
"""

import asyncio
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from comity import base64url, strict_json
from comity.errors import Code, Denied, Malformed
from comity.ports import Clock
from comity.runtime.database import Database
from wallet import store, vault
from wallet.store import Record
from wallet.vault import PASSPHRASE, RECOVERY, Slot

CREDENTIAL, KEY, HISTORY, MESSAGE, PENDING, CONSENT = "credential", "key", "history", "message", "pending", "consent"
EXPORTED = (CREDENTIAL, KEY, HISTORY, MESSAGE, PENDING)
EXPORT_VERSION = 1
MAX_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One record, opened."""

    id: str
    version: int
    created_at: datetime
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWallet:
    """An unlocked wallet. It lives for one request; nothing of it is kept in memory afterwards."""

    citizen: str
    data_key: bytes = field(repr=False)
    database: Database
    clock: Clock

    async def put(self, kind: str, record_id: str, content: Mapping[str, Any], *, version: int = 1) -> None:
        """Seal and store one record, durable on return.

        Raises:
            Conflict: somebody stored this version first.
        """
        await self.put_all([(kind, record_id, content, version)])

    async def put_all(self, contents: Sequence[tuple[str, str, Mapping[str, Any], int]]) -> None:
        """Seal and store several records at once: all of them, or none."""
        now = self.clock.now()
        sealed = [
            Record(
                kind=kind,
                id=record_id,
                version=version,
                created_at=now,
                sealed=self._seal(kind, record_id, content, version),
            )
            for kind, record_id, content, version in contents
        ]

        def unit(connection: Any) -> None:
            for record in sealed:
                store.put_record(connection, self.citizen, record)

        await self.database.write(unit)

    async def all(self, kind: str) -> list[Kept]:
        """Return every record of a kind, oldest first.

        Raises:
            Malformed: ``record_tampered``.
        """
        found = await self.database.read(partial(store.records_of, citizen_id=self.citizen, kind=kind))
        return [self._open(each) for each in found]

    async def find(self, kind: str, record_id: str) -> Kept | None:
        """Return one record, or None."""
        wanted = partial(store.find_record, citizen_id=self.citizen, kind=kind, record_id=record_id)
        found = await self.database.read(wanted)
        return self._open(found) if found else None

    async def delete(self, kind: str, record_id: str) -> bool:
        """Delete one record; False when there was none. Of several who try at once, one is told True."""
        unit = partial(store.delete_record, citizen_id=self.citizen, kind=kind, record_id=record_id)
        return await self.database.write(unit)

    def _seal(self, kind: str, record_id: str, content: Mapping[str, Any], version: int) -> bytes:
        plaintext = strict_json.serialise(dict(content))
        return vault.seal(self.data_key, plaintext, citizen=self.citizen, kind=kind, record=record_id, version=version)

    def _open(self, record: Record) -> Kept:
        plaintext = vault.unseal(
            self.data_key,
            record.sealed,
            citizen=self.citizen,
            kind=record.kind,
            record=record.id,
            version=record.version,
        )
        return Kept(
            id=record.id,
            version=record.version,
            created_at=record.created_at,
            content=strict_json.parse_object(plaintext),
        )


class Custody:
    """Creates, unlocks, exports and deletes wallets."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        pepper: bytes | None,
        attempts: int = 5,
        wait: timedelta = timedelta(seconds=60),
        session: timedelta = timedelta(minutes=15),
        threads: int = 2,
    ) -> None:
        self._database = database
        self._clock = clock
        self._pepper = pepper
        self._attempts = attempts
        self._wait = wait
        self._session = session
        # Argon2 costs what an attacker may not have for free; a bounded pool keeps it from starving everybody else.
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="unlock")

    async def create(self, name: str, passphrase: str) -> tuple[OpenWallet, str]:
        """Open an account; returns the open wallet and the recovery code, which is shown once and kept nowhere.

        Raises:
            Malformed: the name is empty or too long, or the passphrase too short.
            Conflict: ``account_exists``.
        """
        citizen, data_key, code = _identifier(), vault.new_data_key(), vault.new_recovery_code()
        kept = await self._in_thread(partial(self._new_slots, data_key, passphrase, code, citizen))
        unit = partial(store.add_citizen, citizen_id=citizen, name=account_name(name), at=self._clock.now(), kept=kept)
        await self._database.write(unit)
        return self._opened(citizen, data_key), code

    async def unlock(self, name: str, secret: str, *, by: str = PASSPHRASE) -> OpenWallet:
        """Unlock with the passphrase or the recovery code.

        An unknown name costs the same work and gives the same answer as a wrong passphrase (catalogue W12).

        Raises:
            Denied: ``passphrase_wrong``; ``too_many_attempts`` while the account waits.
        """
        now = self._clock.now()
        citizen = await self._database.read(partial(store.find_citizen, name=account_name(name)))
        if citizen is None:
            await self._in_thread(partial(self._waste, secret))
            raise Denied(Code.PASSPHRASE_WRONG, "this does not open the wallet")
        begin = partial(
            store.begin_attempt, citizen_id=citizen.id, now=now, attempts=self._attempts, wait_until=now + self._wait
        )
        if not await self._database.write(begin):
            raise Denied(Code.TOO_MANY_ATTEMPTS, "too many wrong tries; wait a little")
        kept = await self._database.read(partial(store.slots_of, citizen_id=citizen.id))
        if by not in kept:
            raise Denied(Code.PASSPHRASE_WRONG, "this does not open the wallet")
        slot = Slot.from_dict(strict_json.parse_object(kept[by]))
        data_key = await self._in_thread(partial(vault.unlock, slot, secret, citizen=citizen.id, pepper=self._pepper))
        await self._database.write(partial(store.forget_attempts, citizen_id=citizen.id))
        return self._opened(citizen.id, data_key)

    async def change_passphrase(self, wallet: OpenWallet, passphrase: str) -> None:
        """Replace the passphrase and end every session; old or new opens at any moment, never neither.

        Raises:
            Malformed: ``passphrase_too_short``.
        """
        make = partial(vault.passphrase_slot, wallet.data_key, passphrase, citizen=wallet.citizen, pepper=self._pepper)
        slot = _as_text(await self._in_thread(make))

        def unit(connection: Any) -> None:
            store.replace_slot(connection, wallet.citizen, PASSPHRASE, slot)
            store.end_sessions_of(connection, wallet.citizen)

        await self._database.write(unit)

    async def delete(self, wallet: OpenWallet) -> None:
        """Delete the account and everything in it."""
        await self._database.write(partial(store.delete_citizen, citizen_id=wallet.citizen))

    # --- sessions of the hosted wallet

    async def begin_session(self, wallet: OpenWallet) -> str:
        """Return the cookie of a new session: its name and the key that opens it."""
        session, key = _identifier(), secrets.token_bytes(vault.KEY_BYTES)
        unit = partial(
            store.save_session,
            session_id=session,
            citizen_id=wallet.citizen,
            wrapped=vault.wrap_for_session(wallet.data_key, key, session=session),
            expires_at=self._clock.now() + self._session,
        )
        await self._database.write(unit)
        return f"{session}.{base64url.encode(key)}"

    async def resume(self, cookie: str | None) -> OpenWallet:
        """Return the wallet of a session and let the session live on.

        Raises:
            Denied: ``vault_locked``: no session, ended, or not with this key.
        """
        session, key = _cookie(cookie)
        now = self._clock.now()
        found = await self._database.write(
            partial(store.touch_session, session_id=session, now=now, expires_at=now + self._session)
        )
        if found is None:
            raise Denied(Code.VAULT_LOCKED, "the wallet is locked; unlock it again")
        citizen, wrapped = found
        return self._opened(citizen, vault.unwrap_for_session(wrapped, key, session=session))

    async def end_session(self, cookie: str | None) -> None:
        """Lock: the session is gone from the database."""
        session, _ = _cookie(cookie)
        await self._database.write(partial(store.end_session, session_id=session))

    async def purge(self) -> None:
        """Delete sessions that have ended."""
        await self._database.write(partial(store.purge_sessions, now=self._clock.now()))

    # --- taking it along

    async def export(self, wallet: OpenWallet, passphrase: str) -> bytes:
        """Return everything in the wallet, encrypted under ``passphrase``, to be kept or taken elsewhere.

        Raises:
            Malformed: ``passphrase_too_short``.
        """
        records = [
            {"kind": kind, "id": each.id, "version": each.version, "content": dict(each.content)}
            for kind in EXPORTED
            for each in await wallet.all(kind)
        ]
        data_key = vault.new_data_key()
        make = partial(vault.passphrase_slot, data_key, passphrase, citizen="export", pepper=None)
        slot = await self._in_thread(make)
        plaintext = strict_json.serialise({"records": records})
        sealed = vault.seal(data_key, plaintext, citizen="export", kind="export", record="all", version=EXPORT_VERSION)
        document = {"comity_wallet": EXPORT_VERSION, "slot": slot.to_dict(), "sealed": base64url.encode(sealed)}
        return strict_json.serialise(document)

    async def restore(self, wallet: OpenWallet, exported: bytes, passphrase: str) -> int:
        """Bring an export into the open wallet; what is there already stays. Returns how many records came in.

        Raises:
            Malformed: ``record_tampered``: not an export, or changed.
            Denied: ``passphrase_wrong``.
        """
        document = strict_json.parse_object(exported, max_bytes=64 << 20)
        if document.get("comity_wallet") != EXPORT_VERSION or not isinstance(document.get("slot"), dict):
            raise Malformed(Code.RECORD_TAMPERED, "this is not a wallet export of a version known here")
        slot, sealed = Slot.from_dict(document["slot"]), base64url.decode(str(document.get("sealed")))
        opened = await self._in_thread(partial(vault.unlock, slot, passphrase, citizen="export", pepper=None))
        plaintext = vault.unseal(opened, sealed, citizen="export", kind="export", record="all", version=EXPORT_VERSION)
        came = 0
        for record in strict_json.parse_object(plaintext, max_bytes=64 << 20)["records"]:
            if await wallet.find(record["kind"], record["id"]) is None:
                await wallet.put(record["kind"], record["id"], record["content"], version=record["version"])
                came += 1
        return came

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False)

    # --- inside

    def _opened(self, citizen: str, data_key: bytes) -> OpenWallet:
        return OpenWallet(citizen=citizen, data_key=data_key, database=self._database, clock=self._clock)

    def _new_slots(self, data_key: bytes, passphrase: str, code: str, citizen: str) -> list[tuple[str, str]]:
        by_passphrase = vault.passphrase_slot(data_key, passphrase, citizen=citizen, pepper=self._pepper)
        by_code = vault.recovery_slot(data_key, code, citizen=citizen, pepper=self._pepper)
        return [(PASSPHRASE, _as_text(by_passphrase)), (RECOVERY, _as_text(by_code))]

    def _waste(self, secret: str) -> None:
        """Do the work of one wrong passphrase."""
        cost = vault.SERVICE_COST if self._pepper is not None else vault.LOCAL_COST
        nobody = Slot(kind=PASSPHRASE, salt=bytes(vault.SALT_BYTES), cost=cost, wrapped=bytes(60))
        with suppress(Denied):
            vault.unlock(nobody, secret, citizen="", pepper=self._pepper)

    async def _in_thread(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


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


def _cookie(cookie: str | None) -> tuple[str, bytes]:
    session, _, key = (cookie or "").partition(".")
    try:
        opened = base64url.decode(key)
    except Malformed:
        opened = b""
    if not session or len(opened) != vault.KEY_BYTES:
        raise Denied(Code.VAULT_LOCKED, "the wallet is locked; unlock it again")
    return session, opened
