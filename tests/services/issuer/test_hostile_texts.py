"""Texts that are commands elsewhere (W14): each is only a text, finds nothing of another name, and breaks nothing."""

import pytest

from tests.services.issuer.deployed import CANARY, ON, Deployed

TEXTS = (
    "' OR '1'='1",
    "x'; DROP TABLE credentials; --",
    "%",
    "_" * 8,
    "file-\x00",
    "\ufffe\uffff",
    "$.claims[*]",
    "(a+)+$",
    "{{7*7}}",
    "\\",
)


@pytest.mark.both_databases
@pytest.mark.attack("W14")
@pytest.mark.good_twin("W14")
async def test_in_searches(issuer: Deployed) -> None:
    assert (await issuer.receive(await issuer.offer(record_reference="file-7"))).status_code == 200
    for text in TEXTS:
        for field in ("record_reference", "name", "number"):
            answer = await issuer.client.post(
                "/api/v1/credentials/search", json={"authority": ON, field: text}, headers=issuer.as_role("clerk")
            )
            assert answer.status_code in {200, 400}, (field, text, answer.text)
            assert answer.status_code == 400 or answer.json()["credentials"] == [], (field, text)
    assert len(await issuer.records(record_reference="file-7")) == 1
    assert len(await issuer.records(name=f"Maya {CANARY}")) == 1


@pytest.mark.both_databases
@pytest.mark.attack("W14")
@pytest.mark.good_twin("W14")
async def test_in_what_is_kept(issuer: Deployed) -> None:
    for text in TEXTS:
        body = {"record_reference": text}
        made = await issuer.client.post(
            "/api/v1/offers",
            json={"authority": ON, "type": "person/1", "claims": None, **body},
            headers=issuer.as_role("clerk"),
        )
        assert made.status_code in {400, 404}, (text, made.text)
    surrogate = b'{"authority":"ca-on/services","type":"person/1","record_reference":"\\ud800"}'
    headers = {**issuer.as_role("clerk"), "content-type": "application/json"}
    broken = await issuer.client.post("/api/v1/offers", content=surrogate, headers=headers)
    assert broken.status_code == 400
    assert (await issuer.offer(record_reference="plain"))["offer_id"]


@pytest.mark.both_databases
@pytest.mark.attack("W14")
@pytest.mark.good_twin("W14")
async def test_in_addresses(issuer: Deployed) -> None:
    headers, client = issuer.as_role("all"), issuer.client
    name = "urn:ietf:params:oauth:request_uri:a%00b"
    for path in (
        f"/{ON}/sign-in/a%00b",
        f"/{ON}/authorize?client_id=wallet&request_uri={name}",
        "/api/v1/offers/a%00b",
        "/api/v1/credentials/a%00b",
        "/en/offers/a%00b",
    ):
        answer = await client.get(path, headers=headers, follow_redirects=True)
        assert answer.status_code < 500, (path, answer.text)
    bearer = {"authorization": f"Bearer {await issuer.token(await issuer.offer())}"}
    told = {"notification_id": "a\0b", "event": "credential_accepted"}
    assert (await client.post(f"/{ON}/notification", json=told, headers=bearer)).status_code == 400
    made = await issuer.offer()
    assert (await client.get(f"/api/v1/offers/{made['offer_id']}", headers=headers)).status_code == 200
