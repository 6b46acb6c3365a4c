"""Every refusal of the wallet's endpoints: the code the protocol demands, nothing changed, and the good twin passes."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from comity import jose
from comity.keys import KeySigner
from tests.services.issuer.deployed import BC, GRANT, ON, PUBLIC_URL, Deployed, Place, running

Body = dict[str, Any]
FORM = {"content-type": "application/x-www-form-urlencoded"}


# --- token endpoint


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"pre-authorized_code": ""}, "invalid_request"),
        ({"pre-authorized_code": "guess"}, "invalid_grant"),
        ({"tx_code": "000000"}, "invalid_request"),
        ({"resource": f"{PUBLIC_URL}/{BC}"}, "invalid_target"),
    ],
)
@pytest.mark.clause("VCI-22")
@pytest.mark.attack("I04")
@pytest.mark.good_twin("I04")
async def test_a_bad_token_request_burns_nothing(issuer: Deployed, change: dict[str, str], error: str) -> None:
    offer = await issuer.offer()
    refused = await issuer.redeem(offer, **change)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert refused.headers["cache-control"] == "no-store"
    good = await issuer.redeem(offer, resource=f"{PUBLIC_URL}/{ON}", client_id="")
    assert (good.status_code, good.json()["token_type"], good.json()["expires_in"]) == (200, "Bearer", 300)
    assert "c_nonce" not in good.json()


@pytest.mark.parametrize(
    "body",
    [b"grant_type=a&grant_type=b", b"\xff", b"grant_type=%zz", b""],
)
async def test_a_malformed_form_is_refused(issuer: Deployed, body: bytes) -> None:
    answer = await issuer.client.post(f"/{ON}/token", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_token_endpoint_reads_forms_only(issuer: Deployed) -> None:
    answer = await issuer.client.post(f"/{ON}/token", json={"grant_type": GRANT})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_code_is_of_one_authority(issuer: Deployed) -> None:
    offer = await issuer.offer()
    elsewhere = await issuer.redeem({**offer, "authority": BC})
    assert elsewhere.json()["error"] == "invalid_grant"
    assert (await issuer.redeem(offer)).status_code == 200


async def test_a_code_ends(issuer: Deployed) -> None:
    offer = await issuer.offer()
    issuer.clock.advance(timedelta(seconds=600))
    assert (await issuer.redeem(offer)).json()["error"] == "invalid_grant"
    shown = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role("clerk"))
    assert shown.json()["state"] == "expired"
    issuer.clock.advance(timedelta(seconds=-1))
    assert (await issuer.redeem(offer)).status_code == 200


@pytest.mark.clause("VCI-22")
@pytest.mark.attack("I01")
@pytest.mark.good_twin("I01")
async def test_a_used_code_is_used(issuer: Deployed) -> None:
    offer = await issuer.offer()
    assert (await issuer.redeem(offer)).status_code == 200
    assert (await issuer.redeem(offer)).json()["error"] == "invalid_grant"


@pytest.mark.attack("I17")
async def test_a_cancelled_offer_gives_nothing(issuer: Deployed) -> None:
    offers = [await issuer.offer(), await issuer.offer()]
    token = await issuer.token(offers[1])
    for offer in offers:
        for _ in range(2):
            answer = await issuer.client.post(
                f"/api/v1/offers/{offer['offer_id']}/cancel", headers=issuer.as_role("clerk")
            )
            assert answer.json()["state"] == "cancelled"
    assert (await issuer.redeem(offers[0])).json()["error"] == "invalid_grant"
    assert (await issuer.receive(offers[1], token=token)).status_code == 401


# --- transaction codes


@pytest.mark.attack("I02", "I04")
@pytest.mark.good_twin("I02", "I04")
async def test_a_transaction_code_is_needed_and_a_wrong_one_does_not_burn_the_offer(issuer: Deployed) -> None:
    offer = await issuer.offer(transaction_code=True)
    code = offer["transaction_code"]
    assert offer["credential_offer"]["grants"][GRANT]["tx_code"] == {"input_mode": "numeric", "length": 6}
    assert code not in offer["link"] + offer["link_by_value"]
    for fields in ({}, {"tx_code": ""}, {"tx_code": "null"}):
        missing = await issuer.redeem(offer, **fields)
        error = "invalid_grant" if fields.get("tx_code") else "invalid_request"
        assert (missing.status_code, missing.json()["error"]) == (400, error)
    for _ in range(3):
        wrong = await issuer.redeem(offer, tx_code=other(code))
        assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert (await issuer.redeem(offer, tx_code=code)).status_code == 200


@pytest.mark.clause("VCI-22")
@pytest.mark.attack("I03")
async def test_five_wrong_codes_kill_the_offer(issuer: Deployed) -> None:
    offer = await issuer.offer(transaction_code=True)
    for _ in range(5):
        assert (await issuer.redeem(offer, tx_code=other(offer["transaction_code"]))).status_code == 400
    dead = await issuer.redeem(offer, tx_code=offer["transaction_code"])
    assert (dead.status_code, dead.json()["error"]) == (400, "invalid_grant")
    shown = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role("clerk"))
    assert shown.json()["state"] == "dead"


@pytest.mark.both_databases
@pytest.mark.attack("I03")
async def test_parallel_guesses_get_five_tries_in_all(issuer: Deployed) -> None:
    offer = await issuer.offer(transaction_code=True)
    right = offer["transaction_code"]

    async def guess(wrong: str) -> httpx.Response:
        answer = await issuer.redeem(offer, tx_code=wrong)
        for _ in range(20):
            if answer.status_code != 503:  # busy: nothing was decided, come back
                break
            answer = await issuer.redeem(offer, tx_code=wrong)
        return answer

    answers = await asyncio.gather(*(guess(other(right, step)) for step in range(1, 101)))
    said = [answer.json()["error_description"] for answer in answers]
    assert said.count("the transaction code is wrong") == 4
    assert len({answer.status_code for answer in answers}) == 1
    assert (await issuer.redeem(offer, tx_code=right)).json()["error"] == "invalid_grant"


def other(code: str, step: int = 1) -> str:
    return f"{(int(code) + step) % 1_000_000:06d}"


# --- credential endpoint


@pytest.mark.clause("4-7")
async def test_without_a_token_there_is_a_challenge_without_a_code(issuer: Deployed) -> None:
    for path in ("credential", "notification"):
        for headers in ({}, {"authorization": "Basic abc"}, {"authorization": "Bearer "}):
            answer = await issuer.client.post(f"/{ON}/{path}", json={}, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == 'Bearer, DPoP algs="ES256 ES384 EdDSA"'
            assert answer.content == b""


@pytest.mark.clause("4-7")
@pytest.mark.attack("I10")
@pytest.mark.good_twin("I10")
async def test_a_bad_token_is_told_so_before_the_body_is_judged(issuer: Deployed) -> None:
    offer = await issuer.offer()
    token = await issuer.token(offer)
    for authority, given in ((ON, "guess"), (BC, token)):
        answer = await issuer.request(given, "nonsense", [], authority=authority)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await issuer.receive(offer, token=token)).status_code == 200


@pytest.mark.attack("C03", "I17")
@pytest.mark.good_twin("C03", "I17")
async def test_a_token_ends_after_five_minutes(issuer: Deployed) -> None:
    offer = await issuer.offer()
    token = await issuer.token(offer)
    issuer.clock.advance(timedelta(seconds=300))
    assert (await issuer.receive(offer, token=token)).status_code == 401
    issuer.clock.advance(timedelta(seconds=-1))
    assert (await issuer.receive(offer, token=token)).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"credential_configuration_id": None}, 400, "invalid_credential_request"),
        ({"credential_identifier": "x"}, 400, "invalid_credential_request"),
        ({"credential_configuration_id": "-", "credential_identifier": "x"}, 400, "unknown_credential_identifier"),
        ({"credential_configuration_id": "cat.1.sdjwt"}, 400, "unknown_credential_configuration"),
        ({"credential_configuration_id": "person.1.vcjwt"}, 403, "insufficient_scope"),
        ({"credential_configuration_id": "drivers-licence.1.sdjwt"}, 403, "insufficient_scope"),
        ({"proofs": "-"}, 400, "invalid_proof"),
        ({"proofs": {}}, 400, "invalid_credential_request"),
        ({"proofs": {"jwt": []}}, 400, "invalid_proof"),
        ({"proofs": {"jwt": ["a.b.c"]}}, 400, "invalid_proof"),
        ({"proofs": {"attestation": ["x"]}}, 400, "invalid_proof"),
        ({"proofs": {"future": ["x"]}}, 400, "invalid_proof"),
        ({"proofs": {"jwt": ["a.b.c"], "attestation": ["x"]}}, 400, "invalid_credential_request"),
        ({"proofs": []}, 400, "invalid_credential_request"),
        ({"proofs": None}, 400, "invalid_credential_request"),
        ({"proofs": {"jwt": "a.b.c"}}, 400, "invalid_proof"),
        ({"credential_configuration_id": 7}, 400, "invalid_credential_request"),
        ({"credential_response_encryption": {}}, 400, "invalid_encryption_parameters"),
    ],
)
@pytest.mark.clause("VCI-40")
@pytest.mark.attack("I10")
@pytest.mark.good_twin("I10")
async def test_a_bad_credential_request_changes_nothing(
    issuer: Deployed, change: Body, status: int, error: str
) -> None:
    offer = await issuer.offer(formats=["dc+sd-jwt"])
    token, nonce = await issuer.token(offer), await issuer.nonce()
    proof = issuer.proof(KeySigner.generate(), nonce)
    body: Body = {"credential_configuration_id": "person.1.sdjwt", "proofs": {"jwt": [proof]}} | change
    body = {name: value for name, value in body.items() if value != "-"}
    bearer = {"authorization": f"Bearer {token}"}
    refused = await issuer.client.post(f"/{ON}/credential", json=body, headers=bearer)
    assert (refused.status_code, refused.json()["error"]) == (status, error), refused.text
    assert refused.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in refused.headers) == (status == 403)
    good = await issuer.request(token, "person.1.sdjwt", [proof], unknown_member=1)
    assert good.status_code == 200, good.text


@pytest.mark.parametrize("content", [b"[]", b'{"a":1,"a":2}', b"\xff", b"", b'{"a":NaN}'])
async def test_a_body_that_is_no_json_object_is_refused(issuer: Deployed, content: bytes) -> None:
    token = await issuer.token(await issuer.offer())
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer = await issuer.client.post(f"/{ON}/credential", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_credential_request")
    headers["content-type"] = "text/plain"
    answer = await issuer.client.post(f"/{ON}/credential", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_credential_request")


@pytest.mark.clause("VCI-41")
@pytest.mark.attack("I07", "I11")
@pytest.mark.good_twin("I07", "I11")
async def test_every_bad_proof_is_refused_and_names_its_place(issuer: Deployed) -> None:
    offer = await issuer.offer()
    token, nonce, key = await issuer.token(offer), await issuer.nonce(), KeySigner.generate()
    late = issuer.clock.now() + timedelta(minutes=5)
    bad = {
        "audience": issuer.proof(key, nonce, audience=f"{PUBLIC_URL}/{ON}/credential"),
        "other issuer": issuer.proof(key, nonce, authority=BC),
        "future": issuer.proof(key, nonce, at=late),
        "no nonce": issuer.proof(key, None),
        "typ": jose.sign({"typ": "JWT", "jwk": dict(key.public_jwk)}, {"aud": "x"}, key),
    }
    for name, proof in bad.items():
        answer = await issuer.request(token, "person.1.sdjwt", [issuer.proof(KeySigner.generate(), nonce), proof])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_proof"), name
        assert "2 of 2" in answer.json()["error_description"]
    twice = await issuer.request(token, "person.1.sdjwt", [issuer.proof(key, nonce)] * 2)
    assert twice.json()["error"] == "invalid_proof"
    assert await issuer.records(name="Maya Zyxwvut-Canari-Éclair") == []
    assert (await issuer.request(token, "person.1.sdjwt", [issuer.proof(key, nonce)])).status_code == 200


@pytest.mark.attack("I11")
@pytest.mark.good_twin("I11")
async def test_a_batch_is_no_larger_than_allowed(issuer: Deployed) -> None:
    small = await issuer.offer(batch=2)
    token, nonce = await issuer.token(small), await issuer.nonce()
    proofs = [issuer.proof(KeySigner.generate(), nonce) for _ in range(9)]
    for count in (9, 3):
        answer = await issuer.request(token, "person.1.sdjwt", proofs[:count])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_proof")
    assert (await issuer.request(token, "person.1.sdjwt", proofs[:2])).status_code == 200


# --- nonces


@pytest.mark.clause("VCI-30")
@pytest.mark.attack("I06")
@pytest.mark.good_twin("I06")
async def test_a_nonce_must_be_ours_of_this_authority_and_young(issuer: Deployed) -> None:
    offer = await issuer.offer()
    token, key = await issuer.token(offer), KeySigner.generate()
    good = await issuer.nonce()
    forged = good[:-1] + ("A" if good[-1] != "A" else "Q")
    for nonce in ("guess", forged, await issuer.nonce(BC), "é"):
        answer = await issuer.request(token, "person.1.sdjwt", [issuer.proof(key, nonce)])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_nonce"), nonce
    assert (await issuer.request(token, "person.1.sdjwt", [issuer.proof(key, good)])).status_code == 200


@pytest.mark.attack("C03", "I06")
@pytest.mark.good_twin("C03", "I06")
async def test_a_nonce_ends(place: Place) -> None:
    async with running(place, nonce_seconds=60) as issuer:
        offer = await issuer.offer()
        token, nonce, key = await issuer.token(offer), await issuer.nonce(), KeySigner.generate()
        issuer.clock.advance(timedelta(seconds=60))
        answer = await issuer.request(token, "person.1.sdjwt", [issuer.proof(key, nonce)])
        assert answer.json()["error"] == "invalid_nonce"
        issuer.clock.advance(timedelta(seconds=-1))
        assert (await issuer.request(token, "person.1.sdjwt", [issuer.proof(key, nonce)])).status_code == 200


@pytest.mark.both_databases
@pytest.mark.clause("VCI-30")
@pytest.mark.attack("I05")
@pytest.mark.good_twin("I05")
async def test_twenty_offers_with_one_nonce_give_one_credential(issuer: Deployed) -> None:
    offers = [await issuer.offer() for _ in range(20)]
    tokens = [await issuer.token(offer) for offer in offers]
    nonce = await issuer.nonce()
    answers = await asyncio.gather(
        *(issuer.request(token, "person.1.sdjwt", [issuer.proof(KeySigner.generate(), nonce)]) for token in tokens)
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 19]
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_nonce"}
    assert len(await issuer.records(name="Maya Zyxwvut-Canari-Éclair")) == 1
    assert len({await issuer.nonce() for _ in range(50)}) == 50


@pytest.mark.both_databases
@pytest.mark.attack("I05")
@pytest.mark.good_twin("I05")
async def test_parallel_requests_of_one_token_with_different_keys_give_one_credential(issuer: Deployed) -> None:
    offer = await issuer.offer()
    token = await issuer.token(offer)
    answers = await asyncio.gather(*(issuer.receive(offer, token=token) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 9]
    assert len(await issuer.records(name="Maya Zyxwvut-Canari-Éclair")) == 1


# --- notifications


@pytest.mark.clause("VCI-51")
@pytest.mark.attack("I16")
@pytest.mark.good_twin("I16")
async def test_notifications_are_idempotent_and_of_one_token(issuer: Deployed) -> None:
    offer, foreign = await issuer.offer(), await issuer.offer()
    token, foreign_token = await issuer.token(offer), await issuer.token(foreign)
    notification_id = (await issuer.receive(offer, token=token)).json()["notification_id"]
    body = {"notification_id": notification_id, "event": "credential_accepted"}

    async def notify(given: Body, bearer: str) -> tuple[int, str]:
        answer = await issuer.client.post(
            f"/{ON}/notification", json=given, headers={"authorization": f"Bearer {bearer}"}
        )
        return answer.status_code, answer.json()["error"] if answer.content else ""

    assert await notify(body, foreign_token) == (400, "invalid_notification_id")
    assert await notify({**body, "notification_id": "guess"}, token) == (400, "invalid_notification_id")
    assert await notify({**body, "event": "credential_eaten"}, token) == (400, "invalid_notification_request")
    assert await notify({"event": "credential_accepted"}, token) == (400, "invalid_notification_request")
    assert await notify(body, "guess") == (401, "invalid_token")
    for _ in range(2):
        assert await notify(body, token) == (204, "")
    assert await notify({**body, "event": "credential_failure"}, token) == (204, "")


# --- sizes


@pytest.mark.attack("Q01")
async def test_large_and_deep_bodies_are_refused_at_once(issuer: Deployed) -> None:
    token = await issuer.token(await issuer.offer())
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    large = await issuer.client.post(f"/{ON}/credential", content=b" " * (1 << 20) + b"{}", headers=headers)
    assert large.status_code == 413
    deep = await issuer.client.post(f"/{ON}/credential", content=b"[" * 100_000, headers=headers)
    assert deep.status_code == 400
