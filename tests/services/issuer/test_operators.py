"""The operators' API: who may do what, for whom; and what it says to bad requests."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.errors import Code, Denied, Misconfigured
from issuer import operators
from issuer.operators import Operators, Role
from tests.services.issuer.deployed import BC, LICENCE, ON, PERSON, Deployed

ROLES = ("clerk", "supervisor", "auditor", "admin")


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("create", {"clerk", "supervisor", "admin"}),
        ("show_offer", set(ROLES)),
        ("qr", {"clerk", "supervisor", "admin"}),
        ("cancel", {"clerk", "supervisor", "admin"}),
        ("search", set(ROLES)),
        ("show", set(ROLES)),
        ("suspend", {"supervisor", "admin"}),
        ("reinstate", {"supervisor", "admin"}),
        ("revoke", {"supervisor", "admin"}),
        ("audit", {"auditor", "admin"}),
    ],
)
@pytest.mark.attack("L16")
@pytest.mark.good_twin("L16")
async def test_each_role_may_do_its_part_and_no_more(issuer: Deployed, action: str, allowed: set[str]) -> None:
    offer = await issuer.offer(type="drivers-licence/1", claims=LICENCE, record_reference="r")
    assert (await issuer.receive(offer)).status_code == 200
    (record,) = await issuer.records(record_reference="r")
    offers, records = f"/api/v1/offers/{offer['offer_id']}", f"/api/v1/credentials/{record['id']}"
    wanted = {"authority": ON, "type": "person", "claims": PERSON}
    reason = {"reason": "lost"}
    calls: dict[str, tuple[str, str, Any]] = {
        "create": ("POST", "/api/v1/offers", wanted),
        "show_offer": ("GET", offers, None),
        "qr": ("GET", f"{offers}/qr.png", None),
        "cancel": ("POST", f"{offers}/cancel", None),
        "search": ("POST", "/api/v1/credentials/search", {"authority": ON, "record_reference": "r"}),
        "show": ("GET", records, None),
        "suspend": ("POST", f"{records}/suspend", reason),
        "reinstate": ("POST", f"{records}/reinstate", reason),
        "revoke": ("POST", f"{records}/revoke", reason),
        "audit": ("GET", f"/api/v1/audit?authority={ON}", None),
    }
    method, path, body = calls[action]
    for headers, status, code in (
        ({}, 401, "not_authenticated"),
        ({"authorization": "Bearer guess"}, 401, "not_authenticated"),
        (issuer.as_role("bc"), 403, "not_permitted"),
    ):
        answer = await issuer.client.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    for role in ROLES:
        answer = await issuer.client.request(method, path, json=body, headers=issuer.as_role(role))
        expected = {200, 201} if role in allowed else {403}
        assert answer.status_code in expected, (role, answer.text)
    assert (await issuer.client.request(method, path, json=body, headers=issuer.as_role("all"))).status_code < 300


async def test_only_who_may_issue_sees_the_link_of_an_open_offer(issuer: Deployed) -> None:
    offer = await issuer.offer()
    for role, sees in (("clerk", True), ("auditor", False)):
        shown = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role(role))
        assert ("link" in shown.json()) is sees
        assert "transaction_code" not in shown.json()
        assert shown.json()["state"] == "open"


@pytest.mark.parametrize(
    ("change", "status", "code", "says"),
    [
        ({"authority": None}, 400, "request_invalid", "authority is needed"),
        ({"authority": 1}, 400, "request_invalid", "authority must be a text"),
        ({"authority": ""}, 400, "request_invalid", "1 to 200"),
        ({"type": None}, 400, "request_invalid", "type is needed"),
        ({"type": "cat"}, 404, "credential_type_unknown", "does not issue"),
        ({"type": "person/2"}, 404, "credential_type_unknown", "does not issue"),
        ({"type": "serving-it-right"}, 404, "credential_type_unknown", "does not issue"),
        ({"claims": []}, 400, "request_invalid", "claims must be an object"),
        ({"claims": {}}, 400, "claims_invalid", "birthdate: required"),
        ({"claims": {**PERSON, "pet": "x"}}, 400, "claims_invalid", "pet: additionalProperties"),
        ({"claims": {**PERSON, "birthdate": "yesterday"}}, 400, "claims_invalid", "birthdate: format"),
        ({"claims": {**PERSON, "birthdate": "2091-01-01"}}, 400, "claims_invalid", "birthdate: future"),
        ({"claims": None}, 400, "claims_invalid", "claims are needed"),
        ({"claims": None, "record_reference": "nobody"}, 404, "not_found", "no such record"),
        ({"record_reference": "a\nb"}, 400, "request_invalid", "printable"),
        ({"record_reference": "x" * 201}, 400, "request_invalid", "1 to 200"),
        ({"valid_until": "2026-11-22"}, 400, "claims_invalid", "would have ended"),
        ({"valid_until": "soon"}, 400, "time_malformed", ""),
        ({"valid_until": "2027-01-01T00:00:00"}, 400, "time_malformed", ""),
        ({"formats": []}, 400, "request_invalid", "formats"),
        ({"formats": ["mso_mdoc"]}, 400, "request_invalid", "formats"),
        ({"formats": [1]}, 400, "request_invalid", "list of texts"),
        ({"formats": "vc+jwt"}, 400, "request_invalid", "list of texts"),
        ({"transaction_code": 1}, 400, "request_invalid", "true or false"),
        ({"batch": True}, 400, "request_invalid", "whole number"),
        ({"batch": 0}, 400, "request_invalid", "at least 1"),
        ({"clams": {}}, 400, "request_invalid", "only these members"),
    ],
)
@pytest.mark.attack("K07", "W08")
@pytest.mark.good_twin("K07", "W08")
async def test_a_bad_wish_is_refused_in_words(
    issuer: Deployed, change: dict[str, Any], status: int, code: str, says: str
) -> None:
    wanted = {"authority": ON, "type": "person/1", "claims": PERSON}
    headers = issuer.as_role("clerk") | {"accept-language": "fr-CA"}
    refused = await issuer.client.post("/api/v1/offers", json=wanted | change, headers=headers)
    body = refused.json()
    assert (refused.status_code, body["code"]) == (status, code), refused.text
    assert says in body["detail"]
    assert refused.headers["content-language"] == "fr"
    assert body["title"]
    good = await issuer.client.post("/api/v1/offers", json=wanted, headers=headers)
    assert good.status_code == 201
    log = await issuer.client.get(f"/api/v1/audit?authority={ON}", headers=issuer.as_role("auditor"))
    assert len(log.json()["events"]) == 1


async def test_an_operator_of_everything_is_told_that_an_authority_is_unknown(issuer: Deployed) -> None:
    wanted = {"authority": "ca-qc/services", "type": "person/1", "claims": PERSON}
    refused = await issuer.client.post("/api/v1/offers", json=wanted, headers=issuer.as_role("all"))
    assert (refused.status_code, refused.json()["code"]) == (404, "authority_unknown")


async def test_the_end_of_validity_is_the_earliest_there_is(issuer: Deployed) -> None:
    for members, end in (
        ({}, "2027-11-23T23:59:59Z"),
        ({"valid_until": "2027-01-31"}, "2027-01-31T23:59:59Z"),
        ({"valid_until": "2026-12-01T08:00:00-05:00"}, "2026-12-01T13:00:00Z"),
        ({"type": "drivers-licence", "claims": LICENCE}, "2031-01-05T23:59:59Z"),
    ):
        assert (await issuer.offer(**members))["valid_until"] == end


async def test_a_credential_that_ended_before_it_was_fetched_is_not_issued(issuer: Deployed) -> None:
    offer = await issuer.offer(valid_until="2026-11-23T12:01:00Z")
    token = await issuer.token(offer)
    issuer.clock.advance(timedelta(seconds=60))
    refused = await issuer.receive(offer, token=token)
    assert (refused.status_code, refused.json()["error"]) == (400, "credential_request_denied")
    issuer.clock.advance(timedelta(seconds=-1))
    assert (await issuer.receive(offer, token=token)).status_code == 200


async def test_unknown_things_are_not_found(issuer: Deployed) -> None:
    for method, path, code in (
        ("GET", "/api/v1/offers/nothing", "offer_unknown"),
        ("GET", "/api/v1/offers/nothing/qr.png", "offer_unknown"),
        ("GET", "/api/v1/credentials/nothing", "credential_unknown"),
        ("POST", "/api/v1/credentials/nothing/revoke", "credential_unknown"),
    ):
        answer = await issuer.client.request(method, path, headers=issuer.as_role("all"), json={"reason": "x"})
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    answer = await issuer.client.post("/api/v1/credentials/x/unrevoke", json={}, headers=issuer.as_role("all"))
    assert answer.status_code == 400


async def test_nobody_lists_everybody(issuer: Deployed) -> None:
    for body in ({"authority": ON}, {"number": "1"}):
        answer = await issuer.client.post("/api/v1/credentials/search", json=body, headers=issuer.as_role("admin"))
        assert answer.status_code == 400
    listed = await issuer.client.get(f"/api/v1/credentials?authority={ON}", headers=issuer.as_role("admin"))
    assert listed.status_code in {404, 405}, "what is searched for never stands in a URL"


async def test_a_change_needs_a_reason(issuer: Deployed) -> None:
    await issuer.receive(await issuer.offer(record_reference="r"))
    (record,) = await issuer.records(record_reference="r")
    for body in ({}, {"reason": ""}, {"reason": "x", "other": 1}):
        answer = await issuer.client.post(
            f"/api/v1/credentials/{record['id']}/revoke", json=body, headers=issuer.as_role("supervisor")
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
    assert (await issuer.records(record_reference="r"))[0]["status"] == "valid"


# --- the operators file


def test_a_token_is_kept_as_a_hash_only(tmp_path: Path) -> None:
    file = tmp_path / "operators.json"
    token = operators.add(file, name="Ana", role=Role.CLERK, authorities=(ON,))
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    known = Operators(file)
    assert known.authenticate(token).name == "Ana"
    with pytest.raises(Misconfigured, match="already"):
        operators.add(file, name="Ana", role=Role.ADMIN, authorities=("*",))
    second = operators.add(file, name="Bo", role=Role.AUDITOR, authorities=(BC,))
    assert known.authenticate(second).role is Role.AUDITOR


def test_who_is_taken_off_the_file_is_out_at_once(tmp_path: Path) -> None:
    file = tmp_path / "operators.json"
    token = operators.add(file, name="Ana", role=Role.CLERK, authorities=(ON,))
    known = Operators(file)
    file.with_name("empty").write_text("[]")
    file.with_name("empty").replace(file)
    with pytest.raises(Denied) as raised:
        known.authenticate(token)
    assert raised.value.code is Code.NOT_AUTHENTICATED
    file.unlink()
    with pytest.raises(Misconfigured):
        known.authenticate(token)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        "[1]",
        '[{"name": "a"}]',
        '[{"name": "a", "role": "king", "token_sha256": "x", "authorities": []}]',
        '[{"name": "a", "role": "clerk", "token_sha256": "x", "authorities": "*"}]',
        '[{"name": 1, "role": "clerk", "token_sha256": "x", "authorities": []}]',
        f'[{{"name": "a", "role": "clerk", "token_sha256": "{"é" * 64}", "authorities": []}}]',
    ],
)
def test_a_wrong_operators_file_stops_the_start(tmp_path: Path, content: str) -> None:
    file = tmp_path / "operators.json"
    file.write_text(content)
    with pytest.raises(Misconfigured):
        Operators(file)
