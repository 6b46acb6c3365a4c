"""Every failpoint of the issuer × kill; a sample of the rest by a printed seed; all of it in ``make test-long``."""

import os
import random
import secrets
from itertools import product

import pytest
from sqlalchemy import update

from comity.runtime.database import open_database
from issuer.store.tables import credentials
from tests.faults.harness import FAILPOINTS, Trial
from tests.services.issuer.deployed import Place

LONG = os.environ.get("COMITY_LONG") == "1"
ACTIONS = ("term", "error", "stall:1.2", "full")
SAMPLE = 3


@pytest.mark.parametrize("half", [0, 1])
async def test_nothing_acknowledged_is_lost_wherever_the_issuer_is_killed(place: Place, half: int) -> None:
    failpoints = [f"{name}=kill" for name in FAILPOINTS[half::2]]
    trial = Trial(place, list(failpoints))
    await trial.run()
    assert trial.reached == failpoints


@pytest.mark.both_databases
async def test_a_sample_of_other_faults(place: Place) -> None:
    seed = int(os.environ.get("COMITY_FAULT_SEED", "0")) or secrets.randbelow(1 << 32) + 1
    print(f"COMITY_FAULT_SEED={seed}")
    every = [f"{name}={action}" for name, action in product(FAILPOINTS, ACTIONS)]
    failpoints = every if LONG else random.Random(seed).sample(every, SAMPLE)
    trial = Trial(place, list(failpoints))
    await trial.run()
    assert trial.reached == failpoints


class Tampered(Trial):
    """A deployment in which an acknowledged revocation is taken back behind everybody's back."""

    async def _judge(self) -> None:
        database = open_database(self.place.settings().database)
        try:
            await database.write(lambda connection: connection.execute(update(credentials).values(status=0)))
        finally:
            await database.close()
        await super()._judge()


async def test_the_judge_sees_a_revocation_that_was_lost(place: Place) -> None:
    with pytest.raises(AssertionError, match="revocation was lost"):
        await Tampered(place, []).run()


async def test_a_failpoint_that_is_never_reached_is_no_success(place: Place) -> None:
    with pytest.raises(AssertionError, match="never reached"):
        await Trial(place, ["nowhere=kill"]).run()
