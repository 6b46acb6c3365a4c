"""Reading a registry: the first time, again, without its host, and after a restart."""

import asyncio
import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity import trust
from comity.credential import CredentialType
from comity.errors import Code, Malformed, Misconfigured, Unreachable
from comity.runtime.files import alone_in
from comity.runtime.registry_client import RegistryClient
from comity.trust import RegistrySnapshot
from tests.unit.runtime.registry_world import (
    BC_DID,
    NOW,
    ONTARIO_DID,
    TORONTO_DID,
    URL,
    WITHDRAWAL,
    Host,
    World,
    member_edits,
)

PERSON = CredentialType(slug="person", version=1)


def decide(snapshot: RegistrySnapshot, did: str, world: World) -> Code:
    entry = snapshot.find_issuer(did, "vc+jwt")
    assert entry is not None
    at = world.clock.now()
    return trust.may_issue(snapshot, entry, PERSON, issued_on=NOW.date(), at=at).code


@pytest.mark.good_twin("T07", "T10")
async def test_the_first_refresh_reads_everything(world: World) -> None:
    client = world.client()
    snapshot = await client.refresh()
    assert client.last_error is None
    assert client.snapshot() is snapshot
    assert snapshot.alerts == ()
    assert [decide(snapshot, did, world) for did in (ONTARIO_DID, BC_DID, TORONTO_DID)] == [Code.OK] * 3
    assert snapshot.fetched_at == NOW
    assert snapshot.expires_at == NOW + timedelta(days=3)  # the timestamp's
    assert snapshot.versions["timestamp"] == 2
    assert snapshot.versions["ca-on/toronto/issuers.json"] == 1
    assert snapshot.ends["ca-on/toronto/issuers.json"] == NOW + timedelta(days=180)
    assert "federation.json" not in snapshot.ends
    assert len(world.host.asked) <= 12


@pytest.mark.good_twin("T03")
async def test_only_what_changed_is_downloaded_again(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    world.host.asked.clear()
    world.clock.advance(timedelta(minutes=1))
    same = await client.refresh()
    assert world.host.asked == ["metadata/2.root.json", "metadata/timestamp.json"]
    assert same.targets is before.targets
    assert same.fetched_at == NOW + timedelta(minutes=1)
    world.repository.apply([WITHDRAWAL])
    world.host.asked.clear()
    after = await client.refresh()
    assert decide(after, ONTARIO_DID, world) is Code.ISSUER_WITHDRAWN
    assert decide(after, BC_DID, world) is Code.OK
    downloaded = [path for path in world.host.asked if path.startswith("targets/")]
    assert len(downloaded) == 1
    assert downloaded[0].startswith("targets/ca-on/")


async def test_processes_with_one_folder_take_turns(world: World) -> None:
    """A verifier's workers and ``comity verify`` keep the registry in one place; python-tuf takes it for its own."""
    first, second = world.client(), world.client()
    with alone_in(world.cache):
        waiting = asyncio.create_task(second.refresh())
        assert await asyncio.wait((waiting,), timeout=0.2) == (set(), {waiting})
        assert world.host.asked == []
    assert (await waiting).versions["timestamp"] == 2
    both = await asyncio.gather(*(each.refresh() for each in (first, second) * 8))
    assert {each.fetched_at for each in both} == {NOW}
    assert (first.last_error, second.last_error) == (None, None)


async def test_one_that_keeps_the_folder_does_not_keep_the_others_for_ever(world: World) -> None:
    client = world.client(deadline_seconds=0.05)
    with alone_in(world.cache), pytest.raises(Unreachable) as refused:
        await client.refresh()
    assert refused.value.code is Code.REGISTRY_UNAVAILABLE
    good_twin = world.client()
    await good_twin.refresh()
    assert good_twin.last_error is None


async def test_a_new_member_is_seen_without_a_restart(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    assert before.find_issuer("did:web:issuer.example:ca-ns:services", "vc+jwt") is None
    world.repository.apply(member_edits("ca-ns"))
    after = await client.refresh()
    assert decide(after, "did:web:issuer.example:ca-ns:services", world) is Code.OK


async def test_the_last_good_state_survives_host_and_process(world: World) -> None:
    first = await world.client().refresh()
    world.host.down = True
    world.clock.advance(timedelta(hours=3))
    again = world.client()
    snapshot = again.snapshot()  # from disk, without any request
    assert snapshot.versions == first.versions
    assert snapshot.ends == first.ends
    assert snapshot.targets == first.targets
    assert (snapshot.fetched_at, snapshot.expires_at) == (NOW, first.expires_at)
    assert decide(snapshot, TORONTO_DID, world) is Code.OK
    assert await again.refresh() is snapshot
    assert again.last_error is not None
    assert again.last_error.code is Code.REGISTRY_UNAVAILABLE
    world.host.down = False
    assert (await again.refresh()).fetched_at == NOW + timedelta(hours=3)
    assert again.last_error is None


async def test_an_expired_state_is_kept_but_decides_nothing(world: World) -> None:
    await world.client().refresh()
    world.host.down = True
    world.clock.advance(timedelta(days=3))
    for client in (world.client(), world.client()):
        snapshot = await client.refresh()
        assert snapshot.is_expired_at(world.clock.now())
        assert decide(snapshot, ONTARIO_DID, world) is Code.REGISTRY_EXPIRED


@pytest.mark.attack("T10")
async def test_nothing_ever_seen_is_an_error_and_trusts_nobody(world: World) -> None:
    """T10: a failed fetch is never "no registry, everybody trusted"."""
    world.host.down = True
    client = world.client()
    with pytest.raises(Unreachable) as never:
        client.snapshot()
    assert never.value.code is Code.REGISTRY_UNAVAILABLE
    with pytest.raises(Unreachable) as failed:
        await client.refresh()
    assert failed.value.code is Code.REGISTRY_UNAVAILABLE
    assert client.last_error is failed.value


@pytest.mark.parametrize("status", [403, 404, 500, 302])
async def test_a_host_that_refuses_is_a_host_that_is_down(world: World, status: int) -> None:
    world.host.lies["metadata/timestamp.json"] = status
    with pytest.raises(Unreachable):
        await world.client().refresh()


@pytest.mark.attack("T10")
async def test_no_registry_is_an_error_at_the_start(world: World, tmp_path: Path) -> None:
    """T10."""
    arguments = (tmp_path / "c", world.host, world.clock)
    for url, root in (("", world.pinned), (URL, None), (URL, tmp_path / "missing.json"), (URL, tmp_path)):
        with pytest.raises(Misconfigured):
            RegistryClient(url, root, *arguments)
    nonsense = tmp_path / "nonsense.json"
    for content in (b"", b"{}", b"[]", world.published("metadata/timestamp.json"), b"\xff"):
        nonsense.write_bytes(content)
        with pytest.raises(Misconfigured):
            RegistryClient(URL, nonsense, *arguments)
    unsigned = json.loads(world.pinned.read_bytes())
    unsigned["signatures"] = []
    nonsense.write_text(json.dumps(unsigned))
    with pytest.raises(Misconfigured):
        RegistryClient(URL, nonsense, *arguments)
    assert not (tmp_path / "c").exists()


async def test_an_old_pinned_root_finds_the_new_one(world: World) -> None:
    world.repository.rotate("root", keys=3, threshold=2)
    world.repository.rotate("timestamp")
    world.repository.rotate("targets")
    snapshot = await world.client().refresh()
    assert snapshot.root_version == 4
    world.host.down = True
    assert world.client().snapshot().root_version == 4


async def test_a_newer_pinned_root_reads_an_older_cache(world: World) -> None:
    await world.client().refresh()
    world.repository.sign("root")
    await world.client().refresh()
    world.pinned.write_bytes(world.repository.root_file.read_bytes())
    world.host.down = True
    assert world.client().snapshot().root_version == 2


async def test_the_cache_of_another_registry_is_not_used(world: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other")
    await other.client(cache=world.cache).refresh()
    world.host.down = True
    with pytest.raises(Unreachable):
        world.client().snapshot()
    world.host.down = False
    assert decide(await world.client().refresh(), ONTARIO_DID, world) is Code.OK


def kept(world: World) -> Path:
    return world.cache / "last-good.json"


@pytest.mark.parametrize("part", ["timestamp", "snapshot", "targets", "ca-on", "ca-bc/issuers.json", "roots"])
async def test_a_cache_that_was_tampered_with_is_not_used(
    world: World, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    import base64

    def bent(text: str) -> str:
        data = bytearray(base64.b64decode(text))
        data[len(data) // 2] ^= 1
        return base64.b64encode(bytes(data)).decode()

    world.repository.sign("root")
    await world.client().refresh()
    value = json.loads(kept(world).read_bytes())
    holder = next(each for each in (value["roles"], value["documents"], value) if part in each)
    holder[part] = [holder[part][0], bent(holder[part][1])] if part == "roots" else bent(holder[part])
    kept(world).write_text(json.dumps(value))
    world.host.down = True
    with caplog.at_level(logging.WARNING), pytest.raises(Unreachable):
        world.client().snapshot()
    assert "does not verify" in caplog.text


@pytest.mark.parametrize("part", ["ca-on", "ca-on-toronto", "ca-bc/issuers.json"])
async def test_a_cache_with_a_part_missing(world: World, part: str) -> None:
    await world.client().refresh()
    value = json.loads(kept(world).read_bytes())
    for holder in (value["roles"], value["documents"]):
        holder.pop(part, None)
    kept(world).write_text(json.dumps(value))
    world.host.down = True
    if part == "ca-on-toronto":  # a delegate further down is left out with an alert, as when it is read
        snapshot = world.client().snapshot()
        assert snapshot.find_issuer(TORONTO_DID, "vc+jwt") is None
        assert [alert.document for alert in snapshot.alerts] == ["ca-on-toronto"]
    else:
        with pytest.raises(Unreachable):
            world.client().snapshot()


async def test_any_bytes_in_the_cache_are_a_state_or_none(world: World) -> None:
    await world.client().refresh()
    world.host.down = True
    good = json.loads(kept(world).read_bytes())
    client = world.client()

    scalars = (
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2)
    )

    @settings(suppress_health_check=list(HealthCheck))
    @given(
        data=st.binary(max_size=60)
        | st.tuples(st.sampled_from(sorted(good)), scalars | st.dictionaries(st.text(max_size=3), scalars))
    )
    def check(data: bytes | tuple[str, object]) -> None:
        content = data if isinstance(data, bytes) else json.dumps({**good, data[0]: data[1]}).encode()
        kept(world).write_bytes(content)
        assert client._from_disk() is None or isinstance(data, tuple)

    check()


@pytest.mark.attack("Q11")
async def test_refreshes_at_the_same_time_wait_for_each_other(world: World) -> None:
    client = world.client()
    snapshots = await asyncio.gather(*(client.refresh() for _ in range(5)))
    assert {each.versions["timestamp"] for each in snapshots} == {2}
    assert client.last_error is None


async def test_a_confirmed_state_is_written_again_now_and_then(world: World) -> None:
    client = world.client()
    await client.refresh()
    world.clock.advance(timedelta(minutes=5))
    await client.refresh()
    assert world.client().snapshot().fetched_at == NOW
    world.clock.advance(timedelta(minutes=6))
    await client.refresh()
    assert world.client().snapshot().fetched_at == NOW + timedelta(minutes=11)


async def test_a_cache_folder_that_cannot_be_written_is_said(world: World, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    with pytest.raises(Misconfigured):
        await world.client(cache=in_the_way / "cache").refresh()


async def test_one_late_jurisdiction_does_not_stop_the_others(world: World) -> None:
    """British Columbia forgot to sign anew: its own statements end, everybody else's go on."""
    world.forge("ca-bc", lambda signed: setattr(signed, "expires", NOW + timedelta(hours=1)))
    world.clock.advance(timedelta(hours=2))
    snapshot = await world.client().refresh()
    assert decide(snapshot, ONTARIO_DID, world) is Code.OK
    assert decide(snapshot, BC_DID, world) is Code.REGISTRY_EXPIRED


async def test_a_municipality_ends_with_its_province(world: World) -> None:
    world.forge("ca-on", lambda signed: setattr(signed, "expires", NOW + timedelta(hours=1)))
    snapshot = await world.client().refresh()
    assert snapshot.ends["ca-on/toronto/issuers.json"] == NOW + timedelta(hours=1)
    world.clock.advance(timedelta(hours=2))
    assert decide(snapshot, TORONTO_DID, world) is Code.REGISTRY_EXPIRED


async def test_a_federation_document_that_cannot_be_read_changes_nothing(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    info = world.files.write_document("federation.json", b'{"version": 2}')
    world.forge("targets", lambda signed: signed.targets.update({"federation.json": info}))
    assert await client.refresh() is before
    assert isinstance(client.last_error, Malformed)
    assert client.last_error.code is Code.REGISTRY_INVALID


async def test_a_cancelled_refresh_leaves_the_state(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    asked = len(world.host.asked)
    world.host.gate.clear()
    task = asyncio.create_task(client.refresh())
    while len(world.host.asked) == asked:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.host.gate.set()
    assert client.snapshot() is before
    assert (await client.refresh()).versions == before.versions


async def test_a_mirror_is_asked_when_the_first_host_fails(world: World) -> None:
    class Elsewhere(Host):
        async def fetch(self, request):  # type: ignore[no-untyped-def]
            if not request.url.startswith(URL):
                self.asked.append(request.url)
                raise Unreachable(Code.UNREACHABLE, "down")
            return await super().fetch(request)

    world.host = Elsewhere(world.repository.public_folder)
    client = RegistryClient(
        "https://registry.example", world.pinned, world.cache, world.host, world.clock, mirrors=[URL]
    )
    assert (await client.refresh()).alerts == ()
    assert client.last_error is None
    assert world.host.asked[0] == "https://registry.example/metadata/2.root.json"
