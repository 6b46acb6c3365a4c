"""The policies as pure functions: what each asks, and how each judges."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from comity import dcql
from comity.credential import CredentialType, Format
from comity.errors import Code, Malformed
from comity.formats.opened import ProcessedCredential
from comity.trust.places import PROVINCES_AND_TERRITORIES
from comity.verification.checks import Check, CheckName, Outcome
from tests.support.ages import AGES, PURPOSES
from verifier import policies
from verifier.policies import HEALTH, IDENTIFICATION, LICENCE, PERSON, POLICIES, SERVER, Ask, prepare

TODAY = date(2026, 11, 23)


def processed(credential_type: CredentialType, claims: Mapping[str, Any]) -> ProcessedCredential:
    return ProcessedCredential(
        format=Format.DC_SD_JWT,
        issuer="https://issuer.example/ca-on/services",
        type=credential_type,
        type_name=credential_type.vct,
        claims=claims,
        document=claims,
        always_disclosed=frozenset(),
        disclosable=frozenset(claims),
        holder_jwk=None,
        issued_at=None,
        valid_from=None,
        valid_until=None,
        status=(),
        unknown_status=False,
    )


def judged(ask: Ask, *presented: tuple[CredentialType, Mapping[str, Any]]) -> Check:
    """Return check 11 over what was presented, each under a query id of its own."""
    by_query = {f"q{n}": [processed(*each)] for n, each in enumerate(presented)}
    (check,) = ask.judge(by_query)
    assert check.name is CheckName.POLICY
    return check


def asked_claims(query: dcql.Query) -> dict[str, list[str]]:
    """Return which claims each credential query of ``query`` asks for."""
    return {each["id"]: [claim["path"][-1] for claim in each["claims"]] for each in query.to_json()["credentials"]}


# --- age


def test_the_table_covers_every_place() -> None:
    assert set(AGES) == PROVINCES_AND_TERRITORIES


@pytest.mark.parametrize("place", sorted(AGES))
@pytest.mark.parametrize("purpose", PURPOSES)
def test_the_age_of_every_place_and_purpose(place: str, purpose: str) -> None:
    age = AGES[place][PURPOSES.index(purpose)]
    ask = prepare(f"age-{purpose}", place=place, today=TODAY)
    claim = f"age_over_{age}"
    ids = ("person_sdjwt", "drivers-licence_sdjwt", "identification-card_sdjwt")
    assert asked_claims(ask.query) == {each: [claim] for each in ids}
    assert ask.query.to_json()["credential_sets"] == [{"options": [[each] for each in ids]}]
    assert (ask.place, ask.policy, ask.same_holder) == (place, f"age-{purpose}", False)
    good = judged(ask, (PERSON, {claim: True}))
    assert (good.outcome, good.code, dict(good.facts)) == (Outcome.PASSED, Code.OK, {"age": age})
    bad = judged(ask, (PERSON, {claim: False}))
    assert (bad.outcome, bad.code) == (Outcome.FAILED, Code.AGE_REQUIREMENT_NOT_MET)


@given(value=st.one_of(st.none(), st.just(False), st.integers(), st.text(), st.just([True]), st.floats()))
def test_only_true_is_true(value: Any) -> None:
    ask = prepare("age-alcohol", place="ca-on", today=TODAY)
    assert judged(ask, (PERSON, {"age_over_19": value})).outcome is Outcome.FAILED
    assert judged(ask, (PERSON, {"age_over_19": True}), (LICENCE, {"age_over_19": value})).outcome is Outcome.FAILED


def test_an_age_that_was_not_asked_for_counts_for_nothing() -> None:
    ask = prepare("age-alcohol", place="ca-on", today=TODAY)
    assert judged(ask, (PERSON, {"age_over_21": True})).outcome is Outcome.FAILED
    assert judged(ask).outcome is Outcome.FAILED


@pytest.mark.parametrize("place", ["", "ca", "ca-zz", "ca-on/toronto", "CA-ON", "us-ny"])
def test_no_age_without_a_place_of_the_table(place: str) -> None:
    for purpose in PURPOSES:
        with pytest.raises(Malformed) as caught:
            prepare(f"age-{purpose}", place=place, today=TODAY)
        assert caught.value.code is Code.PLACE_UNKNOWN


@pytest.mark.parametrize("rules", [{}, {"alcohol": 20}, {"alcohol": None}, {"alcohol": "19"}])
def test_a_rule_that_no_credential_can_prove_is_no_rule(monkeypatch: pytest.MonkeyPatch, rules: Any) -> None:
    monkeypatch.setattr(schemas, "age_rules", lambda: {"places": {"ca-on": rules}})
    with pytest.raises(Malformed) as caught:
        prepare("age-alcohol", place="ca-on", today=TODAY)
    assert caught.value.code is Code.AGE_RULE_UNKNOWN


# --- driver's licence


def test_a_licence_is_asked_for_in_either_format() -> None:
    ask = prepare("drivers-licence-valid", place="ca-pe", today=TODAY)
    assert asked_claims(ask.query) == {
        "drivers-licence_sdjwt": ["class", "expires_on"],
        "drivers-licence_vcjwt": ["class", "expires_on"],
    }
    assert {each.format for each in ask.query.credentials} == {Format.DC_SD_JWT, Format.VC_JWT}


@pytest.mark.parametrize(
    ("last_day", "outcome"),
    [
        ("2026-11-24", Outcome.PASSED),
        ("2026-11-23", Outcome.PASSED),
        ("2026-11-22", Outcome.FAILED),
        ("2025-12-31", Outcome.FAILED),
        (None, Outcome.FAILED),
    ],
)
@pytest.mark.parametrize(
    ("policy", "credential_type"), [("drivers-licence-valid", LICENCE), ("server-and-person", SERVER)]
)
@pytest.mark.attack("C05")
@pytest.mark.good_twin("C05")
def test_documents_hold_to_the_end_of_their_last_day(
    policy: str, credential_type: CredentialType, last_day: str | None, outcome: Outcome
) -> None:
    ask = prepare(policy, place="ca-bc", today=TODAY)
    claims = {} if last_day is None else {"expires_on": last_day}
    check = judged(ask, (credential_type, claims))
    assert check.outcome is outcome
    assert check.code is (Code.OK if outcome is Outcome.PASSED else Code.POLICY_NOT_MET)


def test_every_licence_presented_must_hold() -> None:
    ask = prepare("drivers-licence-valid", place="ca-pe", today=TODAY)
    good, late = {"expires_on": "2030-01-01"}, {"expires_on": "2020-01-01"}
    assert judged(ask, (LICENCE, good), (LICENCE, good)).outcome is Outcome.PASSED
    assert judged(ask, (LICENCE, good), (LICENCE, late)).outcome is Outcome.FAILED
    assert judged(ask).outcome is Outcome.FAILED


# --- residency


def test_residency_is_one_region_and_nothing_finer() -> None:
    ask = prepare("residency", place="ca-yt", today=TODAY)
    assert asked_claims(ask.query) == {"health-card_sdjwt": ["resident_region"], "person_sdjwt": ["region"]}
    assert judged(ask, (HEALTH, {"resident_region": "YT"})).outcome is Outcome.PASSED
    assert judged(ask, (PERSON, {"region": "YT"})).outcome is Outcome.PASSED
    for wrong in (
        [(HEALTH, {"resident_region": "NT"})],
        [(HEALTH, {"region": "YT"})],
        [(PERSON, {"resident_region": "YT"})],
        [(PERSON, {"region": "ca-yt"})],
        [(LICENCE, {"region": "YT"})],
        [(HEALTH, {"resident_region": "YT"}), (PERSON, {"region": "NT"})],
        [],
    ):
        check = judged(ask, *wrong)
        assert (check.outcome, check.code) == (Outcome.FAILED, Code.POLICY_NOT_MET), wrong


def test_nobody_resides_in_the_federation_at_large() -> None:
    for place in ("ca", "", "ca-zz"):
        with pytest.raises(Malformed) as caught:
            prepare("residency", place=place, today=TODAY)
        assert caught.value.code is Code.PLACE_UNKNOWN


# --- serving


def test_a_certificate_and_a_name_of_one_holder() -> None:
    ask = prepare("server-and-person", place="ca-bc", today=TODAY)
    assert ask.same_holder
    assert ask.query.to_json()["credential_sets"] == [
        {
            "options": [
                ["serving-it-right_sdjwt", "person_sdjwt"],
                ["serving-it-right_sdjwt", "drivers-licence_sdjwt"],
                ["serving-it-right_sdjwt", "identification-card_sdjwt"],
            ]
        }
    ]
    name = (IDENTIFICATION, {"family_name": "DEMO"})
    assert judged(ask, name, (SERVER, {"expires_on": "2026-11-23"})).outcome is Outcome.PASSED
    assert judged(ask, name).outcome is Outcome.FAILED
    assert judged(ask, (LICENCE, {"expires_on": "2030-01-01"})).outcome is Outcome.FAILED


# --- all of them


def test_unknown_policies_are_named_as_such() -> None:
    for policy in ("", "age", "age-", "age-tobacco", "AGE-ALCOHOL"):
        with pytest.raises(Malformed) as caught:
            prepare(policy, place="ca-on", today=TODAY)
        assert caught.value.code is Code.POLICY_UNKNOWN


@pytest.mark.clause("DQ-5")
def test_no_query_holds_values_and_every_query_wants_the_holder() -> None:
    for policy in POLICIES:
        query = prepare(policy, place="ca-on", today=TODAY).query
        for each in query.to_json()["credentials"]:
            assert all(set(claim) == {"path"} for claim in each["claims"])
            assert each.get("multiple", False) is False
        assert all(each.require_holder_binding for each in query.credentials)


def test_no_check_ever_tells_a_claim() -> None:
    secret = "Zyxwvut"
    for policy in POLICIES:
        ask = prepare(policy, place="ca-on", today=TODAY)
        stated = {name: secret for names in asked_claims(ask.query).values() for name in names}
        for credential_type in (PERSON, LICENCE, IDENTIFICATION, HEALTH, SERVER):
            check = judged(ask, (credential_type, stated))
            assert secret not in str(check.facts) + check.detail


def test_entitlements_are_exactly_what_the_policies_ask() -> None:
    asked = {
        (f"{credential_type.slug}/{credential_type.version}", claim, policy)
        for policy in POLICIES
        for place in AGES
        for query_id, claims in asked_claims(prepare(policy, place=place, today=TODAY).query).items()
        for credential_type in (PERSON, LICENCE, IDENTIFICATION, HEALTH, SERVER)
        if query_id.rpartition("_")[0] == credential_type.slug
        for claim in claims
    }
    entitled = {
        (entry["type"], claim, entry["purpose"]) for entry in policies.entitlements() for claim in entry["claims"]
    }
    assert entitled >= asked
    beyond = {(claim, purpose) for _, claim, purpose in entitled - asked}
    assert beyond <= {("age_over_21", "age-majority"), ("age_over_21", "age-alcohol")}  # ages no place asks for today


def test_every_claim_asked_for_exists_in_its_type() -> None:
    for entry in policies.entitlements():
        slug, _, version = entry["type"].partition("/")
        known = schemas.type_schema(slug, int(version))["properties"]
        assert set(entry["claims"]) <= set(known), entry
