"""What both forms of a status list are once they are opened, and once they are decoded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from comity import strict_json
from comity.credential import KeyReference, Status, StatusEntry
from comity.errors import Code, Malformed
from comity.jose import Jws
from comity.status.bits import PackedValues

ALGORITHM_CONTEXT = "status_list"
"""The name under which ``schemas/algorithms.json`` lists what may sign a status list."""

MAX_TOKEN_BYTES = 8 << 20
"""Largest list token read, in bytes; a fetcher normally sets a lower limit."""

REVOCATION, SUSPENSION = "revocation", "suspension"

_INFORMATIVE_PURPOSES = frozenset({"refresh", "message"})
_MEANING_OF_A_NUMBER = {status.value: status for status in Status}
_MEANING_OF_A_SET_BIT = {REVOCATION: Status.REVOKED, SUSPENSION: Status.SUSPENDED}
_LARGEST_NUMBER = 2**53  # beyond it JSON numbers are not exact (RFC 8259 §6)


class OpenedStatusList(Struct, frozen=True, kw_only=True):
    """A list token that was read but *not verified*: enough to find the key, and nothing to rely on.

    Attributes:
        format: ``statuslist+jwt`` or ``vc+jwt``.
        uri: what the list says it is: ``sub`` of a token list, ``id`` of a list credential.
        issuer: ``iss`` or ``issuer``; None for a token list without one (it is optional there).
        key: which key it says it is signed with.
        jws: the signed token.
        payload: its claims.
    """

    format: str
    uri: str
    issuer: str | None
    key: KeyReference
    jws: Jws
    payload: Mapping[str, Any]


class StatusList(Struct, frozen=True, kw_only=True):
    """A decoded list.

    It does not know the time, nor whether its signer may speak for anyone: the caller compares ``issued_at``,
    ``expires_at`` and ``ttl_seconds`` with its clock and cache, and asks the registry about the signer.

    Attributes:
        uri: the list's own name; the entry of a credential must name exactly this.
        purposes: what a set bit of a Bitstring Status List means; empty for a Token Status List.
        ttl_seconds: how long a copy may be used before it is fetched again, *as stated* (0 and absurd values
            included: bounds are the caller's, profile TSL-6); None when not stated.
        issued_at: when the list was signed, or became valid.
        expires_at: hard end of the list; None when not stated.
        values: the entries.
    """

    uri: str
    purposes: tuple[str, ...]
    ttl_seconds: int | None
    issued_at: datetime
    expires_at: datetime | None
    values: PackedValues

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.values)

    def value(self, index: int) -> int:
        """Return the number at ``index``, in constant time; raises ``Malformed(status_index_out_of_range)``."""
        return self.values.value(index)

    def status_of(self, entry: StatusEntry) -> Status:
        """Return what this list says of the credential that carries ``entry``.

        Not checked: signature, signer, age and end of the list.

        Raises:
            Malformed: ``status_list_mismatch`` when the entry names another list or a purpose that this list does not
                serve, ``status_index_out_of_range``, ``status_value_unknown`` for a number without a meaning here.
        """
        # TSL §8.3 step 4a (profile TSL-4), and BSL-3 P: the list must be the one that the credential names.
        if entry.list_uri != self.uri:
            raise Malformed(Code.STATUS_LIST_MISMATCH, "the status list is another than the credential names")
        # BSL-3 step 3: the entry's purpose is one of the list's.
        serves = entry.purpose in self.purposes if self.purposes else entry.purpose is None
        if not serves:
            raise Malformed(Code.STATUS_LIST_MISMATCH, "the status list serves another purpose")
        # TSL-4, BSL-3 step 6: the index lies in the list.
        number = self.value(entry.index)
        # TSL-4 (last step), BSL-3 step 7: what the number means.
        return _token_meaning(number) if entry.purpose is None else _bit_meaning(entry.purpose, number)


def _token_meaning(number: int) -> Status:
    """Return the meaning of a Token Status List number (TSL §7.1); reserved and application values have none."""
    try:
        return _MEANING_OF_A_NUMBER[number]
    except KeyError:
        raise Malformed(Code.STATUS_VALUE_UNKNOWN, "the status value has no meaning here") from None


def _bit_meaning(purpose: str, number: int) -> Status:
    """Return the meaning of a Bitstring Status List number (profile BSL-4): refresh and message invalidate nothing."""
    if number == 0 or purpose in _INFORMATIVE_PURPOSES:
        return Status.VALID
    if number == 1 and purpose in _MEANING_OF_A_SET_BIT:
        return _MEANING_OF_A_SET_BIT[purpose]
    raise Malformed(Code.STATUS_VALUE_UNKNOWN, "the status value has no meaning here")


def payload_of(jws: Jws) -> dict[str, Any]:
    """Return the payload of a list token, up to :data:`MAX_TOKEN_BYTES`; raises what ``strict_json`` raises."""
    return strict_json.parse_object(jws.payload, max_bytes=MAX_TOKEN_BYTES)


def text(payload: Mapping[str, Any], name: str) -> str:
    """Return the non-empty text in ``name``; raises ``Malformed(status_list_invalid)``."""
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"the status list has no readable '{name}'")
    return value


def number(value: object, name: str) -> int | float:
    """Return ``value`` when it is a number from 0 to 2^53; raises ``Malformed(status_list_invalid)``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_NUMBER:
        raise invalid(f"the status list has no readable '{name}'")
    return value


def invalid(detail: str) -> Malformed:
    """Return the error for a list that is not what its standard says."""
    return Malformed(Code.STATUS_LIST_INVALID, detail)
