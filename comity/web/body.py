"""Request bodies, read strictly: protocol routes take no parameters from the framework."""

import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from comity import strict_json
from comity.errors import Code, Malformed

MAX_FIELDS = 64
_LENGTH_DIGITS = 18
_JSON_TYPE = re.compile(r"application/(?:json|[a-z0-9.+-]+\+json)\Z")
_FORM_TYPE = "application/x-www-form-urlencoded"
_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def is_within(declared: str, most: int) -> bool:
    """Say whether a ``Content-Length`` is a number of octets, and of ``most`` at most (RFC 9110 §8.6)."""
    # Python refuses to read more than 4,300 digits, and reads digits that are not ASCII.
    return declared.isascii() and declared.isdigit() and len(declared) <= _LENGTH_DIGITS and int(declared) <= most


def media_type(request: Request) -> str:
    """Return the media type of the body, lower case, without parameters; empty when none is named."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_object(request: Request, *, max_bytes: int = 1 << 20) -> dict[str, Any]:
    """Return the body as a JSON object (profile C5).

    A JSON content type is required: a form or ``text/plain`` sent by a foreign page is refused (catalogue W01).

    Raises:
        Malformed: ``unsupported_media_type``, ``malformed_json``, ``duplicate_member``, ``too_large``.
    """
    if not _JSON_TYPE.match(media_type(request)):
        raise Malformed(Code.UNSUPPORTED_MEDIA_TYPE, "the body must be sent as application/json")
    return strict_json.parse_object(await request.body(), max_bytes=max_bytes)


async def form(request: Request) -> dict[str, str]:
    """Return the fields of an ``application/x-www-form-urlencoded`` body; each name once (RFC 6749 §3.2).

    Raises:
        Malformed: ``unsupported_media_type``, ``malformed`` (not ASCII, broken escapes, invalid UTF-8, a NUL, too many
            fields), ``duplicate_member``, ``too_large``.
    """
    if media_type(request) != _FORM_TYPE:
        raise Malformed(Code.UNSUPPORTED_MEDIA_TYPE, f"the body must be sent as {_FORM_TYPE}")
    return parse_form(await request.body())


def parse_form(data: bytes) -> dict[str, str]:
    """Return the fields of the form ``data``; see :func:`form`.

    Raises:
        Malformed: as for :func:`form`.
    """
    if not data:
        return {}
    if _ESCAPE.search(data) or not data.isascii():
        raise Malformed(Code.MALFORMED, "the form is not correctly encoded")
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise Malformed(Code.MALFORMED, "the form is not correctly encoded or has too many fields") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed(Code.DUPLICATE_MEMBER, "a field of the form is sent twice")
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Malformed(Code.MALFORMED, "the form holds a NUL character")
    return fields
