"""No pattern of ours tries for ever: in none does an open repetition stand in an open repetition (catalogue Q09).

Texts of strangers are matched by Python's backtracking engine, where ``(a+)+`` takes twice as long for each further
sign. A repetition of something that begins with a sign of its own, such as ``(?:\\.[a-z]+)+``, can be read in one way
only and is fine. Not judged: two open repetitions beside each other; what is matched has a limited length.
"""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comity import strict_json
from tests.support.marks import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import sre_constants
    import sre_parse

PACKAGES = ("comity", "issuer", "verifier", "wallet", "schemas")
OPEN = 64
"""A repetition that may come more often than this is open."""
_REPEATS = (sre_constants.MAX_REPEAT, sre_constants.MIN_REPEAT)


def patterns() -> Iterator[tuple[str, str]]:
    """Yield (where, pattern) for each pattern that stands in the sources, and in the schemas of credential types."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            source = file.read_text(encoding="utf-8")
            if "re." in source:
                for line, pattern in _in_source(ast.parse(source)):
                    yield f"{file.relative_to(ROOT)}:{line}", pattern
    for file in sorted((ROOT / "schemas").rglob("*.json")):
        for pattern in _in_schema(strict_json.parse(file.read_bytes())):
            yield str(file.relative_to(ROOT)), pattern


def _in_source(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        first = node.args[0]
        if ast.unparse(node.func.value) != "re" or node.func.attr == "escape" or not isinstance(first, ast.Constant):
            continue
        if isinstance(first.value, str | bytes):
            yield node.lineno, first.value if isinstance(first.value, str) else first.value.decode("latin-1")


def _in_schema(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        for each in value.values():
            yield from _in_schema(each)
    elif isinstance(value, list):
        for each in value:
            yield from _in_schema(each)


def may_try_for_ever(pattern: str) -> bool:
    """Say whether an open repetition stands in another one without a sign that separates its rounds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _nested(sre_parse.parse(pattern), is_inside=False)


def _nested(items: Any, *, is_inside: bool) -> bool:
    for kind, value in items:
        if kind in _REPEATS:
            is_open = value[1] is sre_constants.MAXREPEAT or value[1] > OPEN
            if is_open and is_inside:
                return True
            if _nested(value[2], is_inside=is_inside or (is_open and not _is_separated(value[2]))):
                return True
        elif any(_nested(each, is_inside=is_inside) for each in _parts(kind, value)):
            return True
    return False


def _parts(kind: Any, value: Any) -> list[Any]:
    if kind is sre_constants.SUBPATTERN:
        return [value[3]]
    if kind is sre_constants.BRANCH:
        return list(value[1])
    return [value[1]] if kind in (sre_constants.ASSERT, sre_constants.ASSERT_NOT) else []


def _is_separated(items: Any) -> bool:
    """Say whether each round begins with a sign that nothing else in it can be."""
    items = list(items)
    if len(items) == 1 and items[0][0] is sre_constants.SUBPATTERN:
        return _is_separated(items[0][1][3])
    return bool(items) and items[0][0] is sre_constants.LITERAL and not _may_be(items[1:], items[0][1])


def _may_be(items: Any, sign: int) -> bool:
    for kind, value in items:
        if kind is sre_constants.LITERAL:
            found = value == sign
        elif kind is sre_constants.IN:
            found = _is_among(value, sign)
        elif kind in _REPEATS:
            found = _may_be(value[2], sign)
        else:
            found = True
        if found:
            return True
    return False


def _is_among(members: Any, sign: int) -> bool:
    for kind, value in members:
        if kind is sre_constants.LITERAL and value == sign:
            return True
        if kind is sre_constants.RANGE and value[0] <= sign <= value[1]:
            return True
        if kind not in (sre_constants.LITERAL, sre_constants.RANGE):
            return True
    return False


@pytest.mark.attack("Q09")
def test_no_pattern_of_ours_does() -> None:
    found = list(patterns())
    assert len(found) > 100
    assert [(where, pattern) for where, pattern in found if may_try_for_ever(pattern)] == []


@pytest.mark.attack("Q09")
@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(?:a*)*", "((?:[a-z]+-?)+)+", "(?:.a+)*", "(?:\\.[a.]+)+", "(a{1,99})+"]
)
def test_one_that_does_is_seen(pattern: str) -> None:
    assert may_try_for_ever(pattern)


@pytest.mark.good_twin("Q09")
@pytest.mark.parametrize("pattern", ["a+b+", "(?:\\.[a-z]+)+", "(ab)*c+", "([a-z]{1,8}/){1,8}", "(?:a|b)+"])
def test_one_that_is_read_in_one_way_passes(pattern: str) -> None:
    assert not may_try_for_ever(pattern)


def test_it_looks_where_our_sources_are() -> None:
    assert {Path(where).parts[0] for where, _ in patterns()} == set(PACKAGES)
