"""The folder of one published status list: its files, and who may write them.

Several processes of one deployment share the folder. Two things keep an older list from replacing a newer one:

* a **lock** on the file ``.fence``, which the kernel lets go when its holder dies, whoever held it. While it is held no
  other process of this machine writes here;
* a **fence**: each publication has a number, taken from the list's row before its content is read. The number of what
  was written last stands in ``.fence``, and a lower one is refused. So a writer that slept through the loss of its lock
  (a network file system may give it away) cannot bring a revoked credential back.
"""

import asyncio
import contextlib
import fcntl
import gzip
import os
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path

from msgspec import Struct

from comity import base64url, strict_json
from comity.errors import Code, Malformed, Unreachable
from comity.runtime.files import replace_file

FENCE_FILE = ".fence"
LOCK_SECONDS = 10.0
"""How long a publication waits for another process that writes the same list."""
_POLL_SECONDS = 0.02
_FILE_MODE = 0o644
_DIGITS = 20
_MAX_HEADER = 1 << 16


class ListFolder(Struct, frozen=True, kw_only=True):
    """A folder that this process may write, as long as :func:`alone_in` lasts.

    Attributes:
        path: the folder.
        fence: number of the publication that wrote last; 0 before the first.
    """

    path: Path
    fence: int
    _descriptor: int

    async def write(self, files: Mapping[str, bytes], *, fence: int) -> bool:
        """Replace the files and their gzip twins; return False, and change nothing, when a later one was faster.

        Each file is the old one or the new one at any moment; after a crash in between, the next publication has a
        higher number and writes all of them.

        Raises:
            OSError: a file could not be written.
        """
        writing = asyncio.ensure_future(asyncio.to_thread(self._replace, files, fence))
        try:
            return await asyncio.shield(writing)
        finally:  # who is cancelled lets go of the folder only when nothing is written any more
            await asyncio.wait([writing])

    def _replace(self, files: Mapping[str, bytes], fence: int) -> bool:
        if _number_in(self._descriptor) >= fence:
            return False
        os.pwrite(self._descriptor, str(fence).zfill(_DIGITS).encode("ascii"), 0)
        os.fsync(self._descriptor)
        for name, data in files.items():
            # The twin first: whoever sees the new file finds a twin that is not older.
            replace_file(self.path / f"{name}.gz", gzip.compress(data, mtime=0), mode=_FILE_MODE)
            replace_file(self.path / name, data, mode=_FILE_MODE)
        return True


def holds(path: Path, names: Collection[str]) -> bool:
    """Say whether all these files stand in the folder; not whether they are the newest."""
    return all((path / name).is_file() for name in names)


def numbers_in(folder: Path, name: str) -> tuple[int, ...]:
    """Return the numbers of the lists below the ``status`` folder of one authority that hold the file ``name``."""
    found = (each.parent.name for each in folder.glob(f"*/{name}"))
    return tuple(sorted(int(number) for number in found if number.isdecimal()))


def leaf_of(token: Path) -> str | None:
    """Return the certificate under which a token list says it is signed; None when it says none. Verifies nothing."""
    try:
        with token.open("rb") as file:
            header, dot, _ = file.read(_MAX_HEADER).partition(b".")
        chain = strict_json.parse_object(base64url.decode(header.decode("ascii"))).get("x5c")
    except (OSError, UnicodeDecodeError, Malformed):
        return None
    return chain[0] if dot and isinstance(chain, list) and chain and isinstance(chain[0], str) else None


def fence_of(path: Path) -> int:
    """Return the number of the publication that wrote this list last; 0 before the first.

    Raises:
        OSError: the file cannot be read.
    """
    descriptor = os.open(path / FENCE_FILE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _number_in(descriptor)
    finally:
        os.close(descriptor)


@contextlib.asynccontextmanager
async def alone_in(path: Path) -> AsyncIterator[ListFolder]:
    """Wait until no other process writes this list, and keep the others away; the folder is made when absent.

    Raises:
        Unreachable: ``busy``: another process has been writing this list for too long.
        OSError: the folder cannot be written.
    """
    descriptor = await asyncio.to_thread(_opened, path)
    try:
        await _lock(descriptor)
        yield ListFolder(path=path, fence=_number_in(descriptor), _descriptor=descriptor)
    finally:
        os.close(descriptor)  # and with it the lock


def _opened(path: Path) -> int:
    path.mkdir(parents=True, exist_ok=True)
    return os.open(path / FENCE_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


async def _lock(descriptor: int) -> None:
    try:
        async with asyncio.timeout(LOCK_SECONDS):
            while True:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise Unreachable(Code.BUSY, "another process is writing this status list", retry_after=1) from None


def _number_in(descriptor: int) -> int:
    """Return the number in the fence file; what is no number counts as none, for the row knows a higher one."""
    text = os.pread(descriptor, _DIGITS, 0)
    return int(text) if text.isdigit() else 0
