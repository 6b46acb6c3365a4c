"""Published test vectors: read in place, never copied, and accounted for.

A test asks for :func:`vectors_folder` (and is skipped with the reason where there is none) and says with :func:`count`
how many cases it judged. ``tests/conftest.py`` adds the counts of all processes up, prints them, and fails a run of
everything in which a set whose folder is there had fewer cases than ``vector_counts.txt`` records.
"""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

RECORDED = Path(__file__).with_name("vector_counts.txt")
CASES: Counter[str] = Counter()
"""What this process has counted so far, by set."""

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "vectors"


def folder() -> Path:
    """Return where the vectors are, whether or not they are there."""
    return Path(os.environ.get("COMITY_VECTORS", _DEFAULT))


def vectors_folder(name: str) -> Path:
    """Return the folder of one vector set, or skip the calling test with the reason."""
    path = folder() / name
    if not path.is_dir():
        pytest.skip(f"no published vectors at {path}; set COMITY_VECTORS")
    return path


def count(name: str, cases: int) -> None:
    """Record that ``cases`` cases of the set ``name`` (``folder`` or ``folder/part``) ran and were judged."""
    CASES[name] += cases


def recorded(path: Path) -> dict[str, int]:
    """Read the least number of cases of each set: ``name number`` a line, ``#`` begins a comment."""
    lines = (line.partition("#")[0].split() for line in path.read_text(encoding="utf-8").splitlines())
    return {name: int(number) for name, number in (line for line in lines if line)}


def shortfalls(ran: Mapping[str, int], least: Mapping[str, int], where: Path) -> list[str]:
    """Say for each set whose folder is there what is missing: too few cases, or no record of how many there must be."""
    found = [
        f"{name}: {ran.get(name, 0)} of {number} recorded cases ran"
        for name, number in sorted(least.items())
        if ran.get(name, 0) < number and (where / name.partition("/")[0]).is_dir()
    ]
    return found + [f"{name}: not recorded in {RECORDED.name}" for name in sorted(set(ran) - set(least))]


def account(ran: Mapping[str, int], where: Path) -> str:
    """Return the line that a run prints."""
    if not ran:
        return f"vector cases: none ran; {where} {'is there' if where.is_dir() else 'is not there'}"
    return f"vector cases: {', '.join(f'{name} {ran[name]}' for name in sorted(ran))} from {where}"


def is_full(config: pytest.Config) -> bool:
    """Return whether everything was asked for: no path but the tests themselves, and nothing filtered out."""
    options = config.option
    filters = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "collectonly")
    if any(getattr(options, name, None) for name in filters):
        return False
    everything = {config.rootpath, *(config.rootpath / path for path in config.getini("testpaths"))}
    return all((config.invocation_params.dir / argument).resolve() in everything for argument in config.args)
