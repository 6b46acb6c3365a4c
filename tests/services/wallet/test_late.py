"""What is over already, beside what is not (P19), and what ends between the question and the answer (C07)."""

from datetime import timedelta

import pytest

from comity.credential import Format
from tests.services.wallet import forging
from tests.services.wallet.test_presenting import RESPONSES
from tests.services.wallet.test_requests import REQUESTS, signed_again
from tests.services.wallet.town import NOW, Person, Town


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.attack("C07")
@pytest.mark.good_twin("C07")
async def test_a_credential_that_ends_between_consent_and_answer_is_not_sent(
    town: Town, maya: Person, kind: Format
) -> None:
    end = NOW + timedelta(seconds=60)
    town.net.afterwards(
        "services/credential",
        forging.sending(
            town,
            lambda holder, genuine: forging.credential(
                town, holder, genuine, type_id="drivers-licence/1", credential_format=kind, valid_until=end
            ),
        ),
    )
    await maya.receive(await town.offer("drivers-licence/1", formats=[kind.value]))
    started = await town.ask("drivers-licence-valid")
    consent = await maya.consent(started["link"])
    town.clock.advance(timedelta(seconds=60))
    late = await maya.agree(consent)
    assert (late.status_code, late.json()["code"]) == (409, "expired")
    assert not any(RESPONSES in each.url for each in town.net.asked)
    assert [each["what"] for each in await maya.history()] == ["received"]
    town.clock.advance(timedelta(seconds=-1))
    assert (await maya.agree(consent)).status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"


@pytest.mark.attack("P19")
@pytest.mark.good_twin("P19")
async def test_a_revoked_credential_does_not_stand_before_a_good_one(town: Town, maya: Person) -> None:
    lost = await town.offer()
    (first,) = await maya.receive(lost)
    town.clock.advance(timedelta(seconds=1))
    (second,) = await maya.receive(await town.offer())
    for offer, expected in ((None, first), (lost, second)):
        if offer is not None:
            await town.change_status(offer, "revoke")
            assert (await maya.post("status-refresh")).status_code == 200
        started = await town.ask()
        consent = await maya.consent(started["link"])
        assert len(consent["credentials"]) == 2  # the person may still choose the other one
        answer = await maya.agree(consent)
        assert answer.json()["credentials"] == [expected["id"]]
        assert (await town.result(started))["result"]["verdict"] == "accepted"


@pytest.mark.parametrize(("seconds", "status"), [(-30, 200), (30, 200), (-60, 400)])
async def test_a_clock_that_is_a_little_off_takes_no_question_away(
    town: Town, maya: Person, seconds: int, status: int
) -> None:
    """C01: the wallet's clock may be a minute ahead of the verifier's, and what it opened it can answer."""
    await maya.receive(await town.offer())
    ends = int((NOW + timedelta(seconds=seconds)).timestamp())
    town.net.afterwards(REQUESTS, signed_again(town, exp=ends))
    opened = await maya.post("presentations", request=(await town.ask())["link"])
    if status != 200:
        assert (opened.status_code, opened.json()["code"]) == (status, "request_expired")
        return
    assert (await maya.agree(opened.json())).status_code == status
