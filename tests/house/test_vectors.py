"""The account of the published vectors over all processes; and how tests are given to processes."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support import vectors

ROOT = Path(__file__).resolve().parents[2]
LEAST = {"made/one": 5, "made/two": 1, "away": 3}

CONFTEST = """
from pathlib import Path
from tests.conftest import *
from tests.support import vectors

vectors.RECORDED = Path(__file__).with_name("counts.txt")
"""
TESTS = """
import pytest
from tests.support import vectors

@pytest.mark.parametrize("number", range(6))
def test_made(number):
    assert vectors.vectors_folder("made").is_dir()
    vectors.count("made", number)

@pytest.mark.xdist_group("stage")
@pytest.mark.parametrize("number", range(4))
def test_together(number):
    pass

def test_away():
    vectors.vectors_folder("away")
    vectors.count("away", 1)
"""


@pytest.fixture
def where(tmp_path: Path) -> Path:
    (tmp_path / "vectors" / "made").mkdir(parents=True)
    return tmp_path / "vectors"


# --- the rule


def test_as_many_as_recorded_or_more_are_enough(where: Path) -> None:
    assert vectors.shortfalls({"made/one": 5, "made/two": 2}, LEAST, where) == []


def test_fewer_than_recorded_are_not_enough(where: Path) -> None:
    assert vectors.shortfalls({"made/one": 4}, LEAST, where) == [
        "made/one: 4 of 5 recorded cases ran",
        "made/two: 0 of 1 recorded cases ran",
    ]


def test_a_set_that_is_not_there_is_not_missed(tmp_path: Path) -> None:
    assert vectors.shortfalls({}, LEAST, tmp_path / "nowhere") == []


def test_a_set_that_nobody_recorded_is_found(where: Path) -> None:
    assert vectors.shortfalls({"made/one": 5, "made/two": 1, "new": 1}, LEAST, where) == [
        "new: not recorded in vector_counts.txt"
    ]


def test_the_record_is_read(tmp_path: Path) -> None:
    path = tmp_path / "counts.txt"
    path.write_text("# words 1\n\nmade/one 5  # five\nmade/two 1\n", encoding="utf-8")
    assert vectors.recorded(path) == {"made/one": 5, "made/two": 1}


def test_our_record_holds_every_set() -> None:
    least = vectors.recorded(vectors.RECORDED)
    assert {"jcs", "openid4vci", "openid4vp", "sd-jwt", "token-status-list"} <= set(least)
    assert sum(least.values()) > 1000
    assert min(least.values()) > 0


def test_the_line_says_how_many_and_from_where(where: Path) -> None:
    assert vectors.account({"b": 2, "a/x": 10}, where) == f"vector cases: a/x 10, b 2 from {where}"
    assert vectors.account({}, where) == f"vector cases: none ran; {where} is there"
    assert vectors.account({}, where / "no") == f"vector cases: none ran; {where / 'no'} is not there"


def test_without_the_folder_a_test_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch, where: Path) -> None:
    monkeypatch.setenv("COMITY_VECTORS", str(where))
    assert vectors.vectors_folder("made") == where / "made"
    with pytest.raises(pytest.skip.Exception, match=f"no published vectors at {where}/away; set COMITY_VECTORS"):
        vectors.vectors_folder("away")


# --- a run


def run(folder: Path, recorded: str, *arguments: str) -> tuple[int, str]:
    """Run pytest over the tests above; return its exit status and what it printed."""
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "test_cases.py").write_text(TESTS, encoding="utf-8")
    (folder / "counts.txt").write_text(recorded, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -ra -p no:cacheprovider\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    environment |= {"COMITY_VECTORS": str(folder / "vectors"), "PYTHONPATH": str(ROOT)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # all that are installed take longer than these tests
    plugins = [word for name in ("pytest_asyncio.plugin", "xdist.plugin") for word in ("-p", name)]
    command = [sys.executable, "-m", "pytest", *plugins, *arguments]
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return found.returncode, found.stdout


def test_a_run_adds_up_what_its_workers_counted(where: Path) -> None:
    status, printed = run(where.parent, "made 15\naway 1\n", "-v", "-n", "2", "--dist", "loadgroup")
    assert f"vector cases: made 15 from {where}" in printed
    assert f"no published vectors at {where}/away" in printed
    assert printed.splitlines()[-1].strip("= ").startswith("10 passed, 1 skipped in ")
    assert status == 0
    grouped = re.findall(r"\[(gw\d)\].* PASSED test_cases.py::test_together\[\d\]@stage", printed)
    assert len(grouped) == 4
    assert len(set(grouped)) == 1, "what shares a stage is on one worker"


def test_a_full_run_of_too_few_cases_fails(where: Path) -> None:
    status, printed = run(where.parent, "made 16\naway 1\n", "-n", "0")
    assert "vector cases: made: 15 of 16 recorded cases ran" in printed
    assert "10 passed, 1 skipped, 1 error in " in printed.splitlines()[-1]
    assert status == 1


def test_a_part_of_the_tests_may_have_fewer_cases(where: Path) -> None:
    status, printed = run(where.parent, "made 16\naway 1\n", "-n", "0", "-k", "made")
    assert f"vector cases: made 15 from {where}" in printed
    assert status == 0


def config(*arguments: str, **options: object) -> pytest.Config:
    """What a run that was started in the folder of the project with these arguments knows."""
    made = SimpleNamespace(
        option=SimpleNamespace(keyword="", markexpr="", deselect=None, ignore=None, lf=False, collectonly=False),
        rootpath=ROOT,
        getini={"testpaths": ["tests"]}.__getitem__,
        invocation_params=SimpleNamespace(dir=ROOT),
        args=list(arguments),
    )
    vars(made.option).update(options)
    return cast("pytest.Config", made)


@pytest.mark.parametrize("argument", ["tests", "tests/", ".", str(ROOT), str(ROOT / "tests")])
def test_everything_is_a_full_run(argument: str) -> None:
    assert vectors.is_full(config(argument))


@pytest.mark.parametrize(
    "part",
    [
        config("tests/unit"),
        config("tests", "tests/unit"),
        config("tests/house/test_vectors.py::test_the_record_is_read"),
        config("tests", keyword="made"),
        config("tests", markexpr="not slow"),
        config("tests", deselect=["tests/unit"]),
        config("tests", ignore=["tests/unit"]),
        config("tests", ignore_glob=["tests/u*"]),
        config("tests", lf=True),
        config("tests", collectonly=True),
    ],
)
def test_a_part_is_not_a_full_run(part: pytest.Config) -> None:
    assert not vectors.is_full(part)
