"""The issuer's pre-authorized flow, broken at every durable step."""

import pytest
from sqlalchemy import update

from comity.runtime.database import open_database
from issuer.store.tables import credentials
from tests.faults import issuing, matrix
from tests.faults.harness import Trial
from tests.faults.issuing import Issuing
from tests.services.issuer.deployed import Place


def trial(place: Place, failpoints: list[str]) -> Trial[issuing.Walk]:
    service = issuing.of_place(place)
    return Trial(service, Issuing(place, service), failpoints)


@pytest.mark.fault("F01", "F02", "F03", "F05", "F11", "F12", "F18")
async def test_nothing_acknowledged_is_lost_wherever_the_issuer_is_killed(place: Place) -> None:
    await trial(place, matrix.killed(issuing.FAILPOINTS)).run()


@pytest.mark.both_databases
@pytest.mark.parametrize("fault", matrix.DRAWN)
@pytest.mark.fault("F15")
async def test_nor_by_another_fault(place: Place, fault: str) -> None:
    await trial(place, matrix.drawn(issuing.FAILPOINTS, fault)).run()


class Tampered(Issuing):
    """A deployment in which an acknowledged revocation is taken back behind everybody's back."""

    async def judge(self) -> None:
        database = open_database(self.place.settings().database)
        try:
            await database.write(lambda connection: connection.execute(update(credentials).values(status=0)))
        finally:
            await database.close()
        await super().judge()


async def test_the_judge_sees_a_revocation_that_was_lost(place: Place) -> None:
    service = issuing.of_place(place)
    with pytest.raises(AssertionError, match="revocation was lost"):
        await Trial(service, Tampered(place, service), []).run()


async def test_a_failpoint_that_is_never_reached_is_no_success(place: Place) -> None:
    tried = trial(place, ["nowhere=kill"])
    tried.patience = 2
    with pytest.raises(AssertionError, match="never reached"):
        await tried.run()
