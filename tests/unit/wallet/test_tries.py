"""Tries of passphrases: what they may cost, and whom they may keep out (catalogue Q05, Q10, Q12)."""

import asyncio
import threading

import pytest

from tests.unit.wallet.test_custody import SECRET, WRONG, code_of
from wallet import vault
from wallet.custody import Custody


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

    def unlock(slot: vault.Slot, secret: str, *, citizen: str, pepper: bytes | None) -> bytes:
        where.append(threading.current_thread().name)
        return real(slot, secret, citizen=citizen, pepper=pepper)

    real = vault.unlock
    monkeypatch.setattr(vault, "unlock", unlock)
    opened = await asyncio.gather(*(custody.unlock(name, SECRET) for name in names))
    assert len({each.citizen for each in opened}) == len(where) == len(names)
    assert {name.rpartition("_")[0] for name in where} == {"unlock"}
    assert len(set(where)) <= 2
    where.clear()
    for _ in range(20):
        await code_of(custody.unlock(names[0], WRONG))
    assert len(where) == 5, "the limit comes before the work"
