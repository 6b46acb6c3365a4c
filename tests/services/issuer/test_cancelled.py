"""A request is cancelled at any of its steps: nothing is half done, and the next one is served (catalogue F39)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from comity.keys import KeySigner
from tests.services.issuer.deployed import Deployed

pytestmark = pytest.mark.both_databases
STEPS = 24


async def cancelled_after(steps: int, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
    """Begin a request, let the loop turn so many times, and cancel it."""
    task: asyncio.Task[Any] = asyncio.ensure_future(ask())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.fault("F39")
async def test_a_credential_request_that_is_cancelled_anywhere_is_served_when_it_comes_again(issuer: Deployed) -> None:
    offer = await issuer.offer(formats=["dc+sd-jwt"])
    token, key = await issuer.token(offer), KeySigner.generate()
    for steps in range(STEPS):
        nonce = await issuer.nonce()
        proofs = [issuer.proof(key, nonce)]
        await cancelled_after(steps, lambda: issuer.request(token, offer["configuration_ids"][0], proofs))  # noqa: B023
    assert (await issuer.receive(offer, key, token=token)).status_code == 200
    found = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role("clerk"))
    assert len(found.json()["credentials"]) == 1


@pytest.mark.fault("F39")
async def test_a_revocation_that_is_cancelled_anywhere_is_made_or_not(issuer: Deployed) -> None:
    offers = [await issuer.offer(formats=["dc+sd-jwt"], record_reference=f"cancel-{each}") for each in range(4)]
    for offer in offers:
        assert (await issuer.receive(offer)).status_code == 200
    for number, _ in enumerate(offers):
        (record,) = await issuer.records(record_reference=f"cancel-{number}")
        path = f"/api/v1/credentials/{record['id']}/revoke"

        async def revoke(path: str = path) -> httpx.Response:
            return await issuer.client.post(path, json={"reason": "lost"}, headers=issuer.as_role("supervisor"))

        await cancelled_after(2 + 6 * number, revoke)
        (now,) = await issuer.records(record_reference=f"cancel-{number}")
        assert now["status"] in {"valid", "revoked"}
        assert (await revoke()).status_code == 200
        (now,) = await issuer.records(record_reference=f"cancel-{number}")
        assert now["status"] == "revoked"
