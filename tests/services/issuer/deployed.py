"""An issuer deployment on a real database, and a wallet that is just big enough to receive from it."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from comity.keys import KeySigner
from comity.openid import key_proof
from comity.ports import Clock
from comity.runtime.clock import FixedClock
from issuer import operators
from issuer.app import create_app
from issuer.deployment import Deployment
from issuer.operators import Role
from issuer.settings import IssuerSettings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PUBLIC_URL = "http://localhost:8101"
STATUS_URL = "http://localhost:8105"
ON, BC = "ca-on/services", "ca-bc/services"
CANARY = "Zyxwvut-Canari-Éclair"
NUMBER = "DEMO-1234-CANARY"
GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
PERSON: dict[str, Any] = {
    "given_names": "Maya",
    "family_name": CANARY,
    "birthdate": "2008-03-14",
    "age_over_18": True,
    "age_over_19": False,
    "age_over_21": False,
    "address_verified": False,
}
LICENCE: dict[str, Any] = {
    "licence_number": NUMBER,
    "class": "G2",
    "given_names": "Maya",
    "family_name": CANARY,
    "birthdate": "2008-03-14",
    "issued_on": "2026-01-05",
    "expires_on": "2031-01-05",
    "age_over_18": True,
    "age_over_19": False,
    "age_over_21": False,
}
AUTHORITIES: list[dict[str, Any]] = [
    {
        "authority": ON,
        "jurisdiction": "ca-on",
        "name": {"en": "ServiceOntario (DEMO)", "fr": "ServiceOntario (DÉMO)"},
        "types": ["person/1", "drivers-licence/1"],
        "source": {"people": "people.json"},
    },
    {
        "authority": BC,
        "jurisdiction": "ca-bc",
        "name": {"en": "Service BC (DEMO)", "fr": "Service C.-B. (DÉMO)"},
        "types": ["person/1", "serving-it-right/1"],
    },
]


@dataclass
class Deployed:
    """A running deployment and how to talk to it."""

    app: FastAPI
    client: httpx.AsyncClient
    settings: IssuerSettings
    clock: FixedClock
    tokens: Mapping[str, str]

    @property
    def deployment(self) -> Deployment:
        found: Deployment = self.app.state.deployment
        return found

    def as_role(self, role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[role]}"}

    async def offer(self, role: str = "clerk", **members: Any) -> dict[str, Any]:
        """Create an offer and return the answer's body."""
        body = {"authority": ON, "type": "person/1", "claims": PERSON, "transaction_code": False, **members}
        answer = await self.client.post("/api/v1/offers", json=body, headers=self.as_role(role))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def token(self, offer: Mapping[str, Any], **fields: str) -> str:
        answer = await self.redeem(offer, **fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def redeem(self, offer: Mapping[str, Any], **fields: str) -> httpx.Response:
        """Send the token request for an offer."""
        grant = offer["credential_offer"]["grants"][GRANT]
        form = {"grant_type": GRANT, "pre-authorized_code": grant["pre-authorized_code"], **fields}
        return await self.client.post(f"/{offer['authority']}/token", data=form)

    async def nonce(self, authority: str = ON) -> str:
        answer = await self.client.post(f"/{authority}/nonce")
        assert answer.status_code == 200
        return str(answer.json()["c_nonce"])

    def proof(self, key: KeySigner, nonce: str | None, *, authority: str = ON, **changes: Any) -> str:
        audience = changes.get("audience", f"{PUBLIC_URL}/{authority}")
        return key_proof.build(key, audience=audience, nonce=nonce, issued_at=changes.get("at", self.clock.now()))

    async def request(
        self, token: str, configuration: str, proofs: list[str], *, authority: str = ON, **members: Any
    ) -> httpx.Response:
        """Send a credential request."""
        body: dict[str, Any] = {"credential_configuration_id": configuration, "proofs": {"jwt": proofs}} | members
        return await self.client.post(
            f"/{authority}/credential", json=body, headers={"authorization": f"Bearer {token}"}
        )

    async def receive(
        self, offer: Mapping[str, Any], *keys: KeySigner, configuration: str | None = None, token: str | None = None
    ) -> httpx.Response:
        """Walk an offer from the code to the credentials."""
        authority = offer["authority"]
        token = token or await self.token(offer)
        nonce = await self.nonce(authority)
        proofs = [self.proof(key, nonce, authority=authority) for key in keys or (KeySigner.generate(),)]
        wanted = configuration or offer["configuration_ids"][0]
        return await self.request(token, wanted, proofs, authority=authority)

    async def records(self, **query: str) -> list[dict[str, Any]]:
        answer = await self.client.post(
            "/api/v1/credentials/search", json={"authority": ON, **query}, headers=self.as_role("auditor")
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["credentials"]
        return found


@dataclass
class Place:
    """A folder with everything a deployment needs to start."""

    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)
    database: str | None = None

    def prepare(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "authorities.json").write_text(json.dumps(AUTHORITIES), "utf-8")
        (self.folder / "people.json").write_text(json.dumps({"file-7": {"person": PERSON}}), "utf-8")
        for role in Role:
            self.tokens[role.value] = operators.add(
                self.folder / "operators.json", name=f"{role.value} one", role=role, authorities=(ON,)
            )
        self.tokens["bc"] = operators.add(self.folder / "operators.json", name="bc", role=Role.ADMIN, authorities=(BC,))
        self.tokens["all"] = operators.add(
            self.folder / "operators.json", name="all", role=Role.ADMIN, authorities=("*",)
        )

    def settings(self, **changes: Any) -> IssuerSettings:
        values: dict[str, Any] = {
            "public_url": PUBLIC_URL,
            "status_public_url": STATUS_URL,
            "status_directory": self.folder / "published",
            "authorities_file": self.folder / "authorities.json",
            "operators_file": self.folder / "operators.json",
            "data_dir": self.folder / "data",
            "publish_seconds": 0.0,
            "database_url": self.database,
            **changes,
        }
        return IssuerSettings(**values)


@contextlib.asynccontextmanager
async def running(place: Place, clock: Clock | None = None, **changes: Any) -> AsyncIterator[Deployed]:
    """Start a deployment and stop it again."""
    fixed = clock if isinstance(clock, FixedClock) else FixedClock(NOW)
    settings = place.settings(**changes)
    app = create_app(settings, clock=fixed)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
            yield Deployed(app=app, client=client, settings=settings, clock=fixed, tokens=place.tokens)
