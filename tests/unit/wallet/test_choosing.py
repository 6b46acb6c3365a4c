"""Where one of several cards is enough, the person chooses one and the others stay (OpenID4VP 1.0 §6.4.2; DQ-6)."""

from typing import Any

import pytest

from comity import dcql
from comity.errors import Malformed
from wallet import cli
from wallet.choosing import alternatives


def query(sets: list[dict[str, Any]], **changes: dict[str, Any]) -> dcql.Query:
    credentials = [{"id": name, "format": "dc+sd-jwt", "meta": {}, **changes.get(name, {})} for name in "abcde"]
    return dcql.parse({"credentials": credentials, **({"credential_sets": sets} if sets else {})})


@pytest.mark.parametrize(
    ("sets", "held", "expected"),
    [
        ([], "abcde", ()),
        ([{"options": [["a"], ["b"], ["c"]]}], "abc", (("a", "b", "c"),)),
        ([{"options": [["a"], ["b"], ["c"]]}], "bc", (("b", "c"),)),
        ([{"options": [["a"], ["b"]]}], "a", ()),
        ([{"options": [["a"], ["b"]]}], "", ()),
        ([{"options": [["a"], ["b"]], "required": False}], "ab", ()),  # none of them is needed: each can be left out
        ([{"options": [["a", "b"], ["a", "c"]]}], "abc", (("b", "c"),)),  # what all of them share is no choice
        ([{"options": [["a", "b"], ["c"]]}], "abc", ()),
        ([{"options": [["a"], ["a", "b"]]}], "ab", ()),
        ([{"options": [["a"], ["b"]]}, {"options": [["c"], ["d"]]}], "abcd", (("a", "b"), ("c", "d"))),
        ([{"options": [["a"], ["b"]]}, {"options": [["b"], ["c"]]}], "abc", ()),  # b would be chosen twice
    ],
)
def test_queries_any_one_of_which_is_enough(sets: list[dict[str, Any]], held: str, expected: object) -> None:
    assert alternatives(query(sets), set(held)) == expected


def test_several_presentations_of_one_query_are_chosen_by_themselves() -> None:
    sets = [{"options": [["a"], ["b"]]}]
    assert alternatives(query(sets, b={"multiple": True}), {"a", "b"}) == ()


def test_the_command_shares_the_card_that_is_named_and_no_other() -> None:
    held = [{"query_id": query_id, "credential_id": f"card-{query_id}"} for query_id in "abc"]
    consent = {"needed": ["a", "c"], "credentials": held}

    def chosen(*wanted: str) -> list[str]:
        return [each["credential_id"] for each in cli._chosen(consent, list(wanted), (("a", "b"),))]

    assert chosen() == ["card-a", "card-c"]
    assert chosen("card-b") == ["card-b", "card-c"]
    with pytest.raises(Malformed):
        chosen("card-b", "card-a")
