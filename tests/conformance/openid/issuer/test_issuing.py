"""The issuer's modules of the plan oid4vci-1_0-issuer, derived from their names (no certification)."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from comity import formats, keys, strict_json
from comity.credential import Format
from comity.formats import ProcessedCredential
from comity.keys import KeySigner
from comity.openid.issuance.metadata import IssuerMetadata
from tests.services.issuer.deployed import GRANT, ON, PUBLIC_URL, Deployed

PERSON = "person.1.sdjwt"


def issued(answer: httpx.Response) -> list[ProcessedCredential]:
    """Return what a credential response brought, processed."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    kind = formats.FORMATS[Format.DC_SD_JWT]
    return [kind.process(kind.open(each["credential"]).credentials[0]) for each in answer.json()["credentials"]]


def bound_to(credential: ProcessedCredential) -> str:
    return keys.thumbprint(credential.holder_jwk or {})


async def refused(issuer: Deployed, error: str, body: Mapping[str, Any]) -> None:
    """A request is refused with ``error`` and changes nothing; a good one with the same token succeeds."""
    offer = await issuer.offer(record_reference="module")
    token = await issuer.token(offer)
    authorization = {"authorization": f"Bearer {token}"}
    answer = await issuer.client.post(f"/{ON}/credential", json=dict(body), headers=authorization)
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert await issuer.records(record_reference="module") == []
    assert len(issued(await issuer.receive(offer, token=token))) == 1


async def proofs(issuer: Deployed, **changes: Any) -> dict[str, list[str]]:
    return {"jwt": [issuer.proof(KeySigner.generate(), changes.get("nonce", await issuer.nonce()))]}


@pytest.mark.derived("oid4vci-1_0-issuer-metadata-test")
async def test_metadata(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/.well-known/openid-credential-issuer/{ON}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    read = IssuerMetadata.parse(answer.content, credential_issuer=f"{PUBLIC_URL}/{ON}")
    server = await issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")
    said = strict_json.parse_object(server.content)
    assert said["issuer"] == f"{PUBLIC_URL}/{ON}"
    assert GRANT in said["grant_types_supported"]
    configuration = read.configurations[PERSON]
    assert configuration.scope == PERSON


@pytest.mark.derived("oid4vci-1_0-issuer-happy-flow")
async def test_happy_flow(issuer: Deployed) -> None:
    holder, offer = KeySigner.generate(), await issuer.offer()
    answer = await issuer.receive(offer, holder)
    assert [bound_to(each) for each in issued(answer)] == [holder.thumbprint]
    told = {"notification_id": answer.json()["notification_id"], "event": "credential_accepted"}
    token = await issuer.token(await issuer.offer())
    elsewhere = await issuer.client.post(f"/{ON}/notification", json=told, headers={"authorization": f"Bearer {token}"})
    assert elsewhere.json()["error"] == "invalid_notification_id", "an id is of the token that it was given for"


@pytest.mark.derived("oid4vci-1_0-issuer-happy-flow-additional-requests")
async def test_additional_requests(issuer: Deployed) -> None:
    holder, offer = KeySigner.generate(), await issuer.offer()
    token = await issuer.token(offer)
    first, again = [issued(await issuer.receive(offer, holder, token=token)) for _ in range(2)]
    assert [bound_to(each) for each in (*first, *again)] == [holder.thumbprint] * 2
    assert first[0].claims == again[0].claims


@pytest.mark.derived("oid4vci-1_0-issuer-happy-flow-multiple-clients")
async def test_multiple_clients(issuer: Deployed) -> None:
    offers = [await issuer.offer(), await issuer.offer()]
    tokens = [await issuer.token(each, client_id=f"wallet-{number}") for number, each in enumerate(offers)]
    got = [issued(await issuer.receive(each, token=token))[0] for each, token in zip(offers, tokens, strict=True)]
    assert bound_to(got[0]) != bound_to(got[1])
    assert got[0].status != got[1].status


@pytest.mark.derived("oid4vci-1_0-issuer-happy-flow-skip-notification")
async def test_without_a_notification(issuer: Deployed) -> None:
    offer = await issuer.offer(record_reference="quiet")
    assert len(issued(await issuer.receive(offer))) == 1
    (record,) = await issuer.records(record_reference="quiet")
    assert record["status"] == "valid"


@pytest.mark.derived("oid4vci-1_0-issuer-batch-issuance")
@pytest.mark.clause("HAIP-issuer")
async def test_batch(issuer: Deployed) -> None:
    holders = [KeySigner.generate() for _ in range(4)]
    got = issued(await issuer.receive(await issuer.offer(), *holders))
    assert [bound_to(each) for each in got] == [each.thumbprint for each in holders]
    assert all(each.claims == got[0].claims for each in got)
    assert len({each.status for each in got}) == len(got)


@pytest.mark.derived("oid4vci-1_0-issuer-fail-invalid-nonce")
async def test_invalid_nonce(issuer: Deployed) -> None:
    bad = await proofs(issuer, nonce="not-a-nonce-of-this-issuer")
    await refused(issuer, "invalid_nonce", {"credential_configuration_id": PERSON, "proofs": bad})


@pytest.mark.derived("oid4vci-1_0-issuer-fail-invalid-jwt-proof-signature")
async def test_invalid_proof_signature(issuer: Deployed) -> None:
    (one,), (other,) = (await proofs(issuer))["jwt"], (await proofs(issuer))["jwt"]
    mixed = f"{one.rpartition('.')[0]}.{other.rpartition('.')[2]}"
    await refused(issuer, "invalid_proof", {"credential_configuration_id": PERSON, "proofs": {"jwt": [mixed]}})


@pytest.mark.derived("oid4vci-1_0-issuer-fail-missing-proof")
async def test_missing_proof(issuer: Deployed) -> None:
    await refused(issuer, "invalid_proof", {"credential_configuration_id": PERSON})


@pytest.mark.derived("oid4vci-1_0-issuer-fail-unknown-credential-configuration")
async def test_unknown_configuration(issuer: Deployed) -> None:
    body = {"credential_configuration_id": "nothing.1.sdjwt", "proofs": await proofs(issuer)}
    await refused(issuer, "unknown_credential_configuration", body)


@pytest.mark.derived("oid4vci-1_0-issuer-fail-unknown-credential-identifier")
async def test_unknown_identifier(issuer: Deployed) -> None:
    body = {"credential_identifier": "nobody", "proofs": await proofs(issuer)}
    await refused(issuer, "unknown_credential_identifier", body)


@pytest.mark.derived("oid4vci-1_0-issuer-fail-on-access-token-in-query")
async def test_access_token_in_the_query(issuer: Deployed) -> None:
    offer = await issuer.offer()
    token = await issuer.token(offer)
    body = {"credential_configuration_id": PERSON, "proofs": await proofs(issuer)}
    answer = await issuer.client.post(f"/{ON}/credential", params={"access_token": token}, json=body)
    assert answer.status_code == 401
    assert "error" not in answer.headers["www-authenticate"]
    assert len(issued(await issuer.receive(offer, token=token))) == 1
