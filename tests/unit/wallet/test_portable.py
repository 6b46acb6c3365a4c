"""Taking a wallet along."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from comity import base64url, strict_json
from comity.errors import Code, ComityError, Malformed
from wallet import portable, vault
from wallet.custody import Custody
from wallet.records import CONSENT, CREDENTIAL, HISTORY, OpenWallet

SECRET, THEIRS = "a long enough passphrase", "the passphrase of the export"
ABOUT = {"checked_at": "2026-11-23T12:00:00+00:00", "recognised": True}


@pytest.fixture
async def wallet(custody: Custody) -> OpenWallet:
    wallet, _ = await custody.create("maya", SECRET)
    await wallet.put(CREDENTIAL, "one", {"encoded": "canary", "about": ABOUT})
    await wallet.put(CREDENTIAL, "one", {"encoded": "canary", "about": ABOUT}, version=2)
    await wallet.put(HISTORY, "line", {"what": "received"})
    await wallet.put(CONSENT, "question", {})
    return wallet


def made_by(records: Any, passphrase: str = THEIRS) -> bytes:
    """Return an export that says anything at all, rightly encrypted."""
    data_key = vault.new_data_key()
    slot = vault.passphrase_slot(data_key, passphrase, citizen="export", pepper=None)
    plaintext = strict_json.serialise({"records": records})
    sealed = vault.seal(data_key, plaintext, citizen="export", kind="export", record="export", version=1)
    document = {"comity_wallet": 1, "slot": slot.to_dict(), "sealed": base64url.encode(sealed)}
    return strict_json.serialise(document)


async def test_what_is_exported_comes_back_elsewhere(custody: Custody, wallet: OpenWallet) -> None:
    exported = await portable.export(custody, wallet, THEIRS)
    assert b"canary" not in exported
    other, _ = await custody.create("noah", SECRET)
    assert await portable.restore(custody, other, exported, THEIRS) == 2
    assert await other.names() == {(CREDENTIAL, "one"), (HISTORY, "line")}
    kept = await other.find(CREDENTIAL, "one")
    assert kept is not None
    assert (kept.version, kept.content["encoded"]) == (1, "canary")
    # What it says about trust is looked at anew at once.
    assert kept.content["about"] == {"checked_at": "1970-01-01T00:00:00+00:00", "recognised": True}


async def test_what_is_there_stays(custody: Custody, wallet: OpenWallet) -> None:
    exported = await portable.export(custody, wallet, THEIRS)
    await wallet.put(CREDENTIAL, "one", {"encoded": "newer", "about": ABOUT}, version=3)
    await wallet.delete(HISTORY, "line")
    assert await portable.restore(custody, wallet, exported, THEIRS) == 1
    kept = await wallet.find(CREDENTIAL, "one")
    assert kept is not None
    assert kept.content["encoded"] == "newer"
    assert await portable.restore(custody, wallet, exported, THEIRS) == 0


async def test_another_passphrase_does_not_open_it(custody: Custody, wallet: OpenWallet) -> None:
    exported = await portable.export(custody, wallet, THEIRS)
    with pytest.raises(ComityError) as refused:
        await portable.restore(custody, wallet, exported, SECRET)
    assert refused.value.code is Code.PASSPHRASE_WRONG


async def test_an_export_needs_a_passphrase_worth_its_name(custody: Custody, wallet: OpenWallet) -> None:
    with pytest.raises(Malformed) as refused:
        await portable.export(custody, wallet, "short")
    assert refused.value.code is Code.PASSPHRASE_TOO_SHORT


@pytest.mark.parametrize(
    "change",
    [
        {"comity_wallet": 2},
        {"slot": None},
        {"slot": {}},
        {"sealed": 7},
        {"sealed": "AAAA"},
        {"sealed": "%"},
        {"slot": {"kind": "passphrase", "salt": "AAAA", "cost": [8, 1, 1], "wrapped": "AAAA"}},
        {"slot": {"kind": "passphrase", "salt": "A" * 22, "cost": [8, 1, 64], "wrapped": "AAAA"}},
    ],
)
async def test_a_changed_export_is_refused_whole(custody: Custody, wallet: OpenWallet, change: dict[str, Any]) -> None:
    exported = json.loads(await portable.export(custody, wallet, THEIRS))
    other, _ = await custody.create("noah", SECRET)
    with pytest.raises(Malformed):
        await portable.restore(custody, other, json.dumps(exported | change).encode(), THEIRS)
    assert await other.names() == set()


@pytest.mark.parametrize(
    "records",
    [
        None,
        ["text"],
        [{"kind": "consent", "id": "a", "content": {}}],
        [{"kind": "credential", "id": "", "content": {}}],
        [{"kind": "credential", "id": "x" * 65, "content": {}}],
        [{"kind": "credential", "id": 7, "content": {}}],
        [{"kind": "credential", "id": "a", "content": []}],
        [{"kind": "credential", "id": "a", "content": {}}, {"kind": "credential", "id": "a", "content": {}}],
    ],
)
async def test_an_export_with_something_else_in_it_brings_in_nothing(custody: Custody, records: Any) -> None:
    other, _ = await custody.create("noah", SECRET)
    with pytest.raises(ComityError):
        await portable.restore(custody, other, made_by(records), THEIRS)
    assert await other.names() == set()
    good = made_by([{"kind": "credential", "id": "a", "content": {}}])
    assert await portable.restore(custody, other, good, THEIRS) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(exported=st.binary(max_size=300))
def test_any_bytes_are_an_export_or_malformed(exported: bytes) -> None:
    with pytest.raises(Malformed):
        portable._parts(exported)


async def test_a_wallet_that_is_open_is_one_citizen(wallet: OpenWallet) -> None:
    assert structs.replace(wallet, citizen="noah") != wallet
