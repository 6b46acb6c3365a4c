"""Claims against the schema of their type: what is wrong is told by path and keyword, never by value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas

PERSON: dict[str, Any] = {
    "given_names": "Élise",
    "family_name": "Gagné-O’Brien",
    "birthdate": "1990-02-28",
    "age_over_18": True,
    "age_over_19": True,
    "age_over_21": True,
    "portrait": "data:image/png;base64,iVBORw0KGgo=",
    "locality": "Charlottetown",
    "region": "PE",
    "postal_code": "C1A 7N8",
    "address_verified": True,
}
LICENCE: dict[str, Any] = {
    "licence_number": "DEMO-12345",
    "class": "G",
    "conditions": ["corrective_lenses", "daylight_only"],
    "issued_on": "2024-01-01",
    "expires_on": "2029-01-01",
    "family_name": "Arjun",
    "birthdate": "2000-01-01",
    "age_over_18": True,
    "age_over_19": True,
    "age_over_21": True,
}


def violations(claims: dict[str, Any], *, partial: bool = False) -> tuple[str, ...]:
    return schemas.violations("person", 1, claims, partial=partial)


def test_complete_claims_are_in_order() -> None:
    assert violations(PERSON) == ()
    assert schemas.violations("drivers-licence", 1, LICENCE, partial=False) == ()


@pytest.mark.parametrize("name", ["Tłı̨chǫ Behchokǫ̀", "ᐃᓄᒃ", "X", "名", "O’Brien-Ñúñez de la Très Longue Maison " * 3])
def test_names_of_every_script_and_length_pass(name: str) -> None:
    assert violations({**PERSON, "family_name": name}) == ()


def test_a_missing_claim_is_named() -> None:
    assert violations({key: PERSON[key] for key in PERSON if key != "birthdate"}) == ("birthdate: required",)


def test_a_disclosed_subset_may_lack_anything() -> None:
    assert violations({"age_over_19": True}, partial=True) == ()
    assert violations({}, partial=True) == ()


def test_a_disclosed_subset_is_still_checked() -> None:
    assert violations({"age_over_19": "yes"}, partial=True) == ("age_over_19: type",)


@pytest.mark.parametrize(
    ("claim", "value", "keyword"),
    [
        ("birthdate", "1990-02-30", "format"),
        ("birthdate", "19900228", "format"),
        ("birthdate", "1990-W09-3", "format"),
        ("birthdate", "1990-02-28\n", "format"),
        ("birthdate", "1990-02-28T00:00:00Z", "format"),
        ("birthdate", 19900228, "type"),
        ("age_over_18", 1, "type"),
        ("family_name", "", "minLength"),
        ("family_name", "   ", "pattern"),
        ("family_name", "Gagné\n", "pattern"),
        ("family_name", "Gag\u0000né", "pattern"),
        ("family_name", "x" * 151, "maxLength"),
        ("region", "pe", "enum"),
        ("region", "PE\n", "enum"),
        ("postal_code", "C1A7N8", "pattern"),
        ("postal_code", "D1A 7N8", "pattern"),
        ("portrait", "https://example.org/me.png", "pattern"),
        ("portrait", "data:image/svg+xml;base64,AAAA", "pattern"),
        ("portrait", "data:image/png;base64,AAAA\n", "pattern"),
        ("portrait", "data:image/png;base64," + "A" * 65536, "maxLength"),
    ],
)
def test_a_wrong_value_is_told_by_path_and_keyword(claim: str, value: object, keyword: str) -> None:
    found = violations({**PERSON, claim: value})
    assert f"{claim}: {keyword}" in found
    assert all(line.startswith(f"{claim}: ") for line in found)


def test_a_member_of_a_list_is_told_by_its_place() -> None:
    claims = {**LICENCE, "conditions": ["corrective_lenses", "none"]}
    assert schemas.violations("drivers-licence", 1, claims, partial=False) == ("conditions/1: enum",)
    claims = {**LICENCE, "conditions": ["daylight_only", "daylight_only"]}
    assert schemas.violations("drivers-licence", 1, claims, partial=True) == ("conditions: uniqueItems",)


def test_an_unknown_claim_is_named_only_when_it_looks_like_one() -> None:
    assert violations({**PERSON, "nickname": "x"}) == ("nickname: additionalProperties",)
    assert violations({**PERSON, "Élise Gagné": "x"}) == ("$: additionalProperties",)


def test_findings_are_sorted_and_each_stands_once() -> None:
    found = violations({"b": 1, "a": 1, "A A": 1, "B B": 1}, partial=True)
    assert found == ("$: additionalProperties", "a: additionalProperties", "b: additionalProperties")


def test_unknown_type() -> None:
    with pytest.raises(KeyError):
        schemas.violations("pilot-licence", 1, {}, partial=True)


SECRET = "canary-7f3a"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(claims=st.dictionaries(st.sampled_from([*PERSON, "x"]) | st.text(), JSON_VALUES), partial=st.booleans())
def test_any_json_gives_an_answer(claims: dict[str, Any], *, partial: bool) -> None:
    assert all(": " in line for line in violations(claims, partial=partial))


@pytest.mark.parametrize("claim", list(PERSON))
@pytest.mark.parametrize("shape", [SECRET, [SECRET], {SECRET: SECRET}])
def test_no_value_is_ever_told(claim: str, shape: object) -> None:
    assert SECRET not in json.dumps(violations({**PERSON, claim: shape, SECRET: SECRET}))
