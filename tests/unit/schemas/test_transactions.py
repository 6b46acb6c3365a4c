"""Transaction types as data: whole in both languages, and strict about what they are given."""

import re
from typing import Any

import pytest
from jsonschema_rs import meta

from schemas import transactions

FEE = "https://types.comity.example/transactions/fee-payment/1"
CONSENT = "https://types.comity.example/transactions/information-consent/1"
PAID: dict[str, Any] = {"payee": "Ville de Toronto (DÉMO)", "amount": "25.00", "currency": "CAD", "reference": "DEMO-1"}


def test_there_are_two() -> None:
    assert transactions.all_types() == (FEE, CONSENT)
    with pytest.raises(KeyError):
        transactions.type_of("https://types.comity.example/transactions/nothing/1")


@pytest.mark.parametrize("name", transactions.all_types())
def test_each_is_whole_in_both_languages(name: str) -> None:
    kind, schema = transactions.type_of(name), transactions.schema_of(name)
    meta.validate(schema)
    assert schema["additionalProperties"] is False
    assert set(kind["labels"]) == set(schema["properties"]) == set(schema["required"])
    assert not {"type", "credential_ids", "transaction_data_hashes_alg"} & set(schema["properties"])
    for words in (kind["title"], kind["words"], *kind["labels"].values()):
        assert set(words) == {"en", "fr"}
    places = [set(re.findall(r"\{(\w+)\}", words)) for words in kind["words"].values()]
    assert places[0] == places[1] <= set(schema["properties"])
    assert set(schema["properties"]) - places[0] <= set(kind.get("money", {}).values())
    assert name.endswith(f"/{schema['title']}/1")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, ()),
        ({"amount": "25"}, ("amount: pattern",)),
        ({"amount": "25.00\n"}, ("amount: pattern",)),
        ({"amount": 25}, ("amount: type",)),
        ({"amount": "-1.00"}, ("amount: pattern",)),
        ({"currency": "USD"}, ("currency: enum",)),
        ({"payee": "\u202eOTNOROT"}, ("payee: pattern",)),
        ({"payee": "two\nlines"}, ("payee: pattern",)),
        ({"payee": ""}, ("payee: minLength", "payee: pattern")),
        ({"tip": "5.00"}, ("$: additionalProperties",)),
    ],
)
def test_what_does_not_fit_is_told_without_values(change: dict[str, Any], found: tuple[str, ...]) -> None:
    assert transactions.violations(FEE, {**PAID, **change}) == found


def test_a_day_is_a_day() -> None:
    said = {"from": "A", "to": "B", "until": "2026-12-31", "reference": "1"}
    assert transactions.violations(CONSENT, said) == ()
    assert transactions.violations(CONSENT, {**said, "until": "2026-02-30"}) == ("until: format",)
