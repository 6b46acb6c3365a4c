"""What happens to the garbage collector while a process is loaded."""

import gc
from collections.abc import Iterator

import pytest

from comity.runtime.loading import loading


@pytest.fixture(autouse=True, scope="module")
def what_was_frozen() -> Iterator[None]:
    """Take back what these tests froze, but not what all tests are collected with."""
    before = gc.get_freeze_count()
    yield
    gc.unfreeze()
    if before:
        gc.collect()
        gc.freeze()


def test_garbage_is_not_collected_while_modules_are_loaded() -> None:
    before = gc.get_freeze_count()
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before


def test_it_is_collected_again_when_loading_fails() -> None:
    with pytest.raises(ZeroDivisionError), loading():
        _ = 1 / 0
    assert gc.isenabled()


def test_loading_within_loading_begins_nothing_too_early() -> None:
    with loading():
        with loading():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
