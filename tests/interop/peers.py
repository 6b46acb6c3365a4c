"""Foreign programs in Node. Node comes from PyPI; packages, by the lock in ``node/``, stay beside the environment."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

from comity import strict_json
from tests.support import npm

PROGRAMS = Path(__file__).parent / "node"
_PATIENCE_SECONDS = 60.0
_LONGEST_LINE = 1 << 22


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
            str(npm.NODE), f"{program}.mjs", cwd=self.folder, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LONGEST_LINE
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
        tests.support.npm.NotInstalled: the package registry cannot be reached.
    """
    modules = npm.packages(PROGRAMS)
    folder.mkdir()
    for program in PROGRAMS.glob("*.mjs"):
        shutil.copy(program, folder)
    (folder / "node_modules").symlink_to(modules)
    return Peers(folder)
