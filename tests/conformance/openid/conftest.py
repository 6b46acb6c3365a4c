"""What holds for every test that is derived from a module: each refused request is judged."""

from tests.support.refused import pytest_runtest_call  # noqa: F401  (pytest finds it here)
