"""Members of a request body, read with their types."""

from collections.abc import Mapping

from comity.errors import Code, Malformed

MAX_IMPORT_BYTES = 32 << 20
"""Largest body of any request; only an import may be larger than a mebibyte."""


def text(members: Mapping[str, object], name: str) -> str:
    """Return a non-empty text; raises ``Malformed``."""
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(Code.MALFORMED, f"'{name}' must be text")
    return value


def optional_text(members: Mapping[str, object], name: str) -> str | None:
    """Return a text, or None when absent; raises ``Malformed``."""
    return None if members.get(name) is None else text(members, name)


def flag(members: Mapping[str, object], name: str) -> bool:
    """Return true or false, false when absent; raises ``Malformed``."""
    value = members.get(name, False)
    if not isinstance(value, bool):
        raise Malformed(Code.MALFORMED, f"'{name}' must be true or false")
    return value


def texts(members: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Return a list of texts, empty when absent; raises ``Malformed``."""
    value = members.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Malformed(Code.MALFORMED, f"'{name}' must be a list of texts")
    return tuple(value)


def lists(members: Mapping[str, object], name: str) -> dict[str, tuple[str, ...]]:
    """Return an object of texts or lists of texts, each as a list, empty when absent; raises ``Malformed``."""
    value = members.get(name, {})
    if not isinstance(value, dict):
        raise Malformed(Code.MALFORMED, f"'{name}' must be an object of texts, or of lists of texts")
    return {key: (each,) if isinstance(each, str) else texts(value, key) for key, each in value.items()}


def document(members: Mapping[str, object], name: str) -> dict[str, object]:
    """Return an object; raises ``Malformed``."""
    value = members.get(name)
    if not isinstance(value, dict):
        raise Malformed(Code.MALFORMED, f"'{name}' must be an object")
    return value
