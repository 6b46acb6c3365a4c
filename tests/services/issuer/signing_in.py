"""A wallet that has its person sign in, and the person's browser; each step can be done wrong."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx

from comity.keys import KeySigner
from comity.openid import dpop, pkce
from tests.services.issuer.deployed import ON, PUBLIC_URL, Deployed

PERSON = "person.1.sdjwt"
REDIRECT = "https://wallet.example/back?session=7"
CLIENT = "https://wallet.example"
FILE = "file-7"


@dataclass
class Browser:
    """A person's browser: it keeps cookies and follows nothing by itself."""

    issuer: Deployed
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, url: str, **headers: str) -> httpx.Response:
        return self._kept(await self.issuer.client.get(url, headers=self._headers(headers)))

    async def post(self, url: str, form: dict[str, str], **headers: str) -> httpx.Response:
        return self._kept(await self.issuer.client.post(url, data=form, headers=self._headers(headers)))

    async def choose(self, url: str, **chosen: str) -> httpx.Response:
        """Send the form of the page at ``url``."""
        page = await self.get(url)
        assert page.status_code == 200, page.text
        csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        return await self.post(url, {"csrf": csrf, **chosen})

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**({"cookie": cookie} if cookie else {}), **more}

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        self.issuer.client.cookies.clear()  # the client is everybody's
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        return answer


@dataclass
class Wallet:
    """A wallet at one authority."""

    issuer: Deployed
    authority: str = ON
    key: KeySigner | None = None
    nonce: str | None = None
    verifier: str = field(default_factory=pkce.new_verifier)

    def fields(self, **changes: str | None) -> dict[str, str]:
        """Return a good request to push, but for ``changes``; None leaves a parameter out."""
        good: dict[str, str | None] = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": REDIRECT,
            "scope": PERSON,
            "state": "s t&ate",
            "code_challenge": pkce.challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    async def push(self, *proofs: str, **changes: str | None) -> httpx.Response:
        headers = [("dpop", each) for each in proofs]
        url = f"/{self.authority}/par"
        return await self.issuer.client.post(url, data=self.fields(**changes), headers=headers)

    async def request_uri(self, **changes: str | None) -> str:
        pushed = await self.push(*([await self.proof("par")] if self.key else []), **changes)
        assert pushed.status_code == 201, pushed.text
        return str(pushed.json()["request_uri"])

    def start_url(self, request_uri: str, client_id: str = CLIENT) -> str:
        return str(
            httpx.URL(f"/{self.authority}/authorize", params={"client_id": client_id, "request_uri": request_uri})
        )

    async def code(self, browser: Browser | None = None, *, person: str = FILE, **changes: str | None) -> str:
        """Let the person sign in and agree; returns the code."""
        browser = browser or Browser(self.issuer)
        begun = await browser.get(self.start_url(await self.request_uri(**changes)))
        assert begun.status_code == 303, begun.text
        signed_in = await browser.choose(begun.headers["location"], person=person)
        assert signed_in.status_code == 303, signed_in.text
        back = await browser.choose(signed_in.headers["location"], answer="agree")
        return answer_of(back)["code"]

    async def redeem(self, given: str, /, **changes: str | None) -> httpx.Response:
        good: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
            "client_id": CLIENT,
        }
        return await self.token_request({name: value for name, value in (good | changes).items() if value is not None})

    async def refresh(self, token: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT, **changes}
        return await self.token_request(form)

    async def token_request(self, form: dict[str, str]) -> httpx.Response:
        headers = {"dpop": await self.proof("token")} if self.key else {}
        return await self.issuer.client.post(f"/{self.authority}/token", data=form, headers=headers)

    async def tokens(self, **changes: str | None) -> dict[str, Any]:
        """Walk all the way to the tokens."""
        answer = await self.redeem(await self.code(None, person=FILE, **changes))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ask(self, token: str, holder: KeySigner | None = None, **members: Any) -> httpx.Response:
        """Send a credential request for the person credential, or for what ``members`` say."""
        nonce = await self.issuer.nonce(self.authority)
        wanted = members or {"credential_configuration_id": PERSON}
        proof = self.issuer.proof(holder or KeySigner.generate(), nonce, authority=self.authority)
        headers = {"authorization": f"Bearer {token}"}
        if self.key is not None:
            headers = {"authorization": f"DPoP {token}", "dpop": await self.proof("credential", access_token=token)}
        body = {**wanted, "proofs": {"jwt": [proof]}}
        return await self.issuer.client.post(f"/{self.authority}/credential", json=body, headers=headers)

    async def proof(self, endpoint: str, **changes: Any) -> str:
        if self.nonce is None:
            self.nonce = (await self.issuer.client.post(f"/{self.authority}/nonce")).headers["dpop-nonce"]
        said = {"method": "POST", "url": f"{PUBLIC_URL}/{self.authority}/{endpoint}", "at": self.issuer.clock.now()}
        key = changes.pop("key", self.key) or KeySigner.generate()
        return dpop.build(key, **{**said, "nonce": self.nonce, **changes})


def answer_of(back: httpx.Response) -> dict[str, str]:
    """Return what the browser brings to the wallet."""
    assert back.status_code == 303, back.text
    location = back.headers["location"]
    assert location.startswith(REDIRECT), location
    return {name: value for name, value in parse_qsl(urlsplit(location).query) if name != "session"}


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
