"""What a verifier itself says that it asks for: read wherever it may stand, bounded, and never a reason to refuse."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code
from comity.openid.members import Members
from comity.openid.presentation import stated_purpose
from comity.openid.presentation.stated_purpose import LANGUAGES, LENGTH, MOST
from comity.openid.refusal import Refusal

WINE = "To sell you wine"


def words(**request: Any) -> list[dict[str, str]]:
    members = Members(request, "request", Refusal(code=Code.REQUEST_INVALID))
    return [dict(each.words) for each in stated_purpose.read(members)]


def in_a_set(*purposes: Any) -> dict[str, Any]:
    return {"dcql_query": {"credential_sets": [{"options": [["a"]], "purpose": each} for each in purposes]}}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (in_a_set(WINE), {"": WINE}),
        (in_a_set({"en-CA": WINE, "fr": "Vendre du vin"}), {"en-ca": WINE, "fr": "Vendre du vin"}),
        ({"client_metadata": {"purpose": WINE}}, {"": WINE}),
        ({"client_metadata": {"purpose": WINE, "purpose#fr": "Vendre du vin"}}, {"": WINE, "fr": "Vendre du vin"}),
        ({"verifier_info": [{"format": "x", "data": {"purpose": [{"lang": "de", "value": "Wein"}]}}]}, {"de": "Wein"}),
        (in_a_set(" To\n sell\t you  wine "), {"": WINE}),
        (in_a_set({'"><b>': WINE}), {"": WINE}),  # no language tag: it never reaches an attribute
    ],
)
def test_a_purpose_is_read(request_: dict[str, Any], expected: dict[str, str]) -> None:
    assert words(**request_) == [expected]


@pytest.mark.parametrize("nothing", [None, 7, "", "  ", [], {}, True, {"en": 7}, ["en"], [{"lang": "en"}], [[WINE]]])
def test_what_states_nothing_is_passed_over(nothing: Any) -> None:
    assert words(**in_a_set(nothing)) == []
    assert words(client_metadata={"purpose": nothing}) == []
    assert words(verifier_info=[{"format": "x", "data": {"purpose": nothing}}]) == []
    assert words(dcql_query=nothing, client_metadata=nothing, verifier_info=nothing) == []


def test_nothing_is_without_bounds() -> None:
    many = [f"purpose {number}" for number in range(MOST + 1)]
    assert words(**in_a_set(*many)) == [{"": each} for each in many[:MOST]]
    assert words(**in_a_set(WINE, WINE), client_metadata={"purpose": WINE}) == [{"": WINE}]
    assert [len(each[""]) for each in words(**in_a_set("é" * LENGTH, "é" * (LENGTH + 1)))] == [LENGTH, LENGTH]
    letters = "abcdefghijklmnopqrstuvwxyz"
    (spoken,) = words(**in_a_set({f"{one}{two}": WINE for one in letters for two in letters}))
    assert len(spoken) == LANGUAGES


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("purpose"), each, max_size=3)
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("dcql_query", "client_metadata", "verifier_info"), _JSON)))
def test_nothing_that_a_request_says_stops_it(request_: dict[str, Any]) -> None:
    for each in words(**request_):
        assert each
        assert all(0 < len(text) <= LENGTH for text in each.values())
