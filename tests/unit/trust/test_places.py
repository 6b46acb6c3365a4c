"""Names of places and jurisdictions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.trust.places import is_jurisdiction, is_type_id, level_of, levels_of, place_of, top_of


@pytest.mark.parametrize(
    ("text", "place"),
    [("CA-ON", "ca-on"), ("ca-qc", "ca-qc"), ("CA", "ca"), ("Ca-Ab", "ca-ab"), ("ca-nu", "ca-nu")],
)
def test_every_spelling_of_a_canadian_place(text: str, place: str) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    "text", ["", "US-NY", "ca-xx", "ON", "ca-on/toronto", "ca-on ", "CA-ON\n", "ca_on", "CA-ſK", "cа-on"]
)
def test_anything_else_is_no_place(text: str) -> None:
    assert place_of(text) is None


@pytest.mark.parametrize("text", ["ca", "ca-on", "ca-on/toronto", "ca-bc/a", "ca-qc/montreal-est", "ca-on/" + "a" * 41])
def test_jurisdictions(text: str) -> None:
    assert is_jurisdiction(text)


NOT_JURISDICTIONS = ["CA", "ca/ottawa", "ca-xx", "ca-xx/a", "ca-on/", "ca-on//a", "ca-on/a/b", "ca-on/..", "../ca-on"]


@pytest.mark.parametrize(
    "text", [*NOT_JURISDICTIONS, "ca-on/A", "ca-on/1", "/ca-on", "", "ca-on\n", "ca-on/toronto\n", "ca-on/" + "a" * 42]
)
def test_not_jurisdictions(text: str) -> None:
    assert not is_jurisdiction(text)


@pytest.mark.parametrize(
    ("text", "good"), [("person/1", True), ("person/0", False), ("person", False), ("p/1\n", False)]
)
def test_type_ids(text: str, good: bool) -> None:
    assert is_type_id(text) is good


def test_levels() -> None:
    assert levels_of("ca-on/toronto") == ("ca-on", "ca-on/toronto")
    assert levels_of("ca") == ("ca",)
    assert top_of("ca-on/toronto") == "ca-on"
    assert [level_of(each) for each in ("ca", "ca-on", "ca-yt", "ca-on/peel")] == [
        "federal",
        "province",
        "territory",
        "municipality",
    ]


@given(st.text(max_size=40))
def test_any_text_is_judged(text: str) -> None:
    assert place_of(text) in (None, text.lower())
    if is_jurisdiction(text):
        assert levels_of(text)[-1] == text
