"""The age table beside one that was written out a second time by hand: a change of either must be deliberate."""

import pytest

import schemas
from tests.support.ages import AGES, PURPOSES


def test_places_are_the_thirteen_provinces_and_territories() -> None:
    assert set(schemas.age_rules()["places"]) == set(AGES)


@pytest.mark.parametrize("place", AGES)
def test_ages(place: str) -> None:
    rule = schemas.age_rules()["places"][place]
    assert set(rule) == set(PURPOSES)
    assert tuple(rule[purpose] for purpose in PURPOSES) == AGES[place]


def test_no_age_lies_outside_what_credentials_state() -> None:
    ages = {age for rule in schemas.age_rules()["places"].values() for age in rule.values()}
    assert ages == {18, 19, 21}


def test_names_purposes_and_sources_are_told() -> None:
    rules = schemas.age_rules()
    assert set(rules["names"]) == set(AGES)
    assert set(rules["purposes"]) == set(PURPOSES)
    assert all(set(words) == {"en", "fr"} for words in [*rules["names"].values(), *rules["purposes"].values()])
    assert set(PURPOSES) < set(rules["sources"])


def test_adulthood_alone_is_the_wrong_rule_for_alcohol() -> None:
    places = schemas.age_rules()["places"]
    assert {place for place in places if places[place]["alcohol"] > places[place]["majority"]} == {
        "ca-on",
        "ca-pe",
        "ca-sk",
    }
