"""The wallet's module about attestation challenges, derived from its name (no certification)."""

import pytest

from tests.services.wallet.test_attesting import provided
from tests.services.wallet.town import Ground, running


@pytest.mark.derived("oid4vci-1_0-wallet-test-client-attestation-challenge")
@pytest.mark.clause("WA-3", "HAIP-wallet")
async def test_client_attestation_challenge(ground: Ground) -> None:
    async with running(ground, **provided(ground, issuer_client_authentication="required")) as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        asked = [each.url.rpartition("/")[2] for each in town.net.asked if "/services/" in each.url]
        assert asked.index("challenge") < asked.index("token")
        (kept,) = await maya.credentials()
        assert kept["status"]
