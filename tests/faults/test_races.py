"""Many at the same moment: exactly the promised outcome, 200 rounds of it in ``make test-long``."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults import issuing, revoking
from tests.faults.harness import Service, client
from tests.faults.matrix import LONG
from tests.services.issuer.deployed import Deployed, Place, running

ROUNDS = int(os.environ.get("COMITY_ROUNDS", "200")) if LONG else 2
REVOKING_ROUNDS = ROUNDS if LONG else 1
REVOKED = 504 if LONG else 48
"""Requests to revoke, of which this many pairs are for one card, one at each process:"""
TWICE = REVOKED // 8
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
            answers = await asyncio.gather(*(_guessed(issuer, offer, wrong) for _ in range(GUESSES)))
            assert {each.status_code for each in answers} == {400}
            assert (await issuer.redeem(offer, tx_code=right)).status_code == 400  # dead, even for who knows it
            heard = [each for each in answers if "too many" not in each.json()["error_description"]]
            assert len(heard) == 4


async def _guessed(issuer: Deployed, offer: dict[str, Any], wrong: str) -> httpx.Response:
    """Send a wrong code until it is heard: who is told *later* (503) has guessed nothing, and asks again."""
    while (answer := await issuer.redeem(offer, tx_code=wrong)).status_code == 503:
        assert "retry-after" in answer.headers
    return answer


@pytest.mark.fault("F11", "F37", "F38")
@pytest.mark.both_databases
async def test_of_many_revocations_in_two_processes_what_was_acknowledged_is_published(place: Place) -> None:
    """Two processes of one issuer take revocations; one of them is killed in the middle."""
    first, second = issuing.of_place(place), issuing.of_place(place)
    try:
        await second.start([])
        for number in range(REVOKING_ROUNDS):
            await first.start([])
            await _revoke_at_once(place, first, second, f"round-{number}")
    finally:
        first.end()
        second.end()


async def _revoke_at_once(place: Place, first: Service, second: Service, reference: str) -> None:
    assert first.process is not None
    assert second.process is not None
    *asked, untouched = [await revoking.laid(place, reference, count) for count in (TWICE, REVOKED - 2 * TWICE, TWICE)]
    limits = httpx.Limits(max_connections=100)
    async with (
        client(first.process.url, timeout=300, limits=limits) as one,
        client(second.process.url, timeout=300, limits=limits) as other,
    ):
        workers = issuing.deployed(place, one), issuing.deployed(place, other)
        storm = revoking.Storm(place, workers, first, dies_after=REVOKED // 8)
        at_both, at_one = asked
        once = [(number % 2, card) for number, card in enumerate(at_one)]
        await storm.revoke([*once, *((which, card) for card in at_both for which in (0, 1))])
        async with asyncio.timeout(10):  # who was killed is not dead yet, on a busy machine
            while not first.is_dead():
                await asyncio.sleep(0.05)
        assert storm.told[1] == {card for which, card in once if which} | set(at_both)  # nobody hindered this one
        await storm.judge(reference, [*at_both, *at_one], untouched)
