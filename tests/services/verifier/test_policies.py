"""Each policy, end to end: what is accepted, and its twin that differs in one thing and is refused."""

from datetime import timedelta
from typing import Any

import pytest

from comity.credential import Format, Status
from comity.keys import KeySigner
from comity.openid.presentation import response
from comity.runtime.clock import FixedClock
from comity.runtime.registry_repository import RegistryRepository
from tests.services.verifier.deployed import Deployed, Disclosed, Place, running
from tests.services.verifier.federation import HEALTH, IDENTIFICATION, LICENCE, PERSON, SERVER
from tests.support.world import NOW

SERVER_CLAIMS = ("certification_number", "expires_on")


async def show(verifier: Deployed, policy: str, place: str, chosen: dict[str, Disclosed], **terms: Any) -> Any:
    started = await verifier.start(policy, place=place, **terms)
    answer = await verifier.answer(started, chosen)
    assert answer.status_code == 200, answer.text
    result = await verifier.result(started)
    assert ("claims" in result) == (result["verdict"] == "accepted")
    return result


def query_id(credential_type: Any) -> str:
    return f"{credential_type.slug}_sdjwt"


@pytest.mark.parametrize("credential_type", [PERSON, LICENCE, IDENTIFICATION])
@pytest.mark.parametrize(
    ("policy", "where", "claim"),
    [
        ("age-majority", "ca-on", "age_over_18"),
        ("age-alcohol", "ca-on", "age_over_19"),
        ("age-cannabis", "ca-qc", "age_over_21"),
    ],
)
async def test_age(verifier: Deployed, credential_type: Any, policy: str, where: str, claim: str) -> None:
    for old_enough, verdict, codes in ((True, "accepted", []), (False, "rejected", ["age_requirement_not_met"])):
        held = verifier.held(credential_type, **{claim: old_enough})
        result = await show(verifier, policy, where, {query_id(credential_type): (held, (claim,))})
        assert (result["verdict"], result["codes"]) == (verdict, codes)
        (check,) = [each for each in result["checks"] if each["name"] == "policy"]
        assert check["facts"] == {"age": int(claim[-2:])}
        if verdict == "accepted":
            assert result["claims"] == {query_id(credential_type): [{claim: True}]}


async def test_one_person_of_18_in_three_places(verifier: Deployed) -> None:
    held = verifier.held(PERSON)
    for policy, place, claim, verdict in (
        ("age-alcohol", "ca-on", "age_over_19", "rejected"),
        ("age-alcohol", "ca-ab", "age_over_18", "accepted"),
        ("age-cannabis", "ca-qc", "age_over_21", "rejected"),
    ):
        result = await show(verifier, policy, place, {"person_sdjwt": (held, (claim,))})
        assert result["verdict"] == verdict


async def test_another_age_claim_than_the_one_asked_for_proves_nothing(verifier: Deployed) -> None:
    held = verifier.held(PERSON, age_over_21=True)
    result = await show(verifier, "age-alcohol", "ca-on", {"person_sdjwt": (held, ("age_over_21",))})
    assert result["verdict"] == "rejected"
    assert {"query_not_satisfied", "age_requirement_not_met"} <= set(result["codes"])


@pytest.mark.parametrize("kind", list(Format))
async def test_drivers_licence_valid(verifier: Deployed, kind: Format) -> None:
    name = "drivers-licence_sdjwt" if kind is Format.DC_SD_JWT else "drivers-licence_vcjwt"
    for last_day, verdict, codes in (
        ("2026-11-23", "accepted", []),
        ("2026-11-22", "rejected", ["policy_not_met"]),
    ):
        held = verifier.held(LICENCE, kind=kind, expires_on=last_day)
        result = await show(verifier, "drivers-licence-valid", "ca-pe", {name: (held, ("class", "expires_on"))})
        assert (result["verdict"], result["codes"]) == (verdict, codes)


@pytest.mark.parametrize(("credential_type", "claim"), [(HEALTH, "resident_region"), (PERSON, "region")])
async def test_residency(verifier: Deployed, credential_type: Any, claim: str) -> None:
    for region, verdict, codes in (("ON", "accepted", []), ("QC", "rejected", ["policy_not_met"])):
        held = verifier.held(credential_type, **{claim: region})
        result = await show(verifier, "residency", "ca-on", {query_id(credential_type): (held, (claim,))})
        assert (result["verdict"], result["codes"]) == (verdict, codes)
        if verdict == "accepted":
            assert result["claims"] == {query_id(credential_type): [{claim: "ON"}]}


@pytest.mark.parametrize("name_type", [PERSON, LICENCE, IDENTIFICATION])
async def test_server_and_person(verifier: Deployed, name_type: Any) -> None:
    other = KeySigner.generate()
    bc = verifier.federation.bc

    async def served(last_day: str = "2026-11-23") -> Any:
        chosen = {
            "serving-it-right_sdjwt": (verifier.held(SERVER, authority=bc, expires_on=last_day), SERVER_CLAIMS),
            query_id(name_type): (verifier.held(name_type), ("family_name",)),
        }
        return await show(verifier, "server-and-person", "ca-bc", chosen)

    assert (await served())["verdict"] == "accepted"
    late = await served("2026-11-22")
    assert (late["verdict"], late["codes"]) == ("rejected", ["policy_not_met"])

    started = await verifier.start("server-and-person", place="ca-bc")
    asked = await verifier.fetch(started)
    token = {
        "serving-it-right_sdjwt": [verifier.present(asked, verifier.held(SERVER, authority=bc), SERVER_CLAIMS)],
        query_id(name_type): [
            verifier.present(asked, verifier.held(name_type, holder=other), ("family_name",), holder=other)
        ],
    }
    assert (await verifier.post(started, response.build(asked, token))).status_code == 200
    result = await verifier.result(started)
    assert (result["verdict"], result["codes"]) == ("rejected", ["holder_keys_differ"])


async def test_one_holder_can_be_asked_for_beyond_the_policy(verifier: Deployed) -> None:
    for same_holder, verdict in ((False, "accepted"), (True, "rejected")):
        started = await verifier.start("age-majority", place="ca-on", same_holder=same_holder)
        asked = await verifier.fetch(started)
        other = KeySigner.generate()
        token = {
            "person_sdjwt": [verifier.present(asked, verifier.held(PERSON), ("age_over_18",))],
            "identification-card_sdjwt": [
                verifier.present(asked, verifier.held(IDENTIFICATION, holder=other), ("age_over_18",), holder=other)
            ],
        }
        assert (await verifier.post(started, response.build(asked, token))).status_code == 200
        assert (await verifier.result(started))["verdict"] == verdict


# --- what every policy rests on


async def test_the_place_of_use_decides_about_recognition(place: Place) -> None:
    """The same licence in two places; Ontario's own rule refuses those of British Columbia."""
    rule = {"jurisdiction": "ca-bc", "type": "drivers-licence/1", "accept": False, "reference": "O. Reg. DEMO"}
    registry = RegistryRepository(place.folder / "registry", FixedClock(NOW))
    registry.apply([{"edit": "recognition", "place": "ca-on", "rule": rule}])
    async with running(place) as verifier:
        for where, verdict, codes in (("ca-on", "rejected", ["not_recognised_in_place"]), ("ca-ab", "accepted", [])):
            chosen = verifier.licence(authority=verifier.federation.bc)
            result = await show(verifier, "drivers-licence-valid", where, chosen)
            assert (result["verdict"], result["codes"]) == (verdict, codes)


@pytest.mark.parametrize(
    ("value", "verdict", "codes"),
    [
        (Status.VALID, "accepted", []),
        (Status.SUSPENDED, "rejected", ["suspended"]),
        (Status.REVOKED, "rejected", ["revoked"]),
    ],
)
async def test_status(verifier: Deployed, value: Status, verdict: str, codes: list[str]) -> None:
    authority = verifier.federation.on
    index = 1000 + value.value
    authority.bits.set(index, value.value)
    verifier.network.documents[authority.list_uri()] = authority.token_list().encode()
    result = await show(verifier, "drivers-licence-valid", "ca-on", verifier.licence(index=index))
    assert (result["verdict"], result["codes"]) == (verdict, codes)


@pytest.mark.clause("3-4")
async def test_a_silent_status_host_is_undetermined_and_never_accepted(verifier: Deployed) -> None:
    uri = verifier.federation.on.list_uri()
    served = verifier.network.documents.pop(uri)
    result = await show(verifier, "drivers-licence-valid", "ca-on", verifier.licence())
    assert (result["verdict"], result["codes"]) == ("undetermined", ["status_unavailable"])
    verifier.network.documents[uri] = served
    assert (await show(verifier, "drivers-licence-valid", "ca-on", verifier.licence()))["verdict"] == "accepted"
    verifier.network.documents.pop(uri)
    verifier.clock.advance(timedelta(hours=1))
    again = await show(verifier, "drivers-licence-valid", "ca-on", verifier.licence())
    assert again["verdict"] == "accepted"  # the list has not ended, and the settings allow it; the check says so
    (status,) = [each for each in again["credentials"][0]["checks"] if each["name"] == "status"]
    assert (status["outcome"], status["code"]) == ("passed", "status_stale")


async def test_a_stale_status_can_be_refused_by_the_settings(place: Place) -> None:
    async with running(place, accept_stale_status=False, max_status_age_seconds=60) as verifier:
        assert (await show(verifier, "drivers-licence-valid", "ca-on", verifier.licence()))["verdict"] == "accepted"
        verifier.network.documents.pop(verifier.federation.on.list_uri())
        verifier.clock.advance(timedelta(hours=1))
        result = await show(verifier, "drivers-licence-valid", "ca-on", verifier.licence())
        assert (result["verdict"], result["codes"]) == ("undetermined", ["status_stale"])
