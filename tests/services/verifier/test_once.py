"""A request is answered with its verdict, once (P01; decision record 0015)."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from comity.openid.presentation import response
from comity.openid.refusal import OAuthErrorCode
from tests.services.verifier.deployed import FORM, Deployed, Place, running
from verifier.store import requests

pytestmark = pytest.mark.both_databases


@pytest.mark.clause("6-6")
@pytest.mark.attack("P01")
@pytest.mark.good_twin("P01")
async def test_the_same_answer_again_is_refused(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    assert (await verifier.post(started, body)).status_code == 200
    before = await verifier.outcome(started)
    for again in (body, response.build_error(OAuthErrorCode.ACCESS_DENIED, state=asked.state), "garbage"):
        answer = await verifier.post(started, again)
        assert (answer.status_code, answer.json()["code"]) == (400, "request_already_answered")
    assert await verifier.outcome(started) == before


@pytest.mark.attack("P01")
async def test_a_rejected_answer_uses_the_request_up_too(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    held, claims = verifier.licence()["drivers-licence_sdjwt"]
    forged = {"drivers-licence_sdjwt": [verifier.present(asked, held, claims, nonce="another")]}
    assert (await verifier.post(started, response.build(asked, forged))).status_code == 200
    assert (await verifier.result(started))["codes"] == ["nonce_mismatch"]
    good = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    assert (await verifier.post(started, good)).json()["code"] == "request_already_answered"
    assert (await verifier.result(started))["verdict"] == "rejected"


@pytest.mark.clause("6-7")
@pytest.mark.attack("P01")
@pytest.mark.good_twin("P01")
@pytest.mark.fault("F38")
async def test_fifty_at_a_time_have_one_verdict(verifier: Deployed) -> None:
    started = await verifier.start(flow="same_device")
    asked = await verifier.fetch(started)
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    refusal = response.build_error(OAuthErrorCode.ACCESS_DENIED, state=asked.state)
    verifier.network.gate.clear()
    posts = [asyncio.create_task(verifier.post(started, body if n % 5 else refusal)) for n in range(50)]
    await asyncio.sleep(0.05)
    verifier.network.gate.set()
    answers = await asyncio.gather(*posts)
    told = Counter((each.status_code, each.json().get("code", "answered")) for each in answers)
    assert told == {(200, "answered"): 1, (400, "request_already_answered"): 49}
    (winner,) = [each for each in answers if each.status_code == 200]
    code = winner.json()["redirect_uri"].partition("response_code=")[2]
    assert (await verifier.outcome(started, response_code=code))["result"]["verdict"] in {"accepted", "rejected"}
    answered = select(func.count()).where(requests.c.answered_at.is_not(None))
    assert await verifier.deployment.database.read(lambda c: c.execute(answered).scalar()) == 1


@pytest.mark.attack("P01")
@pytest.mark.good_twin("P01")
async def test_two_good_answers_that_race_have_one_verdict(verifier: Deployed) -> None:
    """Both are verified to the end before either is stored."""
    started = await verifier.start()
    asked = await verifier.fetch(started)
    bodies = [response.build(asked, verifier.vp_token(asked, verifier.licence(index=n))) for n in (7, 8)]
    verifier.network.gate.clear()
    posts = [asyncio.create_task(verifier.post(started, body)) for body in bodies]
    while not verifier.network.asked:
        await asyncio.sleep(0.01)
    assert (await verifier.outcome(started))["state"] == "fetched"
    verifier.network.gate.set()
    assert sorted([each.status_code for each in await asyncio.gather(*posts)]) == [200, 400]
    assert (await verifier.result(started))["verdict"] == "accepted"


@pytest.mark.attack("C03", "P04")
async def test_nothing_is_answered_after_the_end(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    verifier.clock.advance(timedelta(seconds=300))
    answers = [
        await verifier.post(started, body),
        await verifier.client.get(f"/openid/requests/{started['request_id']}"),
        await verifier.client.post(f"/openid/requests/{started['request_id']}", content=b"", headers=FORM),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(400, "request_expired")] * 3
    assert (await verifier.client.get(f"/api/v1/qr/{started['request_id']}.png")).json()["code"] == "request_expired"
    outcome = await verifier.outcome(started)
    assert outcome["state"] == "expired"
    assert "result" not in outcome


@pytest.mark.good_twin("C03", "P04")
async def test_the_last_second_still_counts(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    verifier.clock.advance(timedelta(seconds=299))
    assert (await verifier.post(started, body)).status_code == 200


async def test_an_answer_that_takes_too_long_is_told_so(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    verifier.network.gate.clear()
    post = asyncio.create_task(verifier.post(started, body))
    while not verifier.network.asked:
        await asyncio.sleep(0.01)
    verifier.clock.advance(timedelta(seconds=300))
    verifier.network.gate.set()
    assert (await post).json()["code"] == "request_expired"
    assert (await verifier.outcome(started))["state"] == "expired"


@pytest.mark.attack("C02")
@pytest.mark.fault("F33")
async def test_a_clock_that_goes_back_answers_nothing_twice(verifier: Deployed) -> None:
    """The answer is stored after the end, and asked about before it."""
    started = await verifier.start()
    asked = await verifier.fetch(started)
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    database, clock = verifier.deployment.database, verifier.clock
    write = database.write

    async def write_and_go_back(unit: Any) -> Any:
        stored = await write(unit)
        clock.advance(timedelta(seconds=-300))
        return stored

    verifier.network.gate.clear()
    post = asyncio.create_task(verifier.post(started, body))
    while not verifier.network.asked:
        await asyncio.sleep(0.01)
    clock.advance(timedelta(seconds=300))
    database.write = write_and_go_back  # type: ignore[method-assign]
    verifier.network.gate.set()
    assert (await post).json()["code"] == "request_expired"
    database.write = write  # type: ignore[method-assign]
    assert (await verifier.outcome(started))["state"] == "fetched"


async def test_a_restart_forgets_nothing(place: Place) -> None:
    async with running(place) as first:
        waiting, done = await first.start(), await first.start()
        asked = await first.fetch(waiting)
        assert (await first.answer(done)).status_code == 200
        body = response.build(asked, first.vp_token(asked, first.licence()))
    async with running(place) as second:
        assert (await second.result(done))["verdict"] == "accepted"
        assert (await second.post(waiting, body)).status_code == 200
        assert (await second.result(waiting))["verdict"] == "accepted"
        assert (await second.post(waiting, body)).json()["code"] == "request_already_answered"


@pytest.mark.parametrize("changed", ["x509_hash", "decentralized_identifier"])
async def test_a_verifier_that_changed_its_name_signs_no_old_request(place: Place, changed: str) -> None:
    before = {"x509_hash": "decentralized_identifier"}.get(changed, "x509_hash")
    async with running(place, client_id_prefix=before) as first:
        unopened, opened = await first.start(), await first.start()
        asked = await first.fetch(opened)
        body = response.build(asked, first.vp_token(asked, first.licence()))
    async with running(place, client_id_prefix=changed) as second:
        answer = await second.client.get(f"/openid/requests/{unopened['request_id']}")
        assert (answer.status_code, answer.json()["code"]) == (400, "request_expired")
        assert (await second.post(opened, body)).status_code == 200
        assert (await second.result(opened))["verdict"] == "accepted"


@pytest.mark.attack("P01")
@pytest.mark.good_twin("P01")
async def test_two_workers_on_one_database_give_one_verdict(place: Place) -> None:
    async with running(place) as first, running(place) as second:
        started = await first.start()
        asked = await second.fetch(started)
        body = response.build(asked, first.vp_token(asked, first.licence()))
        answers = await asyncio.gather(*(worker.post(started, body) for worker in (first, second) * 10))
        told = Counter((each.status_code, each.json().get("code", "answered")) for each in answers)
        assert told == {(200, "answered"): 1, (400, "request_already_answered"): 19}
        assert await first.outcome(started) == await second.outcome(started)
        assert (await second.result(started))["verdict"] == "accepted"
