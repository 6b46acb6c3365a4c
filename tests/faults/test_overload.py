"""A real issuer under three times what it can do: most of that is still done, the rest is told *later*, and it ends.

In ``make test`` for some seconds and without a word about speed; in ``make test-long`` for two minutes.
"""

import time

import pytest

from comity import strict_json
from tests.faults import issuing, load
from tests.faults.harness import client
from tests.faults.matrix import LONG
from tests.services.issuer.deployed import ON, PERSON, Place

MEASURED_SECONDS = 15.0 if LONG else 2.0
STORM_SECONDS = 120.0 if LONG else 3.0
RECOVERY_SECONDS = 10.0
MAX_IN_FLIGHT = 32


@pytest.mark.fault("F35")
async def test_three_times_the_capacity(place: Place) -> None:
    service = issuing.of_place(place, ISSUER_MAX_IN_FLIGHT=str(MAX_IN_FLIGHT))
    await service.start([])
    try:
        assert service.process is not None
        port = int(service.process.url.rpartition(":")[2])
        wanted = {"authority": ON, "type": "person/1", "claims": PERSON, "transaction_code": False}
        request = load.post("/api/v1/offers", strict_json.serialise(wanted), token=place.tokens["clerk"])
        calm = await load.steady(port, request, people=MAX_IN_FLIGHT, seconds=MEASURED_SECONDS)
        assert set(calm.statuses) == {201}
        capacity = calm.rate(201, MEASURED_SECONDS)
        told = await load.storm(port, request, rate=3 * capacity, seconds=STORM_SECONDS)
        ended = time.monotonic()
        assert set(told.statuses) <= {201, 503}, (told.statuses, told.problems)
        assert told.without_retry_after == 0
        while await load.ask(port, request) != 201:
            assert time.monotonic() < ended + 60
        recovered = time.monotonic() - ended
        goodput = told.rate(201, STORM_SECONDS)
        print(f"capacity {capacity:.0f}/s, goodput {goodput:.0f}/s, told later {told.statuses[503]}, {recovered:.1f} s")
        if LONG:
            assert told.statuses[503] > 0
            assert goodput >= 0.8 * capacity
            assert recovered <= RECOVERY_SECONDS
        async with client(service.process.url) as connection:
            assert (await connection.get("/readyz")).status_code == 200
    finally:
        service.end()
