"""The operators' API for programs: calls that may be sent again, and lists that are read page by page."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from comity.keys import KeySigner
from issuer import offering_once
from tests.services.issuer.deployed import LICENCE, ON, PERSON, Deployed

WANTED: dict[str, Any] = {"authority": ON, "type": "person/1", "claims": PERSON}


async def post(issuer: Deployed, key: str, body: dict[str, Any] = WANTED, role: str = "clerk") -> Any:
    headers = issuer.as_role(role) | {"idempotency-key": key}
    return await issuer.client.post("/api/v1/offers", json=body, headers=headers)


@pytest.mark.fault("F18", "F38")
async def test_a_call_that_is_sent_again_gets_the_same_offer_and_code(issuer: Deployed) -> None:
    first, second = await post(issuer, "a"), await post(issuer, '"a"')
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert len(first.json()["transaction_code"]) == 6
    other = await post(issuer, "b")
    assert other.json()["offer_id"] != first.json()["offer_id"]


@pytest.mark.fault("F38")
async def test_calls_that_come_at_once_make_one_offer(issuer: Deployed) -> None:
    answers = await asyncio.gather(*(post(issuer, "a") for _ in range(5)))
    assert len({each.json()["offer_id"] for each in answers}) == 1
    log = await issuer.client.get(f"/api/v1/audit?authority={ON}", headers=issuer.as_role("auditor"))
    assert [each["action"] for each in log.json()["events"]] == ["offer_created"]


async def test_a_key_belongs_to_one_wish_of_one_operator(issuer: Deployed) -> None:
    first = await post(issuer, "a")
    refused = await post(issuer, "a", WANTED | {"record_reference": "r"})
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert (await post(issuer, "a", role="supervisor")).json()["offer_id"] != first.json()["offer_id"]
    assert (await post(issuer, "a")).json() == first.json()
    issuer.clock.advance(timedelta(seconds=offering_once.KEEP_SECONDS + 1))
    assert (await post(issuer, "a")).json()["offer_id"] != first.json()["offer_id"]


async def test_a_refused_wish_uses_no_key_up(issuer: Deployed) -> None:
    assert (await post(issuer, "a", WANTED | {"claims": {}})).status_code == 400
    assert (await post(issuer, "a")).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "x" * 201, "é".encode().decode("latin-1")])
async def test_a_key_that_is_none_is_refused(issuer: Deployed, key: str) -> None:
    headers = [*issuer.as_role("clerk").items(), ("idempotency-key", key.encode("latin-1"))]
    refused = await issuer.client.post("/api/v1/offers", json=WANTED, headers=headers)  # type: ignore[arg-type]
    assert (refused.status_code, refused.json()["code"]) == (400, "request_invalid")


async def test_the_log_is_read_page_by_page_without_gaps(issuer: Deployed) -> None:
    for number in range(5):
        await issuer.offer(record_reference=f"r{number}")
    seen: list[str] = []
    cursor = ""
    while True:
        path = f"/api/v1/audit?authority={ON}&limit=2{cursor}"
        page = (await issuer.client.get(path, headers=issuer.as_role("auditor"))).json()
        seen += [each["subject"] for each in page["events"]]
        if "next_cursor" not in page:
            break
        await issuer.offer()  # what arrives meanwhile moves nothing
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 5


async def test_records_are_read_page_by_page_without_gaps(issuer: Deployed) -> None:
    for _ in range(2):
        offer = await issuer.offer(type="drivers-licence/1", claims=LICENCE, record_reference="r")
        assert (await issuer.receive(offer, KeySigner.generate(), KeySigner.generate())).status_code == 200
        issuer.clock.advance(timedelta(seconds=1))
    seen: list[str] = []
    body: dict[str, Any] = {"authority": ON, "record_reference": "r", "limit": 3}
    while True:
        answer = await issuer.client.post("/api/v1/credentials/search", json=body, headers=issuer.as_role("clerk"))
        seen += [each["id"] for each in answer.json()["credentials"]]
        if "next_cursor" not in answer.json():
            break
        body["cursor"] = answer.json()["next_cursor"]
    assert len(seen) == len(set(seen)) == 4


@pytest.mark.parametrize("cursor", ["x", "!", "MTIz", "A" * 300, "IA", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5IHg"])
async def test_a_made_up_cursor_is_refused(issuer: Deployed, cursor: str) -> None:
    headers = issuer.as_role("auditor")
    refused = await issuer.client.get(f"/api/v1/audit?authority={ON}&cursor={cursor}", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (400, "request_invalid")
    body = {"authority": ON, "record_reference": "r", "cursor": cursor}
    refused = await issuer.client.post("/api/v1/credentials/search", json=body, headers=headers)
    assert refused.status_code == 400


@pytest.mark.parametrize("limit", [0, 201, -1])
async def test_a_page_has_a_size(issuer: Deployed, limit: int) -> None:
    path = f"/api/v1/audit?authority={ON}&limit={limit}"
    assert (await issuer.client.get(path, headers=issuer.as_role("auditor"))).status_code == 400
