"""Runs of pytest that start at once: a process that has imported pytest and the libraries forks for each of them.

What a run does is its own: the tree that it tests, its environment, its output, its exit code; nothing of the project
is imported before the fork. Run as a program this module is the parent: one order (a line of JSON) in, one exit code
out.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

IMPORTED = (
    "cryptography.x509",
    "fastapi",
    "httpx",
    "hypothesis.strategies",
    "joserfc",
    "jwt",
    "pydantic",
    "sqlalchemy",
    "structlog",
)
_STOPPED = 120
"""The exit code of a run that came to no end of its own; none of pytest's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that is over."""

    returncode: int
    stdout: str


class Warm:
    """The parent of such runs."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, tree: Path, arguments: Sequence[str], *, seconds: int, log: Path) -> Ended:
        """Run pytest in ``tree``, which comes before anything that is installed, for so many seconds at most."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        order = {"tree": str(tree), "arguments": list(arguments), "seconds": seconds, "log": str(log)}
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        code = int(self._parent.stdout.readline())
        return Ended(returncode=code, stdout=log.read_text(encoding="utf-8"))

    def close(self) -> None:
        """End the parent."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()


def main() -> None:
    """Import the libraries, then fork for each order until there are none."""
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _live(order)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else _STOPPED, flush=True)


def _live(order: Mapping[str, Any]) -> None:
    """Become the run; the alarm ends it when it takes too long."""
    signal.alarm(order["seconds"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(order["tree"])
    sys.path.insert(0, order["tree"])
    sys.dont_write_bytecode = True
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ.update(PYTHONPATH=order["tree"], PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    code: int = _STOPPED
    try:
        code = pytest.main(order["arguments"])
    except BaseException:  # noqa: BLE001  (told, whatever it is)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
