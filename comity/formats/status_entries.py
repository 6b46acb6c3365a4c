"""Where a credential says that its status stands, in both languages of status lists. No list is fetched here."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comity.credential import StatusEntry
from comity.errors import Code, Malformed

MAX_ENTRIES = 16
"""Most status entries in one credential."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")
_MAX_INDEX = 10**18
_DECIDING = ("revocation", "suspension")
_INFORMING = ("refresh", "message")  # BSL-4 of the profile: they never make a credential invalid


class StatusEntries(Struct, frozen=True, kw_only=True):
    """The entries of a credential; ``is_unknown`` when it names a mechanism that is not understood."""

    entries: tuple[StatusEntry, ...] = ()
    is_unknown: bool = False


def of_status_claim(payload: Mapping[str, Any]) -> StatusEntries:
    """Read the ``status`` claim of a processed JWT payload (Token Status List §6.1).

    Other mechanisms beside ``status_list`` are ignored; without ``status_list`` the status is not known.

    Raises:
        Malformed: ``malformed``.
    """
    if "status" not in payload:
        return StatusEntries()
    status = payload["status"]
    if not isinstance(status, dict):
        raise _malformed()
    if "status_list" not in status:
        return StatusEntries(is_unknown=True)
    reference = status["status_list"]
    if not isinstance(reference, dict):
        raise _malformed()
    index, uri = reference.get("idx"), reference.get("uri")
    # bool is a subclass of int, so the exact type is asked for.
    if type(index) is not int or not 0 <= index < _MAX_INDEX or not isinstance(uri, str) or not uri:
        raise _malformed()
    return StatusEntries(entries=(StatusEntry(list_uri=uri, index=index),))


def to_status_claim(entries: tuple[StatusEntry, ...]) -> dict[str, Any] | None:
    """Return the ``status`` claim for the token list entry among ``entries``, or None when there is none.

    Raises:
        Malformed: ``malformed`` for more than one: a credential has one token list entry.
    """
    found = [entry for entry in entries if entry.purpose is None]
    if len(found) > 1:
        raise Malformed(Code.MALFORMED, "a credential stands in one token status list only")
    return {"status_list": {"idx": found[0].index, "uri": found[0].list_uri}} if found else None


def of_credential_status(document: Mapping[str, Any]) -> StatusEntries:
    """Read the ``credentialStatus`` of a W3C credential, every entry of it (Bitstring Status List §2.1).

    Entries of another type, purpose or size are not understood: the status is then not known, whatever the other
    entries say. Purposes that only inform (``refresh``, ``message``) decide nothing and are left out.

    Raises:
        Malformed: ``malformed``.
    """
    if "credentialStatus" not in document:
        return StatusEntries()
    value = document["credentialStatus"]
    items = value if isinstance(value, list) else [value]
    if not 0 < len(items) <= MAX_ENTRIES:
        raise _malformed()
    read = [_bitstring_entry(item) for item in items]
    return StatusEntries(
        entries=tuple([entry for entry in read if entry is not None and entry.purpose in _DECIDING]),
        is_unknown=None in read,
    )


def to_credential_status(entries: tuple[StatusEntry, ...]) -> list[dict[str, Any]]:
    """Return the ``credentialStatus`` for the bitstring list entries among ``entries``."""
    return [
        {
            "type": "BitstringStatusListEntry",
            "statusPurpose": entry.purpose,
            "statusListIndex": str(entry.index),
            "statusListCredential": entry.list_uri,
        }
        for entry in entries
        if entry.purpose is not None
    ]


def _bitstring_entry(item: object) -> StatusEntry | None:
    """Read one entry; None when it is not understood."""
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise _malformed()
    if item["type"] != "BitstringStatusListEntry":
        return None
    purpose, uri, index = item.get("statusPurpose"), item.get("statusListCredential"), item.get("statusListIndex")
    if not isinstance(purpose, str) or not isinstance(uri, str) or not uri or item.get("id") == uri:
        raise _malformed()
    if not isinstance(index, str) or not _INDEX.fullmatch(index):
        raise _malformed()
    if purpose in _INFORMING:
        return StatusEntry(list_uri=uri, index=int(index), purpose=purpose)
    # A size of one bit may be stated; anything else changes the meaning of the value.
    is_one_bit = "statusSize" not in item or (type(item["statusSize"]) is int and item["statusSize"] == 1)
    if purpose not in _DECIDING or not is_one_bit:
        return None
    return StatusEntry(list_uri=uri, index=int(index), purpose=purpose)


def _malformed() -> Malformed:
    return Malformed(Code.MALFORMED, "the credential does not say in the right form where its status stands")
