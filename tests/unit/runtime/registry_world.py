"""A registry on disk, a host that serves it (or lies), and a forger who holds some of its keys."""

import asyncio
import stat
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Targets

from comity.credential import CredentialType
from comity.errors import Code, ComityError, Malformed, Unreachable
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.runtime.clock import FixedClock
from comity.runtime.registry_client import RegistryClient
from comity.runtime.registry_folder import AnyMetadata, RegistryFolder, read_root, read_targets, read_timestamp
from comity.runtime.registry_repository import RegistryRepository
from comity.trust.snapshot import RegistrySnapshot

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "http://localhost:8104"
ONTARIO_DID = "did:web:issuer.example:ca-on:services"
TORONTO_DID = "did:web:issuer.example:ca-on:toronto:services"
BC_DID = "did:web:issuer.example:ca-bc:services"
TYPES = ["person/1"]
PERSON = CredentialType(slug="person", version=1)
TIMESTAMP = "metadata/timestamp.json"


def named(text: str) -> dict[str, str]:
    return {"en": text, "fr": text}


def member_edits(jurisdiction: str, level: str = "province") -> list[dict[str, Any]]:
    authority = f"{jurisdiction}/services"
    did = "did:web:issuer.example:" + authority.replace("/", ":")
    identifier = {"format": "vc+jwt", "id": did, "mechanism": "did", "key_thumbprints": ["A" * 43]}
    return [
        {"edit": "member", "id": jurisdiction, "name": named(jurisdiction), "level": level, "since": "2026-01-01"},
        {"edit": "delegation", "to": jurisdiction, "types": TYPES},
        {
            "edit": "issuer",
            "authority": authority,
            "name": named(authority),
            "identifiers": [identifier],
            "types": TYPES,
            "since": "2026-01-01",
        },
    ]


FEDERATION_EDITS: list[dict[str, Any]] = [
    {"edit": "type", "id": "person/1", "vct": "https://types.comity.example/person/1", "digest": "0" * 64},
    *member_edits("ca-on"),
    *member_edits("ca-bc"),
    *member_edits("ca-on/toronto", "municipality"),
]

WITHDRAWAL = {
    "edit": "withdraw",
    "authority": "ca-on/services",
    "on": "2026-11-23",
    "effect": "lose",
    "reason": "mandate_ended",
}


class Host(Fetcher):
    """Serves a published folder; ``lies`` replaces the answer for a path, ``down`` answers nothing."""

    def __init__(self, public: Path) -> None:
        self.public = public
        self.down = False
        self.lies: dict[str, bytes | int | ComityError] = {}
        self.delay: dict[str, float] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[str] = []

    async def fetch(self, request: FetchRequest) -> Fetched:
        path = request.url.removeprefix(URL).removeprefix("/")
        self.asked.append(path)
        await self.gate.wait()
        await asyncio.sleep(self.delay.get(path, 0))
        if self.down:
            raise Unreachable(Code.UNREACHABLE, "nobody is there")
        answer: bytes | int | ComityError = self.lies.get(path, 404)
        if path not in self.lies and (self.public / path).is_file():
            answer = (self.public / path).read_bytes()
        if isinstance(answer, ComityError):
            raise answer
        body, status = (b"", answer) if isinstance(answer, int) else (answer, 200)
        if len(body) > request.max_bytes:
            raise Malformed(Code.TOO_LARGE, "too large")
        return Fetched(url=request.url, status=status, content_type="", body=body, headers={}, fetched_at=NOW)


def _made(path: Path, clock: FixedClock, **arguments: Any) -> RegistryRepository:
    made = RegistryRepository.create(path, clock, name_en="Demo", name_fr="Démo", **arguments)
    made.apply(FEDERATION_EDITS)
    return made


@cache
def _template() -> dict[str, tuple[int, bytes]]:
    """Return the files of one registry, made once for every test that does not ask for a special one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry"
        _made(path, FixedClock(NOW))
        return {
            each.relative_to(path).as_posix(): (each.stat().st_mode, each.read_bytes() if each.is_file() else b"")
            for each in sorted(path.rglob("*"))
        }


def _unpack(path: Path) -> None:
    path.mkdir(parents=True)
    for name, (mode, content) in _template().items():
        if stat.S_ISDIR(mode):
            (path / name).mkdir()
        else:
            (path / name).write_bytes(content)
        (path / name).chmod(stat.S_IMODE(mode))


class World:
    """Everything around one registry."""

    def __init__(self, folder: Path, **arguments: Any) -> None:
        self.path = folder / "registry"
        self.cache = folder / "cache"
        self.clock = FixedClock(NOW)
        self.repository = RegistryRepository.create(self.path, self.clock, name_en="Demo", name_fr="Démo", **arguments)
        self.repository.apply(FEDERATION_EDITS)
        self.pinned = folder / "pinned.json"
        self.pinned.write_bytes(self.repository.root_file.read_bytes())
        self.host = Host(self.repository.public_folder)
        self.files = RegistryFolder(self.path)

    def client(self, cache: Path | None = None, **arguments: Any) -> RegistryClient:
        return RegistryClient(URL, self.pinned, cache or self.cache, self.host, self.clock, **arguments)

    def published(self, path: str) -> bytes:
        return (self.repository.public_folder / path).read_bytes()

    def newest(self, role: str) -> str:
        """Return the path of the newest published metadata of ``role``."""
        return f"metadata/{self.files.versions()[role]}.{role}.json"

    # --- the forger

    def signers(self, role: str) -> list[CryptoSigner]:
        """Return the keys of a role, as somebody who stole them would use them."""
        state = self.repository._state()
        return self.repository._keys.signers(role, state.keys(role))

    def forge(
        self,
        role: str,
        change: Callable[[Targets], object],
        *,
        signers: Iterable[CryptoSigner] | None = None,
        announce: bool = True,
    ) -> Metadata[Targets]:
        """Publish a changed version of a role, signed with its own keys (or ``signers``), as the role could itself."""
        version = self.files.versions()[role]
        metadata = read_targets(self.files.published_bytes(role, version))
        change(metadata.signed)
        metadata.signed.version = version + 1
        metadata.signatures.clear()
        for signer in self.signers(role) if signers is None else signers:
            metadata.sign(signer, append=True)
        self.files.publish(role, metadata)
        if announce:
            self.announce()
        return metadata

    def announce(self) -> None:
        """Sign snapshot and timestamp over whatever lies there."""
        assert self.repository._publish_online()

    def forged_root(self, change: Callable[[Any], object], signers: Iterable[CryptoSigner]) -> bytes:
        """Return a next root, changed, signed by ``signers``."""
        metadata = read_root(self.repository.root_file.read_bytes())
        metadata.signed.version += 1
        change(metadata.signed)
        return self.signed(metadata, signers)

    def forged_timestamp(self, change: Callable[[Any], object], signers: Iterable[CryptoSigner]) -> bytes:
        metadata = read_timestamp(self.published("metadata/timestamp.json"))
        change(metadata.signed)
        return self.signed(metadata, signers)

    @staticmethod
    def signed(metadata: AnyMetadata, signers: Iterable[CryptoSigner]) -> bytes:
        metadata.signatures.clear()
        for signer in signers:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()


def stranger() -> CryptoSigner:
    return CryptoSigner.generate_ed25519()


async def refused(client: RegistryClient, code: Code, before: RegistrySnapshot) -> None:
    """Expect that a refresh changes nothing and says why."""
    assert await client.refresh() is before
    assert client.last_error is not None
    assert client.last_error.code is code


def is_known(snapshot: RegistrySnapshot, did: str) -> bool:
    return snapshot.find_issuer(did, "vc+jwt") is not None


LONG_AGO = NOW - timedelta(days=30)
