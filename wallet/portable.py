"""Taking a wallet along: one encrypted document with everything in it, and back in again."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from comity import base64url, strict_json
from comity.errors import Code, Malformed
from wallet import vault
from wallet.custody import Custody
from wallet.records import CREDENTIAL, HISTORY, KEY, MESSAGE, PENDING, OpenWallet, Sheet
from wallet.vault import Slot

EXPORTED = (CREDENTIAL, KEY, HISTORY, MESSAGE, PENDING)
"""Kinds of record that are taken along. Open questions of verifiers are not: they end within the hour."""
VERSION = 1
MAX_BYTES = 64 << 20
_MAX_ID = 64
_NAME = "export"


async def export(custody: Custody, wallet: OpenWallet, passphrase: str) -> bytes:
    """Return everything in the wallet, encrypted under ``passphrase`` and under nothing else.

    Raises:
        Malformed: ``passphrase_too_short``.
    """
    records = [
        {"kind": kind, "id": each.id, "content": dict(each.content)}
        for kind in EXPORTED
        for each in await wallet.all(kind)
    ]
    data_key = vault.new_data_key()
    make = partial(vault.passphrase_slot, data_key, passphrase, citizen=_NAME, pepper=None)
    slot = await custody.in_thread(make)
    plaintext = strict_json.serialise({"records": records})
    sealed = vault.seal(data_key, plaintext, citizen=_NAME, kind=_NAME, record=_NAME, version=VERSION)
    document = {"comity_wallet": VERSION, "slot": slot.to_dict(), "sealed": base64url.encode(sealed)}
    return strict_json.serialise(document)


async def restore(custody: Custody, wallet: OpenWallet, exported: bytes, passphrase: str) -> int:
    """Bring an export into the open wallet: all of it or nothing; what is there already stays.

    Returns how many records came in. What the export says about trust and status is not believed for long: the next
    look at the credentials verifies them anew.

    Raises:
        Malformed: ``record_tampered``: not an export, or changed.
        Denied: ``passphrase_wrong``.
    """
    slot, sealed = _parts(exported)
    data_key = await custody.in_thread(partial(vault.unlock, slot, passphrase, citizen=_NAME, pepper=None))
    plaintext = vault.unseal(data_key, sealed, citizen=_NAME, kind=_NAME, record=_NAME, version=VERSION)
    opened = strict_json.parse_object(plaintext, max_bytes=MAX_BYTES)
    there = await wallet.names()
    sheets = [sheet for sheet in _sheets(opened) if (sheet.kind, sheet.id) not in there]
    await wallet.commit(put=sheets)
    return len(sheets)


def _parts(exported: bytes) -> tuple[Slot, bytes]:
    document = strict_json.parse_object(exported, max_bytes=MAX_BYTES)
    slot, sealed = document.get("slot"), document.get("sealed")
    if document.get("comity_wallet") != VERSION or not isinstance(slot, dict) or not isinstance(sealed, str):
        raise Malformed(Code.RECORD_TAMPERED, "this is not a wallet export of a version known here")
    return Slot.from_dict(slot), base64url.decode(sealed)


def _sheets(opened: Mapping[str, Any]) -> list[Sheet]:
    records = opened.get("records")
    if not isinstance(records, list):
        raise _not_ours()
    return [_sheet(each) for each in records]


def _sheet(record: object) -> Sheet:
    if not isinstance(record, dict):
        raise _not_ours()
    kind, record_id, content = record.get("kind"), record.get("id"), record.get("content")
    is_id = isinstance(record_id, str) and 0 < len(record_id) <= _MAX_ID
    if kind not in EXPORTED or not is_id or not isinstance(content, dict):
        raise _not_ours()
    if kind == CREDENTIAL and isinstance(content.get("about"), dict):
        content = {**content, "about": {**content["about"], "checked_at": "1970-01-01T00:00:00+00:00"}}
    return Sheet(kind=kind, id=str(record_id), content=content)


def _not_ours() -> Malformed:
    return Malformed(Code.RECORD_TAMPERED, "the export does not hold what a wallet writes")
