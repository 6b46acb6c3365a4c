"""The description of the API, and that the service does what it says."""

from typing import Any

import httpx
import pytest
from jsonschema_rs import Draft202012Validator

from issuer.api import described, described_protocol
from tests.services.issuer.clerks import AtDesk, words
from tests.services.issuer.deployed import ON, Deployed


@pytest.fixture
async def document(issuer: Deployed) -> dict[str, Any]:
    found: dict[str, Any] = (await issuer.client.get("/openapi.json")).json()
    return found


async def test_every_operation_is_described_with_its_answers_and_examples(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["operator"]["scheme"] == "bearer"
    operations = [(path, how, each) for path, item in document["paths"].items() for how, each in item.items()]
    wallets = [each for each in operations if not each[0].startswith("/api/")]
    operations = [each for each in operations if each not in wallets]
    assert {path for path, _, _ in operations} == {
        "/api/v1/offers",
        "/api/v1/offers/{offer_id}",
        "/api/v1/offers/{offer_id}/qr.png",
        "/api/v1/offers/{offer_id}/cancel",
        "/api/v1/offers/{offer_id}/{verdict}",
        "/api/v1/credentials/search",
        "/api/v1/credentials/{credential_id}",
        "/api/v1/credentials/{credential_id}/{change}",
        "/api/v1/audit",
    }
    for path, _, said in operations:
        assert said["security"] == [{"operator": []}], path
        assert {"401", "403"} <= set(said["responses"]), path
        for content in said.get("requestBody", {}).get("content", {}).values():
            Draft202012Validator(content["schema"]).validate(content["example"])
    post = document["paths"]["/api/v1/offers"]["post"]
    assert [each["name"] for each in post["parameters"]] == ["Idempotency-Key"]


async def test_every_endpoint_for_wallets_is_described_with_an_example(document: dict[str, Any]) -> None:
    protected = {"credential", "deferred_credential", "notification"}
    posted = {path: item for path, item in document["paths"].items() if "post" in item}  # what is read: its own test
    found = {path.removeprefix("/{path}/"): item for path, item in posted.items() if "/api/" not in path}
    assert set(found) == protected | {"token", "par", "nonce", "challenge"}
    for name, item in found.items():
        said = item["post"]
        assert said["security"] == ([{"accessToken": []}] if name in protected else [])
        for content in said.get("requestBody", {}).get("content", {}).values():
            Draft202012Validator(content["schema"]).validate(content["example"])
        for status, answer in said["responses"].items():
            for content in answer.get("content", {}).values() if status.startswith("2") else ():
                Draft202012Validator(content["schema"]).validate(content["example"])
    assert "requestBody" not in found["nonce"]["post"]


async def test_what_wallets_are_told_is_what_happens(issuer: Deployed) -> None:
    def fits(said: dict[str, Any], answer: httpx.Response) -> None:
        good = said["responses"][answer.status_code]
        if answer.content:
            Draft202012Validator(good["content"]["application/json"]["schema"]).validate(answer.json())

    offer = await issuer.offer()
    redeemed = await issuer.redeem(offer)
    fits(described_protocol.TOKEN, redeemed)
    fits(described_protocol.TOKEN, await issuer.redeem(offer))  # refused
    fits(described_protocol.NONCE, await issuer.client.post(f"/{ON}/nonce"))
    fits(described_protocol.PUSH, await issuer.client.post(f"/{ON}/par", data=_example(described_protocol.PUSH)))
    token = redeemed.json()["access_token"]
    issued = await issuer.receive(offer, token=token)
    fits(described_protocol.CREDENTIAL, issued)
    bearer = {"authorization": f"Bearer {token}"}
    body = {**_example(described_protocol.NOTIFICATION), "notification_id": issued.json()["notification_id"]}
    noted = await issuer.client.post(f"/{ON}/notification", json=body, headers=bearer)
    assert noted.status_code == 204
    fits(described_protocol.NOTIFICATION, noted)
    unknown = _example(described_protocol.DEFERRED_CREDENTIAL)
    refused = await issuer.client.post(f"/{ON}/deferred_credential", json=unknown, headers=bearer)
    assert refused.json()["error"] == "invalid_transaction_id"
    fits(described_protocol.DEFERRED_CREDENTIAL, refused)


def _example(said: dict[str, Any]) -> dict[str, Any]:
    (content,) = said["openapi_extra"]["requestBody"]["content"].values()
    found: dict[str, Any] = content["example"]
    return found


async def test_what_is_said_is_what_happens(issuer: Deployed) -> None:
    headers = issuer.as_role("all")
    made = await issuer.client.post("/api/v1/offers", json=dict(described.WANTED_EXAMPLE), headers=headers)
    assert made.status_code == 201
    Draft202012Validator(described.OFFER).validate(made.json())
    shown = await issuer.client.get(f"/api/v1/offers/{made.json()['offer_id']}", headers=headers)
    Draft202012Validator(described.OFFER).validate(shown.json())
    token = await issuer.token(made.json(), tx_code=made.json()["transaction_code"])
    assert (await issuer.receive(made.json(), token=token)).status_code == 200
    found = await issuer.client.post("/api/v1/credentials/search", json=dict(described.SEARCH_EXAMPLE), headers=headers)
    (record,) = found.json()["credentials"]
    Draft202012Validator(described.CREDENTIAL).validate(record)
    path = f"/api/v1/credentials/{record['id']}/revoke"
    revoked = await issuer.client.post(path, json=dict(described.REASON_EXAMPLE), headers=headers)
    Draft202012Validator(described.CREDENTIAL).validate(revoked.json())
    log = await issuer.client.get("/api/v1/audit?authority=ca-on/services", headers=headers)
    schema = described.AUDIT["responses"][200]["content"]["application/json"]["schema"]
    Draft202012Validator(schema).validate(log.json())


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_the_description_is_a_page_without_scripts_of_others(issuer: Deployed, language: str) -> None:
    page = await AtDesk(issuer.client, language).get("/api")
    assert page.status_code == 200
    assert "Idempotency-Key" in words(page)
    assert "curl -X POST" in page.text
    assert "application/x-www-form-urlencoded" in page.text
    assert "grant_type=urn%3Aietf" in page.text
    assert "cdn" not in page.text.lower()
