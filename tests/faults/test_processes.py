"""What happens to processes: killed while they sign or migrate, stopped, out of files, with nowhere to log."""

import asyncio
import os
import resource
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from comity.demo.founding import Stage
from comity.demo.processes import free_ports
from comity.errors import Misconfigured
from comity.runtime import migrations
from tests.faults import federation, issuing
from tests.faults.harness import Service, client
from tests.faults.holding import PASSPHRASE
from tests.faults.issuing import Issuing, Walk
from tests.services.issuer.deployed import ON, Deployed, Place
from tests.services.issuer.test_workers import listed, settings
from tests.support import nursery
from tests.support.nursery import Child, Grown
from tests.support.waiting import until

SPARE_FILES = 12
HELD_CONNECTIONS = 60


def process_id(service: Service) -> int:
    assert service.process is not None
    running: Any = service.process._process
    return int(running.pid)


async def received(issuer: Deployed) -> dict[str, Any]:
    """Receive one credential; returns its record."""
    offer = await issuer.offer(formats=["dc+sd-jwt"])
    assert (await issuer.receive(offer)).status_code == 200
    found = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role("clerk"))
    record: dict[str, Any] = found.json()["credentials"][0]
    return record


async def revoke(issuer: Deployed, record: dict[str, Any]) -> None:
    path = f"/api/v1/credentials/{record['id']}/revoke"
    answer = await issuer.client.post(path, json={"reason": "lost"}, headers=issuer.as_role("supervisor"))
    assert answer.status_code == 200, answer.text


async def published(place: Place, *records: dict[str, Any]) -> None:
    """Wait until the lists say that all of them are revoked."""
    deadline = time.monotonic() + 60
    while {listed(place, each) for each in records} != {1}:
        assert time.monotonic() < deadline, "a revocation is not published"
        await asyncio.sleep(0.05)


@pytest.mark.fault("F03", "F04")
@pytest.mark.both_databases
async def test_what_a_process_signed_as_it_died_can_be_revoked(place: Place) -> None:
    """The signature may be out there: the record was made before it."""
    service = issuing.of_place(place)
    await service.start(["credential.signed=kill"])
    walk, flow = Walk(), Issuing(place, service)
    try:
        with suppress(httpx.TransportError):
            while not service.is_dead():
                await flow.step(walk)
        assert walk.credential is None
        await service.start([])
        assert service.process is not None
        async with client(service.process.url) as connection:
            issuer = issuing.deployed(place, connection)
            assert walk.offer is not None
            path = f"/api/v1/offers/{walk.offer['offer_id']}"
            (record,) = (await connection.get(path, headers=issuer.as_role("clerk"))).json()["credentials"]
            await revoke(issuer, record)
            await published(place, record)
    finally:
        service.end()


@pytest.mark.fault("F33", "F34")
@pytest.mark.both_databases
async def test_a_publisher_that_stood_still_brings_nothing_back(place: Place) -> None:
    """It began a publication and was stopped; meanwhile another process acknowledged more, and then both went on."""
    asleep, awake = issuing.of_place(place), issuing.of_place(place)
    try:
        await awake.start([])
        await asleep.start(["status_lists.Publisher._begin.begin.committed=stall:2"])
        assert asleep.process is not None
        assert awake.process is not None
        async with client(asleep.process.url) as first, client(awake.process.url) as second:
            old, new = issuing.deployed(place, first), issuing.deployed(place, second)
            one, other = await received(new), await received(new)
            await revoke(old, one)
            while not asleep.reached():
                await asyncio.sleep(0.02)
            os.kill(process_id(asleep), signal.SIGSTOP)
            await revoke(new, other)  # acknowledged; the list is the sleeper's until it wakes or dies
            os.kill(process_id(asleep), signal.SIGCONT)
            await published(place, one, other)
            last = await received(old)
            await revoke(old, last)
            await published(place, one, other, last)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process_id(asleep), signal.SIGCONT)
        asleep.end()
        awake.end()


@pytest.mark.fault("F35")
async def test_a_process_without_free_file_descriptors_recovers(place: Place) -> None:
    service = issuing.of_place(place)
    await service.start([])
    try:
        assert service.process is not None
        pid = process_id(service)
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + SPARE_FILES, hard))
        port = int(service.process.url.rpartition(":")[2])
        held = [await asyncio.open_connection("localhost", port) for _ in range(HELD_CONNECTIONS)]
        for _, writer in held:
            writer.close()
        async with client(service.process.url) as connection:

            async def answers() -> bool:
                with suppress(httpx.TransportError):
                    return (await connection.get("/healthz")).status_code == 200
                return False

            await until(answers, "an answer, once connections are free", every_seconds=0.05)
            await received(issuing.deployed(place, connection))
    finally:
        service.end()


@pytest.mark.fault("F36")
async def test_a_service_whose_log_has_no_room_works_and_keeps_its_audit(place: Place) -> None:
    port = free_ports(1)[0]
    values = settings(place)
    del values["ISSUER_DATABASE_URL"]
    process = Grown(
        name="issuer",
        url=f"http://localhost:{port}",
        arguments=["issuer", "serve", "--port", str(port)],
        settings=values,
        log=Path("/dev/full"),
    )
    process.start()
    try:
        async with client(process.url) as connection:
            await process.wait_ready(connection)
            issuer = issuing.deployed(place, connection)
            await revoke(issuer, await received(issuer))
            told = await connection.get("/api/v1/audit", params={"authority": ON}, headers=issuer.as_role("auditor"))
            assert {"credential_issued", "revoked"} <= {each["action"] for each in told.json()["events"]}
    finally:
        process.stop()


@pytest.mark.fault("F30")
@pytest.mark.both_databases
async def test_a_migration_that_is_killed_at_any_moment_is_finished_by_the_next(place: Place, tmp_path: Path) -> None:
    values = settings(place)
    if place.database is None:
        del values["ISSUER_DATABASE_URL"]
    url = place.settings().database
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2):
        migrating = Child(nursery.current().fork(["issuer", "migrate"], values, tmp_path / "log"))
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(migrating.wait, pause)
        migrating.kill()
        await asyncio.to_thread(migrating.wait, 30)
    await asyncio.to_thread(migrations.upgrade, url, "issuer")
    await asyncio.to_thread(migrations.check, url, "issuer")


def test_a_database_that_was_never_migrated_is_told_apart(place: Place) -> None:
    with pytest.raises(Misconfigured):
        migrations.check(place.settings().database, "issuer")


@pytest.mark.xdist_group("faults-federation")
@pytest.mark.fault("F29")
@pytest.mark.parametrize("place_to_die", ["custody.Custody.change_passphrase.unit", "deletions.noted"])
async def test_the_old_passphrase_opens_or_the_new_one(stage: Stage, place_to_die: str) -> None:
    steps = (
        [place_to_die] if place_to_die == "deletions.noted" else [f"{place_to_die}.{at}" for at in ("run", "committed")]
    )
    new = "another long passphrase"
    for step in steps:
        service = federation.service(stage, "wallet")
        try:
            await service.start([f"{step}=kill"])
            assert service.process is not None
            name = f"passphrase-{time.monotonic_ns()}"
            async with client(service.process.url, headers={"origin": stage.urls["wallet"]}) as wallet:
                made = await wallet.post("/api/v1/accounts", json={"name": name, "passphrase": PASSPHRASE})
                assert made.status_code == 201, made.text
                said = {"passphrase": new, "current_passphrase": PASSPHRASE}
                with pytest.raises(httpx.TransportError):
                    await wallet.post("/api/v1/passphrase", json=said)
            await service.start([])
            async with client(service.process.url, headers={"origin": stage.urls["wallet"]}) as wallet:
                opened = [
                    (await wallet.post("/api/v1/session", json={"name": name, "passphrase": each})).status_code
                    for each in (PASSPHRASE, new)
                ]
            assert opened == ([200, 401] if step.endswith(".run") else [401, 200])
        finally:
            service.end()
