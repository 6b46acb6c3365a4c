"""One publisher for each status list, and never an older list in the place of a newer one."""

import asyncio
import fcntl
import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from comity import jose, keys
from comity.errors import Code, Unreachable
from comity.runtime import files
from comity.status import token_list
from issuer import list_folder
from issuer.authorities import Authority
from issuer.list_folder import FENCE_FILE, alone_in, holds
from issuer.store import status_lists as store
from issuer.store.status_lists import ListState
from tests.services.issuer.deployed import AUTHORITIES, ON, Deployed, Place, running
from tests.services.issuer.test_status import change, issued, published, views
from tests.support.waiting import PATIENCE_SECONDS, until

# --- the folder


async def test_a_lower_number_replaces_nothing(tmp_path: Path) -> None:
    async with alone_in(tmp_path / "1") as folder:
        assert folder.fence == 0
        assert await folder.write({"token": b"five"}, fence=5)
        for late in (4, 5):
            assert not await folder.write({"token": b"late"}, fence=late)
    async with alone_in(tmp_path / "1") as folder:
        assert folder.fence == 5
        assert not await folder.write({"token": b"late"}, fence=4)
        assert (tmp_path / "1" / "token").read_bytes() == b"five"
        assert await folder.write({"token": b"six"}, fence=6)
    assert (tmp_path / "1" / "token").read_bytes() == b"six"
    assert holds(tmp_path / "1", ["token", "token.gz"])
    assert not holds(tmp_path / "1", ["token", "revocation"])


async def test_what_is_no_number_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / FENCE_FILE).write_bytes(b"12 or so")
    async with alone_in(tmp_path) as folder:
        assert folder.fence == 0
        assert await folder.write({"token": b"one"}, fence=1)
        assert int((tmp_path / FENCE_FILE).read_bytes()) == 1


async def test_one_waits_for_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def write(name: str) -> None:
        async with alone_in(tmp_path):
            seen.append(name)
            await asyncio.sleep(0.05)
            seen.append(name)

    await asyncio.gather(write("a"), write("b"))
    assert seen in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
    monkeypatch.setattr(list_folder, "LOCK_SECONDS", 0.05)
    async with alone_in(tmp_path):
        with pytest.raises(Unreachable) as busy:
            async with alone_in(tmp_path):
                raise AssertionError("two are alone")
    assert busy.value.code is Code.BUSY


@pytest.mark.fault("F39")
async def test_who_is_cancelled_holds_the_folder_until_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, writing, go_on = files.replace_file, threading.Event(), threading.Event()

    def slow(*arguments: Any, **options: Any) -> None:
        writing.set()
        assert go_on.wait(PATIENCE_SECONDS)
        real(*arguments, **options)

    async def write() -> None:
        async with alone_in(tmp_path) as folder:
            await folder.write({"token": b"one"}, fence=1)

    monkeypatch.setattr(list_folder, "replace_file", slow)
    task = asyncio.create_task(write())
    assert await asyncio.to_thread(writing.wait, PATIENCE_SECONDS)
    task.cancel()
    monkeypatch.setattr(list_folder, "LOCK_SECONDS", 0.1)
    with pytest.raises(Unreachable):
        async with alone_in(tmp_path):
            raise AssertionError("the folder was let go")
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with alone_in(tmp_path) as folder:
        assert (folder.fence, (tmp_path / "token").read_bytes()) == (1, b"one")


# --- two publishers


@pytest.mark.both_databases
@pytest.mark.fault("F34")
async def test_who_lost_its_lock_brings_no_revoked_credential_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)  # a file system that gives locks away
    async with running(place) as first, running(place) as second:
        record = await issued(first)
        slow, real = first.deployment.publisher, first.deployment.publisher.documents
        ready, go_on = threading.Event(), threading.Event()

        def stalled(authority: Authority, state: ListState, *arguments: Any) -> dict[str, str]:
            made = real(authority, state, *arguments)
            if authority.list_uri(state.number) == record["status_list"]:
                ready.set()
                assert go_on.wait(PATIENCE_SECONDS)
            return made

        monkeypatch.setattr(slow, "documents", stalled)
        first.clock.advance(timedelta(hours=13))  # every list is to be signed anew: it reads the list as it was ...
        stale = asyncio.create_task(slow.publish_due())
        assert await asyncio.to_thread(ready.wait, PATIENCE_SECONDS)
        assert (await change(second, record, "revoke")).status_code == 200
        await published(second)
        assert views(second, record) == (1, 1, 0)
        go_on.set()  # ... and would write it only now
        await stale
        assert views(second, record) == (1, 1, 0)
        assert not await second.deployment.database.read(lambda connection: store.due(connection, now=0))


@pytest.mark.both_databases
async def test_a_restored_database_publishes_above_what_stands_on_disk(issuer: Deployed) -> None:
    record = await issued(issuer)
    folder = issuer.settings.status_directory / record["status_list"].removeprefix("http://localhost:8105/")
    (folder / FENCE_FILE).write_bytes(b"00000000000000001000")
    assert (await change(issuer, record, "revoke")).status_code == 200
    await published(issuer)
    assert views(issuer, record) == (1, 1, 0)
    assert int((folder / FENCE_FILE).read_bytes()) == 1001 in {state.fence for state in await lists(issuer)}


async def lists(issuer: Deployed) -> tuple[ListState, ...]:
    return await issuer.deployment.database.read(store.all_lists)


@pytest.mark.both_databases
async def test_only_the_newest_publication_says_what_is_published(issuer: Deployed) -> None:
    database, found = issuer.deployment.database, (await lists(issuer))[0]

    async def begin(*, above: int, is_lost: bool) -> ListState | None:
        return await database.write(
            lambda connection: store.begin_publication(connection, found.id, now=0, above=above, is_lost=is_lost)
        )

    async def mark(state: ListState, at: int) -> int | None:
        await database.write(
            lambda connection: store.mark_published(connection, state, published_at=at, republish_at=at)
        )
        return (await lists(issuer))[0].published_at

    assert await begin(above=0, is_lost=False) is None, "it is neither marked nor due"
    older, newer = await begin(above=0, is_lost=True), await begin(above=20, is_lost=True)
    assert older is not None
    assert newer is not None
    assert (older.fence, newer.fence) == (found.fence + 1, 21)
    assert await mark(newer, 2_000_000_000) == 2_000_000_000
    assert await mark(older, 1_999_999_999) == 2_000_000_000


async def test_a_list_that_another_process_holds_keeps_no_other_waiting(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_folder, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr("issuer.status_lists._PAUSE_AFTER_FAILURE", 0.05)
    async with running(place) as issuer:
        held = await issued(issuer)
        free = await issued(issuer, record_reference="file-0")
        while free["status_list"] == held["status_list"]:
            free = await issued(issuer, record_reference=f"file-{free['id']}")
        folder = issuer.settings.status_directory / held["status_list"].removeprefix("http://localhost:8105/")
        async with alone_in(folder):
            for record in (held, free):
                assert (await change(issuer, record, "revoke")).status_code == 200

            async def is_written() -> bool:
                return views(issuer, free) == (1, 1, 0)

            await until(is_written, "the list that nobody holds", every_seconds=0.02)
            assert views(issuer, held) == (0, 0, 0)
        await published(issuer)
        assert views(issuer, held) == (1, 1, 0)


async def test_lists_that_another_key_signed_are_written_anew_at_start(place: Place) -> None:
    """A key that is lost is exchanged, and what it signed must not stand for half a day."""
    async with running(place) as issuer:
        record = await issued(issuer)
        assert (await change(issuer, record, "revoke")).status_code == 200
        await published(issuer)
        folder = issuer.settings.status_directory / record["status_list"].removeprefix("http://localhost:8105/")
    for file in (place.folder / "data" / "keys" / ON).glob("status.*"):
        file.unlink()
    before = (folder / "token").read_bytes()
    async with running(place) as issuer:
        opened = token_list.open((folder / "token").read_text("ascii"))
        jose.verify(opened.jws, keys.public_key(issuer.deployment.authority(ON).status_signer.public_jwk))
        assert views(issuer, record) == (1, 1, 0)
        after = (folder / "token").read_bytes()
        assert after != before
    async with running(place):
        assert (folder / "token").read_bytes() == after


async def test_a_list_that_cannot_be_written_keeps_no_other_waiting(issuer: Deployed) -> None:
    database, publisher = issuer.deployment.database, issuer.deployment.publisher
    states = await database.read(store.all_lists)
    broken, other = states[0], states[-1]
    fence = issuer.settings.status_directory / broken.authority / "status" / str(broken.number) / ".fence"
    fence.unlink()
    fence.mkdir()

    def mark(connection: Connection) -> None:
        for each in (broken, other):
            store.mark_changed(connection, each.id)

    await database.write(mark)
    with pytest.raises(OSError, match="directory"):
        await publisher.publish_due()
    due = await database.read(lambda connection: store.due(connection, now=issuer.deployment.now()))
    assert [each.id for each in due] == [broken.id]


async def test_a_service_starts_while_another_process_holds_a_list(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_folder, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr("issuer.status_lists._PAUSE_AFTER_FAILURE", 0.05)
    async with running(place) as issuer:
        record = await issued(issuer)
    folder = place.settings().status_directory / record["status_list"].removeprefix("http://localhost:8105/")
    (folder / "revocation").unlink()
    async with alone_in(folder), running(place) as issuer:
        assert (await issuer.client.get("/readyz")).json()["checks"]["status_lists"] == "status_stale"


async def test_the_lists_of_an_authority_that_left_make_nobody_unready(place: Place) -> None:
    async with running(place):
        pass
    (place.folder / "authorities.json").write_text(json.dumps(AUTHORITIES[:1]), "utf-8")
    async with running(place) as issuer:
        issuer.clock.advance(timedelta(days=2))
        with pytest.raises(Unreachable):  # its own lists have ended
            await issuer.deployment.publisher.check()
        await issuer.deployment.publisher.publish_due()
        assert (await issuer.client.get("/readyz")).status_code == 200
