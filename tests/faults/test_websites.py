"""Websites of the bridge to OpenID Connect, registered, renewed and removed by commands that break."""

import pytest

from comity.demo.founding import Stage
from tests.faults import matrix, websites
from tests.faults.websites import Operator

pytestmark = pytest.mark.xdist_group("faults-federation")


@pytest.mark.fault("F18")
async def test_a_website_is_there_once_or_not_at_all_wherever_a_command_is_killed(stage: Stage) -> None:
    for faults in websites.lives(matrix.killed(websites.FAILPOINTS)):
        await Operator(stage=stage).walk(faults)


@pytest.mark.both_databases
@pytest.mark.parametrize("fault", matrix.DRAWN)
async def test_nor_by_another_fault(stage: Stage, fault: str) -> None:
    for faults in websites.lives(matrix.drawn(websites.FAILPOINTS, fault, most=2)):
        await Operator(stage=stage).walk(faults)
