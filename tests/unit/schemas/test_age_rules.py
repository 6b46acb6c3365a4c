"""The age table, written out here a second time by hand: a change of either must be deliberate."""

import pytest

import schemas

# place: majority, alcohol, cannabis
TABLE = {
    "ca-ab": (18, 18, 18),
    "ca-bc": (19, 19, 19),
    "ca-mb": (18, 18, 19),
    "ca-nb": (19, 19, 19),
    "ca-nl": (19, 19, 19),
    "ca-ns": (19, 19, 19),
    "ca-nt": (19, 19, 19),
    "ca-nu": (19, 19, 19),
    "ca-on": (18, 19, 19),
    "ca-pe": (18, 19, 19),
    "ca-qc": (18, 18, 21),
    "ca-sk": (18, 19, 19),
    "ca-yt": (19, 19, 19),
}
PURPOSES = ("majority", "alcohol", "cannabis")


def test_places_are_the_thirteen_provinces_and_territories() -> None:
    assert set(schemas.age_rules()["places"]) == set(TABLE)


@pytest.mark.parametrize("place", TABLE)
def test_ages(place: str) -> None:
    rule = schemas.age_rules()["places"][place]
    assert set(rule) == set(PURPOSES)
    assert tuple(rule[purpose] for purpose in PURPOSES) == TABLE[place]


def test_no_age_lies_outside_what_credentials_state() -> None:
    ages = {age for rule in schemas.age_rules()["places"].values() for age in rule.values()}
    assert ages == {18, 19, 21}


def test_names_purposes_and_sources_are_told() -> None:
    rules = schemas.age_rules()
    assert set(rules["names"]) == set(TABLE)
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
