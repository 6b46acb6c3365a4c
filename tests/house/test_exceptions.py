"""No exception is raised that was made beforehand: each time it would keep one more traceback, and what was sent."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MADE_BEFOREHAND = re.compile(r"\braise (\w+\.)*_?[A-Z][A-Z0-9_]+(\[[^\]]+\])?(?![\w(\[.])")
"""A constant, or what stands in a table, by itself: not called."""


def test_every_exception_is_made_where_it_is_raised() -> None:
    files = [file for name in ("comity", "issuer", "verifier", "wallet") for file in (ROOT / name).rglob("*.py")]
    assert [str(file) for file in files if MADE_BEFOREHAND.search(file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("line", ["raise _DIFFERS", "raise refusals.LATER from None", "raise _REFUSED[why]"])
def test_one_made_beforehand_is_found(line: str) -> None:
    assert MADE_BEFOREHAND.search(line)


@pytest.mark.parametrize(
    "line", ["raise Full", "raise _REFUSED[why]()", '_REFUSE("no")', "raise _CLIENT.of(problem) from None"]
)
def test_one_made_on_the_spot_is_fine(line: str) -> None:
    assert not MADE_BEFOREHAND.search(line)
