"""Status lists and DID documents kept on disk, re-validated by ETag, fetched once however many ask.

The cache knows how old its copy is and when the origin confirmed it; whether that is fresh enough for a verdict is
decided in :mod:`comity.verification.status`. It also remembers, across restarts, the latest ``iat`` that was accepted
from each address, so that an old list cannot undo a revocation (catalogue L10).
"""

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from comity import strict_json
from comity.errors import Code, ComityError, Malformed, Misconfigured, Unreachable
from comity.ports import Clock, Fetched, Fetcher, FetchRequest
from comity.runtime.files import make_private_folder, replace_file
from comity.verification.evidence import NotObtained, Obtained, Source

SHORTEST_TTL_SECONDS = 60
LONGEST_TTL_SECONDS = 24 * 3600
MAX_BYTES = 5 << 20
MAX_REDIRECTS = 3
MAX_ETAG = 256
_IN_MEMORY = 256

_log = structlog.get_logger("comity.status_cache")


def clamp_ttl(seconds: float) -> int:
    """Return a list's own ``ttl`` within the bounds in which it is believed: 60 s to 24 h (profile TSL-6)."""
    return int(min(max(seconds, SHORTEST_TTL_SECONDS), LONGEST_TTL_SECONDS))


class _Copy(Struct, frozen=True, kw_only=True):
    """One document as it lies on disk: a line of JSON about it, then its bytes."""

    uri: str
    etag: str | None
    content_type: str
    fetched_at: datetime
    body: bytes

    def to_bytes(self) -> bytes:
        about = {
            "uri": self.uri,
            "etag": self.etag,
            "content_type": self.content_type,
            "fetched_at": self.fetched_at.isoformat(),
        }
        return strict_json.serialise(about) + b"\n" + self.body

    @classmethod
    def from_bytes(cls, data: bytes) -> "_Copy":
        head, _, body = data.partition(b"\n")
        about = strict_json.parse_object(head)
        return cls(
            uri=about["uri"],
            etag=about["etag"],
            content_type=about["content_type"],
            fetched_at=datetime.fromisoformat(about["fetched_at"]),
            body=body,
        )


class _Seen(Struct, frozen=True, kw_only=True):
    """What was accepted from an address before."""

    issued_at: datetime
    ttl_seconds: int


class StatusCache:
    """Copies of remote documents under ``directory``, one address each, named by the SHA-256 of the address."""

    def __init__(self, directory: Path, fetcher: Fetcher, clock: Clock) -> None:
        self._folder = directory
        self._fetcher = fetcher
        self._clock = clock
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._remembering = threading.Lock()
        self._flights: dict[tuple[str, tuple[str, ...]], asyncio.Task[Obtained | NotObtained]] = {}

    async def get(self, uri: str, accept: Sequence[str], max_age_seconds: int | None = None) -> Obtained | NotObtained:
        """Return the document at ``uri`` in one of the media types ``accept``; never raises for what others do.

        A copy that the origin confirmed less than ``max_age_seconds`` ago is returned without asking; None stands for
        the ttl told to :meth:`remember_issued_at`, else 60 s. An older copy is re-validated by its ETag. When that
        fails, the old copy is returned as ``CACHED_HOST_DOWN`` with the time at which it was last confirmed, however
        long ago: whether it is still good is for the verification to say. Callers who ask at the same time share one
        request.
        """
        copy = await self._copy_of(uri, accept)
        if copy is not None and self._is_young(copy, max_age_seconds):
            return self._obtained(copy, Source.CACHED)
        key = (uri, tuple(accept))
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._ask(uri, tuple(accept), copy))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        # One caller who goes away must not take the answer from the others.
        return await asyncio.shield(flight)

    async def renew(self, max_age_seconds: int) -> int:
        """Ask the origin of every copy that is older than ``max_age_seconds``, one after the other.

        Read on a timer, lists tell their hosts nothing about when a credential is used (catalogue X03), and a verdict
        need not wait for them. Returns how many copies are confirmed now; a host that is down costs its own copies
        only.
        """
        confirmed = 0
        for kept in await asyncio.to_thread(lambda: list(kept_copies(self._folder))):
            found = await self.get(kept.uri, (kept.content_type,), max_age_seconds)
            confirmed += isinstance(found, Obtained) and found.source is not Source.CACHED_HOST_DOWN
        return confirmed

    def newest_issued_at(self, uri: str) -> datetime | None:
        """Return the latest ``iat`` ever accepted from ``uri``, or None."""
        seen = self._seen_of(uri)
        return seen.issued_at if seen else None

    def remember_issued_at(self, uri: str, issued_at: datetime, *, ttl_seconds: float | None = None) -> bool:
        """Remember that a list of ``issued_at`` was verified at ``uri``; durable on return, from any thread.

        Call it only after the list's signature was verified. ``ttl_seconds`` is the list's own ttl.

        Returns:
            False when a newer list was seen before: this one is rolled back and must be refused. Nothing is changed.

        Raises:
            Misconfigured: it could not be written down.
        """
        now = _Seen(issued_at=issued_at.astimezone(UTC), ttl_seconds=clamp_ttl(ttl_seconds or SHORTEST_TTL_SECONDS))
        with self._remembering:
            seen = self._seen_of(uri)
            if seen is not None and now.issued_at < seen.issued_at:
                return False
            if now != seen:
                record = {"uri": uri, "issued_at": now.issued_at.isoformat(), "ttl_seconds": now.ttl_seconds}
                self._save_seen(uri, strict_json.serialise(record))
                _keep(self._seen, uri, now)
        return True

    def discard(self, uri: str) -> None:
        """Forget the copy of ``uri``, which was found to be wrong; the next call asks the origin. ``iat`` is kept."""
        self._copies.pop(uri, None)
        self._path(uri, "copy").unlink(missing_ok=True)

    # --- asking the origin

    async def _ask(self, uri: str, accept: tuple[str, ...], copy: _Copy | None) -> Obtained | NotObtained:
        try:
            fetched = await self._fetcher.fetch(
                FetchRequest(
                    url=uri,
                    accept=accept,
                    max_bytes=MAX_BYTES,
                    max_redirects=MAX_REDIRECTS,
                    etag=copy.etag if copy else None,
                )
            )
            fresh, source = _answered(uri, fetched, copy)
        except ComityError as error:
            if copy is not None:
                return self._obtained(copy, Source.CACHED_HOST_DOWN)
            return NotObtained(code=error.code, detail=error.detail)
        try:
            await asyncio.to_thread(self._store, fresh)
        except OSError as error:  # the answer is good all the same; after a restart it is asked for again
            _log.warning("a copy could not be kept", reason=error.strerror)
        _keep(self._copies, uri, fresh)
        return self._obtained(fresh, source)

    def _obtained(self, copy: _Copy, source: Source) -> Obtained:
        return Obtained(
            body=copy.body,
            fetched_at=copy.fetched_at,
            source=source,
            newest_issued_at=self.newest_issued_at(copy.uri),
        )

    def _is_young(self, copy: _Copy, max_age_seconds: int | None) -> bool:
        if max_age_seconds is None:
            seen = self._seen_of(copy.uri)
            max_age_seconds = seen.ttl_seconds if seen else SHORTEST_TTL_SECONDS
        age = self._clock.now() - copy.fetched_at
        return timedelta(0) <= age < timedelta(seconds=max_age_seconds)

    # --- the disk

    def _path(self, uri: str, ending: str) -> Path:
        return self._folder / f"{hashlib.sha256(uri.encode()).hexdigest()}.{ending}"

    def _store(self, copy: _Copy) -> None:
        make_private_folder(self._folder)
        replace_file(self._path(copy.uri, "copy"), copy.to_bytes())

    async def _copy_of(self, uri: str, accept: Sequence[str]) -> _Copy | None:
        copy = self._copies.get(uri)
        if copy is None:
            copy = await asyncio.to_thread(self._load, uri)
            if copy is not None:
                _keep(self._copies, uri, copy)
        return copy if copy is not None and copy.content_type in accept else None

    def _load(self, uri: str) -> _Copy | None:
        """Read the copy; a damaged file is as good as none."""
        try:
            copy = _Copy.from_bytes(self._path(uri, "copy").read_bytes())
        except (OSError, Malformed, KeyError, ValueError, TypeError):
            return None
        return copy if copy.uri == uri and copy.fetched_at.tzinfo is not None else None

    def _seen_of(self, uri: str) -> _Seen | None:
        seen = self._seen.get(uri)
        if seen is None:
            seen = self._load_seen(uri)
            if seen is not None:
                _keep(self._seen, uri, seen)
        return seen

    def _load_seen(self, uri: str) -> _Seen | None:
        try:
            record = strict_json.parse_object(self._path(uri, "seen").read_bytes())
            issued_at = datetime.fromisoformat(record["issued_at"])
            return _Seen(issued_at=issued_at.astimezone(UTC), ttl_seconds=clamp_ttl(record["ttl_seconds"]))
        except FileNotFoundError:
            return None
        except (OSError, Malformed, KeyError, ValueError, TypeError):
            # To go on would mean to accept any old list.
            raise Misconfigured(Code.MISCONFIGURED, "what was seen of a status list before is not readable") from None

    def _save_seen(self, uri: str, record: bytes) -> None:
        try:
            make_private_folder(self._folder)
            replace_file(self._path(uri, "seen"), record)
        except OSError:
            raise Misconfigured(Code.MISCONFIGURED, "what was seen of a status list cannot be written down") from None


class KeptCopy(Struct, frozen=True, kw_only=True):
    """One document that a cache keeps: where it is from, when the origin last confirmed it, and its bytes."""

    uri: str
    content_type: str
    fetched_at: datetime
    body: bytes


def kept_copies(directory: Path) -> Iterator[KeptCopy]:
    """Yield what the cache under ``directory`` keeps, by file name; damaged files are left out, nothing is changed."""
    for path in sorted(directory.glob("*.copy")):
        try:
            copy = _Copy.from_bytes(path.read_bytes())
        except (OSError, Malformed, KeyError, ValueError, TypeError):
            continue
        if copy.fetched_at.tzinfo is not None:
            yield KeptCopy(uri=copy.uri, content_type=copy.content_type, fetched_at=copy.fetched_at, body=copy.body)


def _answered(uri: str, fetched: Fetched, copy: _Copy | None) -> tuple[_Copy, Source]:
    """Return what to keep of the origin's answer."""
    if fetched.status == 304 and copy is not None:
        return replace(copy, fetched_at=fetched.fetched_at), Source.REVALIDATED
    if fetched.status != 200:
        raise Unreachable(Code.UNREACHABLE, f"the host answered with status {fetched.status}")
    fresh = _Copy(
        uri=uri,
        etag=_etag(fetched),
        content_type=fetched.content_type,
        fetched_at=fetched.fetched_at,
        body=fetched.body,
    )
    return fresh, Source.FETCHED


def _etag(fetched: Fetched) -> str | None:
    """Return the answer's ETag, unless it is none that can be sent back (RFC 9110 §8.8.3, visible ASCII here)."""
    etag = fetched.headers.get("etag")
    return etag if etag is not None and etag.isascii() and etag.isprintable() and len(etag) <= MAX_ETAG else None


def _keep(table: "OrderedDict[str, Any]", key: str, value: Any) -> None:
    """Keep the most recently used few in memory; what another thread takes out meanwhile is just not kept."""
    table.pop(key, None)
    table[key] = value
    if len(table) > _IN_MEMORY:
        table.popitem(last=False)
