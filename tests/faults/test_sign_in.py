"""The verifier's bridge to websites, broken at every durable step from a website's link to its ID token."""

import pytest

from comity.demo.founding import Stage
from tests.faults import federation, matrix, signing_in, verifying
from tests.faults.harness import Trial
from tests.faults.signing_in import SigningIn, Visit
from tests.faults.websites import Operator

pytestmark = pytest.mark.xdist_group("faults-federation")


async def trial(stage: Stage, failpoints: list[str]) -> Trial[Visit]:
    website = await Operator(stage=stage).add("Harbour Books")
    assert website is not None
    held = await verifying.receive(stage)
    service = federation.service(stage, "verifier")
    await signing_in.leave_behind(stage, website)
    return Trial(service, SigningIn(stage, held, website), failpoints)


@pytest.mark.fault("F18")
async def test_a_code_signs_in_once_or_not_at_all_wherever_the_verifier_is_killed(stage: Stage) -> None:
    await (await trial(stage, matrix.killed(signing_in.FAILPOINTS))).run()


@pytest.mark.both_databases
@pytest.mark.parametrize("fault", matrix.DRAWN)
async def test_nor_by_another_fault(stage: Stage, fault: str) -> None:
    await (await trial(stage, matrix.drawn(signing_in.FAILPOINTS, fault, most=2))).run()
