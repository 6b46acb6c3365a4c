"""Codes and refresh tokens belong to the client, and to the very instance of it, that pushed the request (WA-4)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from comity.keys import KeySigner
from tests.services.issuer import test_clients as attested
from tests.services.issuer.deployed import ON, Deployed, Place, running
from tests.services.issuer.signing_in import Wallet
from tests.support.attesting import CLIENT_ID


@dataclass
class Attested(Wallet):
    """A wallet that shows who made it, wherever ``shows`` says so."""

    instance: KeySigner = field(default_factory=KeySigner.generate)
    shows: bool = True

    async def push(self, *proofs: str, **changes: str | None) -> httpx.Response:
        return await self._send("par", self.fields(**{"client_id": CLIENT_ID, **changes}))

    async def token_request(self, form: dict[str, str]) -> httpx.Response:
        return await self._send("token", form)

    async def _send(self, endpoint: str, form: dict[str, str]) -> httpx.Response:
        headers = await attested.Wallet(self.issuer, self.instance).headers() if self.shows else []
        return await self.issuer.client.post(f"/{ON}/{endpoint}", data=form, headers=headers)

    def start_url(self, request_uri: str, client_id: str = CLIENT_ID) -> str:
        return super().start_url(request_uri, client_id)

    async def redeem(self, given: str, /, **changes: str | None) -> httpx.Response:
        return await super().redeem(given, **{"client_id": CLIENT_ID, **changes})

    async def refresh(self, token: str, **changes: str) -> httpx.Response:
        return await super().refresh(token, **{"client_id": CLIENT_ID, **changes})


@pytest.fixture
async def issuer(place: Place) -> AsyncIterator[Deployed]:
    async with running(place, **attested.trusting(place)) as deployed:
        yield deployed


@pytest.fixture
async def wallet(issuer: Deployed) -> Attested:
    return Attested(issuer)


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text


async def test_a_code_is_for_the_instance_that_pushed_and_so_is_what_it_gives(wallet: Attested) -> None:
    code, own = await wallet.code(), wallet.instance
    wallet.instance = KeySigner.generate()  # another phone with the same app
    refused(await wallet.redeem(code), "invalid_grant")
    wallet.shows = False
    refused(await wallet.redeem(code), "invalid_client", 401)
    refused(await wallet.redeem(code, client_id="https://other.example"), "invalid_grant")
    wallet.instance, wallet.shows = own, True
    given = (await wallet.redeem(code)).json()
    wallet.instance = KeySigner.generate()
    refused(await wallet.refresh(given["refresh_token"]), "invalid_grant")
    wallet.instance = own
    again = await wallet.refresh(given["refresh_token"])
    assert again.status_code == 200, again.text
    assert (await wallet.ask(again.json()["access_token"])).status_code == 200


async def test_where_clients_must_show_who_they_are_nobody_else_may_push(place: Place) -> None:
    settings: dict[str, Any] = attested.trusting(place, client_authentication="required")
    async with running(place, **settings) as issuer:
        anonymous = Attested(issuer, shows=False)
        refused(await anonymous.push(client_id="https://other.example"), "invalid_client", 401)
        good = Attested(issuer)
        assert (await good.push()).status_code == 201
        assert (await good.redeem(await good.code())).status_code == 200


async def test_a_proof_of_the_client_pushes_once(wallet: Attested) -> None:
    headers = await attested.Wallet(wallet.issuer, wallet.instance).headers()
    form = wallet.fields(client_id=CLIENT_ID)
    assert (await wallet.issuer.client.post(f"/{ON}/par", data=form, headers=headers)).status_code == 201
    replayed = await wallet.issuer.client.post(f"/{ON}/par", data=form, headers=headers)
    assert replayed.status_code == 400
    assert (await wallet.push()).status_code == 201
