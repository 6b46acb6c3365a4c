"""One update of the registry: python-tuf's client workflow, and the walk over every role that it verified.

Runs in a worker thread, because python-tuf is synchronous; its requests go through the house's asynchronous fetcher.
What python-tuf leaves open is closed here: the clock is ours, two key ids of one key count once (T02), version numbers
have an upper bound (T06), role and document names are never used before they were judged (T14).
"""

import asyncio
import concurrent.futures
import contextlib
import io
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from msgspec import Struct
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import DelegatedRole, Key, Root, TargetFile, Targets
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from comity.errors import Code, ComityError, Malformed
from comity.ports import Fetcher, FetchRequest
from comity.runtime import registry_keys
from comity.trust.documents import MAX_DOCUMENT_BYTES
from comity.trust.placement import TOP_ROLE, Alert, RoleListing, is_role_name, place, shown

MAX_METADATA_BYTES = 1 << 20
MAX_VERSION = 2_000_000_000
"""A version beyond this is refused: who steals an online key must not be able to block every later version."""

MAX_ROLES = 1024
MAX_DOCUMENTS = 2048
MAX_DEPTH = 3

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""As reference time: nothing has expired yet. Used where expiry is carried along instead of being refused."""


class VerifiedRole(Struct, frozen=True, kw_only=True):
    """A role whose signatures are verified. ``end`` is the earliest expiry on the way down to it."""

    listing: RoleListing
    signed: Targets
    end: datetime


class Collected(Struct, frozen=True, kw_only=True):
    """Everything that one verified state of the registry says.

    Attributes:
        targets: accepted documents by name.
        infos: their lengths and hashes as signed.
        versions: by document name, and those of ``timestamp``, ``snapshot`` and ``root``.
        ends: when each document's role expires.
        expires_at: when the registry's own statements expire.
        alerts: what was ignored.
        unreadable: accepted documents that were not read.
        roles: names of the delegated roles that were read, parents first, each with its parent.
    """

    targets: Mapping[str, bytes]
    infos: Mapping[str, TargetFile]
    versions: Mapping[str, int]
    ends: Mapping[str, datetime]
    expires_at: datetime
    alerts: tuple[Alert, ...]
    unreadable: frozenset[str]
    roles: tuple[tuple[str, str], ...]


class BridgingFetcher(FetcherInterface):
    """Lets python-tuf, in its thread, fetch through a :class:`comity.ports.Fetcher` on the event loop."""

    def __init__(self, fetcher: Fetcher, loop: asyncio.AbstractEventLoop, *, deadline_seconds: float) -> None:
        """Bridge to ``fetcher``, which belongs to ``loop``; all fetches together may take ``deadline_seconds``."""
        self._fetcher = fetcher
        self._loop = loop
        self._deadline = time.monotonic() + deadline_seconds

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return what ``url`` serves, at most ``max_length`` bytes."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DownloadError("the registry took too long")
        request = FetchRequest(url=url, max_bytes=max_length)
        answer = asyncio.run_coroutine_threadsafe(self._fetcher.fetch(request), self._loop)
        try:
            fetched = answer.result(timeout=left)
        except Malformed:
            raise DownloadLengthMismatchError("the registry served more than allowed") from None
        except (ComityError, concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            answer.cancel()
            raise DownloadError("the registry did not answer") from None
        if fetched.status != 200:
            raise DownloadHTTPError("the registry refused", fetched.status)
        return fetched.body

    @contextlib.contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Yield what ``url`` serves as a file."""
        yield io.BytesIO(self.download_bytes(url, max_length))

    def _fetch(self, url: str) -> Iterator[bytes]:
        yield self.download_bytes(url, MAX_METADATA_BYTES)


class RegistryUpdater(Updater):
    """python-tuf's Updater with our clock; one instance makes one update."""

    def __init__(self, base_url: str, folder: Path, fetcher: FetcherInterface, *, bootstrap: bytes, now: datetime):
        """Prepare an update from ``base_url``; ``folder`` keeps python-tuf's state between updates.

        Raises:
            RepositoryError: ``bootstrap`` is not a valid root.
            OSError: ``folder`` cannot be written.
        """
        documents = folder / "targets"
        documents.mkdir(parents=True, exist_ok=True)
        metadata = folder / "metadata"
        metadata.mkdir(exist_ok=True)
        config = UpdaterConfig(
            root_max_length=MAX_METADATA_BYTES,
            timestamp_max_length=1 << 14,
            snapshot_max_length=MAX_METADATA_BYTES,
            targets_max_length=MAX_METADATA_BYTES,
        )
        base = base_url.rstrip("/")
        super().__init__(
            str(metadata), f"{base}/metadata/", str(documents), f"{base}/targets/", fetcher, config, bootstrap=bootstrap
        )
        self._trusted_set.reference_time = now

    def collect(self) -> Collected:
        """Update, and return everything that the registry now says.

        Raises:
            RepositoryError: what was served does not verify. Nothing of it is used.
            DownloadError: something could not be downloaded.
            OSError: the state could not be written.
        """
        self.refresh()
        require_distinct_keys(self._trusted_set.root)
        # From here expiry is carried along: one jurisdiction that is late must not stop the others.
        self._trusted_set.reference_time = BEGINNING
        trusted = self._trusted_set
        roles, alerts = walk(trusted.targets, self._load_targets)
        ends = (trusted.root.expires, trusted.timestamp.expires, trusted.snapshot.expires, trusted.targets.expires)
        versions = {
            "root": trusted.root.version,
            "timestamp": trusted.timestamp.version,
            "snapshot": trusted.snapshot.version,
        }
        return collect(roles, alerts, self._document, expires_at=min(ends), versions=versions)

    def metadata_bytes(self, role: str) -> bytes:
        """Return the metadata of ``role`` in use, as it was signed."""
        return self._load_local_metadata(role)

    def root_bytes(self) -> tuple[bytes, ...]:
        """Return the roots from the pinned one to the newest, as they were signed."""
        history = Path(self._dir, "root_history")
        newest = self._trusted_set.root.version
        return tuple(
            (history / f"{version}.root.json").read_bytes()
            for version in range(1, newest + 1)
            if (history / f"{version}.root.json").is_file()
        )

    def _persist_metadata(self, rolename: str, data: bytes) -> None:
        """Keep verified metadata, unless its version is one that nobody could follow."""
        if self._trusted_set[rolename].version > MAX_VERSION:
            raise RepositoryError(f"the version of {rolename} is beyond all bounds")
        super()._persist_metadata(rolename, data)

    def _document(self, info: TargetFile) -> bytes:
        path = self.find_cached_target(info) or self.download_target(info)
        data = Path(path).read_bytes()
        info.verify_length_and_hashes(data)
        return data


def walk(top: Targets, load: Callable[[str, str], Targets]) -> tuple[tuple[VerifiedRole, ...], tuple[Alert, ...]]:
    """Return every role reachable from ``top``, parents first, siblings in the order of their delegation.

    ``load(role, parent)`` returns verified metadata. A role that the federation itself delegates must load, or the
    whole state is refused. A role further down that does not verify is left out with an alert: one member's mistake
    must not stop the others. A file that is not the one the snapshot names is always refused: that is the host's doing.

    Raises:
        RepositoryError: as above.
        DownloadError: as ``load`` does.
    """
    first = VerifiedRole(
        listing=RoleListing(name=TOP_ROLE, parent=None, paths=(), documents=tuple(top.targets)),
        signed=top,
        end=datetime.max.replace(tzinfo=UTC),
    )
    roles, alerts = [first], list[Alert]()
    names, waiting = {TOP_ROLE}, deque([(first, 1)])
    while waiting:
        parent, depth = waiting.popleft()
        for delegated in _delegations(parent.signed):
            problem = _refusal(delegated, names, depth, len(roles))
            role = problem or _loaded(delegated, parent, load)
            if isinstance(role, str):
                alerts.append(_ignored(delegated.name, role))
                continue
            names.add(delegated.name)
            roles.append(role)
            waiting.append((role, depth + 1))
    return tuple(roles), tuple(alerts)


def collect(
    roles: tuple[VerifiedRole, ...],
    alerts: tuple[Alert, ...],
    read: Callable[[TargetFile], bytes],
    *,
    expires_at: datetime,
    versions: Mapping[str, int],
) -> Collected:
    """Return the documents that ``roles`` may list, each read through ``read``, which verifies length and hashes."""
    placement = place([role.listing for role in roles])
    by_name = {role.listing.name: role for role in roles}
    found: dict[str, bytes] = {}
    infos: dict[str, TargetFile] = {}
    too_much: list[Alert] = []
    for document, owner in placement.owners.items():
        info = by_name[owner].signed.targets[document]
        if info.length > MAX_DOCUMENT_BYTES or len(found) >= MAX_DOCUMENTS:
            detail = "It is larger than any document may be, or one too many; it is left out."
            too_much.append(Alert(code=Code.TOO_LARGE, document=shown(document), detail=detail))
            continue
        found[document], infos[document] = read(info), info
    return Collected(
        targets=found,
        infos=infos,
        versions={**{name: by_name[owner].signed.version for name, owner in placement.owners.items()}, **versions},
        ends={name: by_name[owner].end for name, owner in placement.owners.items() if owner != TOP_ROLE},
        expires_at=expires_at,
        alerts=(*alerts, *placement.alerts, *too_much),
        unreadable=frozenset(placement.owners) - frozenset(found),
        roles=tuple((role.listing.name, role.listing.parent) for role in roles if role.listing.parent is not None),
    )


def require_distinct_keys(root: Root) -> None:
    """Refuse a root in which two key ids of one role are the same key (T02).

    Raises:
        RepositoryError: a role's threshold could be met with fewer keys than it says.
    """
    for name, role in root.roles.items():
        if _has_repeated_key(role.keyids, root.keys):
            raise RepositoryError(f"{name} lists one key under two ids")


def _delegations(signed: Targets) -> Iterator[DelegatedRole]:
    if signed.delegations is not None and signed.delegations.roles is not None:
        yield from signed.delegations.roles.values()


def _refusal(delegated: DelegatedRole, names: set[str], depth: int, count: int) -> str | None:
    """Return why a delegation is not followed, or None."""
    if not is_role_name(delegated.name):
        return "its name is not a name of a role here"
    if delegated.name in names:
        return "another role already has its name"
    if not delegated.paths or not delegated.terminating:
        return "it is not limited to paths, or not final"
    return "there are too many roles, or too many levels of them" if depth > MAX_DEPTH or count >= MAX_ROLES else None


def _loaded(delegated: DelegatedRole, parent: VerifiedRole, load: Callable[[str, str], Targets]) -> VerifiedRole | str:
    """Return the verified role, or why it is left out."""
    delegations = parent.signed.delegations
    keys = delegations.keys if delegations else {}
    try:
        if _has_repeated_key(delegated.keyids, keys):
            raise RepositoryError("it lists one key under two ids")
        signed = load(delegated.name, parent.listing.name)
    except LengthOrHashMismatchError:
        raise
    except RepositoryError:
        if parent.listing.name == TOP_ROLE:
            raise
        return "it is not signed as its delegation demands"
    return VerifiedRole(
        listing=RoleListing(
            name=delegated.name,
            parent=parent.listing.name,
            paths=tuple(delegated.paths or ()),
            documents=tuple(signed.targets),
        ),
        signed=signed,
        end=min(parent.end, signed.expires),
    )


def _has_repeated_key(keyids: list[str], keys: Mapping[str, Key]) -> bool:
    """Say whether two of ``keyids`` stand for the same key."""
    material = [registry_keys.material(keys[keyid]) for keyid in keyids if keyid in keys]
    return len(set(material)) != len(material)


def _ignored(name: str, why: str) -> Alert:
    detail = f"The role is left out with what it lists: {why}."
    return Alert(code=Code.REGISTRY_INVALID, document=shown(name), detail=detail)
