"""Who reads a result: the relying party that started, and on one device only who came back from the wallet."""

import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from comity.errors import Malformed
from comity.openid.presentation import response
from comity.openid.refusal import OAuthErrorCode
from tests.services.verifier.deployed import PUBLIC_URL, Deployed, Place, running
from verifier.app import create_app
from verifier.requesting import Flow, Terms


def code_in(address: str) -> str:
    (code,) = parse_qs(urlsplit(address).query)["response_code"]
    return code


@pytest.mark.clause("VP-6")
@pytest.mark.attack("P05", "W07")
@pytest.mark.good_twin("P05", "W07")
async def test_only_who_started_reads_the_result(verifier: Deployed) -> None:
    """P05: every route of a request, with the token of another relying party and with guessed names."""
    started = await verifier.start(party="bar")
    assert (await verifier.answer(started)).status_code == 200
    assert (await verifier.result(started))["verdict"] == "accepted"
    names = {
        "bank": [started["transaction_id"]],
        "bar": [started["request_id"], secrets.token_urlsafe(32), started["transaction_id"][:-1], "é" * 40, "%00"],
    }
    for party, tried in names.items():
        for name in tried:
            for path in (f"/api/v1/requests/{name}", f"/api/v1/requests/{name}/events"):
                answer = await verifier.client.get(path, headers=verifier.as_party(party))
                assert (answer.status_code, answer.json()["code"]) == (404, "request_unknown"), (party, name)


@pytest.mark.attack("P05")
async def test_what_wallets_know_opens_nothing(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    assert (await verifier.answer(started)).status_code == 200
    for name in (asked.state, asked.nonce, started["request_id"]):
        answer = await verifier.client.get(f"/api/v1/requests/{name}", headers=verifier.as_party())
        assert answer.status_code == 404


async def test_across_devices_the_wallet_is_sent_nowhere(verifier: Deployed) -> None:
    started = await verifier.start()
    assert (await verifier.answer(started)).json() == {}
    for query in ({}, {"response_code": "ignored"}):
        assert (await verifier.outcome(started, **query))["result"]["verdict"] == "accepted"


# --- P03: one device


@pytest.mark.clause("VP-23")
@pytest.mark.attack("P03", "P05")
@pytest.mark.good_twin("P03", "P05")
async def test_on_one_device_the_result_needs_the_code(verifier: Deployed) -> None:
    started = await verifier.start(flow="same_device")
    assert (await verifier.outcome(started))["state"] == "requested"
    answer = await verifier.answer(started)
    target = answer.json()["redirect_uri"]
    assert target.startswith(f"{PUBLIC_URL}/complete?response_code=")
    code = code_in(target)
    assert len(code) == 43
    for query in ({}, {"response_code": ""}, {"response_code": "wrong"}, {"response_code": code[:-1]}):
        refused = await verifier.read(started, **query)
        assert (refused.status_code, refused.json()["code"]) == (403, "response_code_invalid")
        assert "verdict" not in refused.text
    state = await verifier.client.get(
        f"/api/v1/requests/{started['transaction_id']}/events", headers=verifier.as_party()
    )
    assert '"answered"' in state.text
    assert "verdict" not in state.text
    for _ in range(2):
        assert (await verifier.outcome(started, response_code=code))["result"]["verdict"] == "accepted"


@pytest.mark.clause("VP-23")
@pytest.mark.attack("P05")
@pytest.mark.good_twin("P05")
async def test_the_code_of_another_request_opens_nothing(verifier: Deployed) -> None:
    one, two = await verifier.start(flow="same_device"), await verifier.start(flow="same_device")
    codes = [code_in((await verifier.answer(each)).json()["redirect_uri"]) for each in (one, two)]
    assert codes[0] != codes[1]
    assert (await verifier.read(one, response_code=codes[1])).status_code == 403
    assert (await verifier.read(two, response_code=codes[0])).status_code == 403
    assert (await verifier.read(one, response_code=codes[0])).status_code == 200


async def test_a_refusal_on_one_device_brings_the_person_back_too(verifier: Deployed) -> None:
    started = await verifier.start(flow="same_device")
    asked = await verifier.fetch(started)
    body = response.build_error(OAuthErrorCode.ACCESS_DENIED, state=asked.state)
    code = code_in((await verifier.post(started, body)).json()["redirect_uri"])
    assert (await verifier.outcome(started, response_code=code))["result"]["codes"] == ["wallet_refused"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://bar.example/back", "https://bar.example/back?response_code="),
        ("https://bar.example/back?session=1", "https://bar.example/back?session=1&response_code="),
        ("http://localhost:9000/back", "http://localhost:9000/back?response_code="),
    ],
)
@pytest.mark.good_twin("W04")
async def test_the_person_is_sent_where_the_relying_party_says(verifier: Deployed, target: str, expected: str) -> None:
    started = await verifier.start(flow="same_device", redirect_uri=target)
    asked = await verifier.fetch(started)
    assert target not in str(asked)
    answer = await verifier.answer(started)
    assert answer.json()["redirect_uri"].startswith(expected)
    code = code_in(answer.json()["redirect_uri"])
    assert (await verifier.outcome(started, response_code=code))["result"]["verdict"] == "accepted"


@pytest.mark.parametrize(
    "target",
    [
        "",
        "back",
        "//bar.example/back",
        "http://bar.example/back",
        "http://localhost.bar.example/back",
        "http://localhost@bar.example/back",
        "https://bar.example@evil.example/",
        "https://",
        "https:///back",
        "https://bar.example/back#fragment",
        "https://bar.example/ba ck",
        "https://bar.example/back\r\nset-cookie: a=b",
        "https://bar.example/é",
        "https://bar.example/back?response_code=mine",
        "https://bar.example/back?a=b&response%5Fcode=",
        "javascript:alert(1)",
        "data:text/html,x",
        "bar.example://back",
        "https://bar.example/" + "a" * 2048,
    ],
)
@pytest.mark.attack("W04", "W13")
async def test_addresses_nobody_is_sent_to(verifier: Deployed, target: str) -> None:
    answer = await verifier.try_start(policy="drivers-licence-valid", flow="same_device", redirect_uri=target)
    assert (answer.status_code, answer.json()["code"]) == (400, "url_not_allowed")


async def test_an_address_belongs_to_the_flow_on_one_device(verifier: Deployed) -> None:
    for terms in ({}, {"flow": "cross_device"}):
        members = {"policy": "drivers-licence-valid", "redirect_uri": "https://bar.example/back", **terms}
        answer = await verifier.try_start(**members)
        assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


async def test_a_verifier_on_https_sends_nobody_to_http(place: Place) -> None:
    public_url = "https://verifier.example"
    settings = place.settings(public_url=public_url)
    deployment = create_app(settings, fetcher=place.network()).state.deployment
    terms: dict[str, Any] = {"policy": "drivers-licence-valid", "flow": Flow.SAME_DEVICE}
    with pytest.raises(Malformed, match="https"):
        await deployment.requesting.start(Terms(**terms, redirect_uri="http://localhost/back"), relying_party="bar")
    await deployment.close()


async def test_the_page_where_people_come_back_speaks_both_languages(verifier: Deployed) -> None:
    texts = [
        (await verifier.client.get("/complete?response_code=x", headers={"accept-language": each})).text
        for each in ("en", "fr")
    ]
    assert texts[0]
    assert texts[1]
    assert texts[0] != texts[1]


async def test_both_flows_keep_apart_what_each_party_may_know(place: Place) -> None:
    async with running(place) as verifier:
        mine, theirs = await verifier.start(party="bar"), await verifier.start(party="bank")
        for started in (mine, theirs):
            assert (await verifier.answer(started)).status_code == 200
        assert (await verifier.read(mine, party="bar")).status_code == 200
        assert (await verifier.read(theirs, party="bank")).status_code == 200
        assert (await verifier.read(mine, party="bank")).status_code == 404
        assert (await verifier.read(theirs, party="bar")).status_code == 404
