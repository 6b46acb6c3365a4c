"""What the strict reader refuses, each with a twin that passes."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comity import strict_json
from comity.errors import Code, Malformed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def code_of(data: bytes | str, **limits: int) -> Code:
    with pytest.raises(Malformed) as raised:
        strict_json.parse(data, **limits)
    return raised.value.code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, true, null, "é"]}', {"a": [1, 2.5, True, None, "é"]}),
        (" \t\r\n[] \t\r\n", []),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("-0", 0),
        ("1e308", 1e308),
        ('{"a": {"b": 1}, "b": {"a": 1}}', {"a": {"b": 1}, "b": {"a": 1}}),
    ],
)
def test_ordinary_json_is_read(text: str, value: object) -> None:
    assert strict_json.parse(text) == value
    assert strict_json.parse(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"iss": "a", "iss": "b"}',
        '{"iss": "a", "\\u0069ss": "b"}',
        '[{"a": {"b": [{"c": 1, "c": 1}]}}]',
        '{"": 1, "": 2}',
    ],
)
@pytest.mark.clause("C5")
@pytest.mark.attack("D12")
def test_two_members_of_one_name_are_refused_at_every_depth(text: str) -> None:
    assert code_of(text) is Code.DUPLICATE_MEMBER


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[1,]",
        "{'a': 1}",
        '{"a": 1} x',
        '{"a": 1}{"a": 1}',
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "[1e999]",
        "01",
        "+1",
        ".5",
        "0x10",
        "tru",
        '"\n"',
        '"\\x"',
        '"\\ud800"',
        '"\\uDC00 x"',
        '{"\\udfff": 1}',
        '[["\\ud83d"]]',
        "\ufeff1",
        "// c\n1",
        "\u00a01",
        "9" * 5000,
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    assert code_of(text) is Code.MALFORMED_JSON


@pytest.mark.parametrize(
    "data", [b"\xff", b'"\xc0\x80"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", '{"a":1}'.encode("utf-16")]
)
@pytest.mark.clause("C5")
def test_bytes_that_are_not_utf8_are_refused(data: bytes) -> None:
    assert code_of(data) is Code.MALFORMED_JSON


@pytest.mark.attack("D12")
def test_text_with_half_a_surrogate_pair_is_refused() -> None:
    assert code_of('"\ud800"') is Code.MALFORMED_JSON


@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.attack("Q01")
@pytest.mark.good_twin("Q01")
def test_depth_is_limited(open_: str, close: str) -> None:
    inner = "1" if open_ != "[" else ""
    assert strict_json.parse(open_ * 32 + inner + close * 32) is not None
    assert code_of(open_ * 33 + inner + close * 33) is Code.MALFORMED_JSON
    assert code_of(open_ * 3 + inner + close * 3, max_depth=2) is Code.MALFORMED_JSON


def test_many_containers_side_by_side_are_not_depth() -> None:
    assert len(strict_json.parse("[" + ",".join(["[]"] * 100) + "]")) == 100


@pytest.mark.attack("Q01")
def test_hundred_thousand_levels_do_no_harm() -> None:
    assert code_of("[" * 100_000) is Code.MALFORMED_JSON
    assert code_of('{"a":' * 100_000) is Code.MALFORMED_JSON


@pytest.mark.attack("Q01")
def test_size_is_limited_in_bytes_not_characters() -> None:
    assert strict_json.parse('"aa"', max_bytes=4) == "aa"
    assert code_of('"aaa"', max_bytes=4) is Code.TOO_LARGE
    assert code_of('"é"', max_bytes=3) is Code.TOO_LARGE
    assert code_of(b'"aaa"', max_bytes=4) is Code.TOO_LARGE


@pytest.mark.parametrize("text", ["[]", "1", "null", '"a"', "true"])
def test_an_object_is_an_object(text: str) -> None:
    assert strict_json.parse_object('{"a": 1}') == {"a": 1}
    with pytest.raises(Malformed) as raised:
        strict_json.parse_object(text)
    assert raised.value.code is Code.MALFORMED_JSON


def test_parse_object_keeps_the_limits() -> None:
    with pytest.raises(Malformed):
        strict_json.parse_object('{"a": [1]}', max_depth=1)
    with pytest.raises(Malformed):
        strict_json.parse_object('{"a": [1]}', max_bytes=3)


def test_serialise_is_compact_utf8_in_the_order_given() -> None:
    assert strict_json.serialise({"b": "é", "a": [1, True]}) == '{"b":"é","a":[1,true]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", b"bytes", {1, 2}, {"a": object()}])
def test_what_json_cannot_carry_is_not_written(value: object) -> None:
    with pytest.raises(Malformed) as raised:
        strict_json.serialise(value)
    assert raised.value.code is Code.MALFORMED_JSON


def test_a_value_that_holds_itself_is_not_written() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(Malformed):
        strict_json.serialise(endless)


@given(json_values)
def test_what_was_written_is_read_back(value: object) -> None:
    assert strict_json.parse(strict_json.serialise(value)) == value


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_value_or_malformed(data: bytes) -> None:
    try:
        value = strict_json.parse(data)
    except Malformed:
        return
    assert json.loads(data.decode()) == value


@given(st.text(alphabet='{}[]",:\\ud8eE+-.0123456789truefalsn \ud800'))
def test_any_text_is_a_value_or_malformed(text: str) -> None:
    try:
        value = strict_json.parse(text)
    except Malformed:
        return
    assert json.loads(text) == value


@given(json_values)
@example("\x1f\x7f\\/")
@example([-0.0, 1e16, 1e22, 5e-324, 2**63, 2**64, 10**30, -(2**63) - 1])
def test_compact_text_is_read_as_any_other_reader_does(value: object) -> None:
    for ensure_ascii in (False, True):
        text = json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"))
        assert repr(strict_json.parse(text)) == repr(json.loads(text))  # 1 is not 1.0, and 0.0 not -0.0


@given(json_values, st.text(alphabet="ab", min_size=1), st.integers(min_value=0, max_value=3))
@pytest.mark.clause("C5")
def test_two_members_of_one_name_are_refused_in_compact_text_too(value: object, name: str, depth: int) -> None:
    inner = strict_json.serialise(value).decode()
    once, twice = f'{{"{name}":{inner}}}', f'{{"{name}":{inner},"{name}":{inner}}}'
    assert strict_json.parse("[" * depth + once + "]" * depth) is not None
    assert code_of("[" * depth + twice + "]" * depth) is Code.DUPLICATE_MEMBER


@given(json_values)
def test_the_encoder_that_is_made_once_writes_what_a_new_one_does(value: object) -> None:
    assert strict_json.serialise(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_a_refused_value_leaves_nothing_behind() -> None:
    """A container on the way to a bad value is no circle the next time."""
    inner: list[object] = [{1, 2}]
    with pytest.raises(Malformed):
        strict_json.serialise([inner])
    inner[0] = 1
    assert strict_json.serialise([inner, inner]) == b"[[1],[1]]"
