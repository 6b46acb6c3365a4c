"""Two demonstrations in one folder would delete each other's files."""

import asyncio
from pathlib import Path

import pytest

from comity.demo import founding, open_house, run
from comity.demo.view import View
from comity.errors import Code, Misconfigured


@pytest.mark.parametrize("begin", ["demo", "serve"])
def test_a_second_one_is_told_and_changes_nothing(begin: str, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "somebody's").touch()
    view = View("en", quiet=True)

    async def second() -> None:
        if begin == "demo":
            await run.demo(folder, view, "en", stay=False)
        else:
            await open_house.serve(folder, view)

    with founding.occupied(folder), pytest.raises(Misconfigured) as refused:
        asyncio.run(second())

    assert refused.value.code is Code.DEMO_RUNNING
    assert [each.name for each in folder.iterdir()] == ["somebody's"]


def test_afterwards_the_folder_is_free(tmp_path: Path) -> None:
    for _ in range(2):
        with founding.occupied(tmp_path / "demo"):
            pass
