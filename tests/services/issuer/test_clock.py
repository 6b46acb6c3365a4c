"""A server whose clock goes back (a restored machine, a wrong time server): what was used stays used (C02)."""

from datetime import timedelta
from typing import Any

import pytest

from comity.keys import KeySigner
from issuer.issuing import erase_due
from tests.services.issuer.deployed import Deployed

BACK = timedelta(hours=1)


async def go_back(issuer: Deployed) -> None:
    """An hour passes, what is over is erased, and the clock is set back by that hour."""
    issuer.clock.advance(BACK)
    await erase_due(issuer.deployment)
    issuer.clock.advance(-BACK)


@pytest.mark.both_databases
@pytest.mark.attack("C02")
async def test_no_code_is_good_again(issuer: Deployed) -> None:
    offer = await issuer.offer()
    await issuer.token(offer)
    await go_back(issuer)
    refused = await issuer.redeem(offer)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


@pytest.mark.attack("C02", "I05")
@pytest.mark.good_twin("C02", "I05")
async def test_no_nonce_is_good_again(issuer: Deployed) -> None:
    nonce, holder = await issuer.nonce(), KeySigner.generate()
    proof = issuer.proof(holder, nonce)
    used = await issuer.request(await issuer.token(await issuer.offer()), "person.1.sdjwt", [proof])
    assert used.status_code == 200, used.text
    for _ in range(2):
        token = await issuer.token(await issuer.offer())
        refused = await issuer.request(token, "person.1.sdjwt", [proof])
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_nonce")
        fresh = issuer.proof(holder, await issuer.nonce())
        assert (await issuer.request(token, "person.1.sdjwt", [fresh])).status_code == 200
        await go_back(issuer)


@pytest.mark.attack("C02")
async def test_what_was_cancelled_stays_cancelled(issuer: Deployed) -> None:
    offer = await issuer.offer()
    path, clerk = f"/api/v1/offers/{offer['offer_id']}/cancel", issuer.as_role("clerk")
    assert (await issuer.client.post(path, headers=clerk)).json()["state"] == "cancelled"
    await go_back(issuer)
    assert (await issuer.redeem(offer)).json()["error"] == "invalid_grant"
    shown: dict[str, Any] = (await issuer.client.get(path.rpartition("/")[0], headers=clerk)).json()
    assert shown["state"] == "cancelled"
