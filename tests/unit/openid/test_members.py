from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from comity.errors import Code
from comity.openid.members import Members
from comity.openid.refusal import OAuthError, Refusal

REFUSE = Refusal(code=Code.METADATA_INVALID)


def members(**value: Any) -> Members:
    return Members(value, "thing", REFUSE)


def test_reads_bytes_text_and_objects() -> None:
    for document in (b'{"a":"b"}', '{"a":"b"}', {"a": "b"}):
        assert Members.read(document, "thing", REFUSE).string("a") == "b"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b'{"a":1,"a":1}', Code.DUPLICATE_MEMBER),
        (b"[]", Code.MALFORMED_JSON),
        (b'{"a":1} x', Code.MALFORMED_JSON),
        (b"\xff", Code.MALFORMED_JSON),
    ],
)
def test_refuses_what_is_not_strict_json(document: bytes, code: Code) -> None:
    with pytest.raises(OAuthError) as caught:
        Members.read(document, "thing", REFUSE)
    assert caught.value.code is code


Read = Callable[[Members], Any]

CASES: list[tuple[Read, list[tuple[Any, Any]], list[Any]]] = [
    (lambda m: m.string("x"), [("a", "a")], ["", None, 1, ["a"]]),
    (lambda m: m.optional_string("x"), [("a", "a")], ["", None, 1]),
    (lambda m: m.url("x"), [("https://a.example/b", "https://a.example/b")], ["a", "http://a.example", None]),
    (lambda m: m.optional_url("x"), [("https://a.example", "https://a.example")], ["a", None]),
    (lambda m: m.strings("x"), [(["a", "b"], ("a", "b"))], [[], "a", ["a", "a"], [""], [1], [None], None, {"a": 1}]),
    (lambda m: m.optional_strings("x"), [(["a"], ("a",))], [[], None]),
    (lambda m: m.members("x").value, [({"a": 1}, {"a": 1}), ({}, {})], [[], None, "a"]),
    (lambda m: m.array("x")[0].value, [([{"a": 1}], {"a": 1})], [[], [1], None, {}, [{}, 1]]),
    (lambda m: m.optional_array("x"), [], [[], None]),
    (lambda m: m.integer("x", minimum=2), [(2, 2), (7, 7)], [1, True, 2.0, "2", None]),
    (lambda m: m.optional_integer("x", minimum=0), [(0, 0)], [-1, None, False]),
    (lambda m: m.boolean("x", default=True), [(False, False), (True, True)], [0, "true", None]),
    (
        lambda m: m.instant("x"),
        [(0, datetime(1970, 1, 1, tzinfo=UTC)), (1.5, datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=UTC))],
        [-1, True, "1", None, 253402300800, 1e300],
    ),
    (lambda m: m.optional_instant("x"), [(0, datetime(1970, 1, 1, tzinfo=UTC))], [-1, None]),
]


@pytest.mark.parametrize(("read", "good", "bad"), CASES)
def test_types(read: Read, good: list[tuple[Any, Any]], bad: list[Any]) -> None:
    for value, expected in good:
        assert read(members(x=value)) == expected
    for value in bad:
        with pytest.raises(OAuthError, match="thing: x must be") as caught:
            read(members(x=value))
        assert caught.value.code is Code.METADATA_INVALID


def test_absent_members() -> None:
    empty = members()
    assert empty.optional_string("x") is None
    assert empty.optional_url("x") is None
    assert empty.optional_strings("x") == ()
    assert empty.optional_members("x") is None
    assert empty.optional_array("x") == ()
    assert empty.optional_integer("x", minimum=1) is None
    assert empty.optional_instant("x") is None
    assert empty.boolean("x", default=True) is True
    assert not empty.has("x")
    for read in (empty.string, empty.url, empty.strings, empty.members, empty.array, empty.instant):
        with pytest.raises(OAuthError):
            read("x")
