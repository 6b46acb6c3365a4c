"""A website that speaks OpenID Connect, its visitor's browser, and the visitor's wallet.

The website shares no code with the product: it is httpx and joserfc, and reads what the specifications say it may read.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet
from msgspec.structs import replace

from tests.services.verifier.deployed import PUBLIC_URL, Deployed, Disclosed
from tests.services.verifier.till import Till
from verifier.bridge_store import Client
from verifier.client_cli import asks_of
from verifier.clients import Wish
from verifier.signing_in import cookie_of

CALLBACK = "https://shop.example/callback"
ISSUER = f"{PUBLIC_URL}/oidc"
WISH = Wish(
    name={"en": "Harbour Books", "fr": "Librairie du Havre"},
    redirect_uris=(CALLBACK, "https://shop.example/other?x=1"),
    policies=("drivers-licence-valid", "age-alcohol"),
)


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Website:
    """One relying party of the bridge. ``sent`` is what it asked last."""

    verifier: Deployed
    client: Client
    secret: str
    sent: dict[str, str] = field(default_factory=dict)
    code_verifier: str = ""

    def ask(self, scope: str = "openid drivers-licence-valid", *, pkce: bool = True, **changes: str) -> str:
        """Return the path to which the website sends its visitor; an empty change leaves a parameter out."""
        self.code_verifier = secrets.token_urlsafe(32)
        fields = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": CALLBACK,
            "scope": scope,
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
        }
        if pkce:
            fields |= {"code_challenge": s256(self.code_verifier), "code_challenge_method": "S256"}
        fields |= changes
        self.sent = {name: value for name, value in fields.items() if value}
        return "/oidc/authorize?" + urlencode(self.sent)

    def told(self, location: str) -> dict[str, str]:
        """Return what a redirect to the callback says; the issuer is named and the state is ours in every one."""
        assert location.startswith(f"{CALLBACK}?"), location
        found = {name: values[0] for name, values in parse_qs(urlsplit(location).query, strict_parsing=True).items()}
        assert found["iss"] == ISSUER
        assert found.get("state") == self.sent.get("state")
        return found

    async def redeem(self, code: str, **changes: Any) -> httpx.Response:
        """Ask for the token; an empty change leaves a parameter out, and ``headers`` are sent along."""
        headers = changes.pop("headers", None)
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": self.code_verifier,
            "client_id": self.client.id,
            "client_secret": self.secret,
        }
        sent = {name: value for name, value in {**fields, **changes}.items() if value}
        return await self.verifier.client.post("/oidc/token", data=sent, headers=headers)

    async def claims(self, answer: httpx.Response) -> dict[str, Any]:
        """Check a token response as OpenID Connect Core §3.1.3.7 says, and return the ID token's claims."""
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        told = answer.json()
        assert told["token_type"] == "Bearer"
        keys = KeySet.import_key_set((await self.verifier.client.get("/oidc/jwks")).json())
        token = jwt.decode(told["id_token"], keys, algorithms=["ES256"])
        now = int(self.verifier.clock.now().timestamp())
        rules = jwt.JWTClaimsRegistry(
            now=now,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": self.client.id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        rules.validate(token.claims)
        assert token.claims.get("nonce") == self.sent.get("nonce")
        return dict(token.claims)


@dataclass
class Visitor(Till):
    """A person's browser with their wallet beside it. ``page`` is the sign-in's page, without the language."""

    page: str = ""

    async def follow(self, path: str) -> httpx.Response:
        """Go where a website sends; when that is a sign-in, remember its page and its language."""
        answer = await self.client.get(path, headers={"accept": "text/html"})
        location = answer.headers.get("location", "")
        if answer.status_code == 303 and location.startswith(PUBLIC_URL):
            self.language, self.page = location.removeprefix(PUBLIC_URL)[1:3], location.removeprefix(PUBLIC_URL)[3:]
        return answer

    @property
    def sign_in_id(self) -> str:
        return self.page.removeprefix("/sign-in/")

    async def asked(self) -> dict[str, Any]:
        """Return what the code on the page leads a wallet to."""
        cookie = self.client.cookies[cookie_of(self.sign_in_id)]
        now = await self.verifier.deployment.signing_in.standing(self.sign_in_id, cookie)
        return {"link": now.link, "request_id": now.row.id}

    async def present(self, chosen: Mapping[str, Disclosed] | None = None) -> httpx.Response:
        """Answer from the wallet; a licence of Ontario when nothing else is chosen."""
        answer = await self.verifier.answer(await self.asked(), chosen)
        assert answer.status_code == 200, answer.text
        return answer

    async def arrive(self) -> httpx.Response:
        """Open the page again, as it does by itself when the answer is there."""
        return await self.get(self.page)

    async def sign_in(self, website: Website, *args: str, **changes: Any) -> dict[str, str]:
        """Walk from the website through the wallet and back; returns what the website is told."""
        assert (await self.follow(website.ask(*args, **changes))).status_code == 303
        await self.present()
        return website.told((await self.arrive()).headers["location"])


async def registered(verifier: Deployed, **changes: Any) -> Website:
    """Register a website as the operator does."""
    wish = replace(WISH, **changes)
    client, secret = await verifier.deployment.signing_in.clients.add(wish, asks_of(verifier.settings, wish.place))
    return Website(verifier, client, secret)
