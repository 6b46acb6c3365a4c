"""The JSON Canonicalization Scheme (RFC 8785), by the rfc8785 package."""

from typing import Any

import rfc8785

from comity.errors import Code, Malformed


def canonicalise(value: Any) -> bytes:
    """Return the one canonical form of ``value`` as UTF-8 bytes (RFC 8785 §3).

    Raises:
        Malformed: ``malformed_json`` for what the scheme cannot carry: integers beyond 2^53-1, NaN, Infinity, lone
            surrogates, names that are not text, other types, nesting beyond what the interpreter can follow.
    """
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError):  # every error of the package is a ValueError
        raise Malformed(Code.MALFORMED_JSON, "the value has no canonical JSON form") from None
