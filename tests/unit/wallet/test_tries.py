"""Tries of passphrases: what they may cost, and whom they may keep out (catalogue Q05, Q10, Q12)."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from comity.errors import Code
from comity.runtime.clock import FixedClock
from comity.runtime.database import Database
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.wallet.conftest import PEPPER
from tests.unit.wallet.test_custody import SECRET, WRONG, code_of
from wallet import vault
from wallet.custody import Custody
from wallet.vault import RECOVERY


@pytest.mark.attack("Q05", "Q10")
@pytest.mark.good_twin("Q05", "Q10")
async def test_passphrases_are_tried_beside_the_loop_few_at_a_time(
    custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come at once: a bounded pool works on them, and for an account that waits nothing is hashed."""
    names = [f"person-{number}" for number in range(6)]
    for name in names:
        await custody.create(name, SECRET)
    where: list[str] = []
    waiting, all_came = 0, threading.Event()

    def unlock(slot: vault.Slot, secret: str, *, citizen: str, pepper: bytes | None) -> bytes:
        where.append(threading.current_thread().name)
        assert all_came.wait(PATIENCE_SECONDS)  # nobody is done before everybody has come: each takes a thread it finds
        return real(slot, secret, citizen=citizen, pepper=pepper)

    async def in_thread(work: Callable[[], Any]) -> Any:
        nonlocal waiting
        waiting += 1
        begun = asyncio.ensure_future(hashed(work))
        await asyncio.sleep(0)  # now it waits for a thread
        if waiting == len(names):
            all_came.set()
        return await begun

    real, hashed = vault.unlock, custody.in_thread
    monkeypatch.setattr(vault, "unlock", unlock)
    monkeypatch.setattr(custody, "in_thread", in_thread)
    opened = await asyncio.gather(*(custody.unlock(name, SECRET) for name in names))
    assert len({each.citizen for each in opened}) == len(where) == len(names)
    assert {name.rpartition("_")[0] for name in where} == {"unlock"}
    assert len(set(where)) <= 2
    where.clear()
    for _ in range(20):
        await code_of(custody.unlock(names[0], WRONG))
    assert len(where) == 5, "the limit comes before the work"


async def tire(custody: Custody, *, browser: str | None = None) -> None:
    """Try wrong passphrases for Maya's account until it waits."""
    answers = [await code_of(custody.unlock("maya", WRONG, browser=browser)) for _ in range(6)]
    assert answers == [Code.PASSPHRASE_WRONG] * 5 + [Code.TOO_MANY_ATTEMPTS]


@pytest.mark.attack("Q12")
@pytest.mark.good_twin("Q12")
async def test_who_has_only_the_name_keeps_nobody_out_of_a_browser_they_used(custody: Custody) -> None:
    wallet, code = await custody.create("Maya", SECRET)
    browser = await custody.known_browser(wallet)
    await tire(custody)
    assert await code_of(custody.unlock("maya", SECRET)) is Code.TOO_MANY_ATTEMPTS
    assert (await custody.unlock(" MAYA ", SECRET, browser=browser)).citizen == wallet.citizen
    assert (await custody.unlock("maya", code, by=RECOVERY, browser=browser)).citizen == wallet.citizen
    await custody.confirm(wallet, SECRET)  # and an open wallet goes on


@pytest.mark.attack("Q12")
async def test_a_known_browser_is_limited_as_everybody_is(custody: Custody, clock: FixedClock) -> None:
    wallet, _ = await custody.create("maya", SECRET)
    stolen, own = [await custody.known_browser(wallet) for _ in range(2)]
    await tire(custody, browser=stolen)
    assert await code_of(custody.unlock("maya", SECRET, browser=stolen)) is Code.TOO_MANY_ATTEMPTS
    await custody.unlock("maya", SECRET, browser=own)
    await custody.unlock("maya", SECRET)
    clock.advance(timedelta(minutes=1))
    await custody.unlock("maya", SECRET, browser=stolen)


@pytest.mark.attack("Q12")
async def test_a_mark_is_of_one_account_and_made_here(custody: Custody, database: Database, clock: FixedClock) -> None:
    """Anything else counts as a browser that nobody knows, so that making marks up gains no tries."""
    wallet, _ = await custody.create("maya", SECRET)
    other, _ = await custody.create("noah", SECRET)
    mark = await custody.known_browser(wallet)
    elsewhere = Custody(database, clock, pepper=bytes(reversed(PEPPER)))
    made_up = [
        await custody.known_browser(other),
        await elsewhere.known_browser(wallet),
        mark + "0",
        "A" + mark,
        mark.partition(".")[2],
        "open.",
        "é",
        "",
    ]
    elsewhere.close()
    answers = [await code_of(custody.unlock("maya", WRONG, browser=each)) for each in made_up]
    assert answers == [Code.PASSPHRASE_WRONG] * 5 + [Code.TOO_MANY_ATTEMPTS] * 3
