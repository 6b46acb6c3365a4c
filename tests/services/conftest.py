"""What holds for every test of a service: each refused request is judged."""

from tests.support.refused import pytest_runtest_call  # noqa: F401  (pytest finds it here)
