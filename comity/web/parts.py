"""A text too long for one QR code that a camera reads: cut into parts, each a code of its own, shown in turn.

``CP1:<set>:<number>:<count>:<body>``, where ``<set>`` is the start of the SHA-256 of the whole text, base64url: parts
of different texts are not mixed up, and a whole that was put together is the text that was cut (record 0043). Parts
may come in any order and more than once. This protects against mistakes, not against forgery: what the text says is
for its reader to verify.
"""

import hashlib
import re
from collections.abc import Iterable

from msgspec import Struct

from comity import base64url
from comity.errors import Code, Malformed

BODY = 350
"""Characters of the text in a part: with the rest of it a QR code of version 15, 77 modules wide."""
MOST_PARTS = 40
"""More than a camera is held for."""

_SET_LENGTH = 10
_PART = re.compile(rf"CP1:([A-Za-z0-9_-]{{{_SET_LENGTH}}}):([1-9][0-9]?):([1-9][0-9]?):([A-Za-z0-9_.~-]{{1,{BODY}}})")


class Part(Struct, frozen=True, kw_only=True):
    """One part of a text; ``number`` counts from 1 to ``count``."""

    of: str
    number: int
    count: int
    body: str


class Gathered(Struct, frozen=True, kw_only=True):
    """What parts have come to.

    Attributes:
        text: the whole text, or None while parts are missing.
        found: how many parts are here.
        count: how many there are.
    """

    text: str | None
    found: int
    count: int


def cut(text: str) -> tuple[str, ...]:
    """Return the parts of ``text``, which is of the characters of a credential: base64url, ``.`` and ``~``.

    Raises:
        Malformed: ``too_large``: more than :data:`MOST_PARTS`; ``malformed``: other characters, or none.
    """
    bodies = [text[start : start + BODY] for start in range(0, len(text), BODY)]
    if len(bodies) > MOST_PARTS:
        raise Malformed(Code.TOO_LARGE, "the text has too many parts")
    name = _name(text)
    parts = tuple(f"CP1:{name}:{number}:{len(bodies)}:{body}" for number, body in enumerate(bodies, 1))
    if not parts or not all(_PART.fullmatch(each) for each in parts):
        raise Malformed(Code.MALFORMED, "the text cannot be cut into parts")
    return parts


def is_part(text: str) -> bool:
    """Say whether ``text`` looks like a part, or like several with space between them."""
    return text.lstrip().startswith("CP1:")


def gather(texts: Iterable[str]) -> Gathered:
    """Return what ``texts``, all of them parts, come to. The first of the newest set counts; others are left out.

    Raises:
        Malformed: one is no part; parts contradict one another; or the whole is not the text that was cut.
    """
    read = [_read(each) for each in texts]
    if not read:
        raise Malformed(Code.MALFORMED, "there is no part")
    newest = read[-1]
    mine = [each for each in read if each.of == newest.of]
    bodies: dict[int, str] = {}
    for each in mine:
        if each.count != newest.count or bodies.setdefault(each.number, each.body) != each.body:
            raise Malformed(Code.MALFORMED, "two parts contradict each other")
    if len(bodies) < newest.count:
        return Gathered(text=None, found=len(bodies), count=newest.count)
    text = "".join(bodies[number] for number in sorted(bodies))
    if _name(text) != newest.of:
        raise Malformed(Code.MALFORMED, "the parts do not make the text that was cut")
    return Gathered(text=text, found=newest.count, count=newest.count)


def _read(text: str) -> Part:
    found = _PART.fullmatch(text)
    if found is None:
        raise Malformed(Code.MALFORMED, "this is no part of a code")
    number, count = int(found[2]), int(found[3])
    if number > count or count > MOST_PARTS:
        raise Malformed(Code.MALFORMED, "the number of a part cannot be")
    return Part(of=found[1], number=number, count=count, body=found[4])


def _name(text: str) -> str:
    return base64url.encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())[:_SET_LENGTH]
