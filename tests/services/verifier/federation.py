"""A federation around the verifier under test: authorities, a real signed registry, status lists, all in process."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from comity import formats
from comity.credential import Credential, CredentialType, Format, SignedCredential
from comity.errors import Code, Unreachable
from comity.keys import KeySigner
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.runtime.clock import FixedClock
from comity.runtime.registry_repository import RegistryRepository
from comity.trust import authoring
from tests.support.world import NOW, Authority

REGISTRY_URL = "https://registry.example"
PERSON, LICENCE, IDENTIFICATION, HEALTH, SERVER = (
    CredentialType(slug=slug, version=1)
    for slug in ("person", "drivers-licence", "identification-card", "health-card", "serving-it-right")
)
TYPES = ("person/1", "drivers-licence/1", "identification-card/1", "health-card/1", "serving-it-right/1")
CANARY = "Zyxwvut-Canari-Éclair"
_NAME = {"given_names": "Maya", "family_name": CANARY}
_AGES = {"birthdate": "2008-03-14", "age_over_18": True, "age_over_19": False, "age_over_21": False}
CLAIMS: Mapping[CredentialType, Mapping[str, Any]] = {
    PERSON: {**_NAME, **_AGES, "region": "ON", "locality": "Toronto", "address_verified": False},
    LICENCE: {
        **_NAME,
        **_AGES,
        "licence_number": "DEMO-1234",
        "class": "G2",
        "issued_on": "2026-01-05",
        "expires_on": "2026-11-23",
    },
    IDENTIFICATION: {**_NAME, **_AGES, "card_number": "DEMO-77", "community": "Toronto"},
    HEALTH: {
        **_NAME,
        "coverage_number": "DEMO-9",
        "eligible_since": "2020-01-01",
        "resident_region": "ON",
        "address_verified": True,
    },
    SERVER: {
        **_NAME,
        "certification_number": "DEMO-55",
        "completed_on": "2024-02-01",
        "expires_on": "2026-11-23",
    },
}


class Federation:
    """Ontario and British Columbia, members; everything a verifier can fetch from them."""

    def __init__(self) -> None:
        self.on = Authority("ca-on/services", types=TYPES)
        self.bc = Authority("ca-bc/services", types=TYPES)
        self.stranger = Authority("ca-ns/services", base="https://stranger.example", types=TYPES)

    def edits(self) -> list[dict[str, Any]]:
        """What makes an empty registry into this federation."""
        found: list[dict[str, Any]] = [dict(authoring.type_edit(each)) for each in TYPES]
        for authority in (self.on, self.bc):
            place, entry = authority.jurisdiction, authority.registry_entry()
            name = {"en": place, "fr": place}
            entry.pop("accreditations")
            found += [
                {"edit": "member", "id": place, "name": name, "level": "province", "since": "2026-01-01"},
                {"edit": "delegation", "to": place, "types": list(TYPES)},
                {"edit": "issuer", **entry, "types": list(TYPES), "since": "2026-01-01"},
            ]
        return found

    def write_registry(self, path: Path) -> RegistryRepository:
        """Sign and publish the registry in a new folder."""
        made = RegistryRepository.create(path, FixedClock(NOW), name_en="Demo", name_fr="Démo")
        made.apply(self.edits())
        return made

    def documents(self) -> dict[str, bytes]:
        """Return every list and DID document by its address."""
        found: dict[str, bytes] = {}
        for authority in (self.on, self.bc, self.stranger):
            found[authority.document_url] = authority.document
            found[authority.list_uri()] = authority.token_list().encode()
            for purpose in ("revocation", "suspension"):
                found[authority.list_uri(purpose)] = authority.bitstring_list(purpose).encode()
        return found

    def issue(
        self,
        authority: Authority,
        credential_type: CredentialType,
        holder: KeySigner,
        *,
        kind: Format = Format.DC_SD_JWT,
        index: int = 7,
        **claims: Any,
    ) -> SignedCredential:
        """Return a signed credential; ``claims`` replaces what it says."""
        stated = {**CLAIMS[credential_type], **claims}
        by_certificate = kind is Format.DC_SD_JWT
        credential = Credential(
            issuer=authority.issuer_id if by_certificate else authority.did,
            type=credential_type,
            claims=stated,
            disclosable=frozenset(stated),
            holder_jwk=holder.public_jwk,
            issued_at=NOW - timedelta(days=10),
            valid_from=NOW - timedelta(days=10),
            valid_until=NOW + timedelta(days=365),
            status=authority.status_entries(kind, index),
        )
        return formats.FORMATS[kind].sign(
            credential,
            authority.key if by_certificate else authority.did_key,
            authority.x5c if by_certificate else authority.kid,
        )


class Network(Fetcher):
    """Answers what the verifier fetches: the registry from its folder, documents from a table.

    Attributes:
        documents: bodies by address.
        registry_down: whether the registry answers nothing.
        asked: every address asked for beside the registry, in order.
        gate: awaited before every document.
    """

    def __init__(self, public: Path, documents: Mapping[str, bytes]) -> None:
        self.public = public
        self.documents = dict(documents)
        self.registry_down = False
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, request: FetchRequest) -> Fetched:
        if request.url.startswith(REGISTRY_URL):
            return self._registry(request)
        self.asked.append(request.url)
        await self.gate.wait()
        if request.url not in self.documents:
            raise Unreachable(Code.UNREACHABLE, "nobody is there")
        return _fetched(request, 200, self.documents[request.url])

    def _registry(self, request: FetchRequest) -> Fetched:
        path = self.public / request.url.removeprefix(REGISTRY_URL).lstrip("/")
        if self.registry_down:
            raise Unreachable(Code.UNREACHABLE, "nobody is there")
        return _fetched(request, 200, path.read_bytes()) if path.is_file() else _fetched(request, 404, b"")


def _fetched(request: FetchRequest, status: int, body: bytes) -> Fetched:
    kind = request.accept[0] if request.accept else ""
    return Fetched(url=request.url, status=status, content_type=kind, body=body, headers={}, fetched_at=NOW)
