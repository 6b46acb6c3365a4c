"""A verifier on a real database, its relying parties, and a wallet that is just big enough to answer it."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI

from comity import formats, jwe, strict_json
from comity.credential import SignedCredential
from comity.keys import KeySigner
from comity.openid.presentation import request as request_object
from comity.openid.presentation import response
from comity.openid.presentation.link import parse_link
from comity.openid.presentation.parameters import RequestObject
from comity.ports import Jwk
from comity.runtime.clock import FixedClock
from tests.services.verifier.federation import LICENCE, PERSON, REGISTRY_URL, Federation, Network
from tests.support.world import NOW
from verifier import identity, relying_parties
from verifier.app import create_app
from verifier.deployment import Deployment
from verifier.keyring import keys_of
from verifier.settings import VerifierSettings

PUBLIC_URL = "http://localhost:8103"
FORM = {"content-type": "application/x-www-form-urlencoded"}
Disclosed = tuple[SignedCredential, tuple[str, ...]]
"""A held credential and the claims to disclose of it."""


@dataclass
class Place:
    """A folder with everything a verifier needs to start."""

    folder: Path
    federation: Federation
    tokens: dict[str, str] = field(default_factory=dict)
    database: str | None = None

    def prepare(self) -> None:
        self.folder.mkdir(parents=True)
        self.federation.write_registry(self.folder / "registry")
        for name in ("bar", "bank"):
            self.tokens[name] = relying_parties.add(self.folder / "parties.json", name)
        identity.create(keys_of(self.settings()), PUBLIC_URL, FixedClock(NOW))

    def settings(self, **changes: Any) -> VerifierSettings:
        values: dict[str, Any] = {
            "public_url": PUBLIC_URL,
            "registry_url": REGISTRY_URL,
            "registry_root_file": self.folder / "registry" / "public" / "metadata" / "1.root.json",
            "relying_parties_file": self.folder / "parties.json",
            "data_dir": self.folder / "data",
            "place": "ca-on",
            "database_url": self.database,
            **changes,
        }
        return VerifierSettings(**values)

    def network(self) -> Network:
        return Network(self.folder / "registry" / "public", self.federation.documents())


@dataclass
class Deployed:
    """A running verifier and how to talk to it."""

    app: FastAPI
    client: httpx.AsyncClient
    settings: VerifierSettings
    clock: FixedClock
    network: Network
    federation: Federation
    tokens: Mapping[str, str]
    holder: KeySigner = field(default_factory=KeySigner.generate)
    trusted: tuple[Jwk, ...] = ()

    @property
    def deployment(self) -> Deployment:
        found: Deployment = self.app.state.deployment
        return found

    # --- the relying party

    def as_party(self, name: str = "bar") -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[name]}"}

    async def start(self, policy: str = "drivers-licence-valid", party: str = "bar", **terms: Any) -> dict[str, Any]:
        """Start a request and return what the relying party is told."""
        answer = await self.try_start(policy=policy, party=party, **terms)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def try_start(self, party: str = "bar", **members: Any) -> httpx.Response:
        return await self.client.post("/api/v1/requests", json=members, headers=self.as_party(party))

    async def read(self, started: Mapping[str, Any], party: str = "bar", **query: str) -> httpx.Response:
        path = f"/api/v1/requests/{started['transaction_id']}"
        return await self.client.get(path, params=query, headers=self.as_party(party))

    async def outcome(self, started: Mapping[str, Any], **query: str) -> dict[str, Any]:
        """Return what the relying party reads."""
        answer = await self.read(started, **query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def result(self, started: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = (await self.outcome(started))["result"]
        return found

    # --- the wallet

    def held(self, credential_type: Any = LICENCE, **changes: Any) -> SignedCredential:
        """Return a credential of Ontario, bound to the wallet's key."""
        holder = changes.pop("holder", self.holder)
        authority = changes.pop("authority", self.federation.on)
        return self.federation.issue(authority, credential_type, holder, **changes)

    async def fetch(self, started: Mapping[str, Any], wallet_nonce: str | None = None) -> RequestObject:
        """Fetch and verify the request object as a wallet does."""
        link = parse_link(started["link"])
        path = str(link.request_uri).removeprefix(PUBLIC_URL)
        fields = {} if wallet_nonce is None else {"wallet_nonce": wallet_nonce}
        answer = await (self.client.post(path, data=fields) if fields else self.client.get(path))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/oauth-authz-req+jwt"
        verified = request_object.verify(
            answer.text, client=link.client_id, at=self.clock.now(), wallet_nonce=wallet_nonce
        )
        if isinstance(verified, request_object.NeedsAttester):
            verified = verified.resume(self.trusted)
        if isinstance(verified, request_object.NeedsDocument):
            document = await self.client.get(verified.url.removeprefix(PUBLIC_URL))
            assert document.headers["content-type"] == "application/did+json"
            verified = verified.resume(document.content)
        return verified.request

    def present(self, asked: RequestObject, held: SignedCredential, claims: tuple[str, ...], **changes: Any) -> str:
        """Return one presentation for a request."""
        arguments: dict[str, Any] = {
            "holder": self.holder,
            "audience": asked.client_id.text,
            "nonce": asked.nonce,
            "at": self.clock.now(),
            **changes,
        }
        return formats.FORMATS[held.format].present(held, claims, arguments.pop("holder"), **arguments)

    def vp_token(self, asked: RequestObject, chosen: Mapping[str, Disclosed]) -> dict[str, list[str]]:
        return {query_id: [self.present(asked, held, claims)] for query_id, (held, claims) in chosen.items()}

    async def post(self, started: Mapping[str, Any], body: str | bytes, **options: Any) -> httpx.Response:
        """Post a form to the response address of a request."""
        path = f"/openid/responses/{started['request_id']}"
        return await self.client.post(path, content=body, headers=options.get("headers", FORM))

    async def answer(self, started: Mapping[str, Any], chosen: Mapping[str, Disclosed] | None = None) -> httpx.Response:
        """Walk from the link to the answer; a licence of Ontario when nothing else is chosen."""
        asked = await self.fetch(started)
        token = self.vp_token(asked, chosen or self.licence())
        return await self.post(started, response.build(asked, token))

    def licence(self, **changes: Any) -> dict[str, Disclosed]:
        return {"drivers-licence_sdjwt": (self.held(LICENCE, **changes), ("class", "expires_on"))}

    def person(self, *claims: str, **changes: Any) -> dict[str, Disclosed]:
        return {"person_sdjwt": (self.held(PERSON, **changes), claims)}


def encrypted(asked: RequestObject, members: Mapping[str, Any], *, key: Any = None, enc: str = "A256GCM") -> str:
    """Return a form with ``members`` encrypted, by default to the request's own key."""
    metadata = asked.client_metadata
    own = metadata.encryption_key() if metadata else None
    recipient = key or own
    assert recipient is not None
    return urlencode({"response": jwe.encrypt(strict_json.serialise(dict(members)), recipient, enc=enc)})


def plain(members: Mapping[str, Any], **fields: str) -> str:
    """Return a form with ``vp_token`` in the clear."""
    return urlencode({"vp_token": strict_json.serialise(dict(members)).decode(), **fields})


@contextlib.asynccontextmanager
async def running(
    place: Place, /, at: datetime = NOW, network: Network | None = None, **changes: Any
) -> AsyncIterator[Deployed]:
    """Start a verifier and stop it again."""
    clock, settings, network = FixedClock(at), place.settings(**changes), network or place.network()
    app = create_app(settings, clock=clock, fetcher=network)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
            yield Deployed(
                app=app,
                client=client,
                settings=settings,
                clock=clock,
                network=network,
                federation=place.federation,
                tokens=place.tokens,
            )
