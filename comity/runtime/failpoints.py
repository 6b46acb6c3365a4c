"""Named places at which a test may break this process: between any two durable steps (catalogue section 2).

Off, a place costs one look at an empty dictionary. It is armed by the setting ``…_FAILPOINT=name=action``, which
production refuses, and acts once; several are separated by commas. Units of a database are places by their own names:
``redeeming.exchange_code.redeem.run`` is the last moment before the function ``redeem`` within ``exchange_code`` is
committed, ``….committed`` the first one after.
"""

import errno
import os
import signal
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

import structlog

from comity.errors import Code, Misconfigured

STALL_SECONDS = 10.0
"""How long a stall lasts unless it says otherwise: ``name=stall:1.5``."""


class Action(StrEnum):
    """What happens."""

    KILL = "kill"
    TERM = "term"
    ERROR = "error"
    STALL = "stall"
    FULL = "full"


class Broken(RuntimeError):
    """What nobody foresaw."""


_log = structlog.get_logger("comity.failpoints")
_armed: dict[str, tuple[Action, float]] = {}


def arm(specification: str) -> None:
    """Arm places: ``name=action``, several separated by commas.

    Raises:
        Misconfigured: not of this form.
    """
    for each in specification.split(","):
        name, _, said = each.partition("=")
        action, _, seconds = said.partition(":")
        try:
            _armed[name] = Action(action), float(seconds or STALL_SECONDS)
        except ValueError:
            raise Misconfigured(Code.MISCONFIGURED, "a failpoint is written as name=action") from None


def reach(name: str) -> None:
    """Pass the place called ``name``, unless it is armed.

    Raises:
        Broken: ``error``.
        OSError: ``full``: no space left on the device.
    """
    if _armed and (found := _armed.pop(name, None)) is not None:
        _log.warning("failpoint reached", name=name, action=found[0].value)
        _break(*found)


def reach_unit(unit: Callable[..., object], step: str) -> None:
    """Pass the place ``<name of the unit>.<step>``; see :func:`reach`."""
    if _armed:
        reach(f"{name_of(unit)}.{step}")


def name_of(unit: Callable[..., object]) -> str:
    """Return a unit's name, however it was bound: ``module.function``, and the function within it."""
    named: Any = unit.func if isinstance(unit, partial) else unit
    return f"{named.__module__.rpartition('.')[2]}.{named.__qualname__.replace('.<locals>', '')}"


def _break(action: Action, seconds: float) -> None:
    match action:
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.TERM:
            os.kill(os.getpid(), signal.SIGTERM)
        case Action.STALL:
            time.sleep(seconds)
        case Action.FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case Action.ERROR:
            raise Broken
