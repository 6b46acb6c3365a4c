"""The wallet's module about batches, derived from its name (no certification)."""

import pytest

from tests.services.wallet.test_copies import card, encoded, ground, take
from tests.services.wallet.town import Person, Town

__all__ = ["ground"]


@pytest.mark.derived("oid4vci-1_0-wallet-test-batch-credential-issuance")
@pytest.mark.clause("VCI-45")
async def test_batch_credential_issuance(town: Town, maya: Person) -> None:
    await take(town, maya)
    copies = encoded(await card(town))
    assert len(set(copies)) == len(copies) > 1
    (asked,) = [each for each in town.net.asked if each.url.endswith("/credential")]
    assert asked.method == "POST", "one request brought them all"
