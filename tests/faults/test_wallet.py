"""The wallet, broken at every durable step of collecting, presenting and letting go."""

import pytest

from comity.demo.founding import Stage
from tests.faults import federation, holding, matrix
from tests.faults.harness import Trial
from tests.faults.holding import Holding, Person

pytestmark = pytest.mark.xdist_group("faults-federation")


def trial(stage: Stage, failpoints: list[str]) -> Trial[Person]:
    return Trial(federation.service(stage, "wallet"), Holding(stage), failpoints)


@pytest.mark.fault("F07", "F09")
async def test_no_card_is_lost_wherever_the_wallet_is_killed(stage: Stage) -> None:
    await trial(stage, matrix.killed(holding.FAILPOINTS)).run()


@pytest.mark.both_databases
@pytest.mark.parametrize("fault", matrix.DRAWN)
@pytest.mark.fault("F08")
async def test_nor_by_another_fault(stage: Stage, fault: str) -> None:
    await trial(stage, matrix.drawn(holding.FAILPOINTS, fault)).run()
