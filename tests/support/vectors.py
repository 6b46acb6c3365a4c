"""Published test vectors, read in place and never copied.

``make test`` prints how many cases ran and from where; where the folder exists, fewer cases than recorded in
``EXPECTED`` fail the run (``tests/conftest.py``).
"""

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "vectors"

EXPECTED: dict[str, int] = {}
"""Recorded number of cases by vector set; filled from ``tests/support/vector_counts.txt``."""


def folder() -> Path:
    """Return where the vectors are, whether or not they are there."""
    return Path(os.environ.get("COMITY_VECTORS", _DEFAULT))


def vectors_folder(name: str) -> Path:
    """Return the folder of one vector set, or skip the calling test with the reason."""
    path = folder() / name
    if not path.is_dir():
        pytest.skip(f"no published vectors at {path}; set COMITY_VECTORS")
    return path


_COUNTS: dict[str, int] = {}


def count(name: str, cases: int) -> None:
    """Record that ``cases`` cases of the set ``name`` ran and were judged."""
    log = os.environ.get("COMITY_VECTOR_LOG")
    if log:
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(f"{name} {cases}\n")
    _COUNTS[name] = _COUNTS.get(name, 0) + cases
