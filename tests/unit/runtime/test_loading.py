"""What happens to the garbage collector while a process is loaded."""

import gc

import pytest

from comity.runtime.loading import loading


def test_garbage_is_not_collected_while_modules_are_loaded() -> None:
    before = gc.get_freeze_count()
    try:
        with loading():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


def test_it_is_collected_again_when_loading_fails() -> None:
    try:
        with pytest.raises(ZeroDivisionError), loading():
            _ = 1 / 0
        assert gc.isenabled()
    finally:
        gc.unfreeze()


def test_loading_within_loading_begins_nothing_too_early() -> None:
    try:
        with loading():
            with loading():
                pass
            assert not gc.isenabled()
        assert gc.isenabled()
    finally:
        gc.unfreeze()
