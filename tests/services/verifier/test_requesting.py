"""Starting and opening requests: terms, tokens, links, request objects, live state."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.types import Message

from comity import jose, strict_json
from comity.openid.presentation.link import RequestUriMethod, parse_link
from comity.web import qr
from tests.services.verifier.deployed import FORM, PUBLIC_URL, Deployed, Place, running
from verifier.policies import POLICIES


async def test_what_the_relying_party_is_told(verifier: Deployed) -> None:
    answer = await verifier.try_start(policy="age-alcohol", place="CA-ON")
    assert answer.status_code == 201
    started = answer.json()
    assert set(started) == {"request_id", "transaction_id", "link", "request_uri", "qr_url", "expires_at", "warning"}
    assert started["request_uri"] == f"{PUBLIC_URL}/openid/requests/{started['request_id']}"
    assert started["request_id"] != started["transaction_id"]
    assert started["transaction_id"] not in started["link"] + started["qr_url"]
    assert started["expires_at"] == "2026-11-23T12:05:00+00:00"
    location = answer.headers["location"].removeprefix(PUBLIC_URL)
    assert (await verifier.client.get(location, headers=verifier.as_party())).json() == {
        "request_id": started["request_id"],
        "policy": "age-alcohol",
        "place": "ca-on",
        "state": "requested",
        "expires_at": "2026-11-23T12:05:00+00:00",
    }
    link = parse_link(started["link"])
    assert (link.request_uri, link.method) == (started["request_uri"], RequestUriMethod.POST)


async def test_the_qr_code_is_the_link(verifier: Deployed) -> None:
    started = await verifier.start()
    drawn = await verifier.client.get(started["qr_url"].removeprefix(PUBLIC_URL))
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/png")
    assert drawn.headers["cache-control"] == "no-store"
    assert qr.read(drawn.content) == started["link"]


async def test_policies_are_listed(verifier: Deployed) -> None:
    assert (await verifier.client.get("/api/v1/policies")).json() == {"policies": list(POLICIES)}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "policy_unknown"),
        ({"policy": ""}, "policy_unknown"),
        ({"policy": "age-tobacco"}, "policy_unknown"),
        ({"policy": 1}, "request_invalid"),
        ({"policy": "age-alcohol", "place": "ca-zz"}, "place_unknown"),
        ({"policy": "age-alcohol", "place": "ca"}, "place_unknown"),
        ({"policy": "residency", "place": "ca"}, "place_unknown"),
        ({"policy": "drivers-licence-valid", "place": ""}, "place_unknown"),
        ({"policy": "drivers-licence-valid", "place": "ca-on/toronto"}, "place_unknown"),
        ({"policy": "drivers-licence-valid", "place": "x" * 5000}, "place_unknown"),
        ({"policy": "age-alcohol", "place": ["ca-on"]}, "request_invalid"),
        ({"policy": "age-alcohol", "place": False}, "request_invalid"),
        ({"policy": "age-alcohol", "flow": "by_pigeon"}, "request_invalid"),
        ({"policy": "age-alcohol", "flow": ["same_device"]}, "request_invalid"),
        ({"policy": "age-alcohol", "flow": None}, "request_invalid"),
        ({"policy": "age-alcohol", "same_holder": "yes"}, "request_invalid"),
        ({"policy": "age-alcohol", "redirect_uri": {}}, "request_invalid"),
        ({"policy": "age-alcohol", "relying_party": "bank"}, "request_invalid"),
        ({"policy": "age-alcohol", "nonce": "mine", "is_admin": True}, "request_invalid"),
    ],
)
@pytest.mark.attack("W08")
async def test_terms_that_are_refused(verifier: Deployed, members: dict[str, Any], code: str) -> None:
    answer = await verifier.try_start(**members)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_no_place_no_request(place: Place) -> None:
    async with running(place, place="") as verifier:
        for policy in POLICIES:
            answer = await verifier.try_start(policy=policy)
            assert (answer.status_code, answer.json()["code"]) == (400, "place_unknown")
            assert (await verifier.try_start(policy=policy, place="ca-on")).status_code == 201


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b'{"policy":"age-alcohol"}', {"content-type": "text/plain"}, "unsupported_media_type"),
        (b"policy=age-alcohol", FORM, "unsupported_media_type"),
        (b'{"policy":"age-alcohol","policy":"residency"}', {"content-type": "application/json"}, "duplicate_member"),
        (b"[]", {"content-type": "application/json"}, "malformed_json"),
        (b"{", {"content-type": "application/json"}, "malformed_json"),
    ],
)
async def test_bodies_that_are_refused(verifier: Deployed, content: bytes, headers: dict[str, str], code: str) -> None:
    answer = await verifier.client.post("/api/v1/requests", content=content, headers=headers | verifier.as_party())
    assert answer.json()["code"] == code
    assert 400 <= answer.status_code < 500


# --- tokens


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", "Basic {token}", "{token}", "Bearer é"])
async def test_nobody_without_a_token(verifier: Deployed, authorization: str | None) -> None:
    started = await verifier.start()
    path = f"/api/v1/requests/{started['transaction_id']}"
    headers = {"accept-language": "en"}
    if authorization is not None:
        headers["authorization"] = authorization.format(token=verifier.tokens["bar"])
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answers = [
        await verifier.client.post("/api/v1/requests", json={"policy": "residency"}, headers=raw),
        await verifier.client.get(path, headers=raw),
        await verifier.client.get(f"{path}/events", headers=raw),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "transaction" not in answer.text


async def test_the_problem_is_told_in_both_languages(verifier: Deployed) -> None:
    told = [
        (await verifier.client.post("/api/v1/requests", json={}, headers={"accept-language": each})).json()
        for each in ("en", "fr-CA")
    ]
    for member in ("title", "meaning", "next_step"):
        assert told[0][member]
        assert told[1][member]
        assert told[0][member] != told[1][member]


# --- what wallets fetch


async def test_the_request_object_can_be_fetched_again_and_is_the_same(verifier: Deployed) -> None:
    started = await verifier.start()
    assert (await verifier.outcome(started))["state"] == "requested"
    first = await verifier.fetch(started)
    assert (await verifier.outcome(started))["state"] == "fetched"
    verifier.clock.advance(timedelta(seconds=60))
    assert await verifier.fetch(started) == first
    assert (await verifier.answer(started)).status_code == 200


@pytest.mark.clause("HAIP-verifier")
async def test_the_request_object_says_no_more_than_it_must(verifier: Deployed) -> None:
    started = await verifier.start("age-alcohol", place="ca-on")
    answer = await verifier.client.get(f"/openid/requests/{started['request_id']}")
    assert answer.headers["cache-control"] == "no-store"
    claims = jose.payload_object(jose.parse(answer.text))
    assert claims["response_uri"] == f"{PUBLIC_URL}/openid/responses/{started['request_id']}"
    assert claims["aud"] == "https://self-issued.me/v2"
    assert "redirect_uri" not in claims
    assert all(set(claim) == {"path"} for each in claims["dcql_query"]["credentials"] for claim in each["claims"])
    (key,) = claims["client_metadata"]["jwks"]["keys"]
    assert (key["kid"], key["use"], key["alg"]) == (started["request_id"], "enc", "ECDH-ES")
    assert "d" not in key
    assert claims["client_metadata"]["encrypted_response_enc_values_supported"] == ["A256GCM", "A128GCM"]
    assert started["transaction_id"] not in answer.text


async def test_plain_direct_post_has_no_keys(place: Place) -> None:
    async with running(place, response_mode="direct_post") as verifier:
        asked = await verifier.fetch(await verifier.start())
        assert asked.client_metadata is not None
        assert asked.client_metadata.jwks == ()


@pytest.mark.clause("VP-3")
async def test_the_wallets_nonce_comes_back(verifier: Deployed) -> None:
    started = await verifier.start()
    assert (await verifier.fetch(started, wallet_nonce="mine-1")).wallet_nonce == "mine-1"
    assert (await verifier.fetch(started)).wallet_nonce is None
    path = f"/openid/requests/{started['request_id']}"
    assert (await verifier.client.post(path)).status_code == 200
    for body, headers, code in (
        (b"wallet_nonce=a&wallet_nonce=b", FORM, "request_invalid"),
        (b"wallet_nonce=" + b"a" * 513, FORM, "request_invalid"),
        (b"wallet_metadata=%5B%5D", FORM, "malformed_json"),
        (b'{"wallet_nonce":"a"}', {"content-type": "application/json"}, "unsupported_media_type"),
    ):
        answer = await verifier.client.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert answer.json()["error"] == "invalid_request"
    assert (await verifier.client.post(path, content=b"wallet_nonce=" + b"a" * 512, headers=FORM)).status_code == 200
    assert (await verifier.answer(started)).status_code == 200


async def test_an_answered_request_is_not_shown_again(verifier: Deployed) -> None:
    started = await verifier.start()
    assert (await verifier.answer(started)).status_code == 200
    path = f"/openid/requests/{started['request_id']}"
    for answer in (await verifier.client.get(path), await verifier.client.post(path, content=b"", headers=FORM)):
        assert (answer.status_code, answer.json()["code"]) == (400, "request_already_answered")
    drawn = await verifier.client.get(started["qr_url"].removeprefix(PUBLIC_URL))
    assert (drawn.status_code, drawn.json()["code"]) == (409, "request_already_answered")


@pytest.mark.both_databases
async def test_two_wallets_may_open_at_once(verifier: Deployed) -> None:
    started = await verifier.start()
    assert len({(await verifier.fetch(started)).nonce for _ in range(3)}) == 1
    opened = await asyncio.gather(*(verifier.fetch(started) for _ in range(10)))
    assert len({each.nonce for each in opened}) == 1


# --- live


async def events(verifier: Deployed, path: str) -> AsyncIterator[str]:
    """Yield the states of a stream as they come; httpx's ASGI transport would hold them back until the end."""
    pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        await pieces.put(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            await pieces.put(b"end")

    authorization = verifier.as_party()["authorization"].encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", authorization)],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 8103),
        "client": ("localhost", 1),
        "root_path": "",
        "asgi": {"version": "3.0"},
    }
    task = asyncio.create_task(verifier.app(scope, receive, send))
    try:
        while (piece := await asyncio.wait_for(pieces.get(), 10)) != b"end":
            if piece.startswith(b"data: "):
                yield str(strict_json.parse_object(piece.removeprefix(b"data: "))["state"])
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_every_state_is_told_live(verifier: Deployed) -> None:
    started = await verifier.start()
    stream = events(verifier, f"/api/v1/requests/{started['transaction_id']}/events")
    assert await anext(stream) == "requested"
    asked = asyncio.create_task(verifier.fetch(started))
    assert await anext(stream) == "fetched"
    await asked
    answered = asyncio.create_task(verifier.answer(started))
    assert [state async for state in stream] == ["answered"]
    assert (await answered).status_code == 200


async def test_a_stream_ends_with_the_request(verifier: Deployed) -> None:
    started = await verifier.start()
    path = f"/api/v1/requests/{started['transaction_id']}/events"
    stream = events(verifier, path)
    assert await anext(stream) == "requested"
    verifier.clock.advance(timedelta(seconds=300))
    assert [state async for state in stream] == ["expired"]
    answer = await verifier.client.get(path, headers=verifier.as_party())
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.count("data: ") == 1


def test_a_place_in_the_settings_is_a_province_or_territory(place: Place) -> None:
    assert place.settings(place="ca-yt").place == "ca-yt"
    for wrong in ("ca-zz", "CA-ON", "ontario", "ca"):
        with pytest.raises(ValueError, match="no province or territory"):
            place.settings(place=wrong)


def test_production_refuses_plain_answers_and_plain_addresses(place: Place) -> None:
    reasons = list(place.settings(response_mode="direct_post").refuse_in_production())
    assert any("RESPONSE_MODE" in each for each in reasons)
    assert any("PUBLIC_URL" in each for each in reasons)
    fit = place.settings(public_url="https://verifier.example")
    assert list(fit.refuse_in_production()) == []
