"""PDF files that people upload: the QR codes in them are read by a short-lived process of its own, with limits.

Files are handled in memory and kept nowhere (decision record 0039).
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

import structlog
from msgspec import Struct

from comity import strict_json
from comity.errors import Malformed

MAX_BYTES = 8 << 20
"""Larger files are not looked at."""
MOST_PAGES = 3
"""How many pages are looked at: whoever mails a code puts it in front."""
SECONDS = 30.0
"""After which a reader is ended that does not even compute; one that computes ends itself sooner."""
MAX_ANSWER = 1 << 16
AT_A_TIME = 2
_READER = (sys.executable, "-I", str(Path(__file__).with_name("pdf_codes.py")), str(MOST_PAGES))
_SIGNATURE, _SIGNATURE_WITHIN = b"%PDF-", 1024

_log = structlog.get_logger("comity.pdf")
_workers = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="pdf")


class Outcome(StrEnum):
    """What came of a file."""

    READ = "read"
    LOCKED = "locked"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"


class Reading(Struct, frozen=True, kw_only=True):
    """What a file holds.

    Attributes:
        outcome: whether it could be read.
        texts: what stands in the QR codes of its first pages; each text once. Whose they are is not checked.
        pages: how many pages it has; 0 when it could not be read.
    """

    outcome: Outcome
    texts: tuple[str, ...] = ()
    pages: int = 0


def is_pdf(data: bytes) -> bool:
    """Say whether the file says that it is a PDF: near its beginning, as readers have always taken it."""
    return _SIGNATURE in data[:_SIGNATURE_WITHIN]


async def read(data: bytes, *, reader: Sequence[str] = _READER, seconds: float = SECONDS) -> Reading:
    """Return what stands in the QR codes of a PDF's first pages; never raises for what the file is.

    Args:
        data: the file.
        reader: the program that reads it; tests give another.
        seconds: after which it is ended.
    """
    if len(data) > MAX_BYTES:
        return Reading(outcome=Outcome.TOO_LARGE)
    answer = await asyncio.get_running_loop().run_in_executor(_workers, _answer, data, reader, seconds)
    return _reading(answer)


def _answer(data: bytes, reader: Sequence[str], seconds: float) -> bytes:
    """Return what the reader says, empty when it says nothing that can be taken; it has ended then, in any case."""
    process = subprocess.Popen(  # noqa: S603  (our own program, and nothing of the file is in its command line)
        reader, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    )
    assert process.stdin is not None  # noqa: S101  (as asked for)
    assert process.stdout is not None  # noqa: S101
    alarm = threading.Timer(seconds, process.kill)
    alarm.start()
    try:
        with process.stdout:
            _hand_over(process, data)
            said = process.stdout.read(MAX_ANSWER + 1)
    finally:
        process.kill()
        status = process.wait()
        alarm.cancel()
    if said and len(said) <= MAX_ANSWER:
        return said
    _log.warning("a PDF was not read", bytes=len(data), status=status)
    return b""


def _hand_over(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Write the file to the reader, which may have ended before it took everything."""
    assert process.stdin is not None  # noqa: S101
    try:
        with process.stdin:
            process.stdin.write(data)
    except BrokenPipeError:
        return


def _reading(answer: bytes) -> Reading:
    try:
        said = strict_json.parse(answer)
    except Malformed:
        return Reading(outcome=Outcome.UNREADABLE)
    match said:
        case {"outcome": "read", "texts": list(texts), "pages": int(pages)}:
            return Reading(outcome=Outcome.READ, texts=tuple(map(str, texts)), pages=pages)
        case {"outcome": "locked"}:
            return Reading(outcome=Outcome.LOCKED)
        case _:
            return Reading(outcome=Outcome.UNREADABLE)
