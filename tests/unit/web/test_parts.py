"""A text in parts: any order, repeated, mixed with others; never another text than the one that was cut."""

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code, Malformed
from comity.web import parts, qr

TEXTS = st.text("ABCxyz019-_.~", min_size=1, max_size=5 * parts.BODY)


@given(text=TEXTS, seed=st.integers())
def test_parts_in_any_order_and_repeated_make_the_text(text: str, seed: int) -> None:
    cut = list(parts.cut(text))
    assert all(parts.is_part(each) for each in cut)
    shuffled = [*cut, *cut[:2]]
    random.Random(seed).shuffle(shuffled)
    assert parts.gather(shuffled).text == text
    assert parts.gather(cut).count == len(cut)


@given(text=TEXTS)
def test_while_a_part_is_missing_there_is_no_text(text: str) -> None:
    cut = parts.cut(text)
    for number in range(len(cut)):
        rest = cut[:number] + cut[number + 1 :]
        if rest:
            assert parts.gather(rest) == parts.Gathered(text=None, found=len(rest), count=len(cut))


def test_parts_of_another_text_are_left_out() -> None:
    one, other = parts.cut("a" * 800), parts.cut("b" * 800)
    assert parts.gather([*one[:2], *other]).text == "b" * 800
    assert parts.gather([*one, other[0]]).text is None


def test_parts_that_contradict_are_refused() -> None:
    first, second, third = parts.cut("a" * 800)
    for wrong in (
        [first, first.replace("aaa", "aab"), second, third],
        [first.replace("aaa", "aab", 1), second, third],
        [first, second.replace(":2:3:", ":2:4:"), third],
        [second, third.replace(":3:3:", ":1:3:"), first],
    ):
        with pytest.raises(Malformed) as refused:
            parts.gather(wrong)
        assert refused.value.code is Code.MALFORMED


@pytest.mark.parametrize(
    "text",
    ["", "CP1:", "CP1:abcdefghij:0:1:a", "CP1:abcdefghij:2:1:a", "CP1:abcdefghij:1:41:a", "CP1:abcdefghij:1:1:a b"],
)
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parts.gather([text])


@given(st.lists(st.text(max_size=40), max_size=5))
def test_anything_is_gathered_or_refused(texts: list[str]) -> None:
    with contextlib.suppress(Malformed):
        assert parts.gather(texts).count <= parts.MOST_PARTS


def test_what_cannot_be_cut_is_refused() -> None:
    most = parts.MOST_PARTS * parts.BODY
    assert len(parts.cut("a" * most)) == parts.MOST_PARTS
    for text, code in (("a" * (most + 1), Code.TOO_LARGE), ("", Code.MALFORMED), ("a b", Code.MALFORMED)):
        with pytest.raises(Malformed) as refused:
            parts.cut(text)
        assert refused.value.code is code


def test_a_part_is_a_code_that_a_camera_reads() -> None:
    drawn = qr.bitmap(parts.cut("A-_.~z09" * 300)[0])
    assert drawn.size <= 77 + 8
