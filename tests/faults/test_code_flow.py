"""The issuer's authorization code flow, broken at every durable step."""

import pytest

from tests.faults import authorizing, issuing, matrix
from tests.faults.authorizing import Authorizing, SignIn
from tests.faults.harness import Trial
from tests.services.issuer.deployed import Place


def trial(place: Place, failpoints: list[str]) -> Trial[SignIn]:
    authorizing.register(place)
    service = issuing.of_place(place)
    return Trial(service, Authorizing(place, service), failpoints)


@pytest.mark.fault("F01", "F02")
async def test_a_sign_in_gives_what_it_promised_wherever_the_issuer_is_killed(place: Place) -> None:
    await trial(place, matrix.killed(authorizing.FAILPOINTS)).run()


@pytest.mark.both_databases
@pytest.mark.parametrize("fault", matrix.DRAWN)
async def test_nor_by_another_fault(place: Place, fault: str) -> None:
    await trial(place, matrix.drawn(authorizing.FAILPOINTS, fault)).run()
