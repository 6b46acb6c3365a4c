"""The claims path pointer for JSON: comity.dcql.path."""

from typing import Any

import pytest

from comity.dcql.path import select
from comity.dcql.query import Path

CREDENTIAL: dict[str, Any] = {
    "name": "Tremblay",
    "address": {"street_address": "42 rue Fictive", "locality": "Montréal"},
    "degrees": [
        {"type": "Bachelor", "university": "A"},
        {"type": "Master", "university": "B"},
        {"university": "C"},
    ],
    "nationalities": ["CA", "FR"],
    "grid": [[1, 2], [3]],
    "mixed": [{"type": "x"}, "text"],
    "nothing": [],
    "null": None,
    "0": "a name that looks like an index",
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # OpenID4VP §7.3, the examples, with other words
        (("name",), {("name",): "Tremblay"}),
        (("address",), {("address",): CREDENTIAL["address"]}),
        (("address", "street_address"), {("address", "street_address"): "42 rue Fictive"}),
        (("nationalities", 1), {("nationalities", 1): "FR"}),
        (("nationalities", None), {("nationalities", 0): "CA", ("nationalities", 1): "FR"}),
        # a member that some elements lack: those drop out
        (("degrees", None, "type"), {("degrees", 0, "type"): "Bachelor", ("degrees", 1, "type"): "Master"}),
        # an array too short drops out
        (("grid", None, 1), {("grid", 0, 1): 2}),
        (("grid", None, None), {("grid", 0, 0): 1, ("grid", 0, 1): 2, ("grid", 1, 0): 3}),
        # a JSON null is a value like any other
        (("null",), {("null",): None}),
        (("0",), {("0",): "a name that looks like an index"}),
    ],
)
@pytest.mark.clause("DQ-2")
@pytest.mark.good_twin("S19")
def test_what_a_path_selects(path: Path, expected: dict[Any, Any]) -> None:
    assert select(path, CREDENTIAL) == expected


@pytest.mark.parametrize(
    "path",
    [
        ("absent",),
        ("address", "absent"),
        ("nationalities", 2),
        ("nothing", None),
        ("nothing", 0),
        ("degrees", None, "absent"),
        # wrong containers: the standard aborts
        ("name", "x"),
        ("name", None),
        ("name", 0),
        ("address", 0),
        ("address", None),
        ("nationalities", "0"),
        ("null", "x"),
        (None,),
        (0,),
        # one element of the wrong kind aborts the whole path
        ("mixed", None, "type"),
    ],
)
@pytest.mark.clause("DQ-2")
@pytest.mark.attack("S19")
def test_a_path_that_selects_nothing(path: Path) -> None:
    assert select(path, CREDENTIAL) == {}


@pytest.mark.good_twin("S19")
def test_the_elements_of_one_kind_alone_would_have_been_selected() -> None:
    """The good twin of the last case above."""
    assert select(("mixed", None, "type"), {"mixed": [{"type": "x"}]}) == {("mixed", 0, "type"): "x"}


def test_a_long_path_ends_with_the_credential() -> None:
    deep: Any = []
    for _ in range(30):
        deep = [deep]
    assert select(("a", *[None] * 20_000), {"a": deep}) == {}
