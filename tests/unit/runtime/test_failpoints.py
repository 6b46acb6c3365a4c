from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from comity.errors import Misconfigured
from comity.runtime import failpoints
from comity.runtime.settings import ServiceSettings


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints._armed.clear()


def test_a_place_that_is_not_armed_is_passed() -> None:
    failpoints.reach("here")
    failpoints.arm("there=error")
    failpoints.reach("here")


def test_it_acts_once() -> None:
    failpoints.arm("here=error")
    with pytest.raises(failpoints.Broken):
        failpoints.reach("here")
    failpoints.reach("here")


def test_a_full_disk_is_an_operating_system_error() -> None:
    failpoints.arm("here=full")
    with pytest.raises(OSError, match="No space"):
        failpoints.reach("here")


def test_a_stall_lasts_as_long_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("comity.runtime.failpoints.time.sleep", slept.append)
    for said in ("stall", "stall:1.5"):
        failpoints.arm(f"here={said}")
        failpoints.reach("here")
    assert slept == [10.0, 1.5]


def test_a_unit_is_called_by_its_own_name() -> None:
    def redeem(_connection: object) -> None:
        """Stand for a unit."""

    name = "test_failpoints.test_a_unit_is_called_by_its_own_name.redeem"
    failpoints.arm(f"{name}.run=error")
    failpoints.reach_unit(redeem, "committed")
    with pytest.raises(failpoints.Broken):
        failpoints.reach_unit(partial(redeem), "run")
    assert failpoints.name_of(partial(failpoints.arm, "")) == "failpoints.arm"


def test_several_are_armed_at_once_and_each_acts_once() -> None:
    failpoints.arm("here=error,there=full")
    with pytest.raises(failpoints.Broken):
        failpoints.reach("here")
    failpoints.reach("here")
    with pytest.raises(OSError, match="No space left"):
        failpoints.reach("there")


@pytest.mark.parametrize("wrong", ["here", "here=", "here=error,", "here=explode", "here=stall:soon"])
def test_what_is_not_written_as_it_must_be_is_refused(wrong: str) -> None:
    with pytest.raises(Misconfigured):
        failpoints.arm(wrong)


def test_production_refuses_failpoints() -> None:
    values: dict[str, Any] = {
        "public_url": "https://issuer.example",
        "data_dir": "/data",
        "environment": "production",
    }
    assert not [each for each in ServiceSettings(**values).refuse_in_production() if "FAILPOINT" in each]
    armed = ServiceSettings(**values, failpoint="here=kill")
    assert "FAILPOINT must not be set" in list(armed.refuse_in_production())
