"""What is loaded once a service answers."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from comity.web import later

NAME = "comity_late_module_of_a_test"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / f"{NAME}.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield NAME
    sys.modules.pop(NAME, None)


async def test_one_that_cannot_be_loaded_is_told_and_keeps_no_other_back(module: str) -> None:
    with capture_logs() as logs:
        await later.load(("comity.there_is_no_such_module", module))
    assert [(each["event"], each["module"]) for each in logs] == [
        ("module not loaded", "comity.there_is_no_such_module")
    ]
    assert module in sys.modules


async def test_they_are_loaded_while_a_service_runs(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "WAIT_SECONDS", 0)
    async with later.loading_later((module,)) as task:
        assert module not in sys.modules
        await task
    assert module in sys.modules


async def test_a_service_that_ends_at_once_does_not_wait_for_them(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "WAIT_SECONDS", 3600)
    async with later.loading_later((module,)) as task:
        assert not task.done()
    assert task.cancelled()
    assert module not in sys.modules


async def test_every_service_names_modules_that_there_are() -> None:
    with capture_logs() as logs:
        await later.load((*later.OF_EVERY_SERVICE, "webauthn"))
    assert logs == []
