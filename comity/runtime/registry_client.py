"""The registry as a service sees it: refreshed on a timer, kept on disk, the last good state when the host is down.

A presentation never causes a request here. What was once verified stays usable, host or no host, until it expires; an
update that does not verify changes nothing and is told through :attr:`RegistryClient.last_error` and the log.
"""

import asyncio
import base64
import binascii
import contextlib
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, TargetFile, Targets
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from comity import strict_json
from comity.errors import Code, ComityError, Malformed, Misconfigured, Unreachable
from comity.ports import Clock, Fetcher
from comity.runtime.files import Occupied, alone_in
from comity.runtime.registry_updater import (
    BEGINNING,
    BridgingFetcher,
    Collected,
    RegistryUpdater,
    collect,
    require_distinct_keys,
    walk,
)
from comity.trust.snapshot import RegistrySnapshot

_log = logging.getLogger(__name__)

_LAST_GOOD = "last-good.json"
_MAX_KEPT_BYTES = 64 << 20
_KEEP_EVERY = timedelta(minutes=10)
"""How often the time of confirmation is written when nothing else changed."""


class RegistryClient:
    """Reads one registry. One instance per process and cache folder; processes that share the folder take turns."""

    def __init__(
        self,
        url: str,
        root_file: Path | None,
        cache_dir: Path,
        fetcher: Fetcher,
        clock: Clock,
        *,
        mirrors: Sequence[str] = (),
        deadline_seconds: float = 20.0,
    ) -> None:
        """Prepare; nothing is fetched and nothing written yet.

        Args:
            url: where the registry is published; ``metadata/`` and ``targets/`` lie below it.
            root_file: the pinned root of trust, as it was handed over out of band.
            cache_dir: a folder for clients of this registry alone.
            fetcher: sends the requests.
            clock: judges expiry.
            mirrors: further places of the same registry, tried in order when the first does not serve it well.
            deadline_seconds: for one update from one place.

        Raises:
            Misconfigured: no registry, no root, or a root that is none. Without a registry nobody is trusted.
        """
        if not url or root_file is None:
            raise Misconfigured(Code.MISCONFIGURED, "no trust registry is configured (address and root file)")
        try:
            self._bootstrap = root_file.read_bytes()
            self._trusted_root()
        except OSError:
            raise Misconfigured(Code.MISCONFIGURED, "the registry's root file cannot be read") from None
        except RepositoryError:
            raise Misconfigured(Code.MISCONFIGURED, "the registry's root file is not a signed root") from None
        self._urls = (url, *mirrors)
        self._cache_dir = cache_dir
        self._fetcher = fetcher
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._lock = asyncio.Lock()
        self._snapshot: RegistrySnapshot | None = None
        self._kept_at = BEGINNING
        self._last_error: ComityError | None = None

    @property
    def last_error(self) -> ComityError | None:
        """Why the latest :meth:`refresh` did not confirm the state; None when it did."""
        return self._last_error

    def snapshot(self) -> RegistrySnapshot:
        """Return the last good state: from memory, else from disk. It may have expired; decisions then say so.

        Raises:
            Unreachable: ``registry_unavailable``, the registry has never been seen.
        """
        if self._snapshot is None:
            self._snapshot = self._from_disk()
        if self._snapshot is None:
            raise Unreachable(Code.REGISTRY_UNAVAILABLE, "the trust registry has not been reached yet")
        return self._snapshot

    async def refresh(self) -> RegistrySnapshot:
        """Update and return the state; the last good one when that fails (see :attr:`last_error`).

        Raises:
            Unreachable: ``registry_unavailable``, and nothing was ever seen.
            Malformed: ``registry_invalid``, ``registry_rollback`` or ``registry_expired``, and nothing was ever seen.
            Misconfigured: the cache folder cannot be written.
        """
        async with self._lock:
            with contextlib.suppress(Unreachable):
                self.snapshot()  # what is on disk guards against going back
            self._last_error = await self._try_each()
            if self._last_error is None or self._snapshot is not None:
                return self.snapshot()
            raise self._last_error

    async def _try_each(self) -> ComityError | None:
        """Update from the first place that serves the registry well; return the first failure when none does."""
        failure: ComityError | None = None
        loop = asyncio.get_running_loop()
        for url in self._urls:
            try:
                self._snapshot = await asyncio.to_thread(self._update, url, loop)
            except Misconfigured:
                raise
            except ComityError as error:
                _log.warning("registry not updated: %s (%s)", error.code, error.detail)
                failure = failure or error
            else:
                return None
        return failure

    def _update(self, url: str, loop: asyncio.AbstractEventLoop) -> RegistrySnapshot:
        """Update from ``url`` (in a worker thread)."""
        now = self._clock.now()
        try:
            # python-tuf expects a folder for itself alone; other workers and ``comity verify`` use the same one.
            with alone_in(self._cache_dir, patience=self._deadline_seconds):
                bridge = BridgingFetcher(self._fetcher, loop, deadline_seconds=self._deadline_seconds)
                updater = RegistryUpdater(url, self._cache_dir, bridge, bootstrap=self._bootstrap, now=now)
                collected = updater.collect()
                snapshot = self._accepted(collected, now)
                self._keep(updater, collected, snapshot)
        except Occupied:
            raise Unreachable(Code.REGISTRY_UNAVAILABLE, "another process is still waiting for the registry") from None
        except OSError:
            raise Misconfigured(Code.MISCONFIGURED, "the registry's cache folder cannot be written") from None
        except (RepositoryError, DownloadError) as error:
            raise _as_ours(error) from None
        return snapshot

    def _accepted(self, collected: Collected, now: datetime) -> RegistrySnapshot:
        """Return the new state, compared with the one in memory (profile TR-3)."""
        known = self._snapshot
        if known is not None:
            if collected.versions["root"] < known.root_version:
                raise BadVersionNumberError("the root went back")
            if collected.versions["root"] == known.root_version:
                if collected.versions["timestamp"] < known.versions["timestamp"]:
                    raise BadVersionNumberError("the timestamp went back")
                if collected.versions["timestamp"] == known.versions["timestamp"]:
                    return replace(known, fetched_at=now)
        return _snapshot_of(collected, now)

    def _trusted_root(self) -> TrustedMetadataSet:
        """Return a set that trusts the pinned root and nothing else yet; nothing in it expires."""
        trusted = TrustedMetadataSet(self._bootstrap, EnvelopeType.METADATA)
        trusted.reference_time = BEGINNING
        require_distinct_keys(trusted.root)
        return trusted

    def _keep(self, updater: RegistryUpdater, collected: Collected, snapshot: RegistrySnapshot) -> None:
        """Write the state to disk, whole or not at all, so that it can be used with the host down."""
        unchanged = self._snapshot is not None and self._snapshot.targets is snapshot.targets
        if unchanged and snapshot.fetched_at - self._kept_at < _KEEP_EVERY:
            return
        kept = {
            "fetched_at": snapshot.fetched_at.isoformat(),
            "roots": [_text(data) for data in updater.root_bytes()],
            "timestamp": _text(updater.metadata_bytes("timestamp")),
            "snapshot": _text(updater.metadata_bytes("snapshot")),
            "targets": _text(updater.metadata_bytes("targets")),
            "roles": {role: _text(updater.metadata_bytes(role)) for role, _ in collected.roles},
            "documents": {name: _text(data) for name, data in collected.targets.items()},
        }
        _write_whole(self._cache_dir / _LAST_GOOD, strict_json.serialise(kept))
        self._kept_at = snapshot.fetched_at

    def _from_disk(self) -> RegistrySnapshot | None:
        """Return the state kept on disk, verified again from the pinned root, or None.

        Its expiry is carried along, not refused: an expired registry is known to be one.
        """
        try:
            content = (self._cache_dir / _LAST_GOOD).read_bytes()
        except OSError:
            return None
        try:
            return _verified(_Kept.parse(content), self._trusted_root())
        except (Malformed, RepositoryError) as error:
            _log.warning("the registry kept on disk does not verify and is not used: %s", type(error).__name__)
            return None


class _Kept(Struct, frozen=True, kw_only=True):
    """What :meth:`RegistryClient._keep` wrote."""

    fetched_at: datetime
    roots: tuple[bytes, ...]
    timestamp: bytes
    snapshot: bytes
    targets: bytes
    roles: dict[str, bytes]
    documents: dict[str, bytes]

    @classmethod
    def parse(cls, content: bytes) -> "_Kept":
        """Return the kept state.

        Raises:
            Malformed: the file is not one of ours.
        """
        value = strict_json.parse_object(content, max_bytes=_MAX_KEPT_BYTES)
        try:
            return cls(
                fetched_at=datetime.fromisoformat(value["fetched_at"]).astimezone(UTC),
                roots=tuple(_bytes(each) for each in value["roots"]),
                timestamp=_bytes(value["timestamp"]),
                snapshot=_bytes(value["snapshot"]),
                targets=_bytes(value["targets"]),
                roles={name: _bytes(each) for name, each in value["roles"].items()},
                documents={name: _bytes(each) for name, each in value["documents"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise Malformed(Code.REGISTRY_INVALID, "the registry's cache file is not readable") from None


def _verified(kept: _Kept, trusted: TrustedMetadataSet) -> RegistrySnapshot:
    """Return the snapshot over a kept state, every signature and hash verified (TUF §5.3 to §5.6, without expiry)."""
    for data in kept.roots:
        if Metadata[Root].from_bytes(data).signed.version > trusted.root.version:
            trusted.update_root(data)
    trusted.update_timestamp(kept.timestamp)
    trusted.update_snapshot(kept.snapshot)
    top = trusted.update_targets(kept.targets)
    require_distinct_keys(trusted.root)

    def load(role: str, parent: str) -> Targets:
        if role not in kept.roles:
            raise RepositoryError(f"{role} was not kept")
        return trusted.update_delegated_targets(kept.roles[role], role, parent)

    def read(info: TargetFile) -> bytes:
        if info.path not in kept.documents:
            raise RepositoryError(f"{info.path} was not kept")
        info.verify_length_and_hashes(kept.documents[info.path])
        return kept.documents[info.path]

    roles, alerts = walk(top, load)
    ends = (trusted.root.expires, trusted.timestamp.expires, trusted.snapshot.expires, top.expires)
    versions = {
        "root": trusted.root.version,
        "timestamp": trusted.timestamp.version,
        "snapshot": trusted.snapshot.version,
    }
    return _snapshot_of(collect(roles, alerts, read, expires_at=min(ends), versions=versions), kept.fetched_at)


def _snapshot_of(collected: Collected, fetched_at: datetime) -> RegistrySnapshot:
    return RegistrySnapshot.from_targets(
        collected.targets,
        versions=collected.versions,
        ends=collected.ends,
        fetched_at=fetched_at,
        expires_at=collected.expires_at,
        root_version=collected.versions["root"],
        alerts=collected.alerts,
        unreadable=collected.unreadable,
    )


def _as_ours(error: RepositoryError | DownloadError) -> ComityError:
    """Return what python-tuf said as an error of the house."""
    if isinstance(error, DownloadLengthMismatchError):
        return Malformed(Code.REGISTRY_INVALID, "the registry serves more than it may")
    if isinstance(error, DownloadError):
        return Unreachable(Code.REGISTRY_UNAVAILABLE, "the trust registry does not answer")
    if isinstance(error, BadVersionNumberError):
        return Malformed(Code.REGISTRY_ROLLBACK, "the registry offers a version older than one seen before")
    if isinstance(error, ExpiredMetadataError):
        return Malformed(Code.REGISTRY_EXPIRED, "what the registry serves has expired")
    return Malformed(Code.REGISTRY_INVALID, "what the registry serves is not signed as its root demands")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _write_whole(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step that survives a crash."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
