"""``application/x-www-form-urlencoded`` bodies and query strings, read strictly (RFC 6749 appendix B)."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, urlencode

from comity.openid.refusal import Refusal

MAX_BYTES = 1 << 20
_MAX_FIELDS = 64
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode(body: bytes | str, refuse: Refusal, *, repeatable: Collection[str] = ()) -> dict[str, str]:
    """Return the parameters of ``body``.

    A parameter without a value counts as absent (RFC 6749 §3.1). A parameter given twice is refused, unless it is in
    ``repeatable`` (RFC 8707 lets ``resource`` repeat): then the first value is returned.

    Raises:
        OAuthError: not ASCII, a broken percent escape, invalid UTF-8, a repeated parameter, too many or too long.
    """
    if len(body) > MAX_BYTES:
        raise refuse("the form is too large")
    try:
        text = body.decode("ascii") if isinstance(body, bytes) else body
        if not text.isascii() or _BAD_ESCAPE.search(text):
            raise refuse("the form is not percent-encoded ASCII")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except UnicodeDecodeError:
        raise refuse("the form is not UTF-8 in percent-encoded ASCII") from None
    except ValueError:
        raise refuse("the form has too many fields") from None
    fields: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen and name not in repeatable:
            raise refuse("a parameter appears more than once")
        seen.add(name)
        if value:
            fields.setdefault(name, value)
    return fields


def encode(fields: Mapping[str, str]) -> str:
    """Return ``fields`` as a form body or query string, in the order given."""
    return urlencode(fields)
