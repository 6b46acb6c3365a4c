"""Forms out of schemas: every type has one, and what is typed becomes what the schema says."""

from datetime import date

import pytest

import schemas
from comity.credential import CredentialType
from issuer import fields, spreadsheet

TODAY = date(2026, 11, 23)
TYPES = [CredentialType(slug=slug, version=version) for slug, version in schemas.all_types()]
LICENCE = CredentialType(slug="drivers-licence", version=1)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.slug)
def test_every_type_has_a_form_in_both_languages_and_a_sample_that_is_valid(kind: CredentialType) -> None:
    for each in fields.fields_of(kind):
        assert set(each.labels) == {"en", "fr"}
        assert all(set(words) >= {"en", "fr"} for words in each.options.values())
    for language in ("en", "fr"):
        sample = spreadsheet.sample(kind, language, fields.defaults(kind, TODAY))
        (row,) = spreadsheet.read(sample, kind).rows
        assert fields.read(kind, row.cells, today=TODAY).problems == {}


@pytest.mark.parametrize(
    ("born", "on", "is_18"),
    [
        ("2008-11-23", date(2026, 11, 23), True),
        ("2008-11-24", date(2026, 11, 23), False),
        ("2008-02-29", date(2026, 2, 28), False),
        ("2008-02-29", date(2026, 3, 1), True),
    ],
)
def test_ages_are_counted_and_not_typed(born: str, on: date, is_18: bool) -> None:
    claims = fields.read(LICENCE, {"birthdate": born, "age_over_18": "true"}, today=on).claims
    assert claims["age_over_18"] is is_18


@pytest.mark.parametrize("said", ["Oui", "yes", "TRUE", "1", "vrai"])
def test_yes_is_said_in_both_languages(said: str) -> None:
    kind = CredentialType(slug="person", version=1)
    assert fields.read(kind, {"address_verified": said}, today=TODAY).claims["address_verified"] is True


def test_an_option_is_chosen_by_its_value_or_its_words() -> None:
    for said in ("G2", "g2 (novice)", "G2 (conducteur novice)"):
        assert fields.read(LICENCE, {"class": said}, today=TODAY).claims["class"] == "G2"
    both = fields.read(LICENCE, {"conditions": "daylight_only | Doit porter des verres correcteurs"}, today=TODAY)
    assert both.claims["conditions"] == ["daylight_only", "corrective_lenses"]


def test_what_does_not_fit_is_named_by_claim_and_rule_and_never_by_value() -> None:
    found = fields.read(LICENCE, {"class": "Zyxw", "birthdate": "Zyxw", "licence_number": "é"}, today=TODAY)
    assert found.problems["class"] == "enum"
    assert found.problems["birthdate"] == "format"
    assert found.problems["licence_number"] == "pattern"
    assert found.problems["family_name"] == "required"
    assert not any(name.startswith("age_over") for name in found.problems)
    assert "Zyxw" not in repr(found)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.slug)
def test_only_a_type_that_can_be_suspended_may_be_undone(kind: CredentialType) -> None:
    is_suspendable = schemas.type_metadata(kind.slug, kind.version)["comity"]["suspendable"]
    assert is_suspendable or schemas.undo_minutes(kind.slug) == 0


@pytest.mark.parametrize(
    ("born", "problem"), [("2026-11-23", None), ("2026-11-24", "future"), ("2091-07-04", "future")]
)
def test_nobody_is_offered_a_credential_before_they_are_born(born: str, problem: str | None) -> None:
    assert fields.read(LICENCE, {"birthdate": born}, today=TODAY).problems.get("birthdate") == problem
