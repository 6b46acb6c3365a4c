"""The people of the demo at their services, each through the public endpoints and nothing else."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from comity import strict_json
from comity.errors import Code, Unreachable

PASSPHRASE = "a passphrase for the demo only"


class Refused(Exception):
    """A service refused; ``code`` is the stable code it gave."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def answer_of(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a 2xx answer; raises :class:`Refused` for a problem document or an OAuth error."""
    if response.is_success:
        return strict_json.parse_object(response.content) if response.content else {}
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Unreachable(Code.INTERNAL, f"{response.request.url.path} answered {response.status_code}")
    told = strict_json.parse_object(response.content)
    raise Refused(
        str(told.get("code") or told.get("error")), str(told.get("detail") or told.get("error_description") or "")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a clerk hands over: the link (in the QR), and the code apart from it."""

    offer_id: str
    link: str
    transaction_code: str | None
    qr: bytes = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Desk:
    """A clerk at the issuer."""

    client: httpx.AsyncClient
    url: str
    token: str

    async def decide(self, offer_id: str, verdict: str) -> None:
        """Approve or deny what an offer waits for."""
        answer_of(await self._post(f"/api/v1/offers/{offer_id}/{verdict}", {}))

    async def offer(
        self,
        authority: str,
        type_id: str,
        claims: Mapping[str, Any],
        *,
        formats: list[str] | None = None,
        batch: int = 1,
        decide_later: bool = False,
    ) -> Offered:
        """Create an offer and fetch its QR code."""
        body: dict[str, Any] = {
            "authority": authority,
            "type": type_id,
            "claims": dict(claims),
            "record_reference": f"DEMO-{secrets.token_hex(4)}",
            "formats": formats or ["dc+sd-jwt"],
            "batch": batch,
            "decide_later": decide_later,
        }
        made = answer_of(await self._post("/api/v1/offers", body))
        drawn = await self.client.get(made["qr_url"], headers=self._headers())
        drawn.raise_for_status()
        return Offered(
            offer_id=made["offer_id"],
            link=made["link"],
            transaction_code=made.get("transaction_code"),
            qr=drawn.content,
        )

    async def offer_by_sign_in(self, authority: str, type_id: str) -> str:
        """Create an offer that a person takes by signing in at the authority; returns its link."""
        wanted = {"authority": authority, "type": type_id, "grant": "authorization_code"}
        return str(answer_of(await self._post("/api/v1/offers", wanted))["link"])

    async def issued(self, offer_id: str) -> list[dict[str, Any]]:
        """Return what came of an offer."""
        found = await self.client.get(f"{self.url}/api/v1/offers/{offer_id}", headers=self._headers())
        return list(answer_of(found)["credentials"])

    async def change(self, credential_id: str, verb: str, reason: str) -> dict[str, Any]:
        """Revoke, suspend or reinstate."""
        return answer_of(await self._post(f"/api/v1/credentials/{credential_id}/{verb}", {"reason": reason}))

    async def _post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return await self.client.post(f"{self.url}{path}", json=dict(body), headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


@dataclass(slots=True, kw_only=True)
class Citizen:
    """A person with an account at the hosted wallet. The client keeps the cookie."""

    client: httpx.AsyncClient
    url: str
    language: str

    @classmethod
    async def arrive(cls, url: str, language: str) -> "Citizen":
        """Open an account under a name of its own."""
        client = httpx.AsyncClient(trust_env=False, timeout=30)
        citizen = cls(client=client, url=url, language=language)
        name = f"demo-{secrets.token_hex(6)}"
        answer_of(await citizen.post("/api/v1/accounts", {"name": name, "passphrase": PASSPHRASE}))
        return citizen

    async def preview(self, link: str) -> dict[str, Any]:
        """Look at an offer before taking it."""
        return answer_of(await self.post("/api/v1/offers/preview", {"offer": link}))

    async def receive(self, offered: Offered, link: str | None = None, **terms: Any) -> list[dict[str, Any]]:
        """Take an offer, with the code that was told apart."""
        body = {"offer": link or offered.link, "transaction_code": offered.transaction_code, **terms}
        taken = {name: value for name, value in body.items() if value is not None}
        return list(answer_of(await self.post("/api/v1/credentials", taken))["credentials"])

    async def begin_sign_in(self, issuer: str, configuration_id: str) -> str:
        """Ask for a credential without an offer; returns where to sign in."""
        wanted = {"issuer": issuer, "configuration_ids": [configuration_id]}
        return str(answer_of(await self.post("/api/v1/authorizations", wanted))["url"])

    async def finish_sign_in(self, brought: Mapping[str, str]) -> list[dict[str, Any]]:
        """Hand over what the browser brought back from the issuer."""
        return list(answer_of(await self.post("/api/v1/authorizations/finish", brought))["credentials"])

    async def renew(self, credential_id: str) -> dict[str, Any]:
        """Have a credential anew from its issuer."""
        return answer_of(await self.post(f"/api/v1/credentials/{credential_id}/renew", {}))

    async def consent(self, link: str) -> dict[str, Any]:
        """Open a request and see who asks for what."""
        return answer_of(await self.post("/api/v1/presentations", {"request": link}))

    async def agree(self, consent: Mapping[str, Any], selection: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Send what was shown."""
        body = {"digest": consent["digest"], "selection": dict(selection or {})}
        return answer_of(await self.post(f"/api/v1/presentations/{consent['id']}/answer", body))

    async def raw(self, credential_id: str) -> str:
        """Return the bytes of a held credential, as any holder may keep them."""
        found = await self.client.get(f"{self.url}/api/v1/credentials/{credential_id}/raw", headers=self._headers())
        found.raise_for_status()
        return found.text

    async def look(self) -> list[dict[str, Any]]:
        """Let the wallet read the status lists now; returns what changed."""
        return list(answer_of(await self.post("/api/v1/status-refresh", {}))["changes"])

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Post JSON as the wallet's own page would."""
        return await self.client.post(f"{self.url}{path}", json=dict(body), headers=self._headers())

    async def leave(self) -> None:
        """Close the connection."""
        await self.client.aclose()

    def _headers(self) -> dict[str, str]:
        return {"origin": self.url, "accept-language": self.language}


@dataclass(slots=True, kw_only=True)
class Counter:
    """A relying party at the verifier."""

    client: httpx.AsyncClient
    url: str
    token: str

    async def ask(
        self, policy: str, *, place: str | None = None, same_holder: bool = False, **terms: Any
    ) -> dict[str, Any]:
        """Start a request; further ``terms`` are those of the verifier's API."""
        body: dict[str, Any] = {"policy": policy, "same_holder": same_holder, **terms}
        if place:
            body["place"] = place
        started = await self.client.post(f"{self.url}/api/v1/requests", json=body, headers=self._headers())
        return answer_of(started)

    async def qr(self, started: Mapping[str, Any]) -> bytes:
        """Return the QR code that the customer scans."""
        drawn = await self.client.get(started["qr_url"])
        drawn.raise_for_status()
        return drawn.content

    async def digital(self, started: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """Hand in what a browser's Digital Credentials API returned, and return the report."""
        path = f"/api/v1/requests/{started['transaction_id']}/digital-credential"
        sent = await self.client.post(f"{self.url}{path}", json={"data": dict(data)}, headers=self._headers())
        return dict(answer_of(sent)["result"])

    async def result(self, started: Mapping[str, Any]) -> dict[str, Any]:
        """Return the report of an answered request."""
        path = f"/api/v1/requests/{started['transaction_id']}"
        found = answer_of(await self.client.get(f"{self.url}{path}", headers=self._headers()))
        if "result" not in found:
            raise Refused(str(found["state"]), "the request has no result")
        return dict(found["result"])

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}
