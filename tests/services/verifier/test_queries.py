"""What came back is judged again against what was asked (P02, P06 to P09); nothing of the wallet's work is believed."""

from typing import Any

import pytest

from comity import strict_json
from comity.credential import Format
from comity.keys import KeySigner
from comity.openid.presentation import response
from tests.services.verifier.deployed import Deployed, encrypted
from tests.services.verifier.federation import CANARY, HEALTH, IDENTIFICATION, LICENCE, PERSON

LICENCE_CLAIMS = ("class", "expires_on")


async def verdict_of(verifier: Deployed, started: dict[str, Any], token: dict[str, list[str]]) -> dict[str, Any]:
    """Post a vp_token as it is, and return the result."""
    asked = await verifier.fetch(started)
    answer = await verifier.post(started, encrypted(asked, {"vp_token": token, "state": asked.state}))
    assert (answer.status_code, answer.json()) == (200, {}), answer.text
    return await verifier.result(started)


@pytest.mark.attack("P06")
@pytest.mark.good_twin("P06")
async def test_a_missing_claim(verifier: Deployed) -> None:
    for claims, verdict in ((("class",), "rejected"), (LICENCE_CLAIMS, "accepted")):
        started = await verifier.start()
        asked = await verifier.fetch(started)
        token = {"drivers-licence_sdjwt": [verifier.present(asked, verifier.held(), claims)]}
        result = await verdict_of(verifier, started, token)
        assert result["verdict"] == verdict
        if verdict == "rejected":
            assert "query_not_satisfied" in result["codes"]
            assert "claims" not in result


@pytest.mark.attack("P06")
async def test_a_missing_credential(verifier: Deployed) -> None:
    started = await verifier.start("server-and-person", place="ca-bc")
    asked = await verifier.fetch(started)
    token = {"person_sdjwt": [verifier.present(asked, verifier.held(PERSON), ("family_name",))]}
    result = await verdict_of(verifier, started, token)
    assert result["verdict"] == "rejected"
    assert "query_not_satisfied" in result["codes"]


@pytest.mark.attack("P06", "S15")
async def test_another_type_under_the_name_of_the_one_asked_for(verifier: Deployed) -> None:
    started = await verifier.start("age-majority", place="ca-on")
    asked = await verifier.fetch(started)
    token = {"person_sdjwt": [verifier.present(asked, verifier.held(IDENTIFICATION), ("age_over_18",))]}
    result = await verdict_of(verifier, started, token)
    assert (result["verdict"], result["codes"]) == ("rejected", ["query_not_satisfied"])


@pytest.mark.attack("P06")
async def test_another_format_under_the_name_of_the_one_asked_for(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    token = {"drivers-licence_sdjwt": [verifier.present(asked, verifier.held(kind=Format.VC_JWT), LICENCE_CLAIMS)]}
    result = await verdict_of(verifier, started, token)
    assert result["verdict"] == "rejected"


@pytest.mark.attack("P06")
@pytest.mark.good_twin("P06")
async def test_a_credential_nobody_asked_for_is_no_answer(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    token = verifier.vp_token(asked, verifier.licence())
    token["health-card_sdjwt"] = [verifier.present(asked, verifier.held(HEALTH), ("coverage_number",))]
    body = encrypted(asked, {"vp_token": token, "state": asked.state})
    answer = await verifier.post(started, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "credential_not_requested")
    assert (await verifier.outcome(started))["state"] == "fetched"
    token.pop("health-card_sdjwt")
    assert (await verdict_of(verifier, started, token))["verdict"] == "accepted"


@pytest.mark.attack("P07")
@pytest.mark.good_twin("P07")
async def test_two_presentations_where_one_was_asked_for(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    held = verifier.held()
    twice = [verifier.present(asked, held, LICENCE_CLAIMS) for _ in range(2)]
    body = encrypted(asked, {"vp_token": {"drivers-licence_sdjwt": twice}, "state": asked.state})
    answer = await verifier.post(started, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "query_not_satisfied")
    assert (await verdict_of(verifier, started, {"drivers-licence_sdjwt": twice[:1]}))["verdict"] == "accepted"


@pytest.mark.clause("6-7")
@pytest.mark.attack("P07", "P09")
@pytest.mark.good_twin("P07", "P09")
async def test_every_presentation_counts_not_only_the_first(verifier: Deployed) -> None:
    """Two alternatives of one set are presented; the second is bad, so is the answer (P07, P09)."""
    for other, verdict in ((True, "accepted"), (False, "rejected")):
        started = await verifier.start("age-majority", place="ca-on")
        asked = await verifier.fetch(started)
        token = {
            "person_sdjwt": [verifier.present(asked, verifier.held(PERSON), ("age_over_18",))],
            "identification-card_sdjwt": [
                verifier.present(asked, verifier.held(IDENTIFICATION, age_over_18=other), ("age_over_18",))
            ],
        }
        assert (await verdict_of(verifier, started, token))["verdict"] == verdict


@pytest.mark.attack("P08")
async def test_what_was_disclosed_beyond_the_question_never_reaches_the_relying_party(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    token = {"drivers-licence_sdjwt": [verifier.present(asked, verifier.held(), (*LICENCE_CLAIMS, "family_name"))]}
    result = await verdict_of(verifier, started, token)
    assert result["verdict"] == "accepted"
    assert result["credentials"][0]["about"]["dropped"] == 1
    assert result["claims"]["drivers-licence_sdjwt"] == [{"class": "G2", "expires_on": "2026-11-23"}]
    assert CANARY not in strict_json.serialise(result).decode()


@pytest.mark.attack("P22")
@pytest.mark.good_twin("P22")
async def test_the_same_number_of_two_issuers_is_told_apart(verifier: Deployed) -> None:
    """P22: what a relying party knows somebody by is the issuer together with the number, and both are told."""
    told = []
    for authority in (verifier.federation.on, verifier.federation.bc, verifier.federation.on):
        started = await verifier.start()
        assert (await verifier.answer(started, verifier.licence(authority=authority))).status_code == 200
        result = await verifier.result(started)
        assert result["verdict"] == "accepted", result
        told.append((result["credentials"][0]["issuer"], result["claims"]["drivers-licence_sdjwt"][0]["class"]))
    assert [each for _, each in told] == ["G2"] * 3
    assert told[0] == told[2] != told[1]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"nonce": "nonce-of-another-request"}, "nonce_mismatch"),
        ({"audience": "x509_hash:another-verifier"}, "audience_mismatch"),
        ({"holder": KeySigner.generate()}, "holder_signature_invalid"),
        ({"holder": None}, "holder_binding_missing"),
    ],
)
@pytest.mark.attack("P02", "S01", "S02", "S03")
async def test_the_holder_must_have_answered_this_request(
    verifier: Deployed, change: dict[str, Any], code: str
) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    if change.get("holder", verifier.holder) is None:
        encoded = verifier.present(asked, verifier.held(), LICENCE_CLAIMS).rpartition("~")[0] + "~"
    else:
        encoded = verifier.present(asked, verifier.held(), LICENCE_CLAIMS, **change)
    result = await verdict_of(verifier, started, {"drivers-licence_sdjwt": [encoded]})
    assert result["verdict"] == "rejected"
    assert code in result["codes"]
    assert "claims" not in result
    assert verifier.network.asked == []  # nobody's status is asked for what is refused already


@pytest.mark.attack("P02")
@pytest.mark.good_twin("P02")
async def test_a_presentation_overheard_elsewhere_is_worth_nothing(verifier: Deployed) -> None:
    """P02: the whole vp_token of one request, encrypted anew for another."""
    first, second = await verifier.start(), await verifier.start()
    asked = await verifier.fetch(first)
    token = verifier.vp_token(asked, verifier.licence())
    assert (await verifier.post(first, response.build(asked, token))).status_code == 200
    result = await verdict_of(verifier, second, token)
    assert (result["verdict"], result["codes"]) == ("rejected", ["nonce_mismatch"])
    assert (await verifier.result(first))["verdict"] == "accepted"


@pytest.mark.parametrize("encoded", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.~", "~~~", "é"])
async def test_a_presentation_that_is_none_is_rejected(verifier: Deployed, encoded: str) -> None:
    started = await verifier.start()
    result = await verdict_of(verifier, started, {"drivers-licence_sdjwt": [encoded]})
    assert result["verdict"] == "rejected"


async def test_an_unknown_issuer_is_rejected_without_a_single_request(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    held = verifier.federation.issue(verifier.federation.stranger, LICENCE, verifier.holder)
    token = {"drivers-licence_sdjwt": [verifier.present(asked, held, LICENCE_CLAIMS)]}
    result = await verdict_of(verifier, started, token)
    assert (result["verdict"], result["codes"]) == ("rejected", ["issuer_unknown"])
    assert verifier.network.asked == []


async def test_a_tampered_disclosure_is_rejected(verifier: Deployed) -> None:
    started = await verifier.start()
    asked = await verifier.fetch(started)
    issued, rest = verifier.present(asked, verifier.held(), LICENCE_CLAIMS).split("~", 1)
    disclosure, others = rest.split("~", 1)
    changed = disclosure[:-2] + ("AA" if disclosure[-2:] != "AA" else "BB")
    result = await verdict_of(verifier, started, {"drivers-licence_sdjwt": [f"{issued}~{changed}~{others}"]})
    assert result["verdict"] == "rejected"
    assert "claims" not in result
