"""Accounts, tries and sessions on a real SQLite file."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from comity.errors import Code, ComityError, Conflict, Denied, Malformed
from comity.runtime.clock import FixedClock
from comity.runtime.database import Database
from wallet import custody as custody_module
from wallet import store, vault
from wallet.custody import Custody
from wallet.records import CREDENTIAL, HISTORY, OpenWallet, Sheet
from wallet.vault import RECOVERY

SECRET, WRONG = "a long enough passphrase", "not that passphrase"


async def code_of(work: Any) -> Code:
    with pytest.raises(ComityError) as refused:
        await work
    return refused.value.code


async def rows(database: Database, table: Any) -> list[Any]:
    return await database.read(lambda connection: list(connection.execute(select(table))))


# --- accounts


@pytest.mark.good_twin("W12")
async def test_an_account_opens_with_its_passphrase_and_its_code(custody: Custody) -> None:
    wallet, code = await custody.create("Maya", SECRET)
    await wallet.put(CREDENTIAL, "one", {"it": "is here"})
    for name, secret, by in (("maya", SECRET, "passphrase"), (" MAYA ", code, RECOVERY)):
        opened = await custody.unlock(name, secret, by=by)
        kept = await opened.find(CREDENTIAL, "one")
        assert kept is not None
        assert kept.content == {"it": "is here"}


async def test_the_use_of_a_recovery_code_is_noted(custody: Custody) -> None:
    """K11: it never happens silently."""
    _, code = await custody.create("maya", SECRET)
    assert await (await custody.unlock("maya", SECRET)).all(HISTORY) == []
    wallet = await custody.unlock("maya", code, by=RECOVERY)
    assert [each.content["what"] for each in await wallet.all(HISTORY)] == ["recovery_code_used"]


async def test_a_name_is_taken_once(custody: Custody) -> None:
    await custody.create("maya", SECRET)
    assert await code_of(custody.create("Ｍaya", SECRET)) is Code.ACCOUNT_EXISTS


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "new\nline", "nul\0"])
async def test_a_name_is_short_and_printable(custody: Custody, name: str) -> None:
    with pytest.raises(Malformed):
        await custody.create(name, SECRET)


async def test_a_short_passphrase_makes_no_account(custody: Custody, database: Database) -> None:
    assert await code_of(custody.create("maya", "short")) is Code.PASSPHRASE_TOO_SHORT
    assert await rows(database, store.citizens) == []


async def test_a_changed_passphrase_replaces_the_old_one_and_ends_every_session(custody: Custody) -> None:
    wallet, code = await custody.create("maya", SECRET)
    cookies = [await custody.begin_session(wallet) for _ in range(2)]
    await custody.change_passphrase(wallet, "a new long passphrase")
    for cookie in cookies:
        assert await code_of(custody.resume(cookie)) is Code.VAULT_LOCKED
    assert await code_of(custody.unlock("maya", SECRET)) is Code.PASSPHRASE_WRONG
    opened = await custody.unlock("maya", "a new long passphrase")
    assert opened.data_key == wallet.data_key == (await custody.unlock("maya", code, by=RECOVERY)).data_key


async def test_a_passphrase_that_is_too_short_changes_nothing(custody: Custody) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    assert await code_of(custody.change_passphrase(wallet, "short")) is Code.PASSPHRASE_TOO_SHORT
    await custody.unlock("maya", SECRET)


async def test_confirming_needs_the_secret_of_this_wallet(custody: Custody) -> None:
    wallet, code = await custody.create("maya", SECRET)
    await custody.confirm(wallet, SECRET)
    await custody.confirm(wallet, code, by=RECOVERY)
    assert await code_of(custody.confirm(wallet, WRONG)) is Code.PASSPHRASE_WRONG
    await custody.delete(wallet)
    assert await code_of(custody.confirm(wallet, SECRET)) is Code.VAULT_LOCKED


@pytest.mark.attack("X12")
async def test_a_deleted_account_leaves_nothing(custody: Custody, database: Database) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    other, _ = await custody.create("noah", SECRET)
    for each in (wallet, other):
        await each.put(CREDENTIAL, "one", {})
        await custody.begin_session(each)
    await custody.delete(wallet)
    for table in (store.slots, store.sessions, store.records):
        assert {row.citizen for row in await rows(database, table)} == {other.citizen}
    assert [row.name for row in await rows(database, store.citizens)] == ["noah"]
    assert await code_of(custody.unlock("maya", SECRET)) is Code.PASSPHRASE_WRONG


# --- who can write to the database


@pytest.mark.attack("K02")
async def test_a_slot_put_in_by_somebody_else_opens_nothing(custody: Custody, database: Database) -> None:
    """K02: the intruder's own passphrase unlocks, and what it unlocks is not the citizen's data."""
    wallet, _ = await custody.create("maya", SECRET)
    await wallet.put(CREDENTIAL, "one", {"it": "is here"})
    intruder, _ = await custody.create("intruder", "the intruder's passphrase")
    pepper = bytes(range(32))
    slot = vault.passphrase_slot(intruder.data_key, "the intruder's passphrase", citizen=wallet.citizen, pepper=pepper)
    text = custody_module._as_text(slot)
    await database.write(partial(store.replace_slot, citizen_id=wallet.citizen, kind="passphrase", slot=text))
    opened = await custody.unlock("maya", "the intruder's passphrase")
    assert await opened.read_all(CREDENTIAL) == ([], ["one"])
    assert await code_of(opened.find(CREDENTIAL, "one")) is Code.RECORD_TAMPERED


async def test_a_slot_copied_from_another_account_does_not_open(custody: Custody, database: Database) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    await custody.create("noah", "the passphrase of noah")
    noah = await database.read(partial(store.find_citizen, name="noah"))
    assert noah is not None
    copied = partial(store.replace_slot, citizen_id=wallet.citizen, kind="passphrase", slot=noah.slots["passphrase"])
    await database.write(copied)
    assert await code_of(custody.unlock("maya", "the passphrase of noah")) is Code.PASSPHRASE_WRONG


async def test_a_missing_slot_is_a_wrong_passphrase(custody: Custody, database: Database) -> None:
    await custody.create("maya", SECRET)
    await database.write(lambda connection: connection.execute(delete(store.slots)))
    assert await code_of(custody.unlock("maya", SECRET)) is Code.PASSPHRASE_WRONG


@pytest.mark.attack("K04")
@pytest.mark.good_twin("K04")
async def test_one_damaged_record_leaves_the_others_alone(custody: Custody, database: Database) -> None:
    """K04: a record swapped with another, or put back to an older version, is noticed; the others open."""
    wallet, _ = await custody.create("maya", SECRET)
    await wallet.commit(put=[Sheet(kind=CREDENTIAL, id=each, content={"it": each}) for each in ("a", "b", "c")])
    old = {row.id: row.sealed for row in await rows(database, store.records)}
    await wallet.put(CREDENTIAL, "c", {"it": "newer"}, version=2)

    def tamper(connection: Any) -> None:
        for target, source in (("a", "b"), ("c", "c")):
            this = store.records.c.id == target
            connection.execute(update(store.records).where(this).values(sealed=old[source]))

    await database.write(tamper)
    opened, damaged = await wallet.read_all(CREDENTIAL)
    assert [(each.id, each.content) for each in opened] == [("b", {"it": "b"})]
    assert sorted(damaged) == ["a", "c"]
    assert await wallet.all(CREDENTIAL) == opened


# --- tries


@pytest.mark.attack("Q05")
async def test_an_account_waits_after_five_wrong_tries(custody: Custody, clock: FixedClock) -> None:
    await custody.create("maya", SECRET)
    assert [await code_of(custody.unlock("maya", WRONG)) for _ in range(5)] == [Code.PASSPHRASE_WRONG] * 5
    assert await code_of(custody.unlock("maya", SECRET)) is Code.TOO_MANY_ATTEMPTS
    clock.advance(timedelta(seconds=59))
    assert await code_of(custody.unlock("maya", SECRET)) is Code.TOO_MANY_ATTEMPTS
    clock.advance(timedelta(seconds=1))
    await custody.unlock("maya", SECRET)


@pytest.mark.good_twin("Q05")
async def test_the_right_passphrase_starts_the_count_anew(custody: Custody) -> None:
    await custody.create("maya", SECRET)
    for _ in range(3):
        for _ in range(4):
            assert await code_of(custody.unlock("maya", WRONG)) is Code.PASSPHRASE_WRONG
        await custody.unlock("maya", SECRET)


async def test_tries_with_a_code_count_too(custody: Custody) -> None:
    await custody.create("maya", SECRET)
    for _ in range(5):
        assert await code_of(custody.unlock("maya", "AAAA", by=RECOVERY)) is Code.PASSPHRASE_WRONG
    assert await code_of(custody.unlock("maya", SECRET)) is Code.TOO_MANY_ATTEMPTS


@pytest.mark.attack("Q05")
async def test_tries_at_the_same_time_are_all_counted(custody: Custody) -> None:
    """K03: the count is taken before the try, by one statement."""
    await custody.create("maya", SECRET)
    answers = await asyncio.gather(*(custody.unlock("maya", WRONG) for _ in range(30)), return_exceptions=True)
    codes = [each.code for each in answers if isinstance(each, Denied)]
    assert (codes.count(Code.PASSPHRASE_WRONG), codes.count(Code.TOO_MANY_ATTEMPTS)) == (5, 25)


@pytest.mark.attack("W12")
async def test_an_unknown_name_gets_the_same_answers(custody: Custody) -> None:
    """W12: code, detail and the moment at which waiting begins."""
    await custody.create("maya", SECRET)

    async def told(name: str) -> list[tuple[Code, str]]:
        answers = []
        for _ in range(7):
            with pytest.raises(Denied) as refused:
                await custody.unlock(name, WRONG)
            answers.append((refused.value.code, refused.value.detail))
        return answers

    assert await told("maya") == await told("nobody")


@pytest.mark.attack("W12")
async def test_an_unknown_name_costs_the_same_work(custody: Custody, monkeypatch: pytest.MonkeyPatch) -> None:
    await custody.create("maya", SECRET)
    costs: list[Any] = []
    real = vault.unlock

    def unlock(slot: vault.Slot, secret: str, *, citizen: str, pepper: bytes | None) -> bytes:
        costs.append(slot.cost)
        return real(slot, secret, citizen=citizen, pepper=pepper)

    monkeypatch.setattr(vault, "unlock", unlock)
    for by in ("passphrase", RECOVERY):
        for name in ("maya", "nobody"):
            await code_of(custody.unlock(name, WRONG, by=by))
    assert costs[0] == costs[1] == vault.SERVICE_COST
    assert costs[2] == costs[3] != vault.SERVICE_COST


@pytest.mark.attack("Q06")
async def test_counts_of_tries_do_not_pile_up(custody: Custody, database: Database, clock: FixedClock) -> None:
    await code_of(custody.unlock("nobody", WRONG))
    (row,) = await rows(database, store.attempts)
    assert "nobody" not in row.name_digest
    clock.advance(timedelta(hours=23))
    await custody.purge()
    assert len(await rows(database, store.attempts)) == 1
    clock.advance(timedelta(hours=1))
    await custody.purge()
    assert await rows(database, store.attempts) == []


# --- sessions


async def test_a_session_opens_the_wallet(custody: Custody) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    cookie = await custody.begin_session(wallet)
    assert (await custody.resume(cookie)).data_key == wallet.data_key


async def test_a_session_ends_when_idle_and_moves_on_when_used(custody: Custody, clock: FixedClock) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    used, idle = await custody.begin_session(wallet), await custody.begin_session(wallet)
    clock.advance(timedelta(minutes=14))
    await custody.resume(used)
    clock.advance(timedelta(minutes=1))
    await custody.resume(used)
    assert await code_of(custody.resume(idle)) is Code.VAULT_LOCKED


async def test_a_session_ends_however_busy_it_is(custody: Custody, clock: FixedClock) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    cookie = await custody.begin_session(wallet)
    for _ in range(71):
        clock.advance(timedelta(minutes=10))
        await custody.resume(cookie)
    clock.advance(timedelta(minutes=10))
    assert await code_of(custody.resume(cookie)) is Code.VAULT_LOCKED


async def test_neither_cookie_nor_row_opens_alone(custody: Custody, database: Database) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    cookie = await custody.begin_session(wallet)
    (row,) = await rows(database, store.sessions)
    assert cookie.partition(".")[2].encode() not in row.wrapped
    assert wallet.data_key not in row.wrapped
    other = await custody.begin_session(wallet)
    mixed = f"{cookie.partition('.')[0]}.{other.partition('.')[2]}"
    assert await code_of(custody.resume(mixed)) is Code.VAULT_LOCKED
    assert await code_of(custody.end_session(mixed)) is Code.VAULT_LOCKED
    await custody.resume(cookie)
    await database.write(lambda connection: connection.execute(delete(store.sessions)))
    assert await code_of(custody.resume(cookie)) is Code.VAULT_LOCKED


async def test_a_session_row_moved_to_another_citizen_opens_nothing_of_theirs(
    custody: Custody, database: Database
) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    noah, _ = await custody.create("noah", SECRET)
    await noah.put(CREDENTIAL, "one", {})
    cookie = await custody.begin_session(wallet)
    await database.write(lambda c: c.execute(update(store.sessions).values(citizen=noah.citizen)))
    opened = await custody.resume(cookie)
    assert await opened.read_all(CREDENTIAL) == ([], ["one"])


@pytest.mark.parametrize("cookie", [None, "", ".", "name.", "name.%%", "name.AAAA", "." + "A" * 43])
async def test_what_is_no_cookie_opens_nothing(custody: Custody, cookie: str | None) -> None:
    assert await code_of(custody.resume(cookie)) is Code.VAULT_LOCKED


async def test_an_ended_session_is_gone(custody: Custody, database: Database, clock: FixedClock) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    ended, kept = await custody.begin_session(wallet), await custody.begin_session(wallet)
    await custody.end_session(ended)
    assert await code_of(custody.resume(ended)) is Code.VAULT_LOCKED
    await custody.purge()
    await custody.resume(kept)
    clock.advance(timedelta(minutes=15))
    await custody.purge()
    assert await rows(database, store.sessions) == []


async def test_a_busy_session_is_not_written_for_every_request(
    custody: Custody, database: Database, clock: FixedClock
) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    cookie = await custody.begin_session(wallet)
    (before,) = await rows(database, store.sessions)
    clock.advance(timedelta(seconds=60))
    await custody.resume(cookie)
    assert await rows(database, store.sessions) == [before]
    clock.advance(timedelta(seconds=1))
    await custody.resume(cookie)
    assert await rows(database, store.sessions) != [before]


# --- records


@pytest.fixture
async def wallet(custody: Custody) -> OpenWallet:
    return (await custody.create("maya", SECRET))[0]


async def test_of_two_who_write_the_same_version_one_succeeds(wallet: OpenWallet) -> None:
    await wallet.put(CREDENTIAL, "one", {"v": 1})
    tries = [wallet.put(CREDENTIAL, "one", {"v": 2}, version=2) for _ in range(5)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in answers) == 4


async def test_a_record_is_new_once(wallet: OpenWallet) -> None:
    await wallet.put(CREDENTIAL, "one", {})
    assert await code_of(wallet.put(CREDENTIAL, "one", {})) is Code.CONFLICT


async def test_a_deleted_record_does_not_come_back_by_a_late_change(wallet: OpenWallet) -> None:
    await wallet.put(CREDENTIAL, "one", {})
    assert await wallet.delete(CREDENTIAL, "one")
    assert not await wallet.delete(CREDENTIAL, "one")
    assert await code_of(wallet.put(CREDENTIAL, "one", {}, version=2)) is Code.CONFLICT
    assert await wallet.find(CREDENTIAL, "one") is None


async def test_a_commit_is_done_whole_or_not_at_all(wallet: OpenWallet) -> None:
    await wallet.put(CREDENTIAL, "one", {})
    work = wallet.commit(put=[Sheet(kind=HISTORY, id="h", content={})], delete=[(CREDENTIAL, "gone")])
    assert await code_of(work) is Code.CONFLICT
    work = wallet.commit(put=[Sheet(kind=CREDENTIAL, id="one", content={})], delete=[(CREDENTIAL, "one")])
    await work
    assert await wallet.names() == {(CREDENTIAL, "one")}


async def test_what_is_open_does_not_show_its_key(wallet: OpenWallet) -> None:
    assert repr(wallet.data_key) not in repr(wallet)


async def test_an_attempt_row_of_before_is_counted_on(custody: Custody, database: Database) -> None:
    digest = custody._name_digest("maya")
    values = {"name_digest": digest, "failures": 4, "waits_until": 0, "last_at": 0}
    await database.write(lambda connection: connection.execute(insert(store.attempts).values(values)))
    assert await code_of(custody.unlock("maya", WRONG)) is Code.PASSPHRASE_WRONG
    assert await code_of(custody.unlock("maya", WRONG)) is Code.TOO_MANY_ATTEMPTS
