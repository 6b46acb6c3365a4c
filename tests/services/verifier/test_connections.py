"""The database drops every connection in the middle of a presentation (catalogue F19)."""

import pytest

from comity.openid.presentation import response
from tests.services.verifier.deployed import Deployed
from tests.support import dropping

pytestmark = pytest.mark.both_databases
STEPS = ("started", "fetched", "answered", "read")


@pytest.mark.fault("F19")
@pytest.mark.parametrize("dropped_after", STEPS)
async def test_a_presentation_ends_in_its_verdict_wherever_connections_are_lost(
    verifier: Deployed, dropped_after: str
) -> None:
    database = verifier.deployment.database

    async def passed(step: str) -> None:
        if step == dropped_after:
            await dropping.all_but_one(database)

    started = await verifier.start()
    await passed("started")
    asked = await verifier.fetch(started)
    await passed("fetched")
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    assert (await verifier.post(started, body)).status_code == 200
    await passed("answered")
    assert (await verifier.result(started))["verdict"] == "accepted"
    await passed("read")
    again = await verifier.post(started, body)
    assert (again.status_code, again.json()["code"]) == (400, "request_already_answered")
    assert (await verifier.result(started))["verdict"] == "accepted"
