"""Many at the same moment: exactly the promised outcome, 200 rounds of it in ``make test-long``."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.matrix import LONG
from tests.services.issuer.deployed import Place, running

ROUNDS = 200 if LONG else 2
GUESSES = 500 if LONG else 50


@pytest.fixture
def started(tmp_path: Path, empty_database: str, database_kind: str) -> Place:
    found = Place(tmp_path / "place", database=empty_database if database_kind == "postgresql" else None)
    found.prepare()
    return found


@pytest.mark.both_databases
@pytest.mark.attack("I01")
@pytest.mark.good_twin("I01")
@pytest.mark.fault("F02", "F38")
async def test_of_fifty_who_redeem_one_code_one_gets_a_token(started: Place) -> None:
    async with running(started) as issuer:
        for _ in range(ROUNDS):
            offer = await issuer.offer()
            answers = await asyncio.gather(*(issuer.redeem(offer) for _ in range(50)))
            assert Counter(each.status_code for each in answers) == {200: 1, 400: 49}


@pytest.mark.both_databases
@pytest.mark.attack("I03")
async def test_of_many_wrong_pins_at_once_five_are_heard(started: Place) -> None:
    async with running(started, max_in_flight=1000) as issuer:
        for _ in range(ROUNDS):
            offer = await issuer.offer(transaction_code=True)
            right = offer["transaction_code"]
            wrong = str((int(right) + 1) % 10 ** len(right)).zfill(len(right))
            answers = await asyncio.gather(*(issuer.redeem(offer, tx_code=wrong) for _ in range(GUESSES)))
            assert {each.status_code for each in answers} == {400}
            assert (await issuer.redeem(offer, tx_code=right)).status_code == 400  # dead, even for who knows it
            heard = [each for each in answers if "too many" not in each.json()["error_description"]]
            assert len(heard) == 4
