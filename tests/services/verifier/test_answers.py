"""Answers in every shape: modes, encryptions, names of the verifier, formats; and what is no answer (P10 to P12)."""

from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc.jwe import JWERegistry, encrypt_compact
from joserfc.jwk import ECKey

from comity import jwe, strict_json
from comity.credential import Format
from comity.openid.presentation import response
from comity.openid.refusal import OAuthErrorCode
from tests.services.verifier.deployed import FORM, Deployed, Place, encrypted, plain, running

LICENCE_CLAIMS = ("class", "expires_on")


async def refused(verifier: Deployed, started: dict[str, Any], answer: Any, status: int, code: str) -> None:
    """Expect a refusal in OAuth's form, and that the request is as open as before."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.json()["error"] == "invalid_request"
    assert answer.json()["error_description"]
    assert answer.headers["cache-control"] == "no-store"
    assert (await verifier.outcome(started))["state"] == "fetched"
    good = await verifier.answer(started)
    assert (good.status_code, good.json()) == (200, {})
    assert (await verifier.result(started))["verdict"] == "accepted"


@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
@pytest.mark.parametrize("prefix", ["x509_hash", "decentralized_identifier"])
@pytest.mark.parametrize("kind", list(Format))
async def test_every_way_to_ask_and_to_answer(place: Place, mode: str, prefix: str, kind: Format) -> None:
    async with running(place, response_mode=mode, client_id_prefix=prefix) as verifier:
        started = await verifier.start()
        asked = await verifier.fetch(started)
        assert asked.client_id.text.startswith(f"{prefix}:")
        assert asked.response_mode.value == mode
        query_id = f"drivers-licence_{'sdjwt' if kind is Format.DC_SD_JWT else 'vcjwt'}"
        answer = await verifier.answer(started, {query_id: (verifier.held(kind=kind), LICENCE_CLAIMS)})
        assert (answer.status_code, answer.json()) == (200, {})
        result = await verifier.result(started)
        assert (result["verdict"], result["codes"]) == ("accepted", [])
        (claims,) = result["claims"][query_id]
        assert (claims["class"], claims["expires_on"]) == ("G2", "2026-11-23")


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
@pytest.mark.clause("VP-22")
async def test_both_content_encryptions(verifier: Deployed, enc: str) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    members = {"vp_token": verifier.vp_token(asked, verifier.licence()), "state": asked.state}
    answer = await verifier.post(started, encrypted(asked, members, enc=enc))
    assert answer.status_code == 200
    assert (await verifier.result(started))["verdict"] == "accepted"


@pytest.mark.clause("HAIP-verifier")
async def test_every_request_has_secrets_of_its_own(verifier: Deployed) -> None:
    one, two = [await verifier.fetch(await verifier.start()) for _ in range(2)]
    assert one.client_id == two.client_id
    for secret in ("nonce", "state", "response_uri", "client_metadata"):
        assert getattr(one, secret) != getattr(two, secret)


# --- P10: downgrades


@pytest.mark.attack("P10")
@pytest.mark.good_twin("P10")
async def test_plain_where_encryption_was_asked(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    token = verifier.vp_token(asked, verifier.licence())
    answer = await verifier.post(started, plain(token, state=asked.state or ""))
    await refused(verifier, started, answer, 400, "response_not_encrypted")


@pytest.mark.attack("P10")
@pytest.mark.good_twin("P10")
async def test_encrypted_where_nobody_asked_for_it(place: Place) -> None:
    async with running(place, response_mode="direct_post") as verifier:
        started = await verifier.start()
        asked = await verifier.fetch(started)
        key = jwe.EncryptionKey.generate("mine").public_jwk
        members = {"vp_token": verifier.vp_token(asked, verifier.licence()), "state": asked.state}
        answer = await verifier.post(started, encrypted(asked, members, key=key))
        await refused(verifier, started, answer, 400, "response_invalid")


@pytest.mark.parametrize("kid", ["of the request", "another"])
@pytest.mark.attack("J18", "P10")
@pytest.mark.good_twin("J18", "P10")
async def test_encrypted_to_a_wrong_key(verifier: Deployed, kid: str) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    named = started["request_id"] if kid == "of the request" else "another"
    members = {"vp_token": verifier.vp_token(asked, verifier.licence()), "state": asked.state}
    answer = await verifier.post(started, encrypted(asked, members, key=jwe.EncryptionKey.generate(named).public_jwk))
    await refused(verifier, started, answer, 400, "decryption_failed")


@pytest.mark.parametrize(
    ("alg", "enc"), [("ECDH-ES", "A192GCM"), ("ECDH-ES", "A128CBC-HS256"), ("ECDH-ES+A128KW", "A256GCM")]
)
@pytest.mark.attack("J17", "P10")
@pytest.mark.good_twin("J17", "P10")
async def test_encrypted_to_the_right_key_in_a_way_that_nobody_offered(verifier: Deployed, alg: str, enc: str) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    assert asked.client_metadata is not None
    key = dict(asked.client_metadata.encryption_key() or {})
    members = {"vp_token": verifier.vp_token(asked, verifier.licence()), "state": asked.state}
    header = {"alg": alg, "enc": enc, "kid": key["kid"]}
    foreign = JWERegistry(algorithms=[alg, enc])
    token = encrypt_compact(header, strict_json.serialise(members), ECKey.import_key(key), registry=foreign)
    answer = await verifier.post(started, urlencode({"response": token}))
    await refused(verifier, started, answer, 400, "algorithm_not_allowed")


@pytest.mark.clause("6-7")
@pytest.mark.attack("J18", "P10")
@pytest.mark.good_twin("J18", "P10")
async def test_the_encrypted_answer_to_another_request(verifier: Deployed) -> None:
    other, started = await verifier.start(), await verifier.start()
    asked = await verifier.fetch(other)
    await verifier.fetch(started)
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    await refused(verifier, started, await verifier.post(started, body), 400, "decryption_failed")
    assert (await verifier.outcome(other))["state"] == "fetched"


@pytest.mark.parametrize("state", ["wrong", None])
@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
@pytest.mark.clause("6-7")
async def test_the_state_is_that_of_the_request(place: Place, mode: str, state: str | None) -> None:
    async with running(place, response_mode=mode) as verifier:
        started = await verifier.start()
        asked = await verifier.fetch(started)
        token, states = verifier.vp_token(asked, verifier.licence()), {"state": state} if state else {}
        body = plain(token, **states) if mode == "direct_post" else encrypted(asked, {"vp_token": token, **states})
        await refused(verifier, started, await verifier.post(started, body), 400, "state_mismatch")


# --- P11: garbage


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing=here",
        b"\xff\xfe",
        b"response=%ZZ",
        b"response=abc",
        b"response=a.b.c.d.e",
        b"response=a.b.c.d.e&response=a.b.c.d.e",
        b"response=a.b.c.d.e&vp_token=%7B%7D",
        b"vp_token=%5B%22a%22%5D",
        b"vp_token=%7B%7D",
        b"vp_token=not+json",
        b"vp_token=%7B%22a%22%3A%22b%22%7D",
        b"vp_token=%7B%22a%22%3A%5B%5D%7D",
        b"vp_token=%7B%22a%22%3A%5B%22b%22%5D%2C%22a%22%3A%5B%22b%22%5D%7D",
        b"&" * 200,
    ],
)
@pytest.mark.attack("P11")
@pytest.mark.good_twin("P11")
async def test_garbage_uses_nothing_up(verifier: Deployed, body: bytes) -> None:
    started = await verifier.start()
    await verifier.fetch(started)
    answer = await verifier.post(started, body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert answer.json()["code"]
    assert (await verifier.outcome(started))["state"] == "fetched"
    assert (await verifier.answer(started)).status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
@pytest.mark.attack("P11")
@pytest.mark.good_twin("P11")
async def test_only_forms_are_read(verifier: Deployed, kind: str) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
    answer = await verifier.post(started, body, headers={"content-type": kind} if kind else {})
    await refused(verifier, started, answer, 400, "unsupported_media_type")


@pytest.mark.attack("P11")
async def test_an_encrypted_array_is_no_answer(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    key = asked.client_metadata.encryption_key() if asked.client_metadata else None
    assert key is not None
    for payload in (b"[]", b"{}", b'{"vp_token":{},"error":"access_denied"}', b"\xff", b'{"a":1,"a":2}'):
        body = urlencode({"response": jwe.encrypt(payload, key)})
        answer = await verifier.post(started, body)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), payload
    assert (await verifier.outcome(started))["state"] == "fetched"


@pytest.mark.attack("P11")
async def test_responses_are_posted(verifier: Deployed) -> None:
    started = await verifier.start()
    path = f"/openid/responses/{started['request_id']}"
    for method in ("GET", "PUT", "DELETE"):
        assert (await verifier.client.request(method, path)).status_code == 405


@pytest.mark.parametrize("request_id", ["A" * 43, "short", "a" * 5000, "%00" * 43, "é" * 43])
async def test_unknown_requests(verifier: Deployed, request_id: str) -> None:
    answers = [
        await verifier.client.get(f"/openid/requests/{request_id}"),
        await verifier.client.post(f"/openid/requests/{request_id}", content=b"", headers=FORM),
        await verifier.client.post(f"/openid/responses/{request_id}", content=b"error=x", headers=FORM),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (404, "request_unknown")
        assert answer.json()["error"] == "invalid_request"
    drawn = await verifier.client.get(f"/api/v1/qr/{request_id}.png")
    assert (drawn.status_code, drawn.json()["code"]) == (404, "request_unknown")


# --- P12: the wallet says no


@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
@pytest.mark.clause("6-8")
async def test_a_refusal_of_the_wallet_ends_the_request(place: Place, mode: str) -> None:
    async with running(place, response_mode=mode) as verifier:
        started = await verifier.start()
        asked = await verifier.fetch(started)
        body = response.build_error(OAuthErrorCode.ACCESS_DENIED, state=asked.state, detail="no thanks")
        answer = await verifier.post(started, body)
        assert (answer.status_code, answer.json()) == (200, {})
        result = await verifier.result(started)
        assert (result["verdict"], result["codes"]) == ("rejected", ["wallet_refused"])
        assert result["checks"][0]["facts"] == {"error": "access_denied"}
        assert "no thanks" not in strict_json.serialise(result).decode()
        assert "claims" not in result


async def test_a_refusal_may_be_encrypted_and_its_words_are_not_believed(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    members = {"error": "Maya\nwas here", "state": asked.state}
    assert (await verifier.post(started, encrypted(asked, members))).status_code == 200
    result = await verifier.result(started)
    assert result["verdict"] == "rejected"
    assert result["checks"][0]["facts"] == {"error": "other"}


@pytest.mark.parametrize("state", ["wrong", None])
@pytest.mark.attack("P12")
@pytest.mark.good_twin("P12")
async def test_nobody_ends_a_request_without_its_state(verifier: Deployed, state: str | None) -> None:
    started = await verifier.start()
    await verifier.fetch(started)
    answer = await verifier.post(started, response.build_error(OAuthErrorCode.ACCESS_DENIED, state=state))
    await refused(verifier, started, answer, 400, "state_mismatch")


@pytest.mark.attack("Q01")
async def test_bodies_have_a_limit(verifier: Deployed) -> None:
    started = await verifier.start()
    await verifier.fetch(started)
    answer = await verifier.post(started, b"response=" + b"a" * (1 << 20))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def stream() -> Any:
        for _ in range(20):
            yield b"a" * (1 << 16)

    path = f"/openid/responses/{started['request_id']}"
    streamed = await verifier.client.post(path, content=stream(), headers=FORM)
    assert (streamed.status_code, streamed.json()["code"]) == (413, "too_large")
    big = await verifier.client.post(
        "/api/v1/requests", content=b'{"policy":"' + b"a" * (1 << 20), headers=verifier.as_party()
    )
    assert (big.status_code, big.json()["code"]) == (413, "too_large")
    assert (await verifier.answer(started)).status_code == 200
