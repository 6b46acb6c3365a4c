"""Who may issue what, and where it counts, through the whole verification (catalogue T09 to T12; profile 8)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import schemas
from comity.credential import CredentialType, Format
from comity.errors import Code
from comity.verification.checks import Check, CheckName, Outcome, Result, Verdict
from tests.support.forging import (
    BOTH,
    GONE,
    accepted,
    held_in,
    issuer_signer,
    licence,
    person,
    rejected,
    resigned,
    undetermined,
)
from tests.support.world import LICENCE, NOW, PERSON, World

SD, VC = Format.DC_SD_JWT, Format.VC_JWT
ACCREDITED, RECOGNISED, SCHEMA = CheckName.ISSUER_ACCREDITED, CheckName.RECOGNISED_IN_PLACE, CheckName.SCHEMA
DAY = timedelta(days=1)


def at_day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T00:00:00").replace(tzinfo=UTC)


def issued_on(world: World, credential_format: Format, day: str) -> str:
    """A licence that states this issue day."""
    at = at_day(day)
    return licence(world, credential_format, issued_at=at, valid_from=at).encoded


def withdraw(world: World, day: str, effect: str = "keep", reason: str = "closed") -> None:
    for each in world.documents["ca-on/issuers.json"]["issuers"][0]["accreditations"]:
        each |= {"withdrawn_at": day, "effect": effect, "reason": reason}


def checked(result: Result, name: CheckName) -> Check:
    return result.credentials[0].check(name)


# --- issuers


@BOTH
@pytest.mark.clause("TR-5")
def test_an_issuer_that_no_registry_names_costs_no_fetch(world: World, credential_format: Format) -> None:
    held = world.issue(world.stranger, credential_format, LICENCE)
    result = world.verify(world.present(held))
    rejected(result, CheckName.ISSUER_KEY, Code.ISSUER_UNKNOWN)
    assert world.asked == []
    not_run = [check for check in result.all_checks if check.outcome is Outcome.NOT_RUN]
    assert {check.code for check in not_run} == {Code.STOPPED_EARLIER, Code.NOT_NEEDED}


@BOTH
@pytest.mark.parametrize("name", ["{}/", "{}x", "{}#", " {}"])
def test_a_name_that_is_almost_an_issuers(world: World, credential_format: Format, name: str) -> None:
    own = world.on.issuer_id if credential_format is SD else world.on.did
    member = "iss" if credential_format is SD else "issuer"
    signer = issuer_signer(world.on, credential_format)
    held = resigned(licence(world, credential_format), signer, payload={member: name.format(own)})
    result = held_in(world, held.encoded)
    assert result.verdict is Verdict.REJECTED
    assert result.codes in ((Code.ISSUER_UNKNOWN,), (Code.MALFORMED,))
    assert world.asked == []


def test_an_issuer_is_known_in_its_formats_only(world: World) -> None:
    entry = world.documents["ca-on/issuers.json"]["issuers"][0]
    entry["identifiers"] = entry["identifiers"][:1]
    accepted(held_in(world, licence(world, SD).encoded))
    rejected(held_in(world, licence(world, VC).encoded), CheckName.ISSUER_KEY, Code.ISSUER_UNKNOWN)


@BOTH
@pytest.mark.clause("2a-9")
@pytest.mark.attack("T09")
def test_an_issuer_that_is_known_but_not_for_the_type(world: World, credential_format: Format) -> None:
    held = world.issue(world.bc, credential_format, LICENCE)
    rejected(held_in(world, held.encoded), ACCREDITED, Code.NOT_ACCREDITED_FOR_TYPE)
    assert [url for url in world.asked if "status" in url] == []
    accepted(held_in(world, person(world, credential_format).encoded))


@pytest.mark.attack("T09")
def test_scope_is_granted_from_above(world: World) -> None:
    """T09: a province that accredits for a type the federation did not pass on accredits for nothing."""
    grants = world.documents["federation.json"]["delegations"]
    grants[1]["types"] = ["person/1"]
    rejected(held_in(world, licence(world, SD).encoded), ACCREDITED, Code.NOT_ACCREDITED_FOR_TYPE)
    grants[1]["types"] = ["person/1", "drivers-licence/1"]
    accepted(held_in(world, licence(world, SD).encoded))


def test_a_jurisdiction_lists_its_own_authorities_only(world: World) -> None:
    """TR-4, other jurisdiction: British Columbia's document cannot speak for an authority of Ontario."""
    entry = world.documents["ca-on/issuers.json"]["issuers"].pop()
    world.documents["ca-bc/issuers.json"]["issuers"].append(entry)
    rejected(held_in(world, licence(world, SD).encoded), CheckName.ISSUER_KEY, Code.ISSUER_UNKNOWN)
    world.documents["ca-on/issuers.json"]["issuers"].append(entry)
    accepted(held_in(world, licence(world, SD).encoded))


def test_a_jurisdiction_that_left_the_federation(world: World) -> None:
    member = world.documents["federation.json"]["members"][1]
    member["until"] = "2026-11-22"
    result = held_in(world, licence(world, SD).encoded)
    assert checked(result, ACCREDITED).code is Code.ISSUER_WITHDRAWN
    assert result.verdict is Verdict.REJECTED
    member["until"] = "2026-11-23"
    accepted(held_in(world, licence(world, SD).encoded))


@BOTH
@pytest.mark.parametrize(
    ("issued", "effect", "code"),
    [
        ("2026-11-01", "keep", None),
        ("2026-11-10", "keep", None),
        ("2026-11-11", "keep", Code.NOT_ACCREDITED_ON_ISSUE_DAY),
        ("2026-11-01", "lose", Code.ISSUER_WITHDRAWN),
        ("2026-11-11", "lose", Code.ISSUER_WITHDRAWN),
        ("2025-12-31", "keep", Code.NOT_ACCREDITED_ON_ISSUE_DAY),
    ],
)
@pytest.mark.attack("T11")
@pytest.mark.good_twin("T11")
def test_withdrawn_before_and_after_the_issue_day(
    world: World, credential_format: Format, issued: str, effect: str, code: Code | None
) -> None:
    world.documents["federation.json"]["members"][1]["since"] = "2020-01-01"
    withdraw(world, "2026-11-10", effect)
    result = held_in(world, issued_on(world, credential_format, issued))
    if code is None:
        accepted(result)
        assert checked(result, ACCREDITED).code is Code.WITHDRAWN_KEEPS_EFFECT
    else:
        rejected(result, ACCREDITED, code)


@BOTH
@pytest.mark.parametrize("issued", ["2026-01-01", "2026-11-10", "2026-11-20"])
@pytest.mark.clause("7-5")
@pytest.mark.attack("T11")
def test_a_compromised_key_loses_everything(world: World, credential_format: Format, issued: str) -> None:
    accepted(held_in(world, issued_on(world, credential_format, issued)))
    withdraw(world, "2026-11-10", "keep", "key_compromise")
    rejected(held_in(world, issued_on(world, credential_format, issued)), ACCREDITED, Code.ISSUER_WITHDRAWN)


def test_a_withdrawal_that_is_still_to_come(world: World) -> None:
    withdraw(world, "2026-11-24", "lose")
    encoded, midnight = issued_on(world, SD, "2026-11-01"), at_day("2026-11-24")
    accepted(held_in(world, encoded, at=midnight - timedelta(seconds=1)))
    rejected(held_in(world, encoded, at=midnight), ACCREDITED, Code.ISSUER_WITHDRAWN)


def test_an_issue_day_that_is_not_stated(world: World) -> None:
    held = resigned(licence(world, SD), world.on.key, payload={"iat": GONE})
    result = held_in(world, held.encoded)
    undetermined(result, ACCREDITED, Code.ISSUE_DAY_UNKNOWN)
    assert result.credentials[0].about["issued_on"] is None


@BOTH
def test_the_answer_names_what_it_rests_on(world: World, credential_format: Format) -> None:
    result = held_in(world, licence(world, credential_format).encoded)
    documents = [link["document"] for link in checked(result, ACCREDITED).facts["chain"]]
    assert documents[0] == "registry"
    assert {"federation.json", "ca-on/issuers.json"} <= set(documents)
    about = result.credentials[0].about
    assert (about["authority"], about["jurisdiction"]) == ("ca-on/services", "ca-on")
    assert about["issued_on"] == "2026-11-13"
    assert about["holder_key"] == world.holder.thumbprint


# --- an old registry


@BOTH
@pytest.mark.parametrize(("seconds", "verdict"), [(1, Verdict.ACCEPTED), (0, Verdict.UNDETERMINED)])
@pytest.mark.clause("TR-2")
def test_an_expired_registry_decides_nothing(
    world: World, credential_format: Format, seconds: int, verdict: Verdict
) -> None:
    snapshot = world.snapshot(NOW + timedelta(seconds=seconds))
    held = licence(world, credential_format)
    result = world.verify(world.present(held), snapshot=snapshot)
    assert result.verdict is verdict
    unknown = {(check.name, check.code) for check in result.all_checks if check.outcome is Outcome.UNKNOWN}
    expired = {(ACCREDITED, Code.REGISTRY_EXPIRED), (RECOGNISED, Code.REGISTRY_EXPIRED)}
    assert unknown == (set() if verdict is Verdict.ACCEPTED else expired)


def test_an_expired_registry_knows_nobody_it_does_not_name(world: World) -> None:
    held = world.issue(world.stranger, SD, LICENCE)
    result = world.verify(world.present(held), snapshot=world.snapshot(NOW))
    undetermined(result, CheckName.ISSUER_KEY, Code.REGISTRY_EXPIRED)
    assert world.asked == []


def test_an_expired_registry_does_not_hide_a_refusal(world: World) -> None:
    held = licence(world, SD, valid_until=NOW - DAY)
    result = world.verify(world.present(held), snapshot=world.snapshot(NOW))
    assert result.verdict is Verdict.REJECTED
    assert result.codes == (Code.EXPIRED, Code.REGISTRY_EXPIRED)


# --- places


def shown_in(world: World, place: str | None) -> Result:
    return world.verify(world.present(licence(world, SD)), demand=world.demand(place=place))


@pytest.mark.parametrize("place", ["", "on", "us-ny", "ca-xx", "ca-on/toronto", "ca-öö", "CA-ON "])
def test_a_place_that_is_none(world: World, place: str) -> None:
    undetermined(shown_in(world, place), RECOGNISED, Code.PLACE_UNKNOWN)


def test_recognised_at_home_by_default_and_without_a_place(world: World) -> None:
    rows = [
        ("ca-on", Code.OK),
        ("CA-ON", Code.OK),
        ("ca-bc", Code.RECOGNISED_BY_DEFAULT),
        ("ca-nu", Code.RECOGNISED_BY_DEFAULT),
        (None, Code.NOT_REQUIRED),
    ]
    for place, code in rows:
        result = shown_in(world, place)
        accepted(result)
        assert checked(result, RECOGNISED).code is code


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"jurisdiction": "ca-on", "accept": False}, Code.NOT_RECOGNISED_IN_PLACE),
        ({"type": "drivers-licence/1", "accept": False}, Code.NOT_RECOGNISED_IN_PLACE),
        ({"jurisdiction": "ca-on", "type": "drivers-licence/1", "accept": False}, Code.NOT_RECOGNISED_IN_PLACE),
        ({"jurisdiction": "ca-bc", "accept": False}, None),
        ({"type": "person/1", "accept": False}, None),
        ({"jurisdiction": "ca-on", "accept": True}, None),
    ],
)
def test_a_place_that_does_not_recognise_it(world: World, rule: dict[str, Any], code: Code | None) -> None:
    world.documents["federation.json"]["members"].append(
        {"id": "ca-pe", "name": {"en": "PE", "fr": "PE"}, "level": "province", "since": "2026-01-01"}
    )
    world.documents["ca-pe/recognition.json"] = {"narrow": [{"reference": "DEMO Act s. 1", **rule}]}
    result = shown_in(world, "ca-pe")
    if code is None:
        accepted(result)
    else:
        rejected(result, RECOGNISED, code)
        assert [url for url in world.asked if "status" in url] == []


def test_no_default_means_nobody_knows(world: World) -> None:
    del world.documents["federation.json"]["recognition_default"]
    undetermined(shown_in(world, "ca-pe"), RECOGNISED, Code.RECOGNITION_UNKNOWN)
    world.documents["federation.json"]["recognition_default"] = {"accept": "none"}
    rejected(shown_in(world, "ca-pe"), RECOGNISED, Code.NOT_RECOGNISED_IN_PLACE)


# --- types and their schemas


@BOTH
@pytest.mark.parametrize("change", [{"age_over_18": "yes"}, {"birthdate": "14 March 2008"}, {"age_over_18": None}])
@pytest.mark.clause("2a-7")
def test_claims_that_do_not_fit_the_schema(world: World, credential_format: Format, change: dict[str, Any]) -> None:
    claims = {**world.credential(world.on, credential_format, LICENCE).claims, **change}
    result = held_in(world, licence(world, credential_format, claims=claims).encoded)
    rejected(result, SCHEMA, Code.SCHEMA_VIOLATED)
    said = str(checked(result, SCHEMA).facts)
    assert next(iter(change)) in said
    assert "14 March" not in said


@BOTH
@pytest.mark.clause("2b-11")
@pytest.mark.attack("S15")
@pytest.mark.good_twin("S15")
def test_a_type_that_the_registry_describes_otherwise(world: World, credential_format: Format) -> None:
    record = world.documents["federation.json"]["types"][1]
    record["digest"] = "0" * 64
    undetermined(held_in(world, licence(world, credential_format).encoded), SCHEMA, Code.CREDENTIAL_TYPE_UNKNOWN)
    record["digest"] = schemas.digest("drivers-licence", 1)
    accepted(held_in(world, licence(world, credential_format).encoded))


@BOTH
@pytest.mark.clause("2b-11")
def test_a_type_that_the_registry_does_not_state(world: World, credential_format: Format) -> None:
    """Without a digest from the federation nobody knows that our copy of the schema is the one meant."""
    record = world.documents["federation.json"]["types"][1]
    record["vct"] = "https://types.comity.example/drivers-licence/renamed"
    undetermined(held_in(world, licence(world, credential_format).encoded), SCHEMA, Code.CREDENTIAL_TYPE_UNKNOWN)
    record["vct"] = LICENCE.vct
    accepted(held_in(world, licence(world, credential_format).encoded))


@pytest.mark.parametrize("vct", ["https://evil.example/person/1", PERSON.vct + "/", PERSON.vct.upper(), "person"])
@pytest.mark.attack("S15")
def test_a_type_of_somebody_else(world: World, vct: str) -> None:
    held = resigned(person(world, SD), world.bc.key, payload={"vct": vct})
    result = held_in(world, held.encoded)
    failed = {check.name for check in result.all_checks if check.outcome is Outcome.FAILED}
    assert failed == {ACCREDITED, RECOGNISED, SCHEMA}
    assert result.codes == (Code.CREDENTIAL_TYPE_UNKNOWN,)


def test_a_type_that_only_the_registry_knows(world: World) -> None:
    new = CredentialType(slug="person", version=99)
    held = resigned(person(world, SD), world.bc.key, payload={"vct": new.vct})
    result = held_in(world, held.encoded)
    assert checked(result, SCHEMA).code is Code.CREDENTIAL_TYPE_UNKNOWN
    assert checked(result, ACCREDITED).code is Code.NOT_ACCREDITED_FOR_TYPE


@pytest.mark.clause("2b-10", "TR-7")
@pytest.mark.attack("S15")
def test_a_further_type_name_gives_no_authority(world: World) -> None:
    """TR-7: the issuer's own word about what else it is counts for nothing."""
    held = resigned(person(world, SD), world.bc.key, payload={"vct": LICENCE.vct, "aka_vcts": [PERSON.vct]})
    result = held_in(world, held.encoded)
    assert checked(result, ACCREDITED).code is Code.NOT_ACCREDITED_FOR_TYPE
