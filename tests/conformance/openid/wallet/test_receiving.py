"""The modules of the plan oid4vci-1_0-wallet, derived from their names (no certification)."""

from typing import Any

import pytest

from comity import strict_json
from tests.services.wallet.town import CANARY, Person, Town


@pytest.mark.derived("oid4vci-1_0-wallet-test-credential-issuance")
async def test_credential_issuance(town: Town, maya: Person) -> None:
    offer = await town.offer(transaction_code=True)
    (received,) = await maya.receive(offer)
    (kept,) = await maya.credentials()
    assert kept["id"] == received["id"]
    assert CANARY in str(await maya.get(f"credentials/{received['id']}"))


@pytest.mark.derived("oid4vci-1_0-wallet-test-credential-issuance-notification")
async def test_credential_issuance_notification(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    told: list[dict[str, Any]] = [
        strict_json.parse_object(each.body or b"") for each in town.net.asked if each.url.endswith("/notification")
    ]
    assert [each["event"] for each in told] == ["credential_accepted"]
    assert told[0]["notification_id"]
