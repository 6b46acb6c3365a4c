"""Pages of a list by cursor, and keys of idempotency: what callers of the operators' API send beside their wish.

A cursor is opaque to callers. It names the last thing of the page before, so that nothing is shown twice or left out
when new things arrive meanwhile.
"""

from collections.abc import Sequence
from typing import TypeVar

from fastapi import Request

from comity import base64url
from comity.errors import Code, Malformed
from issuer.store.credentials import IssuedCredential
from issuer.store.desk import LogLine

DEFAULT_LIMIT = 100
MOST = 200
MAX_KEY = 200
_MAX_CURSOR = 120
_MOST_DIGITS = 18
T = TypeVar("T")


def idempotency_key(request: Request) -> str | None:
    """Return the ``Idempotency-Key`` of a request (draft-ietf-httpapi-idempotency-key-header-07 §2.1).

    The draft's structured string (in quotation marks) and a bare token count alike.

    Raises:
        Malformed: ``request_invalid``: sent twice, empty, too long, or with other than printable ASCII.
    """
    sent = request.headers.getlist("idempotency-key")
    if not sent:
        return None
    key = sent[0].strip().removeprefix('"').removesuffix('"')
    if len(sent) > 1 or not 1 <= len(key) <= MAX_KEY or not (key.isascii() and key.isprintable()):
        raise Malformed(Code.REQUEST_INVALID, f"Idempotency-Key has 1 to {MAX_KEY} printable characters, once")
    return key


def limit(wanted: int | None) -> int:
    """Return how many things a page holds.

    Raises:
        Malformed: ``request_invalid``: not 1 to 200.
    """
    if wanted is not None and not 1 <= wanted <= MOST:
        raise Malformed(Code.REQUEST_INVALID, f"limit must be 1 to {MOST}")
    return DEFAULT_LIMIT if wanted is None else wanted


def cut(found: Sequence[T], wanted: int | None) -> tuple[Sequence[T], bool]:
    """Return the page, of which one more than wanted was looked for, and whether there is more."""
    size = limit(wanted)
    return found[:size], len(found) > size


def after_record(record: IssuedCredential) -> str:
    """Return the cursor of the page after ``record``."""
    return _cursor(record.issued_at, record.id)


def record_after(cursor: str | None) -> tuple[int, str] | None:
    """Return instant and id that a cursor names.

    Raises:
        Malformed: ``request_invalid``.
    """
    return None if cursor is None else _parts(cursor)


def before_line(line: LogLine) -> str:
    """Return the cursor of the page after ``line``."""
    return _cursor(line.number, "")


def line_before(cursor: str | None) -> int | None:
    """Return the number of the line that a cursor names.

    Raises:
        Malformed: ``request_invalid``.
    """
    return None if cursor is None else _parts(cursor)[0]


def _cursor(number: int, text: str) -> str:
    return base64url.encode(f"{number} {text}".encode())


def _parts(cursor: str) -> tuple[int, str]:
    try:
        number, space, text = base64url.decode(cursor[: _MAX_CURSOR + 1]).decode("ascii").partition(" ")
    except (Malformed, UnicodeDecodeError):
        number, space, text = "", "", ""
    if not space or not number.isdecimal() or len(number) > _MOST_DIGITS or len(cursor) > _MAX_CURSOR:
        raise Malformed(Code.REQUEST_INVALID, "cursor is not one that this service gave out")
    return int(number), text
