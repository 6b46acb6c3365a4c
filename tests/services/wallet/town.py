"""A town in one process: a real issuer, status host, registry, verifier, and the wallet under test, without sockets."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

import issuer.app
import issuer.keyring
import schemas
import verifier.app
import verifier.deployment
import wallet.app
from comity.credential import CredentialType
from comity.runtime.clock import FixedClock
from comity.runtime.registry_host import RegistryHost
from comity.runtime.registry_repository import RegistryRepository
from issuer import operators
from issuer.operators import Role
from issuer.settings import IssuerSettings
from issuer.status_host import StatusHost
from tests.support.in_process import InProcess
from verifier import identity, policies, relying_parties
from verifier.keyring import keys_of
from verifier.settings import VerifierSettings
from wallet.deployment import Deployment
from wallet.settings import WalletSettings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ISSUER, WALLET, VERIFIER = "http://localhost:8101", "http://localhost:8102", "http://localhost:8103"
REGISTRY, STATUS = "http://localhost:8104", "http://localhost:8105"
ON, BC, STRANGER = "ca-on/services", "ca-bc/services", "ca-pe/nobody"
CANARY = "Zyxwvut-Canari-Éclair"
PASSPHRASE = "a long enough passphrase"
PERSON: dict[str, Any] = {
    "given_names": "Maya",
    "family_name": CANARY,
    "birthdate": "2000-03-14",
    "age_over_18": True,
    "age_over_19": True,
    "age_over_21": True,
    "address_verified": False,
}
LICENCE: dict[str, Any] = {
    "licence_number": "DEMO-1234",
    "class": "G2",
    "given_names": "Maya",
    "family_name": CANARY,
    "birthdate": "2000-03-14",
    "issued_on": "2026-01-05",
    "expires_on": "2031-01-05",
    "age_over_18": True,
    "age_over_19": True,
    "age_over_21": True,
}
HEALTH: dict[str, Any] = {
    "family_name": CANARY,
    "coverage_number": "DEMO-7",
    "eligible_since": "2026-01-05",
    "resident_region": "BC",
    "address_verified": True,
}
SERVER: dict[str, Any] = {
    "certification_number": "DEMO-9",
    "family_name": CANARY,
    "completed_on": "2026-01-05",
    "expires_on": "2031-01-05",
}
CLAIMS = {"person/1": PERSON, "drivers-licence/1": LICENCE, "health-card/1": HEALTH, "serving-it-right/1": SERVER}
ACCREDITED = {ON: ["person/1", "drivers-licence/1"], BC: ["person/1", "serving-it-right/1"]}
AUTHORITIES: list[dict[str, Any]] = [
    {
        "authority": ON,
        "jurisdiction": "ca-on",
        "name": {"en": "ServiceOntario (DEMO)", "fr": "ServiceOntario (DÉMO)"},
        "types": ["person/1", "drivers-licence/1", "health-card/1"],
        "source": {"people": "people.json"},
    },
    {
        "authority": BC,
        "jurisdiction": "ca-bc",
        "name": {"en": "Service BC (DEMO)", "fr": "Service C.-B. (DÉMO)"},
        "types": ["person/1", "serving-it-right/1"],
    },
    {
        "authority": STRANGER,
        "jurisdiction": "ca-pe",
        "name": {"en": "Nobody (DEMO)", "fr": "Personne (DÉMO)"},
        "types": ["person/1"],
    },
]


@dataclass
class Ground:
    """A folder in which everybody's keys, the registry and all data lie."""

    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)
    databases: Mapping[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Let each party make its keys, and write the registry."""
        self.folder.mkdir(parents=True)
        (self.folder / "authorities.json").write_text(json.dumps(AUTHORITIES), "utf-8")
        people = {"file-7": {"person": PERSON, "drivers-licence": LICENCE}}
        (self.folder / "people.json").write_text(json.dumps(people), "utf-8")
        (self.folder / "pepper").write_bytes(bytes(range(32)))
        self.tokens["operator"] = operators.add(
            self.folder / "operators.json", name="desk", role=Role.ADMIN, authorities=("*",)
        )
        self.tokens["party"] = relying_parties.add(self.folder / "parties.json", "counter")
        clock = FixedClock(NOW)
        issuer.keyring.create_missing_keys(self.issuer_settings(), NOW)
        identity.create(keys_of(self.verifier_settings()), VERIFIER, clock)
        RegistryRepository.create(
            self.folder / "registry",
            clock,
            keys=self.folder / "registry-keys",
            name_en="Registry (DEMO)",
            name_fr="Registre (DÉMO)",
        )
        self.apply(self._first_edits())

    @property
    def registry(self) -> RegistryRepository:
        return RegistryRepository(self.folder / "registry", FixedClock(NOW), keys=self.folder / "registry-keys")

    def apply(self, edits: list[dict[str, Any]]) -> None:
        """Edit the registry as its operator would."""
        self.registry.apply(edits)

    def verifier_entry(self, **changes: Any) -> dict[str, Any]:
        name = {"en": "Corner store (DEMO)", "fr": "Dépanneur (DÉMO)"}
        entry = identity.registry_entry(
            keys_of(self.verifier_settings()), VERIFIER, name=name, may_ask=policies.entitlements()
        )
        return {**entry, **changes}

    def _first_edits(self) -> list[dict[str, Any]]:
        kinds = [CredentialType(slug=slug, version=version) for slug, version in schemas.all_types()]
        edits: list[dict[str, Any]] = [
            {
                "edit": "type",
                "id": f"{each.slug}/{each.version}",
                "vct": each.vct,
                "digest": schemas.digest(each.slug, each.version),
            }
            for each in kinds
        ]
        opened = issuer.keyring.open_authorities(self.issuer_settings(), NOW)
        for path, types in ACCREDITED.items():
            place = path.partition("/")[0]
            name = {"en": place, "fr": place}
            edits += [
                {"edit": "member", "id": place, "name": name, "level": "province", "since": "2026-01-01"},
                {"edit": "delegation", "to": place, "types": types},
                {"edit": "issuer", **opened[path].registry_entry(), "types": types, "since": "2026-01-01"},
            ]
        edits.append({"edit": "verifier", "jurisdiction": "ca-on", "verifier": self.verifier_entry()})
        return edits

    def issuer_settings(self, **changes: Any) -> IssuerSettings:
        database = self.databases.get("issuer")
        values: dict[str, Any] = {
            "public_url": ISSUER,
            "status_public_url": STATUS,
            "status_directory": self.folder / "published",
            "authorities_file": self.folder / "authorities.json",
            "operators_file": self.folder / "operators.json",
            "data_dir": self.folder / "issuer",
            "publish_seconds": 3600.0,
            "database_url": SecretStr(database) if database else None,
        }
        return IssuerSettings(**{**values, **changes})

    def _reader(self, service: str) -> dict[str, Any]:
        return {
            "data_dir": self.folder / service,
            "database_url": self.databases.get(service),
            "allow_loopback_http": True,
            "registry_url": REGISTRY,
            "registry_root_file": self.folder / "registry" / "root.json",
        }

    def verifier_settings(self, **changes: Any) -> VerifierSettings:
        values = {"public_url": VERIFIER, "place": "ca-on", "relying_parties_file": self.folder / "parties.json"}
        return VerifierSettings(**{**values, **self._reader("verifier"), **changes})

    def wallet_settings(self, **changes: Any) -> WalletSettings:
        values = {"public_url": WALLET, "pepper_file": self.folder / "pepper"}
        return WalletSettings(**{**values, **self._reader("wallet"), **changes})


@dataclass
class Person:
    """Somebody at the wallet, with a browser of their own."""

    client: httpx.AsyncClient
    name: str = ""
    recovery_code: str = ""

    async def post(self, path: str, language: str = "en", **members: Any) -> httpx.Response:
        headers = {"origin": WALLET, "accept-language": language}
        return await self.client.post(f"/api/v1/{path}", json=members, headers=headers)

    async def get(self, path: str, language: str = "en") -> dict[str, Any]:
        return _ok(await self.client.get(f"/api/v1/{path}", headers={"accept-language": language}))

    async def remove(self, path: str) -> httpx.Response:
        return await self.client.delete(f"/api/v1/{path}", headers={"origin": WALLET})

    async def receive(self, offer: Mapping[str, Any], **terms: Any) -> list[dict[str, Any]]:
        """Take an offer; it must work."""
        found = _ok(await self.post("credentials", offer=offer["link"], **_code(offer), **terms), 201)
        return list(found["credentials"])

    async def consent(self, link: str, language: str = "en") -> dict[str, Any]:
        return _ok(await self.post("presentations", language, request=link), 201)

    async def agree(self, consent: Mapping[str, Any], **members: Any) -> httpx.Response:
        return await self.post(f"presentations/{consent['id']}/answer", digest=consent["digest"], **members)

    async def credentials(self) -> list[dict[str, Any]]:
        return list((await self.get("credentials"))["credentials"])

    async def history(self) -> list[dict[str, Any]]:
        return list((await self.get("history"))["history"])


@dataclass
class Town:
    """Everybody, running."""

    ground: Ground
    clock: FixedClock
    net: InProcess
    issuer_app: FastAPI
    wallet_app: FastAPI
    desk: httpx.AsyncClient
    counter: httpx.AsyncClient
    _clients: contextlib.AsyncExitStack

    @property
    def wallet(self) -> Deployment:
        found: Deployment = self.wallet_app.state.deployment
        return found

    async def arrive(self, name: str = "maya") -> Person:
        """Somebody opens an account."""
        person = await self.visit()
        made = await person.post("accounts", name=name, passphrase=PASSPHRASE)
        person.name, person.recovery_code = name, _ok(made, 201)["recovery_code"]
        return person

    async def visit(self) -> Person:
        """Somebody comes with an empty browser."""
        transport = httpx.ASGITransport(self.wallet_app)
        return Person(await self._clients.enter_async_context(httpx.AsyncClient(transport=transport, base_url=WALLET)))

    async def offer(self, type_id: str = "person/1", authority: str = ON, **members: Any) -> dict[str, Any]:
        body = {"authority": authority, "type": type_id, "claims": CLAIMS[type_id], "formats": ["dc+sd-jwt"]}
        return _ok(await self.desk.post("/api/v1/offers", json={**body, "transaction_code": False, **members}), 201)

    async def change_status(self, offer: Mapping[str, Any], verb: str) -> None:
        """Revoke, suspend or reinstate what came of an offer, and publish."""
        found = _ok(await self.desk.get(f"/api/v1/offers/{offer['offer_id']}"))
        reasons = {"revoke": "lost", "suspend": "investigation", "reinstate": "investigation_closed"}
        for each in found["credentials"]:
            path = f"/api/v1/credentials/{each['id']}/{verb}"
            answer = await self.desk.post(path, json={"reason": reasons[verb]})
            assert answer.status_code == 200, answer.text
        await self.issuer_app.state.deployment.publisher.publish_due()

    async def ask(self, policy: str = "age-majority", **members: Any) -> dict[str, Any]:
        return _ok(await self.counter.post("/api/v1/requests", json={"policy": policy, **members}), 201)

    async def result(self, started: Mapping[str, Any]) -> dict[str, Any]:
        return _ok(await self.counter.get(f"/api/v1/requests/{started['transaction_id']}"))

    async def apply(self, *edits: dict[str, Any]) -> None:
        """Change the registry, and let the wallet read it."""
        await asyncio.to_thread(self.ground.apply, list(edits))
        await self.wallet.registry.refresh()


def _code(offer: Mapping[str, Any]) -> dict[str, Any]:
    code = offer.get("transaction_code")
    return {"transaction_code": code} if code else {}


def _ok(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


@contextlib.asynccontextmanager
async def running(ground: Ground, **changes: Any) -> AsyncIterator[Town]:
    """Start everybody and stop them again, with other settings of the wallet (or ``verifier_…``, ``issuer_…``)."""
    clock = FixedClock(NOW)
    net = InProcess(clock)
    net.hosts[REGISTRY] = RegistryHost(ground.registry.public_folder)
    net.hosts[STATUS] = StatusHost(ground.folder / "published")
    issuers = {name.removeprefix("issuer_"): changes.pop(name) for name in list(changes) if name.startswith("issuer_")}
    others = {name.removeprefix("verifier_"): changes.pop(name) for name in list(changes) if name.startswith("verif")}
    async with contextlib.AsyncExitStack() as stack:
        issuer_app = issuer.app.create_app(ground.issuer_settings(**issuers), clock=clock)
        with mock.patch.object(verifier.deployment, "GuardedFetcher", return_value=net):
            verifier_app = verifier.app.create_app(ground.verifier_settings(**others), clock=clock)
        wallet_app = wallet.app.create_app(ground.wallet_settings(**changes), clock=clock, fetcher=net)
        for app, origin in ((issuer_app, ISSUER), (verifier_app, VERIFIER), (wallet_app, WALLET)):
            await stack.enter_async_context(app.router.lifespan_context(app))
            net.hosts[origin] = app
        desk = httpx.AsyncClient(
            transport=httpx.ASGITransport(issuer_app),
            base_url=ISSUER,
            headers={"authorization": f"Bearer {ground.tokens['operator']}"},
        )
        counter = httpx.AsyncClient(
            transport=httpx.ASGITransport(verifier_app),
            base_url=VERIFIER,
            headers={"authorization": f"Bearer {ground.tokens['party']}"},
        )
        await stack.enter_async_context(desk)
        await stack.enter_async_context(counter)
        yield Town(
            ground=ground,
            clock=clock,
            net=net,
            issuer_app=issuer_app,
            wallet_app=wallet_app,
            desk=desk,
            counter=counter,
            _clients=stack,
        )
