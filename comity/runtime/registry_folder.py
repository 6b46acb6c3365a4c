"""A registry's files: what is published (any web server or CDN serves it), and what still waits for signatures.

Layout below the registry's folder::

    root.json                      the newest root of trust, to hand out to verifiers and wallets
    settings.json                  for how many days each kind of metadata holds
    public/metadata/               timestamp.json, <n>.snapshot.json, <n>.<role>.json, <n>.root.json
    public/targets/                the documents, their names prefixed with their hash
    staged/<role>.json             metadata that lacks signatures
    keys/                          private keys (or wherever they are kept)

Every file is replaced in one step; ``timestamp.json`` is written last, so a reader sees the old state or the new one.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from comity import strict_json
from comity.errors import Code, Malformed, Misconfigured, NotFound

AnyMetadata = Metadata[Root] | Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp]

_KEPT_SNAPSHOTS = 20
_VERSIONED = re.compile(r"([1-9][0-9]*)\.([a-z][a-z0-9-]*)\.json")
_COMPACT = JSONSerializer(compact=True)


class RegistryFolder:
    """Reads and writes the files of one registry."""

    def __init__(self, path: Path) -> None:
        """Use ``path``; nothing is written yet."""
        self.path = path
        self.metadata = path / "public" / "metadata"
        self.targets = path / "public" / "targets"
        self.staged = path / "staged"

    @property
    def root_file(self) -> Path:
        """The newest root of trust, to be pinned by readers."""
        return self.path / "root.json"

    @property
    def exists(self) -> bool:
        """Whether a registry is here."""
        return (self.metadata / "1.root.json").is_file()

    def create(self, settings: dict[str, Any]) -> None:
        """Make the folders of a new registry."""
        for folder in (self.metadata, self.targets, self.staged):
            folder.mkdir(parents=True, exist_ok=True)
        self._write(self.path / "settings.json", strict_json.serialise(settings))

    def settings(self) -> dict[str, Any]:
        """Return the settings.

        Raises:
            Misconfigured: the file is missing or unreadable.
        """
        try:
            return strict_json.parse_object((self.path / "settings.json").read_bytes())
        except (OSError, Malformed):
            raise Misconfigured(Code.MISCONFIGURED, "the registry's settings.json cannot be read") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process that edits or refreshes this registry waiting."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def versions(self) -> dict[str, int]:
        """Return the newest published version of every role that has versioned files."""
        newest: dict[str, int] = {}
        for file in self.metadata.iterdir():
            match = _VERSIONED.fullmatch(file.name)
            if match:
                newest[match[2]] = max(newest.get(match[2], 0), int(match[1]))
        return newest

    def published_bytes(self, role: str, version: int | None) -> bytes:
        """Return published metadata as it was signed.

        Raises:
            NotFound: there is none.
        """
        name = f"{role}.json" if version is None else f"{version}.{role}.json"
        try:
            return (self.metadata / name).read_bytes()
        except OSError:
            raise NotFound(Code.NOT_FOUND, f"the registry has no metadata of {role}") from None

    @staticmethod
    def encoded(metadata: AnyMetadata) -> bytes:
        """Return ``metadata`` as the bytes that are published."""
        return metadata.to_bytes(_COMPACT)

    def publish(self, role: str, metadata: AnyMetadata) -> None:
        """Publish ``metadata`` and forget what was staged for it."""
        data = self.encoded(metadata)
        name = f"{role}.json" if role == Timestamp.type else f"{metadata.signed.version}.{role}.json"
        self._write(self.metadata / name, data)
        if role == Root.type:
            self._write(self.root_file, data)
        (self.staged / f"{role}.json").unlink(missing_ok=True)

    def stage(self, role: str, metadata: AnyMetadata) -> None:
        """Keep ``metadata`` until it has enough signatures."""
        self._write(self.staged / f"{role}.json", self.encoded(metadata))

    def staged_roles(self) -> dict[str, bytes]:
        """Return what waits for signatures, by role."""
        return {file.stem: file.read_bytes() for file in sorted(self.staged.glob("*.json"))}

    def write_document(self, name: str, data: bytes) -> TargetFile:
        """Write a document under its hash, where nobody sees it until a role lists it; return what to list."""
        info = TargetFile.from_data(name, data, ["sha256"])
        path = self.targets / info.get_prefixed_paths()[0]
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, data)
        return info

    def document(self, info: TargetFile) -> bytes:
        """Return a document.

        Raises:
            NotFound: its file is missing.
        """
        try:
            return (self.targets / info.get_prefixed_paths()[0]).read_bytes()
        except OSError:
            raise NotFound(Code.NOT_FOUND, f"the file of {info.path} is missing") from None

    def forget_old_snapshots(self, newest: int) -> None:
        """Delete snapshots that no reader asks for any more: a timestamp names exactly one."""
        for file in self.metadata.glob("*.snapshot.json"):
            match = _VERSIONED.fullmatch(file.name)
            if match and int(match[1]) <= newest - _KEPT_SNAPSHOTS:
                file.unlink()

    def _write(self, path: Path, data: bytes) -> None:
        """Replace ``path`` in one step; the web server may run as somebody else, so all may read it."""
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(data)
            Path(file.name).replace(path)
        except OSError:
            raise Misconfigured(Code.MISCONFIGURED, "the registry's folder cannot be written") from None


def read_root(data: bytes) -> Metadata[Root]:
    """Return root metadata.

    Raises:
        Malformed: ``registry_invalid``.
    """
    return _read(Root.type, data)


def read_targets(data: bytes) -> Metadata[Targets]:
    """Return the metadata of the federation's or of a delegated role.

    Raises:
        Malformed: ``registry_invalid``.
    """
    return _read(Targets.type, data)


def read_snapshot(data: bytes) -> Metadata[Snapshot]:
    """Return snapshot metadata.

    Raises:
        Malformed: ``registry_invalid``.
    """
    return _read(Snapshot.type, data)


def read_timestamp(data: bytes) -> Metadata[Timestamp]:
    """Return timestamp metadata.

    Raises:
        Malformed: ``registry_invalid``.
    """
    return _read(Timestamp.type, data)


def _read(type_name: str, data: bytes) -> Metadata[Any]:
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(data)
    except DeserializationError:
        raise Malformed(Code.REGISTRY_INVALID, f"a file of {type_name} is not TUF metadata") from None
    if metadata.signed.type != type_name:
        raise Malformed(Code.REGISTRY_INVALID, f"a file of {type_name} holds other metadata")
    return metadata
