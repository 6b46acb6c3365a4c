"""Members of an operator's request, each with the type it must have; a name nobody knows is a typing error."""

from collections.abc import Collection, Mapping
from typing import Any

from comity.errors import Code, Malformed

MAX_TEXT = 200


class Members:
    """The members of one request. ``null`` counts as absent."""

    def __init__(self, body: Mapping[str, Any], *, allowed: Collection[str]) -> None:
        """Take the members of ``body``.

        Raises:
            Malformed: ``request_invalid``: it has a member that is not ``allowed``.
        """
        if not set(body) <= set(allowed):
            raise Malformed(Code.REQUEST_INVALID, f"only these members are known: {', '.join(sorted(allowed))}")
        self._body = body

    def _of(self, name: str, kind: type, must: str) -> Any:
        value = self._body.get(name)
        if value is not None and type(value) is not kind:
            raise Malformed(Code.REQUEST_INVALID, f"{name} must be {must}")
        return value

    def text(self, name: str) -> str | None:
        """Return a text of 1 to 200 printable characters, or None."""
        value: str | None = self._of(name, str, "a text")
        if value is not None and not (1 <= len(value) <= MAX_TEXT and value.isprintable()):
            raise Malformed(Code.REQUEST_INVALID, f"{name} must have 1 to {MAX_TEXT} printable characters")
        return value

    def required_text(self, name: str) -> str:
        """Return a text."""
        value = self.text(name)
        if value is None:
            raise Malformed(Code.REQUEST_INVALID, f"{name} is needed")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Return a list of texts, or None."""
        value = self._of(name, list, "a list of texts")
        if value is not None and not all(isinstance(each, str) for each in value):
            raise Malformed(Code.REQUEST_INVALID, f"{name} must be a list of texts")
        return None if value is None else tuple(value)

    def object(self, name: str) -> Mapping[str, Any] | None:
        """Return an object, or None."""
        value: Mapping[str, Any] | None = self._of(name, dict, "an object")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self._of(name, bool, "true or false")
        return default if value is None else bool(value)

    def count(self, name: str) -> int | None:
        """Return a whole number from 1, or None."""
        value: int | None = self._of(name, int, "a whole number")
        if value is not None and value < 1:
            raise Malformed(Code.REQUEST_INVALID, f"{name} must be at least 1")
        return value
