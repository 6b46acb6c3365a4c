"""Revoking, suspending, reinstating; and that what is said reaches the published files, whatever happens between."""

import asyncio
import gzip
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from comity import did, jose, strict_json, x509
from comity.credential import X5c
from comity.keys import KeySigner
from comity.status import bitstring_list, token_list
from issuer.status_host import StatusHost
from issuer.status_lists import Publisher
from issuer.store import Connection
from issuer.store import status_lists as store
from issuer.store.tables import status_lists
from tests.services.issuer.deployed import BC, LICENCE, NUMBER, ON, Deployed, Place, running
from tests.support.waiting import until

Record = dict[str, Any]


async def issued(issuer: Deployed, **members: Any) -> Record:
    """Issue one driver's licence and return its record."""
    wanted = {"type": "drivers-licence/1", "claims": LICENCE, "record_reference": "file-9", **members}
    answer = await issuer.receive(await issuer.offer(**wanted))
    assert answer.status_code == 200, answer.text
    records = await issuer.records(record_reference=wanted["record_reference"])
    return records[0]


async def change(issuer: Deployed, record: Record, verb: str, role: str = "supervisor") -> httpx.Response:
    return await issuer.client.post(
        f"/api/v1/credentials/{record['id']}/{verb}", json={"reason": "lost"}, headers=issuer.as_role(role)
    )


async def published(issuer: Deployed) -> None:
    """Wait until nothing is marked."""

    async def are_written() -> bool:
        return not await issuer.deployment.database.read(lambda connection: store.due(connection, now=0))

    await until(are_written, "the lists are published", every_seconds=0.02)


def views(issuer: Deployed, record: Record) -> tuple[int, int, int]:
    """Return what the three published files say of a credential, each after its signature was checked."""
    authority = issuer.deployment.authority(record["authority"])
    folder = issuer.settings.status_directory / record["status_list"].removeprefix("http://localhost:8105/")
    token = token_list.open((folder / "token").read_text())
    assert isinstance(token.key, X5c)
    chain = x509.parse_chain(token.key.chain)
    x509.validate_chain(chain, [authority.anchor], issuer.clock.now())
    assert x509.uri_sans(chain[0]) == (f"http://localhost:8105/{record['authority']}/status",)
    jose.verify(token.jws, x509.public_key(chain[0]))
    assert token.uri == record["status_list"]
    values = [token_list.decode(token).value(record["status_index"])]
    document = did.document(authority.did, strict_json.serialise(authority.did_document()))
    for purpose in ("revocation", "suspension"):
        opened = bitstring_list.open((folder / purpose).read_text())
        key = did.verification_key(
            document, opened.jws.header["kid"], relationships=("assertionMethod",), at=issuer.clock.now()
        )
        jose.verify(opened.jws, key.key)
        assert opened.uri == f"{record['status_list']}/{purpose}"
        values.append(bitstring_list.decode(opened).value(record["status_index"]))
    return values[0], values[1], values[2]


@pytest.mark.both_databases
@pytest.mark.attack("L16")
@pytest.mark.good_twin("L16")
async def test_the_three_views_follow_the_record(issuer: Deployed) -> None:
    record, neighbour = await issued(issuer), await issued(issuer, record_reference="file-10")
    assert views(issuer, record) == (0, 0, 0)
    for verb, status, bits in (
        ("suspend", "suspended", (2, 0, 1)),
        ("reinstate", "valid", (0, 0, 0)),
        ("suspend", "suspended", (2, 0, 1)),
        ("revoke", "revoked", (1, 1, 0)),
    ):
        for _ in range(2):  # saying it again changes nothing and succeeds
            answer = await change(issuer, record, verb)
            assert (answer.status_code, answer.json()["status"]) == (200, status)
        await published(issuer)
        assert views(issuer, record) == bits
        assert views(issuer, neighbour) == (0, 0, 0)
    for verb in ("suspend", "reinstate"):
        refused = await change(issuer, record, verb)
        assert (refused.status_code, refused.json()["code"]) == (409, "status_change_not_allowed")
    (shown,) = await issuer.records(number=NUMBER, record_reference="file-9")
    assert (shown["status"], shown["status_reason"]) == ("revoked", "lost")
    assert shown["status_changed_at"] is not None


async def test_a_type_that_is_not_suspendable_is_only_revoked(issuer: Deployed) -> None:
    assert (await issuer.receive(await issuer.offer(record_reference="p"))).status_code == 200
    (record,) = await issuer.records(record_reference="p")
    refused = await change(issuer, record, "suspend")
    assert (refused.status_code, refused.json()["code"]) == (409, "status_change_not_allowed")
    assert (await change(issuer, record, "revoke")).status_code == 200


@pytest.mark.both_databases
@pytest.mark.attack("L13")
@pytest.mark.good_twin("L13")
async def test_parallel_revocations_all_arrive(issuer: Deployed) -> None:
    records = [await issued(issuer, record_reference=f"r{number}") for number in range(12)]
    answers = await asyncio.gather(*(change(issuer, record, "revoke") for record in records))
    assert {answer.status_code for answer in answers} == {200}
    await published(issuer)
    assert [views(issuer, record) for record in records] == [(1, 1, 0)] * 12


@pytest.mark.both_databases
async def test_a_revocation_survives_death_before_publication(place: Place) -> None:
    async with running(place, publish_seconds=3600) as issuer:
        record = await issued(issuer)
        assert (await change(issuer, record, "revoke")).status_code == 200
        assert views(issuer, record) == (0, 0, 0)
    async with running(place, publish_seconds=3600) as issuer:
        assert views(issuer, record) == (1, 1, 0)


async def test_lost_files_are_written_again_at_start(place: Place) -> None:
    async with running(place) as issuer:
        record = await issued(issuer)
        folder = issuer.settings.status_directory
    for file in folder.rglob("token"):
        file.unlink()
    async with running(place) as issuer:
        assert views(issuer, record) == (0, 0, 0)
        assert (await issuer.client.get("/readyz")).status_code == 200
        next(folder.rglob("revocation")).unlink()
        ready = await issuer.client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["status_lists"]) == (503, "status_stale")


@pytest.mark.attack("C02")
@pytest.mark.good_twin("C02")
async def test_lists_are_signed_anew_before_they_end_and_time_never_goes_back(issuer: Deployed) -> None:
    record = await issued(issuer)
    path = issuer.settings.status_directory / ON / "status" / "1" / "token"
    first = token_list.decode(token_list.open(path.read_text()))
    assert first.expires_at is not None
    assert (first.ttl_seconds, first.expires_at - first.issued_at) == (300, timedelta(days=1))
    publisher = issuer.deployment.publisher
    assert await publisher.publish_due() == 0
    issuer.clock.advance(timedelta(hours=12))
    assert await publisher.publish_due() == 4
    second = token_list.decode(token_list.open(path.read_text()))
    assert second.issued_at - first.issued_at == timedelta(hours=12)
    issuer.clock.advance(timedelta(hours=-1))
    await change(issuer, record, "revoke")
    await published(issuer)
    number = record["status_list"].rpartition("/")[2]
    newest = issuer.settings.status_directory / ON / "status" / number / "token"
    assert token_list.decode(token_list.open(newest.read_text())).issued_at == second.issued_at
    issuer.clock.advance(timedelta(hours=26))
    assert (await issuer.client.get("/readyz")).json()["checks"]["status_lists"] == "status_stale"


@pytest.mark.both_databases
@pytest.mark.clause("BSL-5", "TSL-10")
@pytest.mark.attack("L14", "L15")
@pytest.mark.good_twin("L14", "L15")
async def test_indices_are_random_in_several_lists_and_never_given_twice(issuer: Deployed) -> None:
    for _ in range(8):
        holders = [KeySigner.generate() for _ in range(8)]
        assert (await issuer.receive(await issuer.offer(record_reference="many"), *holders)).status_code == 200
    places = [(r["status_list"], r["status_index"]) for r in await issuer.records(record_reference="many")]
    assert len(set(places)) == len(places) == 64
    assert {uri.rpartition("/")[2] for uri, _ in places} == {"1", "2"}
    indices = [index for _, index in places]
    assert max(indices) > 131_072 // 2 > min(indices)
    assert indices not in (sorted(indices), sorted(indices, reverse=True))


@pytest.mark.both_databases
@pytest.mark.clause("TSL-10")
async def test_a_full_list_closes_for_good_and_a_new_one_opens(issuer: Deployed) -> None:
    database = issuer.deployment.database

    def fill(connection: Connection) -> None:
        connection.execute(update(status_lists).where(status_lists.c.number == 1).values(allocated=131_072))
        connection.execute(update(status_lists).where(status_lists.c.number == 2).values(allocated=98_303))

    await database.write(fill)
    for _ in range(12):
        assert (await issuer.receive(await issuer.offer())).status_code in {200, 503}
    await issuer.deployment.publisher.start()

    def numbers(connection: Connection) -> list[tuple[int, bool]]:
        rows = connection.execute(
            select(status_lists.c.number, status_lists.c.is_open)
            .where(status_lists.c.authority == ON)
            .order_by(status_lists.c.number)
        )
        return [(row.number, row.is_open) for row in rows]

    assert await database.read(numbers) == [(1, False), (2, False), (3, True), (4, True)]
    assert (await issuer.receive(await issuer.offer(record_reference="new"))).status_code == 200
    (record,) = await issuer.records(record_reference="new")
    assert record["status_list"].rpartition("/")[2] in {"3", "4"}


async def test_without_an_open_list_the_wallet_is_told_to_come_back(issuer: Deployed) -> None:
    offer = await issuer.offer()
    token = await issuer.token(offer)

    def close(connection: Connection) -> None:
        connection.execute(update(status_lists).values(is_open=False))

    await issuer.deployment.database.write(close)
    refused = await issuer.receive(offer, token=token)
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in refused.headers

    async def is_given() -> bool:
        return (await issuer.receive(offer, token=token)).status_code == 200

    await until(is_given, "a new list, which the refusal itself had opened", every_seconds=0.02)


async def test_a_failing_publication_is_tried_again(issuer: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    record = await issued(issuer)
    folder = issuer.settings.status_directory
    moved = folder.with_name("moved")
    folder.rename(moved)
    folder.write_text("not a folder")
    monkeypatch.setattr("issuer.status_lists._PAUSE_AFTER_FAILURE", 0.05)
    await change(issuer, record, "revoke")
    await asyncio.sleep(0.2)
    folder.unlink()
    moved.rename(folder)
    await published(issuer)
    assert views(issuer, record) == (1, 1, 0)


async def test_lists_of_an_authority_that_left_stay_as_they_are(place: Place) -> None:
    async with running(place) as issuer:
        before = (issuer.settings.status_directory / BC / "status/1/token").read_bytes()
    entries = strict_json.parse((place.folder / "authorities.json").read_bytes())
    (place.folder / "authorities.json").write_bytes(strict_json.serialise(entries[:1]))
    async with running(place) as issuer:
        issuer.clock.advance(timedelta(hours=13))
        await issuer.deployment.publisher.publish_due()
        assert (issuer.settings.status_directory / BC / "status/1/token").read_bytes() == before


@pytest.mark.attack("Q10")
@pytest.mark.good_twin("Q10")
async def test_lists_are_packed_and_signed_beside_the_loop(issuer: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[threading.Thread] = []
    real = Publisher.documents

    def documents(*arguments: Any, **named: Any) -> Any:
        where.append(threading.current_thread())
        return real(*arguments, **named)

    monkeypatch.setattr(Publisher, "documents", documents)
    record = await issued(issuer)
    await change(issuer, record, "revoke")
    await published(issuer)
    assert where
    assert threading.current_thread() not in where
    assert views(issuer, record)[0] == 1


# --- the static host


@pytest.fixture
async def host(issuer: Deployed) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=StatusHost(issuer.settings.status_directory, max_age=30))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8105")


@pytest.mark.attack("Q03")
@pytest.mark.good_twin("Q03")
async def test_the_host_serves_the_three_views_with_their_types(issuer: Deployed, host: httpx.AsyncClient) -> None:
    folder = issuer.settings.status_directory / ON / "status" / "1"
    for path, name, media_type in (
        ("", "token", "application/statuslist+jwt"),
        ("/revocation", "revocation", "application/vc+jwt"),
        ("/suspension", "suspension", "application/vc+jwt"),
    ):
        many = {"accept-encoding": "identity", "range": "bytes=" + "0-," * 5000 + "0-"}  # passed over (RFC 9110 §14.2)
        answer = await host.get(f"/{ON}/status/1{path}", headers=many)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.content == (folder / name).read_bytes()
        assert answer.headers["cache-control"] == "public, max-age=30"
        assert "content-encoding" not in answer.headers
        again = await host.get(
            f"/{ON}/status/1{path}",
            headers={"accept-encoding": "identity", "if-none-match": f'"x", W/{answer.headers["etag"]}'},
        )
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])


async def test_the_host_sends_the_compressed_twin(issuer: Deployed, host: httpx.AsyncClient) -> None:
    request = host.build_request("GET", f"/{ON}/status/1", headers={"accept-encoding": "br, gzip;q=0.5"})
    answer = await host.send(request, stream=True)
    raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == (issuer.settings.status_directory / ON / "status/1/token").read_bytes()
    refused = await host.get(f"/{ON}/status/1", headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers
    assert refused.headers["etag"] != answer.headers["etag"]


async def test_the_host_sees_a_new_version(issuer: Deployed, host: httpx.AsyncClient) -> None:
    record = await issued(issuer)
    path = record["status_list"].removeprefix("http://localhost:8105")
    before = await host.get(path)
    await change(issuer, record, "revoke")
    await published(issuer)
    after = await host.get(path, headers={"if-none-match": before.headers["etag"]})
    assert (after.status_code, after.headers["etag"] != before.headers["etag"]) == (200, True)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/{ON}/status/99",
        f"/{ON}/status/1/token",
        f"/{ON}/status/1/message",
        f"/{ON}/status/1.gz",
        f"/{ON}/status/lists.gz",
        f"/{ON}/status/lists/revocation",
        f"/{ON}/status/.fence",
        f"/{ON}/status/",
        f"/{ON}/status/1/",
        f"//{ON}/status/1",
        f"/{ON}/status/%31",
        "/ca-on/%2e%2e/ca-on/services/status/1",
        "/../data/issuer.sqlite3",
        "/%2e%2e/data/deployment.secret",
        "/..%2fdata%2fissuer.sqlite3",
        "/people.json",
    ],
)
@pytest.mark.attack("W15")
@pytest.mark.good_twin("W15")
async def test_the_host_serves_nothing_else(host: httpx.AsyncClient, path: str) -> None:
    request = host.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.encode())
    answer = await host.send(request)
    assert answer.status_code == 404
    assert (await host.get(f"/{ON}/status/1?time=1")).status_code == 200


async def test_the_host_takes_no_other_method_and_is_alive(host: httpx.AsyncClient) -> None:
    assert (await host.post(f"/{ON}/status/1")).status_code == 405
    assert (await host.head(f"/{ON}/status/1")).status_code == 200
    assert (await host.get("/healthz")).json() == {"status": "ok"}


async def test_the_host_keeps_no_more_files_in_memory_than_allowed(
    issuer: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("issuer.status_host._MAX_KEPT", 1)
    app = StatusHost(issuer.settings.status_directory)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://x") as client:
        for number in (1, 2, 1, 1):
            assert (await client.get(f"/{ON}/status/{number}")).status_code == 200
        assert len(app._kept) == 1


async def test_the_host_takes_part_in_the_servers_life(tmp_path: Path) -> None:
    sent: list[str] = []
    asked = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, Any]:
        return {"type": next(asked)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await StatusHost(tmp_path)({"type": "lifespan"}, receive, send)
    await StatusHost(tmp_path)({"type": "websocket"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
