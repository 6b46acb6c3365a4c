"""A relying party that asks, somebody who answers, and somebody who answers once more with something else."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from comity import formats
from comity.credential import SignedCredential
from comity.demo import cast
from comity.demo.founding import Stage
from comity.keys import KeySigner
from comity.openid import key_proof
from comity.openid.presentation import request as request_object
from comity.openid.presentation import response
from comity.openid.presentation.link import parse_link
from comity.openid.presentation.parameters import RequestObject
from comity.runtime.clock import SystemClock
from tests.faults.harness import Flow, both, client

ISSUER = "ca-on/services"
GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
FORM = {"content-type": "application/x-www-form-urlencoded"}
QUERY, CLAIMS = "drivers-licence_sdjwt", ("class", "expires_on")
FAILPOINTS = (
    *both("store.save_request", "store.claim_browser", "store.mark_fetched", "telling.answer_and_tell"),
    *both("store.mark_returned", "store.erase"),
)
"""Every durable step: start, a browser takes it up, fetched, answered, the browser is back, purged."""
_numbers = itertools.count()


@dataclass
class Held:
    """A licence and its key."""

    signed: SignedCredential
    key: KeySigner

    def answer(self, asked: RequestObject, *, nonce: str | None = None) -> str:
        """Return the body that presents it, for the request's nonce or another one."""
        presented = formats.FORMATS[self.signed.format].present(
            self.signed,
            CLAIMS,
            self.key,
            audience=asked.client_id.text,
            nonce=nonce or asked.nonce,
            at=SystemClock().now(),
        )
        return response.build(asked, {QUERY: [presented]})


@dataclass
class Check:
    """One request, on one device or across two, and what everybody was told."""

    flow: str
    started: dict[str, Any] | None = None
    cookie: str | None = None
    asked: RequestObject | None = None
    is_answered: bool = False
    is_acknowledged: bool = False
    redirect: str | None = None
    code: str | None = None
    is_back: bool = False
    verdict: str | None = None
    read_at: float = 0.0
    is_over: bool = False
    lost: list[dict[str, Any]] = field(default_factory=list)

    def again(self) -> None:
        """Start anew: what only an answer held is lost with it (E)."""
        if self.started is not None:
            self.lost.append(self.started)
        self.started = self.asked = self.cookie = self.redirect = self.code = self.verdict = None
        self.is_answered = self.is_acknowledged = self.is_back = False


class Verifying(Flow[Check]):
    """The flow from a request to its erased report."""

    def __init__(self, stage: Stage, held: Held) -> None:
        super().__init__()
        self.stage = stage
        self.held = held

    def begin(self) -> Check:
        return Check("same_device" if next(_numbers) % 2 else "cross_device")

    async def step(self, walk: Check) -> None:
        async with client(self.stage.urls["verifier"]) as connection:
            if walk.started is None:
                await self._start(walk, connection)
            elif walk.flow == "same_device" and walk.cookie is None:
                await self._take_up(walk, connection)
            elif walk.asked is None:
                await self._fetch(walk, connection)
            elif not walk.is_answered:
                await self._answer(walk, connection)
            elif walk.flow == "same_device" and not walk.is_back:
                await self._come_back(walk, connection)
            elif walk.verdict is None:
                await self._read(walk, connection)
            else:
                await self._answer_otherwise(walk, connection)

    async def _start(self, walk: Check, verifier: httpx.AsyncClient) -> None:
        terms = {"policy": "drivers-licence-valid", "place": "ca-on", "flow": walk.flow}
        answer = await verifier.post("/api/v1/requests", json=terms, headers=self._party())
        if answer.status_code == 201:
            walk.started = answer.json()
        else:
            assert answer.status_code >= 500, answer.text

    async def _take_up(self, walk: Check, verifier: httpx.AsyncClient) -> None:
        """The browser that starts the request is bound to it; when the cookie was lost, nobody else gets in."""
        assert walk.started is not None
        answer = await verifier.get(walk.started["start_url"])
        cookies = dict(answer.cookies.items())
        if cookies and answer.status_code < 400:
            walk.cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        elif 400 <= answer.status_code < 500:
            walk.again()

    async def _fetch(self, walk: Check, verifier: httpx.AsyncClient) -> None:
        assert walk.started is not None
        walk.asked = await fetch(walk.started["link"], verifier)

    async def _post(self, walk: Check, verifier: httpx.AsyncClient, **changes: str) -> httpx.Response:
        assert walk.asked is not None
        return await verifier.post(
            str(walk.asked.response_uri), content=self.held.answer(walk.asked, **changes), headers=FORM
        )

    async def _answer(self, walk: Check, verifier: httpx.AsyncClient) -> None:
        answer = await self._post(walk, verifier)
        if answer.status_code == 200:
            walk.is_answered = walk.is_acknowledged = True
            walk.redirect = answer.json().get("redirect_uri")
        elif answer.status_code == 400:
            assert answer.json()["code"] == "request_already_answered", answer.text
            walk.is_answered = True  # by the request whose answer was lost
            if walk.flow == "same_device":
                walk.again()  # the code for the browser was lost with it

    async def _come_back(self, walk: Check, verifier: httpx.AsyncClient) -> None:
        assert walk.redirect is not None
        answer = await verifier.get(walk.redirect, headers={"cookie": str(walk.cookie)})
        if answer.status_code < 400:
            walk.is_back = True
            walk.code = walk.redirect.partition("response_code=")[2]
        else:
            assert answer.status_code >= 500, f"the browser could not come back again (E): {answer.text}"

    async def _read(self, walk: Check, verifier: httpx.AsyncClient) -> None:
        found = await self._outcome(walk, verifier)
        if found is not None:
            result = found["result"]
            assert result["verdict"] == "accepted", result
            walk.verdict, walk.read_at = result["verdict"], time.monotonic()

    async def _outcome(self, walk: Check, verifier: httpx.AsyncClient) -> dict[str, Any] | None:
        assert walk.started is not None
        path = f"/api/v1/requests/{walk.started['transaction_id']}"
        query = {"response_code": walk.code} if walk.code else {}
        answer = await verifier.get(path, params=query, headers=self._party())
        if answer.status_code != 200:
            assert answer.status_code >= 500, f"an acknowledged request or answer was lost (B): {answer.text}"
            return None
        found: dict[str, Any] = answer.json()
        return found

    async def _answer_otherwise(self, walk: Check, verifier: httpx.AsyncClient) -> None:
        """D: an answer that came once is not replaced, by a bad one or a good one."""
        answer = await self._post(walk, verifier, nonce="another")
        if answer.status_code < 500:
            assert (answer.status_code, answer.json()["code"]) == (400, "request_already_answered")
            walk.is_over = True

    def _party(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.stage.relying_party_token}"}

    # --- the judgement

    async def judge(self) -> None:
        async with client(self.stage.urls["verifier"]) as verifier:
            for walk in self.walks:
                found = await self._outcome(walk, verifier)
                assert found is not None
                assert found["state"] == "answered", "an acknowledged answer was lost (B)"
                assert found["result"]["verdict"] == "accepted", "a verdict changed (D)"
            first = min(self.walks, key=lambda each: each.read_at)
            await self._erased(first, verifier)

    async def _erased(self, walk: Check, verifier: httpx.AsyncClient) -> None:
        """B: what is to be erased is, after whatever happened to the purge; the verdict stays."""
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            found = await self._outcome(walk, verifier)
            if found is not None and found["result"].get("erased"):
                assert found["result"]["verdict"] == "accepted"
                assert "claims" not in found["result"]
                return
            await asyncio.sleep(0.2)
        raise AssertionError("a report was never erased (B)")


async def fetch(link: str, verifier: httpx.AsyncClient) -> RequestObject | None:
    """Return the request that a link leads to, as a wallet reads it; None when it cannot be had now."""
    parsed = parse_link(link)
    answer = await verifier.get(str(parsed.request_uri))
    if answer.status_code != 200:
        assert answer.status_code >= 500, f"a request could not be fetched again (E): {answer.text}"
        return None
    verified = request_object.verify(answer.text, client=parsed.client_id, at=SystemClock().now())
    assert isinstance(verified, request_object.VerifiedRequest)
    return verified.request


async def receive(stage: Stage) -> Held:
    """Receive a licence as a wallet of few lines."""
    key, base = KeySigner.generate(), f"{stage.urls['issuer']}/{ISSUER}"
    claims = cast.drivers_licence(cast.ELISE, 38, "9001")
    wanted = {"authority": ISSUER, "type": "drivers-licence/1", "claims": claims, "formats": ["dc+sd-jwt"]}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as connection:
        made = await connection.post(
            f"{stage.urls['issuer']}/api/v1/offers",
            json={**wanted, "transaction_code": False},
            headers={"authorization": f"Bearer {stage.operator_token}"},
        )
        offer = made.json()
        code = offer["credential_offer"]["grants"][GRANT]["pre-authorized_code"]
        form = {"grant_type": GRANT, "pre-authorized_code": code}
        token = (await connection.post(f"{base}/token", data=form)).json()["access_token"]
        nonce = (await connection.post(f"{base}/nonce")).json()["c_nonce"]
        proof = key_proof.build(key, audience=base, nonce=nonce, issued_at=SystemClock().now())
        body = {"credential_configuration_id": offer["configuration_ids"][0], "proofs": {"jwt": [proof]}}
        answer = await connection.post(f"{base}/credential", json=body, headers={"authorization": f"Bearer {token}"})
    encoded = answer.json()["credentials"][0]["credential"]
    return Held(SignedCredential(format=formats.of(encoded), encoded=encoded), key)
