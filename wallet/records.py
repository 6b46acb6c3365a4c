"""The open wallet: sealed records of one citizen, read and written under the data key.

A record is one thing: a credential, a key, a line of history, a message, a step of an exchange, a question to be
answered. What is written together is there together or not at all.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from comity import strict_json
from comity.errors import Malformed
from comity.ports import Clock
from comity.record import Discreet
from comity.runtime.database import Database
from wallet import store, vault
from wallet.deletions import Deletions
from wallet.store import Record

CREDENTIAL, KEY, HISTORY, MESSAGE, PENDING, CONSENT = "credential", "key", "history", "message", "pending", "consent"
SIGN_IN, GRANT, NOTICE = "sign_in", "grant", "notice"
DOOR = "door"
"""What was scanned, pasted or followed, until the person has decided about it."""
PREFERENCE = "preference"
"""What the person chose for this wallet; under the id ``history`` whether one is kept."""
ALWAYS_NOTED = frozenset({"recovery_code_used"})
"""Lines of the history that nobody switches off: who holds somebody else's code must not hide its use."""
LASTING = frozenset({CREDENTIAL, KEY, HISTORY, MESSAGE})
"""Kinds whose deletion is noted, so that a restored backup does not bring them back; the others are steps."""
MAX_RECORD_BYTES = 8 << 20

_log = structlog.get_logger("wallet")


class Sheet(Discreet, frozen=True, kw_only=True):
    """A record to be written. Version 1 is new; a later one replaces the version just before it."""

    UNPRINTED = frozenset({"content"})
    kind: str
    id: str
    content: Mapping[str, Any]
    version: int = 1


class Kept(Discreet, frozen=True, kw_only=True):
    """One record, opened."""

    UNPRINTED = frozenset({"content"})
    id: str
    version: int
    created_at: datetime
    content: Mapping[str, Any]


class OpenWallet(Discreet, frozen=True, kw_only=True):
    """An unlocked wallet. It lives for one request; nothing of it is kept in memory afterwards."""

    UNPRINTED = frozenset({"data_key"})
    citizen: str
    data_key: bytes
    database: Database
    clock: Clock
    deletions: Deletions | None = None

    async def put(self, kind: str, record_id: str, content: Mapping[str, Any], *, version: int = 1) -> None:
        """Seal and store one record, durable on return; raises as :meth:`commit`."""
        await self.commit(put=[Sheet(kind=kind, id=record_id, content=content, version=version)])

    async def commit(self, *, put: Sequence[Sheet] = (), delete: Sequence[tuple[str, str]] = ()) -> None:
        """Store sheets and delete records (kind, id): all of it, durable on return, or nothing.

        Raises:
            Conflict: a record to be deleted is gone, or a sheet does not follow the version that is there; somebody
                else was faster.
        """
        now = self.clock.now()
        if any(_may_be_left_out(sheet) for sheet in put) and not await self.keeps_history():
            put = [sheet for sheet in put if not _may_be_left_out(sheet)]
        sealed = [self._sealed(sheet, now) for sheet in put]

        def unit(connection: Any) -> None:
            for kind, record_id in delete:
                store.take_record(connection, self.citizen, kind, record_id)
            for record in sealed:
                store.put_record(connection, self.citizen, record)

        unit.__qualname__ = _name_of(put, delete)
        await self.database.write(unit)
        await self._note_deleted(delete)

    async def keeps_history(self) -> bool:
        """Say whether what happens is noted; it is, unless the person switched that off."""
        chosen = await self.find(PREFERENCE, HISTORY)
        return chosen is None or bool(chosen.content["on"])

    async def keep_history(self, *, on: bool) -> None:
        """Note what happens from now on, or do not; what was noted before stays either way.

        Raises:
            Conflict: somebody else changed it at the same time.
        """
        chosen = await self.find(PREFERENCE, HISTORY)
        await self.put(PREFERENCE, HISTORY, {"on": on}, version=chosen.version + 1 if chosen else 1)

    async def all(self, kind: str) -> list[Kept]:
        """Return every record of a kind that opens, oldest first; see :meth:`read_all`."""
        return (await self.read_all(kind))[0]

    async def read_all(self, kind: str) -> tuple[list[Kept], list[str]]:
        """Return every record of a kind that opens, oldest first, and the ids of those that do not.

        A record that somebody changed in the database must not take the others with it (catalogue K04).
        """
        found = await self.database.read(partial(store.records_of, citizen_id=self.citizen, kind=kind))
        opened, damaged = [], []
        for record in found:
            try:
                opened.append(self._open(record))
            except Malformed as error:
                _log.error("a record does not open", kind=kind, record=record.id, code=error.code.value)
                damaged.append(record.id)
        return opened, damaged

    async def find(self, kind: str, record_id: str) -> Kept | None:
        """Return one record, or None.

        Raises:
            Malformed: ``record_tampered``.
        """
        wanted = partial(store.find_record, citizen_id=self.citizen, kind=kind, record_id=record_id)
        found = await self.database.read(wanted)
        return self._open(found) if found else None

    async def delete(self, kind: str, record_id: str) -> bool:
        """Delete one record; False when there was none. Of several who try at once, one is told True."""
        unit = partial(store.delete_record, citizen_id=self.citizen, kind=kind, record_id=record_id)
        was_there = await self.database.write(unit)
        if was_there:
            await self._note_deleted([(kind, record_id)])
        return was_there

    async def _note_deleted(self, names: Sequence[tuple[str, str]]) -> None:
        """Keep lasting deletions outside the database too, before anybody is told that they were made."""
        lasting = [each for each in names if each[0] in LASTING]
        if lasting and self.deletions is not None:
            await self.deletions.records(self.citizen, lasting, self.clock.now())

    async def names(self) -> set[tuple[str, str]]:
        """Return kind and id of everything there is."""
        return await self.database.read(partial(store.record_names, citizen_id=self.citizen))

    def _sealed(self, sheet: Sheet, now: datetime) -> Record:
        plaintext = strict_json.serialise(dict(sheet.content))
        sealed = vault.seal(
            self.data_key,
            plaintext,
            citizen=self.citizen,
            kind=sheet.kind,
            record=sheet.id,
            version=sheet.version,
        )
        return Record(kind=sheet.kind, id=sheet.id, version=sheet.version, created_at=now, sealed=sealed)

    def _open(self, record: Record) -> Kept:
        plaintext = vault.unseal(
            self.data_key,
            record.sealed,
            citizen=self.citizen,
            kind=record.kind,
            record=record.id,
            version=record.version,
        )
        content = strict_json.parse_object(plaintext, max_bytes=MAX_RECORD_BYTES)
        return Kept(id=record.id, version=record.version, created_at=record.created_at, content=content)


def _name_of(put: Sequence[Sheet], delete: Sequence[tuple[str, str]]) -> str:
    """Return what a step of the wallet is called where tests break it, such as ``keep.key.pending``."""
    kinds = {
        "keep": [each.kind for each in put if each.version == 1],
        "change": [each.kind for each in put if each.version > 1],
        "drop": [kind for kind, _ in delete],
    }
    return ".".join(".".join((verb, *dict.fromkeys(named))) for verb, named in kinds.items() if named)


def _may_be_left_out(sheet: Sheet) -> bool:
    return sheet.kind == HISTORY and sheet.content.get("what") not in ALWAYS_NOTED
