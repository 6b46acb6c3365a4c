"""The restore drill (catalogue F31, F32): what happened after the backup stays happened, on both databases."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import select

from comity.errors import Code, ComityError, Conflict, Denied, Malformed, Misconfigured
from comity.keys import KeySigner
from comity.runtime import backup, backup_file, migrations
from comity.runtime.clock import FixedClock
from comity.status import token_list
from issuer.authorities import SECRET
from issuer.backup import PLAN, scheme
from issuer.keyring import open_authorities, open_keys
from issuer.store import metadata
from issuer.store import status_lists as store
from issuer.store.tables import audit, offers
from tests.services.issuer.deployed import LICENCE, NOW, ON, STATUS_URL, Deployed, Place, running

PASSPHRASE = "a passphrase of the night shift"
on_both = pytest.mark.both_databases


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_file, "COST", (1 << 10, 8, 1))


def of(place: Place, **changes: Any) -> backup.Scheme:
    settings = place.settings(**changes)
    return scheme(
        url=settings.database,
        secret=open_keys(settings).secret(SECRET),
        authorities=open_authorities(settings, NOW),
        directory=settings.status_directory,
    )


async def back_up(place: Place, clock: FixedClock | None = None, **changes: Any) -> Path:
    file = place.folder / "night.backup"
    made = await asyncio.to_thread(backup.create, of(place, **changes), file, PASSPHRASE, clock or FixedClock(NOW))
    assert set(made) == set(PLAN)
    return file


async def restored(place: Place, file: Path, database: str, clock: FixedClock | None = None) -> Mapping[str, int]:
    await asyncio.to_thread(migrations.upgrade, database, "issuer")
    into = of(replace(place, database=database))
    return await asyncio.to_thread(backup.restore, into, file, PASSPHRASE, clock or FixedClock(NOW))


@contextlib.asynccontextmanager
async def again(place: Place, database: str, clock: FixedClock | None = None) -> AsyncIterator[Deployed]:
    async with running(replace(place, database=database), clock) as deployed:
        yield deployed


async def issued(issuer: Deployed, reference: str) -> dict[str, Any]:
    offer = await issuer.offer(record_reference=reference)
    answer = await issuer.receive(offer)
    assert answer.status_code == 200, answer.text
    (record,) = await issuer.records(record_reference=reference)
    return record


async def change(issuer: Deployed, record: Mapping[str, Any], verb: str) -> None:
    answer = await issuer.client.post(
        f"/api/v1/credentials/{record['id']}/{verb}", json={"reason": "lost"}, headers=issuer.as_role("supervisor")
    )
    assert answer.status_code == 200, answer.text


def listed(place: Place, record: Mapping[str, Any]) -> int:
    file = place.folder / "published" / record["status_list"].removeprefix(f"{STATUS_URL}/") / "token"
    return token_list.decode(token_list.open(file.read_text())).value(record["status_index"])


async def published(issuer: Deployed) -> None:
    await issuer.deployment.publisher.publish_due()


async def refusal(place: Place, file: Path, database: str, passphrase: str = PASSPHRASE) -> ComityError:
    await asyncio.to_thread(migrations.upgrade, database, "issuer")
    into = of(replace(place, database=database))
    with pytest.raises(ComityError) as refused:
        await asyncio.to_thread(backup.restore, into, file, passphrase, FixedClock(NOW))
    return refused.value


@on_both
async def test_records_come_back_and_can_be_revoked(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        kept, ended = await issued(issuer, "kept"), await issued(issuer, "ended")
        await change(issuer, ended, "revoke")
        file = await back_up(place)
    counts = await restored(place, file, empty_database)
    assert counts["offers ended"] == 2  # an offer that was redeemed still answers a repeated request
    async with again(place, empty_database) as issuer:
        for record in (kept, ended):
            assert [each["id"] for each in await issuer.records(record_reference=record["record_reference"])] == [
                record["id"]
            ]
        await change(issuer, kept, "revoke")
        await published(issuer)
        assert (listed(place, kept), listed(place, ended)) == (1, 1)
        assert listed(place, await issued(issuer, "new")) == 0


@on_both
@pytest.mark.fault("F31")
async def test_what_was_revoked_after_the_backup_stays_revoked(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        before = [await issued(issuer, f"file-{number}") for number in range(3)]
        file = await back_up(place)
        await change(issuer, before[0], "revoke")
        unknown = await issued(issuer, "after the backup")
        await change(issuer, unknown, "revoke")
        await published(issuer)
    counts = await restored(place, file, empty_database)
    assert counts["statuses taken from published lists"] == 2
    async with again(place, empty_database) as issuer:
        await change(issuer, before[1], "revoke")
        await published(issuer)
        assert [listed(place, each) for each in (*before, unknown)] == [1, 1, 0, 1]
        assert [each["status"] for each in await issuer.records(record_reference="file-0")] == ["revoked"]


@pytest.mark.fault("F31")
async def test_no_index_of_an_earlier_list_is_given_again(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        file = await back_up(place)
        numbers = {each.number for each in await issuer.deployment.database.read(store.all_lists)}
    await restored(place, file, empty_database)
    async with again(place, empty_database) as issuer:
        for number in range(4):
            record = await issued(issuer, f"file-{number}")
            assert int(record["status_list"].rpartition("/")[2]) not in numbers


@on_both
async def test_lists_opened_after_the_backup_are_kept_closed(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        file = await back_up(place)
    async with running(place, status_lists_open=4) as issuer:
        records = [await issued(issuer, f"file-{number}") for number in range(6)]
        for each in records:
            await change(issuer, each, "revoke")
        await published(issuer)
    numbers = {int(each.name) for each in (place.folder / "published" / ON / "status").iterdir() if each.is_dir()}
    assert len(numbers) == 4
    await restored(place, file, empty_database)
    async with again(place, empty_database) as issuer:
        new = await issued(issuer, "new")
        assert int(new["status_list"].rpartition("/")[2]) > max(numbers)
        assert [listed(place, each) for each in records] == [1] * 6


@on_both
@pytest.mark.fault("F31")
async def test_codes_tokens_nonces_and_proofs_are_void(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        unused, used = await issuer.offer(), await issuer.offer()
        token = await issuer.token(await issuer.offer())
        nonce = await issuer.nonce()
        file = await back_up(place)
        assert (await issuer.receive(used)).status_code == 200
    assert (await restored(place, file, empty_database))["offers ended"] == 3
    async with again(place, empty_database) as issuer:
        for offer in (unused, used):
            answer = await issuer.redeem(offer)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        fresh = issuer.proof(KeySigner.generate(), await issuer.nonce())
        assert (await issuer.request(token, "person.1.sdjwt", [fresh])).status_code == 401
        offer = await issuer.offer()
        token = await issuer.token(offer)
        stale = issuer.proof(KeySigner.generate(), nonce)
        answer = await issuer.request(token, offer["configuration_ids"][0], [stale])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_nonce")
        fresh = issuer.proof(KeySigner.generate(), await issuer.nonce())  # the good twin
        assert (await issuer.request(token, offer["configuration_ids"][0], [fresh])).status_code == 200


@on_both
async def test_suspensions_follow_the_younger_list_and_revocations_never_end(place: Place, empty_database: str) -> None:
    async def licensed(issuer: Deployed, reference: str) -> dict[str, Any]:
        offer = await issuer.offer(claims=LICENCE, record_reference=reference, type="drivers-licence/1")
        assert (await issuer.receive(offer)).status_code == 200
        (record,) = await issuer.records(record_reference=reference)
        return record

    async with running(place) as issuer:
        reinstated, suspended, doubtful = [await licensed(issuer, f"file-{number}") for number in range(3)]
        await change(issuer, reinstated, "suspend")
        await published(issuer)
        file = await back_up(place)
    later = FixedClock(NOW + timedelta(minutes=5))
    async with running(place, later) as issuer:
        await change(issuer, reinstated, "reinstate")
        await change(issuer, suspended, "suspend")
        await published(issuer)
        assert [listed(place, each) for each in (reinstated, suspended, doubtful)] == [0, 2, 0]
    await restored(place, file, empty_database, later)
    async with again(place, empty_database, later) as issuer:
        await published(issuer)
        assert [listed(place, each) for each in (reinstated, suspended, doubtful)] == [0, 2, 0]


async def test_a_suspension_is_kept_when_the_list_is_not_clearly_younger(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        offer = await issuer.offer(claims=LICENCE, record_reference="file", type="drivers-licence/1")
        assert (await issuer.receive(offer)).status_code == 200
        (record,) = await issuer.records(record_reference="file")
        await change(issuer, record, "suspend")
        await published(issuer)
        file = await back_up(place)
        await change(issuer, record, "reinstate")
        await published(issuer)
        assert listed(place, record) == 0
    await restored(place, file, empty_database)
    async with again(place, empty_database) as issuer:
        await published(issuer)
        assert listed(place, record) == 2


async def test_large_rows_are_parted_so_that_the_backup_can_be_read_again(
    place: Place, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_file, "_MAX_PART", 4096)
    monkeypatch.setattr(backup, "PART_BYTES", 1024)
    async with running(place) as issuer:
        for number in range(12):
            await issuer.offer(record_reference=f"{number} {'x' * 150}")
        file = await back_up(place)
    assert (await restored(place, file, empty_database))["offers ended"] == 12


@pytest.mark.attack("X12")
async def test_a_backup_holds_no_claims_and_no_secrets(place: Place) -> None:
    async with running(place) as issuer:
        await issuer.offer(record_reference="canary-file")
        assert (await issuer.receive(await issuer.offer())).status_code == 200
        file = await back_up(place)
    with backup_file.reading(file, PASSPHRASE) as opened:
        parts = [part for part, _ in opened.parts()]
    rows = [part for part in parts if part.get("table") == "offers"]
    columns = {name for part in rows for name in part["columns"]}
    assert columns == {column.name for column in offers.columns} - PLAN["offers"].without
    everywhere = {name for part in parts for name in part.get("columns", ())}
    assert not everywhere & {"sealed_claims", "sealed_cells", "holder_digest", "token_hash", "transaction_code_hash"}
    assert b"canary-file" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


async def test_the_restore_is_in_the_audit_log(place: Place, empty_database: str) -> None:
    async with running(place):
        file = await back_up(place)
    await restored(place, file, empty_database)
    async with again(place, empty_database) as issuer:
        found = await issuer.deployment.database.read(
            lambda connection: connection.execute(select(audit.c.actor).where(audit.c.action == "restored")).all()
        )
        assert [row.actor for row in found] == ["restore"]
        await issued(issuer, "the sequences count on")


@on_both
async def test_a_backup_is_taken_while_credentials_are_issued(place: Place, empty_database: str) -> None:
    async with running(place) as issuer:
        work = asyncio.gather(*(issued(issuer, f"file-{number}") for number in range(8)))
        file = await back_up(place)
        await work
        await published(issuer)
    await restored(place, file, empty_database)


class TestRefused:
    async def test_into_a_database_that_holds_something(self, place: Place) -> None:
        async with running(place):
            file = await back_up(place)
        with pytest.raises(Conflict):
            await asyncio.to_thread(backup.restore, of(place), file, PASSPHRASE, FixedClock(NOW))

    async def test_with_another_passphrase(self, place: Place, empty_database: str) -> None:
        async with running(place):
            file = await back_up(place)
        refused = await refusal(place, file, empty_database, "another passphrase")
        assert isinstance(refused, Denied)
        assert refused.code is Code.PASSPHRASE_WRONG

    async def test_cut_short_changed_or_prolonged(self, place: Place, empty_database: str) -> None:
        async with running(place) as issuer:
            await issued(issuer, "file")
            file = await back_up(place)
        whole = file.read_bytes()
        changed = bytearray(whole)
        changed[-20] ^= 1
        for wrong in (whole[:-40], bytes(changed), whole + b"\0", b"{}", b""):
            file.write_bytes(wrong)
            assert isinstance(await refusal(place, file, empty_database), Malformed)
        file.write_bytes(whole)
        await restored(place, file, empty_database)

    async def test_without_the_published_lists(self, place: Place, empty_database: str) -> None:
        async with running(place):
            file = await back_up(place)
        folder = place.folder / "published" / ON / "status"
        (folder / "1").rename(folder / "aside")
        refused = await refusal(place, file, empty_database)
        assert f"{ON}/status/1" in refused.detail
        (folder / "aside").rename(folder / "1")
        await restored(place, file, empty_database)

    async def test_with_a_list_that_somebody_else_signed(self, place: Place, empty_database: str) -> None:
        async with running(place):
            file = await back_up(place)
        token = place.folder / "published" / ON / "status" / "1" / "token"
        genuine = token.read_text()
        token.write_text(genuine[:-6] + ("AAAAAA" if not genuine.endswith("AAAAAA") else "BBBBBB"))
        assert isinstance(await refusal(place, file, empty_database), Misconfigured)

    async def test_with_other_keys(self, place: Place, empty_database: str) -> None:
        async with running(place):
            file = await back_up(place)
        (place.folder / "data" / "keys" / f"{SECRET}.secret").write_bytes(b"x" * 32)
        refused = await refusal(place, file, empty_database)
        assert "the deployment's secret" in refused.detail

    async def test_over_another_backup(self, place: Place) -> None:
        async with running(place):
            await back_up(place)
            with pytest.raises(Conflict):
                await back_up(place)

    async def test_when_nobody_decided_about_a_table(self, place: Place) -> None:
        async with running(place):
            undecided = structs.replace(of(place), plan={name: rule for name, rule in PLAN.items() if name != "audit"})
            with pytest.raises(Misconfigured, match="audit"):
                await asyncio.to_thread(backup.create, undecided, place.folder / "x", PASSPHRASE, FixedClock(NOW))

    async def test_to_start_with_an_empty_database_over_published_lists(
        self, place: Place, empty_database: str
    ) -> None:
        with pytest.raises(Misconfigured, match="restore a backup"):
            async with running(replace(place, database=empty_database)):
                pass


def test_every_table_has_a_rule() -> None:
    assert set(PLAN) == set(metadata.tables)
