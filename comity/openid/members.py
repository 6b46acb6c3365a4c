"""A received JSON object, read member by member, each with the type it must have.

Members that nobody reads are ignored, as both protocols demand (OpenID4VCI §12.2.4, OpenID4VP §5). A member that is
present with the wrong type, ``null`` included, is refused: it is not the same as an absent one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from comity import strict_json
from comity.errors import Malformed
from comity.openid import endpoint
from comity.openid.refusal import Refusal

_LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z: later instants have no calendar date."""

Document = bytes | str | Mapping[str, Any]
"""A JSON object as bytes or text from the wire, or already parsed by :mod:`comity.strict_json`."""


@dataclass(frozen=True, slots=True)
class Members:
    """The members of one object.

    Attributes:
        value: the object.
        where: what it is, for the sentence of a refusal.
        refuse: how messages of this kind are refused.
    """

    value: Mapping[str, Any]
    where: str
    refuse: Refusal

    @classmethod
    def read(cls, document: Document, where: str, refuse: Refusal) -> "Members":
        """Return the members of ``document``.

        Raises:
            OAuthError: not strict JSON, or not an object.
        """
        if isinstance(document, bytes | str):
            try:
                return cls(strict_json.parse_object(document), where, refuse)
            except Malformed as problem:
                raise refuse.of(problem) from None
        return cls(document, where, refuse)

    def has(self, name: str) -> bool:
        """Tell whether the member is present, with whatever value."""
        return name in self.value

    def _wrong(self, name: str, must: str) -> Exception:
        return self.refuse(f"{self.where}: {name} must be {must}")

    def string(self, name: str) -> str:
        """Return a required non-empty string."""
        value = self.value.get(name)
        if not isinstance(value, str) or not value:
            raise self._wrong(name, "a non-empty string")
        return value

    def optional_string(self, name: str) -> str | None:
        """Return a non-empty string, or None when absent."""
        return self.string(name) if name in self.value else None

    def url(self, name: str) -> str:
        """Return a required https URL (http for localhost)."""
        value = self.string(name)
        if not endpoint.is_endpoint(value):
            raise self._wrong(name, "an https URL without user name and fragment")
        return value

    def optional_url(self, name: str) -> str | None:
        """Return an https URL (http for localhost), or None when absent."""
        return self.url(name) if name in self.value else None

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a required non-empty array of distinct non-empty strings."""
        value = self.value.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            raise self._wrong(name, "a non-empty array of strings")
        if len(set(value)) != len(value):
            raise self._wrong(name, "an array without repetitions")
        return tuple(value)

    def optional_strings(self, name: str) -> tuple[str, ...]:
        """Return a non-empty array of distinct strings, or () when absent."""
        return self.strings(name) if name in self.value else ()

    def members(self, name: str) -> "Members":
        """Return a required object."""
        value = self.value.get(name)
        if not isinstance(value, Mapping):
            raise self._wrong(name, "an object")
        return Members(value, f"{self.where} {name}", self.refuse)

    def optional_members(self, name: str) -> "Members | None":
        """Return an object, or None when absent."""
        return self.members(name) if name in self.value else None

    def array(self, name: str) -> "tuple[Members, ...]":
        """Return a required non-empty array of objects."""
        value = self.value.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(item, Mapping) for item in value):
            raise self._wrong(name, "a non-empty array of objects")
        return tuple(Members(item, f"{self.where} {name}", self.refuse) for item in value)

    def optional_array(self, name: str) -> "tuple[Members, ...]":
        """Return a non-empty array of objects, or () when absent."""
        return self.array(name) if name in self.value else ()

    def integer(self, name: str, *, minimum: int) -> int:
        """Return a required whole number of at least ``minimum``."""
        value = self.value.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise self._wrong(name, f"a whole number of at least {minimum}")
        return value

    def optional_integer(self, name: str, *, minimum: int) -> int | None:
        """Return a whole number of at least ``minimum``, or None when absent."""
        return self.integer(name, minimum=minimum) if name in self.value else None

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return a boolean; ``default`` when absent."""
        value = self.value.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def instant(self, name: str) -> datetime:
        """Return a required NumericDate (RFC 7519 §2) as an instant in UTC."""
        value = self.value.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LAST_SECOND:
            raise self._wrong(name, "a number of seconds since 1970")
        return datetime.fromtimestamp(value, UTC)

    def optional_instant(self, name: str) -> datetime | None:
        """Return a NumericDate as an instant in UTC, or None when absent."""
        return self.instant(name) if name in self.value else None
