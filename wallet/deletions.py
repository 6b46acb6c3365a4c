"""The journal of what citizens deleted: a file beside the database, so that no restored backup brings it back.

A backup is older than some deletions (catalogue F31: what was deleted stays deleted). So every deletion is written
here, durably, after it was made and before it is acknowledged, and a restore makes it again. The lines hold random
ids, no names. All workers of one installation share the file; a lock keeps their lines apart.
"""

import asyncio
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from comity import base64url, strict_json
from comity.errors import Code, ComityError, Malformed, Misconfigured
from comity.runtime import failpoints
from comity.runtime.files import create_file, make_private_folder

VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Deletion(Struct, frozen=True, kw_only=True):
    """One line.

    Attributes:
        at: microseconds since 1970.
        citizen: whose.
        kind: of the record; None: the whole account, or a slot.
        record: its id.
        slot: the way of unlocking that was replaced or taken away.
        digest: SHA-256 of the slot that took its place; None when none did.
    """

    at: int
    citizen: str
    kind: str | None = None
    record: str | None = None
    slot: str | None = None
    digest: str | None = None


class Journal(Struct, frozen=True, kw_only=True):
    """What stands in the file: its own id, its size in bytes, and its whole lines in order."""

    id: str
    size: int
    lines: tuple[Deletion, ...]


class Deletions:
    """Writes the journal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def records(self, citizen: str, names: Sequence[tuple[str, str]], at: datetime) -> None:
        """Note that records (kind, id) are gone; durable on return."""
        await self._append([{"citizen": citizen, "kind": kind, "record": record} for kind, record in names], at)

    async def account(self, citizen: str, at: datetime) -> None:
        """Note that an account is gone; durable on return."""
        await self._append([{"citizen": citizen}], at)

    async def slot(self, citizen: str, kind: str, slot: str, at: datetime) -> None:
        """Note that a way of unlocking was replaced by ``slot``; durable on return."""
        await self._append([{"citizen": citizen, "slot": kind, "digest": digest_of(slot)}], at)

    async def slot_removed(self, citizen: str, kind: str, at: datetime) -> None:
        """Note that a way of unlocking was taken away; durable on return."""
        await self._append([{"citizen": citizen, "slot": kind}], at)

    async def _append(self, lines: Sequence[Mapping[str, Any]], at: datetime) -> None:
        instant = (at - _EPOCH) // timedelta(microseconds=1)
        data = b"".join(strict_json.serialise({"at": instant, **line}) + b"\n" for line in lines)
        await asyncio.to_thread(_write, self._path, data)


def digest_of(slot: str) -> str:
    """Return what recognises a slot."""
    return hashlib.sha256(slot.encode()).hexdigest()


def read(path: Path) -> Journal:
    """Return the journal.

    Raises:
        Misconfigured: it is not there, or a line of it cannot be read. A last line without its end was never
            acknowledged and does not count.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise Misconfigured(Code.MISCONFIGURED, f"the journal of deletions {path} is not there") from None
    first, *rest = data[: data.rfind(b"\n") + 1].splitlines() or [b""]
    try:
        head = strict_json.parse_object(first)
        if head.get("comity_deletions") != VERSION or not isinstance(head.get("id"), str):
            raise Malformed(Code.MALFORMED)
        lines = tuple(Deletion(**strict_json.parse_object(line)) for line in rest)
    except (ComityError, TypeError):
        raise Misconfigured(Code.MISCONFIGURED, f"the journal of deletions {path} cannot be read") from None
    return Journal(id=head["id"], size=len(data), lines=lines)


def ensure(path: Path) -> None:
    """Begin the journal unless there is one.

    Raises:
        OSError: the file cannot be written.
    """
    if path.exists():
        return
    make_private_folder(path.parent)
    head = {"comity_deletions": VERSION, "id": base64url.encode(secrets.token_bytes(16))}
    with suppress(FileExistsError):  # another worker was faster
        create_file(path, strict_json.serialise(head) + b"\n")


def _write(path: Path, data: bytes) -> None:
    ensure(path)
    with _locked(path) as descriptor:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # half a line of a process that died
            size = os.pread(descriptor, size, 0).rfind(b"\n") + 1
            os.ftruncate(descriptor, size)
        try:
            os.pwrite(descriptor, data, size)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    failpoints.reach("deletions.noted")


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
