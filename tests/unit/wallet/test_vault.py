"""The vault: what opens it, what does not, and what is noticed when somebody changes what lies in the database."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from comity.errors import Code, Denied, Malformed
from wallet import vault
from wallet.vault import PASSPHRASE, RECOVERY, Cost, Slot

PEPPER, OTHER_PEPPER = b"p" * 32, b"q" * 32
SECRET = "a long enough passphrase"
NAMED: dict[str, Any] = {"citizen": "maya", "kind": "credential", "record": "one", "version": 1}


def slot_of(data_key: bytes, passphrase: str = SECRET, *, citizen: str = "maya", pepper: bytes | None = PEPPER) -> Slot:
    return vault.passphrase_slot(data_key, passphrase, citizen=citizen, pepper=pepper)


@pytest.mark.good_twin("K01")
def test_the_passphrase_opens_its_slot() -> None:
    data_key = vault.new_data_key()
    assert vault.unlock(slot_of(data_key), SECRET, citizen="maya", pepper=PEPPER) == data_key


@pytest.mark.parametrize(
    ("secret", "citizen", "pepper"),
    [
        ("another long passphrase", "maya", PEPPER),
        (SECRET, "noah", PEPPER),
        (SECRET, "maya", OTHER_PEPPER),
        (SECRET, "maya", None),
    ],
    ids=["another passphrase", "another citizen", "another pepper", "no pepper"],
)
@pytest.mark.attack("K01")
def test_nothing_else_does(secret: str, citizen: str, pepper: bytes | None) -> None:
    with pytest.raises(Denied) as refused:
        vault.unlock(slot_of(vault.new_data_key()), secret, citizen=citizen, pepper=pepper)
    assert refused.value.code is Code.PASSPHRASE_WRONG


def test_a_passphrase_is_the_same_on_every_keyboard() -> None:
    data_key = vault.new_data_key()
    slot = slot_of(data_key, "mot de passe composé")
    assert vault.unlock(slot, "mot de passe compose\u0301", citizen="maya", pepper=PEPPER) == data_key


@pytest.mark.attack("K02")
@pytest.mark.good_twin("K02")
def test_a_slot_put_in_place_of_another_gains_nothing() -> None:
    """K02: who can write to the database sets a passphrase of their own, and reads nothing with it."""
    data_key, intruders_key = vault.new_data_key(), vault.new_data_key()
    sealed = vault.seal(data_key, b"claims", **NAMED)
    intruders = slot_of(intruders_key, "the intruder's passphrase")
    opened = vault.unlock(intruders, "the intruder's passphrase", citizen="maya", pepper=PEPPER)
    with pytest.raises(Malformed) as refused:
        vault.unseal(opened, sealed, **NAMED)
    assert refused.value.code is Code.RECORD_TAMPERED
    assert vault.unseal(data_key, sealed, **NAMED) == b"claims"


def test_a_slot_of_another_kind_does_not_open() -> None:
    slot = slot_of(vault.new_data_key())
    with pytest.raises(Denied):
        vault.unlock(structs.replace(slot, kind=RECOVERY), SECRET, citizen="maya", pepper=PEPPER)


@pytest.mark.parametrize("spell", [str, str.lower, lambda code: code.replace("-", ""), lambda c: f" {c} "])
def test_a_recovery_code_opens_however_it_is_spelt(spell: Callable[[str], str]) -> None:
    data_key, code = vault.new_data_key(), vault.new_recovery_code()
    slot = vault.recovery_slot(data_key, code, citizen="maya", pepper=PEPPER)
    assert vault.unlock(slot, spell(code), citizen="maya", pepper=PEPPER) == data_key


def test_another_recovery_code_does_not_open() -> None:
    slot = vault.recovery_slot(vault.new_data_key(), vault.new_recovery_code(), citizen="maya", pepper=PEPPER)
    with pytest.raises(Denied):
        vault.unlock(slot, vault.new_recovery_code(), citizen="maya", pepper=PEPPER)


def test_a_recovery_code_has_160_bits_in_groups_of_four() -> None:
    code = vault.new_recovery_code()
    assert [len(group) for group in code.split("-")] == [4] * 8


@pytest.mark.parametrize(
    ("passphrase", "is_enough"), [("123456789", False), ("1234567890", True), ("e\u0301" * 9, False)]
)
def test_a_passphrase_has_ten_characters(passphrase: str, *, is_enough: bool) -> None:
    data_key = vault.new_data_key()
    if is_enough:
        assert vault.unlock(slot_of(data_key, passphrase), passphrase, citizen="maya", pepper=PEPPER) == data_key
        return
    with pytest.raises(Malformed) as refused:
        slot_of(data_key, passphrase)
    assert refused.value.code is Code.PASSPHRASE_TOO_SHORT


def test_a_guess_costs_more_without_a_pepper() -> None:
    service, local = slot_of(vault.new_data_key()), slot_of(vault.new_data_key(), pepper=None)
    assert local.cost.memory_kib > service.cost.memory_kib
    assert vault.decoy_slot(PASSPHRASE, pepper=PEPPER).cost == service.cost
    assert vault.decoy_slot(PASSPHRASE, pepper=None).cost == local.cost


def test_real_costs_are_those_of_the_recommendations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    service, local = vault.SERVICE_COST, vault.LOCAL_COST
    assert (service.memory_kib, service.passes, service.lanes) == (19 * 1024, 2, 1)  # OWASP
    assert (local.memory_kib, local.passes, local.lanes) == (64 * 1024, 3, 4)  # RFC 9106 §4
    data_key = vault.new_data_key()
    assert vault.unlock(slot_of(data_key), SECRET, citizen="maya", pepper=PEPPER) == data_key


@pytest.mark.parametrize("kind", [PASSPHRASE, RECOVERY])
def test_nothing_opens_a_decoy(kind: str) -> None:
    with pytest.raises(Denied):
        vault.unlock(vault.decoy_slot(kind, pepper=PEPPER), SECRET, citizen="", pepper=PEPPER)


# --- slots as they are stored


def test_a_slot_comes_back_as_it_was() -> None:
    slot = slot_of(vault.new_data_key())
    assert Slot.from_dict(slot.to_dict()) == slot


@pytest.mark.parametrize(
    "change",
    [
        {"cost": [1 << 22, 1, 1]},
        {"cost": [1 << 21, 64, 1]},  # minutes, and two gibibytes
        {"cost": [8, 1, 8]},  # less memory than so many lanes need
        {"salt": ""},
        {"cost": [8, 0, 1]},
        {"cost": [8, 1, 65]},
        {"cost": [8, 1]},
        {"cost": "abc"},
        {"cost": None},
        {"salt": 7},
        {"salt": "%"},
        {"wrapped": None},
    ],
)
def test_a_slot_that_was_changed_is_named_so(change: dict[str, Any]) -> None:
    """A cost from the database must not be able to take all memory."""
    with pytest.raises(Malformed):
        Slot.from_dict({**slot_of(vault.new_data_key()).to_dict(), **change})


def test_a_missing_member_is_named_so() -> None:
    with pytest.raises(Malformed) as refused:
        Slot.from_dict({"kind": PASSPHRASE})
    assert refused.value.code is Code.RECORD_TAMPERED


@given(position=st.integers(0, 59), bit=st.integers(0, 7))
def test_any_changed_bit_of_a_wrapped_key_is_noticed(position: int, bit: int) -> None:
    data_key = b"d" * 32
    slot = vault.recovery_slot(data_key, "CODE", citizen="maya", pepper=None)
    wrapped = bytearray(slot.wrapped)
    wrapped[position] ^= 1 << bit
    with pytest.raises(Denied):
        vault.unlock(structs.replace(slot, wrapped=bytes(wrapped)), "CODE", citizen="maya", pepper=None)


def test_a_wrapped_key_that_was_cut_does_not_open() -> None:
    slot = slot_of(vault.new_data_key())
    with pytest.raises(Denied):
        vault.unlock(structs.replace(slot, wrapped=b"short"), SECRET, citizen="maya", pepper=PEPPER)


# --- records


@pytest.mark.parametrize(
    "moved",
    [{"citizen": "noah"}, {"kind": "history"}, {"record": "two"}, {"version": 2}, {"version": 0}],
    ids=["another citizen", "another kind", "another name", "older as newer", "newer as older"],
)
@pytest.mark.attack("K04")
@pytest.mark.good_twin("K04", "K05")
def test_a_record_that_was_moved_is_noticed(moved: dict[str, Any]) -> None:
    """K04."""
    data_key = vault.new_data_key()
    sealed = vault.seal(data_key, b"claims", **NAMED)
    with pytest.raises(Malformed) as refused:
        vault.unseal(data_key, sealed, **{**NAMED, **moved})
    assert refused.value.code is Code.RECORD_TAMPERED
    assert vault.unseal(data_key, sealed, **NAMED) == b"claims"


@given(st.data())
@pytest.mark.attack("K05")
def test_any_changed_bit_of_a_record_is_noticed(data: st.DataObject) -> None:
    data_key = b"d" * 32
    sealed = bytearray(vault.seal(data_key, b"claims", **NAMED))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Malformed):
        vault.unseal(data_key, bytes(sealed), **NAMED)


@given(st.binary(max_size=200))
@pytest.mark.attack("K05")
def test_any_bytes_are_a_record_or_malformed(sealed: bytes) -> None:
    with pytest.raises(Malformed):
        vault.unseal(b"d" * 32, sealed, **NAMED)


@pytest.mark.attack("K05")
def test_a_record_commits_to_its_key() -> None:
    """K05: the tag before the ciphertext is that of this key and record, whatever the cipher would accept."""
    data_key = vault.new_data_key()
    sealed, other = vault.seal(data_key, b"claims", **NAMED), vault.seal(vault.new_data_key(), b"claims", **NAMED)
    swapped = other[: vault.COMMITMENT_BYTES] + sealed[vault.COMMITMENT_BYTES :]
    with pytest.raises(Malformed):
        vault.unseal(data_key, swapped, **NAMED)
    again = vault.seal(data_key, b"claims", **NAMED)
    assert again[: vault.COMMITMENT_BYTES] == sealed[: vault.COMMITMENT_BYTES]
    assert again[vault.COMMITMENT_BYTES :] != sealed[vault.COMMITMENT_BYTES :]


# --- sessions


def test_only_the_session_key_opens_a_session() -> None:
    data_key, key = vault.new_data_key(), b"k" * 32
    wrapped = vault.wrap_for_session(data_key, key, session="one")
    assert vault.unwrap_for_session(wrapped, key, session="one") == data_key
    for wrong_key, name in ((b"w" * 32, "one"), (key, "two")):
        with pytest.raises(Denied) as refused:
            vault.unwrap_for_session(wrapped, wrong_key, session=name)
        assert refused.value.code is Code.VAULT_LOCKED


def test_cost_is_shown_whole() -> None:
    assert Slot.from_dict(slot_of(b"d" * 32).to_dict()).cost == Cost(memory_kib=64, passes=1, lanes=1)
