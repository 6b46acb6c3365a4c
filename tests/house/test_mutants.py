"""The tests notice what they are there for: each planted fault of ``mutants.py`` makes its tests fail."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import mutants
from tests.house.mutants import Mutant
from tests.house.mutants_of_issuing import ISSUING
from tests.house.warm import Ended, Warm

MUTANTS = (*mutants.MUTANTS, *ISSUING)
ROOT = Path(__file__).resolve().parents[2]
FEWEST, ALLOWED_SECONDS = 36, 600
AREAS = (
    "comity/jose.py",
    "comity/formats/",
    "comity/openid/",
    "comity/status/",
    "comity/trust/",
    "comity/verification/",
)
PLUGINS = ("pytest_asyncio.plugin", "xdist.plugin", "_hypothesis_pytestplugin")
"""What the tests of mutants need: loading every installed plugin takes four times as long as most of these tests."""

TESTS_FAILED = 1
"""pytest's exit code; a mutant that cannot even be imported ends with another one, and has proved nothing."""


def plant(tree: Path, file: str, text: str | None) -> None:
    """Make ``tree`` a copy of the package, by links, in which ``file`` reads ``text``.

    What Python compiled of the other files is taken over; what is planted is so old that nothing compiled can be of it.
    """
    others = {"comity", "issuer", "verifier", "wallet"} - {Path(file).parts[0]}
    for name in ("pyproject.toml", "schemas", "tests", *sorted(others)):
        (tree / name).symlink_to(ROOT / name)
    folders = [Path(*Path(file).parts[:depth]) for depth in range(1, len(Path(file).parts))]
    for folder in folders:
        (tree / folder).mkdir()
        for child in (ROOT / folder).iterdir():
            if child.relative_to(ROOT) not in (*folders, Path(file)):
                (tree / folder / child.name).symlink_to(child)
    original = (ROOT / file).read_text(encoding="utf-8")
    (tree / file).write_text(original if text is None else text, encoding="utf-8")
    os.utime(tree / file, (1, 1))


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """Return what runs pytest without a start each time."""
    parent = Warm()
    yield parent
    parent.close()


def run(warm: Warm, tree: Path, *tests: str) -> Ended:
    """Run ``tests`` on the package in ``tree``."""
    plugins = [word for name in ("no:cacheprovider", *PLUGINS) for word in ("-p", name)]
    arguments = ["-x", "-q", *plugins, f"--rootdir={tree}", *tests]
    return warm.run(tree, arguments, seconds=ALLOWED_SECONDS, log=tree / "log")


def test_there_are_enough_of_them_everywhere() -> None:
    assert len(set(MUTANTS)) == len(MUTANTS) >= FEWEST
    for area in AREAS:
        assert sum(mutant.file.startswith(area) for mutant in MUTANTS) >= 5, area


def test_without_a_mutant_all_of_their_tests_pass(warm: Warm, tmp_path: Path) -> None:
    plant(tmp_path, "comity/verification/checks.py", None)
    ended = run(warm, tmp_path, *sorted({mutant.seen_by for mutant in MUTANTS}))
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file}:{mutant.seen_by.rpartition('::')[2]}")
def test_the_mutant_is_seen(warm: Warm, mutant: Mutant, tmp_path: Path) -> None:
    original = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert original.count(mutant.old) == 1, "the mutant does not fit the code any more"
    plant(tmp_path, mutant.file, original.replace(mutant.old, mutant.new))
    ended = run(warm, tmp_path, mutant.seen_by)
    assert ended.returncode == TESTS_FAILED, ended.stdout
