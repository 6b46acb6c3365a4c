"""How the hosted wallet's database is backed up, and what a restore makes true (decision record 0026).

Not in a backup: sessions, counts of wrong tries, challenges, open questions of verifiers and what was scanned, sign-ins
under way, and refresh tokens: one that was used since would make the issuer end everything that came of it, and without
it the person signs in again. Nor the pepper, without which no passphrase opens anything. A restore makes every deletion
of the journal again (:mod:`wallet.deletions`), and without the journal there is no restore.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select

from comity.errors import Code, Misconfigured
from comity.runtime.backup import NOTHING, Manifest, Rows, Scheme
from comity.runtime.backup_file import fingerprint
from wallet import deletions
from wallet.deletions import Deletion, Journal
from wallet.records import CONSENT, DOOR, GRANT, SIGN_IN
from wallet.store import citizens, delete_citizen, metadata, records, slots

PLAN: Mapping[str, Rows] = {
    "citizens": Rows(),
    "attempts": NOTHING,
    "slots": Rows(),
    "sessions": NOTHING,
    "challenges": NOTHING,
    "records": Rows(only=records.c.kind.not_in([CONSENT, DOOR, SIGN_IN, GRANT])),
}


def scheme(*, url: str, pepper: bytes | None, journal: Path) -> Scheme:
    """Return the scheme of one installation; ``journal`` is its file of deletions."""

    def notes() -> Mapping[str, Any]:
        deletions.ensure(journal)
        found = deletions.read(journal)
        return {"journal": found.id, "size": found.size}

    def settle(connection: Connection, manifest: Manifest, _now: int) -> Mapping[str, int]:
        found = deletions.read(journal)
        if found.id != manifest.notes["journal"] or found.size < manifest.notes["size"]:
            raise Misconfigured(
                Code.MISCONFIGURED, f"{journal} is not the journal of deletions that belonged to the backup"
            )
        return _delete_again(connection, found)

    needs = {"the pepper": fingerprint(pepper or b"")}
    return Scheme(package="wallet", url=url, metadata=metadata, plan=PLAN, needs=needs, notes=notes, settle=settle)


def _delete_again(connection: Connection, journal: Journal) -> Mapping[str, int]:
    counts = {"accounts deleted again": 0, "records deleted again": 0, "passphrases ended": 0}
    current: dict[tuple[str, str], str | None] = {}
    for line in journal.lines:
        if line.slot is not None:
            current[line.citizen, line.slot] = line.digest
        elif line.kind is not None:
            counts["records deleted again"] += _delete_record(connection, line)
        elif _is_there(connection, line.citizen):
            delete_citizen(connection, line.citizen)
            counts["accounts deleted again"] += 1
    for (citizen, kind), digest in current.items():
        counts["passphrases ended"] += _end_slot(connection, citizen, kind, digest)
    return counts


def _is_there(connection: Connection, citizen: str) -> bool:
    return connection.execute(select(citizens.c.id).where(citizens.c.id == citizen)).first() is not None


def _delete_record(connection: Connection, line: Deletion) -> int:
    """Delete a record that was there when it was deleted; one of the same name that came later stays."""
    this = (records.c.citizen == line.citizen) & (records.c.kind == line.kind) & (records.c.id == line.record)
    return connection.execute(delete(records).where(this, records.c.created_at <= line.at)).rowcount


def _end_slot(connection: Connection, citizen: str, kind: str, digest: str | None) -> int:
    """Take away a slot that was replaced since: the old passphrase must not open again. The recovery code does."""
    this = (slots.c.citizen == citizen) & (slots.c.kind == kind)
    stored = connection.execute(select(slots.c.slot).where(this)).scalar()
    if stored is None or deletions.digest_of(stored) == digest:
        return 0
    return connection.execute(delete(slots).where(this)).rowcount
