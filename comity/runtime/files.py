"""Files that are either the old ones or the new ones, whatever happens in between (catalogue F12)."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from comity.runtime import failpoints

_ASK_AGAIN_SECONDS = 0.02


class Occupied(OSError):
    """Somebody else is in a folder that was asked for alone."""


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` and its parents, readable by their owner only; an existing folder is left as it is.

    Raises:
        OSError: it could not be created.
    """
    if not folder.parent.is_dir():
        make_private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def replace_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write ``data`` under ``path``: readers see the old content or the new, and the new survives a crash.

    Raises:
        OSError: the file could not be written; the old content is still there.
    """
    temporary = _temporary(path, data, mode)
    try:
        failpoints.reach("file.written")
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
    failpoints.reach("file.replaced")
    _settle(path.parent)


def create_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write ``data`` under ``path``, which must not exist; of two who try at once, one succeeds.

    Raises:
        FileExistsError: something of this name exists; it is left as it is.
        OSError: the file could not be written; nothing of this name exists.
    """
    temporary = _temporary(path, data, mode)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()
    _settle(path.parent)


@contextmanager
def alone_in(folder: Path, *, patience: float | None = None) -> Iterator[None]:
    """Keep everybody else on this machine who asks for the same ``folder`` out; it is made when absent.

    Waits while another is in, at most ``patience`` seconds; the kernel lets go for a process that dies.

    Raises:
        Occupied: another was in all that time.
        OSError: the folder cannot be written.
    """
    make_private_folder(folder)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if patience is None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            _wait_for(descriptor, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, ends: float) -> None:
    """Lock the file, asking again and again until ``ends``: the kernel's own waiting knows no limit."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise Occupied from None
            time.sleep(_ASK_AGAIN_SECONDS)
        else:
            return


@contextmanager
def new_file(path: Path, *, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """Write a file piece by piece; it has its name, durably, only when the block ends without an error.

    Raises:
        FileExistsError: something of this name exists; it is left as it is.
        OSError: the file could not be written; nothing of this name exists.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        temporary.unlink()
    _settle(path.parent)


def _temporary(path: Path, data: bytes, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _settle(folder: Path) -> None:
    """Make the folder's entry itself durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
