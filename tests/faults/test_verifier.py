"""The verifier, broken at every durable step from a request to its erased report."""

import pytest

from comity.demo.founding import Stage
from tests.faults import federation, matrix, verifying
from tests.faults.harness import Trial
from tests.faults.verifying import Check, Verifying

pytestmark = pytest.mark.xdist_group("faults-federation")


async def trial(stage: Stage, failpoints: list[str]) -> Trial[Check]:
    held = await verifying.receive(stage)
    return Trial(federation.service(stage, "verifier"), Verifying(stage, held), failpoints)


@pytest.mark.fault("F20")
async def test_no_verdict_is_lost_or_turned_wherever_the_verifier_is_killed(stage: Stage) -> None:
    await (await trial(stage, matrix.killed(verifying.FAILPOINTS))).run()


@pytest.mark.both_databases
@pytest.mark.parametrize("fault", matrix.DRAWN)
async def test_nor_by_another_fault(stage: Stage, fault: str) -> None:
    await (await trial(stage, matrix.drawn(verifying.FAILPOINTS, fault))).run()
