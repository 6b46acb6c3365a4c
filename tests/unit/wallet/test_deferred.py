"""How long a wallet waits for what an issuer promised."""

from datetime import UTC, datetime, timedelta

import pytest

from comity.openid.issuance.credential_response import Deferred
from wallet import deferred

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (1, 1),
        (3600, 3600),
        (deferred.LONGEST_INTERVAL + 1, deferred.LONGEST_INTERVAL),
        (10**30, deferred.LONGEST_INTERVAL),
    ],
)
def test_an_interval_without_end_is_cut_short(told: int, seconds: int) -> None:
    line = deferred.waiting({}, Deferred(transaction_id="t", interval=told), NOW)
    later = (NOW + timedelta(seconds=seconds)).isoformat()
    assert line == {"transaction_id": "t", "interval": seconds, "ask_after": later}
    assert deferred.postponed(line, NOW)["ask_after"] == later
