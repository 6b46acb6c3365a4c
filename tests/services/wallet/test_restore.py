"""The restore drill of the wallet (catalogue F31): nothing deleted comes back, nothing else is lost."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from comity.errors import ComityError, Misconfigured
from comity.runtime import backup, backup_file, migrations
from comity.runtime.clock import FixedClock
from tests.services.wallet.town import NOW, PASSPHRASE, WALLET, Ground, Town, running
from tests.support.authenticator import Authenticator
from wallet import deletions
from wallet.backup import PLAN, scheme
from wallet.deployment import pepper_of
from wallet.passkeys import Passkeys
from wallet.records import GRANT
from wallet.store import metadata

SECRET = "a passphrase of the night shift"
NEW = "another passphrase, longer"


@pytest.fixture(autouse=True)
def cheap_backups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_file, "COST", (1 << 10, 8, 1))


def of(ground: Ground, database: str | None = None) -> backup.Scheme:
    settings = ground.wallet_settings()
    return scheme(
        url=database or settings.database,
        pepper=pepper_of(settings.pepper_file),
        journal=settings.deletions_file,
    )


async def back_up(ground: Ground) -> Path:
    file = ground.folder / "night.backup"
    await asyncio.to_thread(backup.create, of(ground), file, SECRET, FixedClock(NOW))
    return file


async def restored(ground: Ground, file: Path, database: str) -> Mapping[str, int]:
    await asyncio.to_thread(migrations.upgrade, database, "wallet")
    return await asyncio.to_thread(backup.restore, of(ground, database), file, SECRET, FixedClock(NOW))


async def unlocks(town: Town, name: str, passphrase: str = PASSPHRASE) -> bool:
    person = await town.visit()
    answer = await person.post("session", name=name, passphrase=passphrase)
    assert answer.status_code in {200, 201, 401}, answer.text
    return answer.status_code != 401


def elsewhere(ground: Ground, database: str) -> Ground:
    return Ground(ground.folder, ground.tokens, {**ground.databases, "wallet": database})


@pytest.mark.both_databases
@pytest.mark.fault("F31")
@pytest.mark.attack("X12")
@pytest.mark.good_twin("X12")
async def test_what_was_deleted_after_the_backup_stays_deleted(ground: Ground, empty_database: str) -> None:
    async with running(ground) as town:
        maya, leo, ana = await town.arrive("maya"), await town.arrive("leo"), await town.arrive("ana")
        (kept,), (gone,) = await maya.receive(await town.offer()), await maya.receive(await town.offer())
        file = await back_up(ground)
        assert (await maya.remove(f"credentials/{gone['id']}")).status_code == 200
        assert (await leo.remove("account")).status_code == 200
        answer = await ana.post("passphrase", current_passphrase=PASSPHRASE, passphrase=NEW)
        assert answer.status_code == 200, answer.text
    counts = await restored(ground, file, empty_database)
    assert counts == {"accounts deleted again": 1, "records deleted again": 2, "passphrases ended": 1}
    async with running(elsewhere(ground, empty_database), database_url=empty_database) as town:
        person = await town.visit()
        assert (await person.post("session", name="maya", passphrase=PASSPHRASE)).status_code < 300
        assert [each["id"] for each in await person.credentials()] == [kept["id"]]
        assert not await unlocks(town, "leo")
        assert not await unlocks(town, "ana")  # neither the old passphrase nor the new one …
        assert not await unlocks(town, "ana", NEW)
        saved = await town.visit()  # … but the recovery code
        answer = await saved.post("session", name="ana", recovery_code=ana.recovery_code)
        assert answer.status_code < 300, answer.text


async def test_a_passphrase_changed_before_the_backup_still_opens(ground: Ground, empty_database: str) -> None:
    async with running(ground) as town:
        maya = await town.arrive("maya")
        assert (await maya.post("passphrase", current_passphrase=PASSPHRASE, passphrase=NEW)).status_code == 200
        file = await back_up(ground)
    assert (await restored(ground, file, empty_database))["passphrases ended"] == 0
    async with running(ground, database_url=empty_database) as town:
        assert await unlocks(town, "maya", NEW)


async def test_a_passkey_removed_after_the_backup_stays_removed(ground: Ground, empty_database: str) -> None:
    async with running(ground) as town:
        maya = await town.arrive("maya")
        wallet = await town.wallet.custody.unlock("maya", PASSPHRASE)
        keys = Passkeys.of(town.wallet.database, town.wallet.clock, town.wallet.custody, WALLET)
        for label in ("kept", "removed"):
            device = Authenticator(WALLET, "localhost")
            await keys.add(wallet, device.create(await keys.begin(wallet)), device.secret, label)
        await wallet.put(GRANT, "g", {"refresh_token": "canary"})
        file = await back_up(ground)
        gone = next(each.name for each in await keys.all(wallet) if each.label == "removed")
        await keys.remove(wallet, gone)
        assert maya.name == "maya"
    assert (await restored(ground, file, empty_database))["passphrases ended"] == 1
    async with running(ground, database_url=empty_database) as town:
        wallet = await town.wallet.custody.unlock("maya", PASSPHRASE)
        keys = Passkeys.of(town.wallet.database, town.wallet.clock, town.wallet.custody, WALLET)
        assert [each.label for each in await keys.all(wallet)] == ["kept"]
        assert await wallet.find(GRANT, "g") is None


async def test_a_session_does_not_come_back(ground: Ground, empty_database: str) -> None:
    async with running(ground) as town:
        maya = await town.arrive("maya")
        assert await maya.credentials() == []
        cookies = maya.client.cookies
        file = await back_up(ground)
    await restored(ground, file, empty_database)
    async with running(ground, database_url=empty_database) as town:
        person = await town.visit()
        person.client.cookies = cookies
        assert (await person.client.get("/api/v1/credentials")).status_code == 401
        assert await unlocks(town, "maya")


async def test_an_open_question_is_not_in_a_backup(ground: Ground) -> None:
    async with running(ground) as town:
        maya = await town.arrive("maya")
        await maya.receive(await town.offer())
        await maya.consent((await town.ask())["link"])
        file = await back_up(ground)
    with backup_file.reading(file, SECRET) as opened:
        parts = [part for part, _ in opened.parts() if part.get("table") == "records"]
    kinds = {row[part["columns"].index("kind")] for part in parts for row in part["rows"]}
    assert "consent" not in kinds
    assert "credential" in kinds


@pytest.mark.parametrize("loss", ["gone", "another", "older", "unreadable"])
@pytest.mark.attack("X12")
async def test_without_the_whole_journal_there_is_no_restore(ground: Ground, empty_database: str, loss: str) -> None:
    async with running(ground) as town:
        maya = await town.arrive("maya")
        (received,) = await maya.receive(await town.offer())
        await maya.remove(f"credentials/{received['id']}")
        file = await back_up(ground)
    journal = ground.wallet_settings().deletions_file
    whole = journal.read_bytes()
    journal.unlink()
    if loss == "another":
        deletions.ensure(journal)
    elif loss == "older":
        journal.write_bytes(whole.splitlines(keepends=True)[0])
    elif loss == "unreadable":
        journal.write_bytes(whole + b"{}\n")
    with pytest.raises(Misconfigured, match="journal"):
        await restored(ground, file, empty_database)
    journal.write_bytes(whole)
    await restored(ground, file, empty_database)


async def test_another_pepper_is_refused(ground: Ground, empty_database: str) -> None:
    async with running(ground):
        file = await back_up(ground)
    (ground.folder / "pepper").write_bytes(b"x" * 32)
    with pytest.raises(ComityError, match="pepper"):
        await restored(ground, file, empty_database)


class TestJournal:
    async def test_a_line_that_was_cut_off_does_not_count_and_is_overwritten(self, tmp_path: Path) -> None:
        journal = deletions.Deletions(tmp_path / "data" / "journal")
        await journal.account("one", NOW)
        with (tmp_path / "data" / "journal").open("ab") as file:
            file.write(b'{"at":1,"citi')
        assert [line.citizen for line in deletions.read(tmp_path / "data" / "journal").lines] == ["one"]
        await journal.records("two", [("credential", "c1"), ("key", "k1")], NOW)
        found = deletions.read(tmp_path / "data" / "journal").lines
        assert [(line.citizen, line.kind, line.record) for line in found] == [
            ("one", None, None),
            ("two", "credential", "c1"),
            ("two", "key", "k1"),
        ]

    async def test_many_who_write_at_once_lose_no_line(self, tmp_path: Path) -> None:
        journals = [deletions.Deletions(tmp_path / "journal") for _ in range(4)]
        await asyncio.gather(*(journals[number % 4].account(f"c{number}", NOW) for number in range(40)))
        lines = deletions.read(tmp_path / "journal").lines
        assert {line.citizen for line in lines} == {f"c{number}" for number in range(40)}
        assert len(lines) == 40


def test_every_table_has_a_rule() -> None:
    assert set(PLAN) == set(metadata.tables)
