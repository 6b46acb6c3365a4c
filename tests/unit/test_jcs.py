"""RFC 8785 against the published examples."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import jcs, strict_json
from comity.errors import Code, Malformed
from tests.support.vectors import count, vectors_folder


@pytest.mark.good_twin("D12")
def test_published_examples() -> None:
    folder = vectors_folder("jcs") / "testdata"
    inputs = sorted((folder / "input").glob("*.json"))
    for path in inputs:
        value = strict_json.parse(path.read_bytes())
        assert jcs.canonicalise(value) == (folder / "output" / path.name).read_bytes(), path.name
    assert len(inputs) == 6
    count("jcs", len(inputs))


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("41b3de4355555557", "333333333.33333343"),
    ],
)
@pytest.mark.attack("D12")
def test_numbers_of_rfc_8785_appendix_b(bits: str, text: str) -> None:
    assert jcs.canonicalise(struct.unpack(">d", bytes.fromhex(bits))[0]) == text.encode()


@pytest.mark.attack("D12")
def test_members_are_sorted_by_utf16_units() -> None:
    assert jcs.canonicalise({"\ufb33": 1, "\U0001f600": 2, "a": 3}) == '{"a":3,"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53, -(2**53), 10**5000, "\ud800", {"\ud800": 1}, {1: 2}, b"x", [object()]],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.attack("D12")
def test_what_the_scheme_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(Malformed) as raised:
        jcs.canonicalise(value)
    assert raised.value.code is Code.MALFORMED_JSON


def test_endless_nesting_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(Malformed):
        jcs.canonicalise(endless)


def reads_back_as_float(number: float) -> bool:
    """Whole numbers from 2^53 to 1e21 are written with digits only, so a reader takes them for too large integers."""
    return not 2**53 <= abs(number) < 1e21


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats().filter(reads_back_as_float)
        | st.text()
        | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_canonical_is_stable_or_malformed(value: object) -> None:
    try:
        canonical = jcs.canonicalise(value)
    except Malformed:
        return
    assert jcs.canonicalise(strict_json.parse(canonical)) == canonical
