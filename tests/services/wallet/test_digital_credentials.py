"""A website asks by the Digital Credentials API; the relying party's verifier judges what came back (VP-24)."""

from typing import Any

import pytest

from tests.services.wallet.town import Ground, Person, Town, running

SHOP, OTHER = "https://shop.example", "https://attacker.example"


@pytest.fixture
async def held(town: Town, maya: Person) -> dict[str, Any]:
    (received,) = await maya.receive(await town.offer())
    return received


async def ask(town: Town, **members: Any) -> dict[str, Any]:
    return await town.ask(flow="digital_credentials", origins=[SHOP], **members)


async def opened(maya: Person, message: dict[str, Any], origin: str = SHOP) -> dict[str, Any]:
    answer = await maya.post("digital-credentials", origin=origin, **message)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def returned(town: Town, started: dict[str, Any], data: Any, **members: Any) -> Any:
    path = f"/api/v1/requests/{started['transaction_id']}/digital-credential"
    return await town.counter.post(path, json={"data": data, **members})


async def given(maya: Person, message: dict[str, Any], origin: str = SHOP) -> Any:
    answer = await maya.agree(await opened(maya, message, origin))
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
@pytest.mark.parametrize("protocol", ["openid4vp-v1-signed", "openid4vp-v1-unsigned"])
@pytest.mark.clause("VP-24")
async def test_it_is_accepted(ground: Ground, protocol: str, mode: str) -> None:
    async with running(ground, verifier_response_mode=mode) as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        started = await ask(town)
        assert set(started) == {"request_id", "transaction_id", "expires_at", "digital"}
        (message,) = [each for each in started["digital"]["requests"] if each["protocol"] == protocol]
        consent = await opened(maya, message)
        is_signed = protocol.endswith("-signed")
        assert (consent["who"]["origin"], consent["who"]["known"]) == (SHOP, is_signed)
        data = (await maya.agree(consent)).json()["data"]
        assert set(data) == ({"response"} if mode.endswith("jwt") else {"vp_token"})
        answer = await returned(town, started, data)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["result"]["verdict"], answer.json()["result"]["codes"]) == ("accepted", [])
        assert (await town.result(started))["result"]["claims"] == {"person_sdjwt": [{"age_over_18": True}]}
        again = await returned(town, started, data)
        assert (again.status_code, again.json()["code"]) == (409, "request_already_answered")  # P01


async def test_a_signed_request_replayed_by_another_site_is_refused(
    town: Town, maya: Person, held: dict[str, Any]
) -> None:
    signed, _ = (await ask(town))["digital"]["requests"]
    answer = await maya.post("digital-credentials", origin=OTHER, **signed)
    assert (answer.status_code, answer.json()["code"]) == (400, "origin_mismatch")
    await opened(maya, signed)


@pytest.mark.clause("VP-24")
async def test_an_answer_that_another_site_got_is_rejected(town: Town, maya: Person, held: dict[str, Any]) -> None:
    """P02: the attacker relays the unsigned request; the audience is the site where it was answered."""
    for site, verdict in ((OTHER, "rejected"), (SHOP, "accepted")):
        started = await ask(town)
        _, unsigned = started["digital"]["requests"]
        answer = await returned(town, started, await given(maya, unsigned, site))
        assert answer.json()["result"]["verdict"] == verdict
        assert answer.json()["result"]["codes"] == ([] if verdict == "accepted" else ["audience_mismatch"])


async def test_several_origins(town: Town, maya: Person, held: dict[str, Any]) -> None:
    second = "https://checkout.example"
    started = await town.ask(flow="digital_credentials", origins=[SHOP, second])
    data = await given(maya, started["digital"]["requests"][0], second)
    for origin in ({}, {"origin": OTHER}):
        unnamed = await returned(town, started, data, **origin)
        assert (unnamed.status_code, unnamed.json()["code"]) == (403, "origin_mismatch")
    answer = await returned(town, started, data, origin=second)
    assert answer.json()["result"]["verdict"] == "accepted"


async def test_a_person_who_says_no(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await ask(town)
    consent = await opened(maya, started["digital"]["requests"][0])
    declined = (await maya.agree(consent, decline=True)).json()
    assert declined["data"] == {"error": "access_denied"}
    answer = await returned(town, started, declined["data"])
    assert answer.json()["result"]["codes"] == ["wallet_refused"]
    assert (await maya.agree(consent)).status_code == 404


async def test_what_the_wallet_does_not_answer(town: Town, maya: Person, held: dict[str, Any]) -> None:
    signed, _ = (await ask(town))["digital"]["requests"]
    changes: tuple[dict[str, Any], ...] = (
        {"protocol": "openid4vp-v1-multisigned"},
        {"data": {}},
        {"data": {"request": "a.b.c"}},
    )
    for change in changes:
        answer = await maya.post("digital-credentials", origin=SHOP, **{**signed, **change})
        assert answer.status_code == 400, answer.text
    assert not any("/openid/responses/" in each.url for each in town.net.asked)


async def test_such_a_request_is_neither_fetched_nor_posted_to(town: Town, maya: Person) -> None:
    started = await ask(town)
    for method, kind in (("GET", "requests"), ("POST", "responses")):
        answer = await town.counter.request(method, f"/openid/{kind}/{started['request_id']}")
        assert answer.status_code in {400, 404}, answer.text
    other = await town.ask()
    assert (await returned(town, other, {"vp_token": {}})).status_code == 404


@pytest.mark.parametrize(
    "members",
    [
        {"flow": "digital_credentials"},
        {"flow": "digital_credentials", "origins": []},
        {"flow": "digital_credentials", "origins": [f"{SHOP}/"]},
        {"flow": "digital_credentials", "origins": [SHOP, SHOP]},
        {"flow": "digital_credentials", "origins": "text"},
        {"origins": [SHOP]},
    ],
)
async def test_a_relying_party_names_its_sites(town: Town, members: dict[str, Any]) -> None:
    answer = await town.counter.post("/api/v1/requests", json={"policy": "age-majority", **members})
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


@pytest.mark.parametrize("body", [{}, {"data": "text"}, {"data": {"vp_token": "text"}}, {"data": {"response": "a.b"}}])
async def test_garbage_does_not_use_the_request_up(
    town: Town, maya: Person, held: dict[str, Any], body: dict[str, Any]
) -> None:
    started = await ask(town)
    path = f"/api/v1/requests/{started['transaction_id']}/digital-credential"
    assert (await town.counter.post(path, json=body)).status_code == 400
    data = await given(maya, started["digital"]["requests"][0])
    assert (await returned(town, started, data)).json()["result"]["verdict"] == "accepted"
