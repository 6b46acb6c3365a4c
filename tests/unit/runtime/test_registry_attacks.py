"""Attacks on the registry, against the real client (catalogue group T): the last good state stays, and it is said."""

import asyncio
import copy
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import DownloadLengthMismatchError
from tuf.api.metadata import DelegatedRole, Delegations, Key, TargetFile, Targets

from comity import strict_json, trust
from comity.credential import CredentialType
from comity.errors import Code, Malformed, Misconfigured
from comity.runtime import registry_updater
from comity.runtime.registry_client import RegistryClient
from comity.runtime.registry_folder import read_snapshot
from comity.trust import RegistrySnapshot
from comity.trust.documents import MAX_DOCUMENT_BYTES
from tests.unit.runtime.registry_world import (
    BC_DID,
    NOW,
    ONTARIO_DID,
    TORONTO_DID,
    URL,
    WITHDRAWAL,
    World,
    stranger,
)

PERSON = CredentialType(slug="person", version=1)
TIMESTAMP = "metadata/timestamp.json"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def refused(client: RegistryClient, code: Code, before: RegistrySnapshot) -> None:
    """Expect that a refresh changes nothing and says why."""
    assert await client.refresh() is before
    assert client.last_error is not None
    assert client.last_error.code is code


def is_known(snapshot: RegistrySnapshot, did: str) -> bool:
    return snapshot.find_issuer(did, "vc+jwt") is not None


# --- T01: arbitrary metadata


@pytest.mark.parametrize("lie", [b"", b"{}", b"\xff\xfe", b"[" * 10_000, b'{"signed": {}, "signatures": []}'])
@pytest.mark.parametrize("path", [TIMESTAMP, "metadata/3.snapshot.json", "metadata/2.ca-on.json"])
async def test_t01_bytes_that_are_no_metadata(world: World, path: str, lie: bytes) -> None:
    client = world.client()
    before = await client.refresh()
    world.repository.apply([WITHDRAWAL])
    world.host.lies[path] = lie
    await refused(client, Code.REGISTRY_INVALID, before)
    del world.host.lies[path]
    assert (await client.refresh()).versions["timestamp"] == 3  # the good twin


@pytest.mark.parametrize("signers", [[], [stranger()]], ids=["unsigned", "unknown key"])
async def test_t01_a_timestamp_that_is_not_signed_by_its_key(world: World, signers: list[Any]) -> None:
    client = world.client()
    before = await client.refresh()

    def newer(signed: Any) -> None:
        signed.version += 1

    world.host.lies[TIMESTAMP] = world.forged_timestamp(newer, signers)
    await refused(client, Code.REGISTRY_INVALID, before)
    world.host.lies[TIMESTAMP] = world.forged_timestamp(newer, world.signers("timestamp"))
    assert (await client.refresh()).versions["timestamp"] == before.versions["timestamp"] + 1


async def test_t01_a_role_signed_below_its_threshold(world: World) -> None:
    world.repository.rotate("ca-bc", keys=3, threshold=2)
    client = world.client()
    before = await client.refresh()
    keys = world.signers("ca-bc")
    world.forge("ca-bc", lambda signed: signed.targets.clear(), signers=keys[:1])
    await refused(client, Code.REGISTRY_INVALID, before)
    world.forge("ca-bc", lambda signed: signed.targets.clear(), signers=keys[:2])
    after = await client.refresh()
    assert client.last_error is None
    assert not is_known(after, BC_DID)


async def test_t01_a_delegate_further_down_that_is_not_signed_is_left_out(world: World) -> None:
    """A municipality's or its province's mistake must not stop the federation."""
    world.forge("ca-on-toronto", lambda signed: None, signers=[stranger()])
    snapshot = await world.client().refresh()
    assert not is_known(snapshot, TORONTO_DID)
    assert is_known(snapshot, ONTARIO_DID)
    assert [(alert.code, alert.document) for alert in snapshot.alerts] == [(Code.REGISTRY_INVALID, "ca-on-toronto")]


# --- T02: one key counted twice


def twice(signed: Targets, role: str, written: Callable[[str], str] = str) -> None:
    """Let a delegation name its one key under a second id and ask for two signatures."""
    delegations = signed.delegations
    assert delegations is not None
    assert delegations.roles is not None
    delegated = delegations.roles[role]
    value = delegations.keys[delegated.keyids[0]].to_dict()
    value["keyval"]["public"] = written(value["keyval"]["public"])
    delegations.keys["second"] = Key.from_dict("second", copy.deepcopy(value))
    delegated.keyids.append("second")
    delegated.threshold = 2


def sign_under_two_ids(world: World, role: str) -> None:
    metadata = world.forge(role, lambda signed: None, announce=False)
    (signature,) = metadata.signatures.values()
    doubled = copy.deepcopy(signature)
    doubled.keyid = "second"
    metadata.signatures["second"] = doubled
    world.files.publish(role, metadata)
    world.announce()


@pytest.mark.parametrize("written", [str, str.upper], ids=["same text", "other case"])
async def test_t02_one_key_under_two_ids_is_one_key(world: World, written: Callable[[str], str]) -> None:
    client = world.client()
    before = await client.refresh()
    world.forge("targets", lambda signed: twice(signed, "ca-bc", written), announce=False)
    sign_under_two_ids(world, "ca-bc")
    await refused(client, Code.REGISTRY_INVALID, before)


async def test_t02_one_key_under_two_ids_further_down(world: World) -> None:
    world.forge("ca-on", lambda signed: twice(signed, "ca-on-toronto"), announce=False)
    sign_under_two_ids(world, "ca-on-toronto")
    snapshot = await world.client().refresh()
    assert not is_known(snapshot, TORONTO_DID)
    assert is_known(snapshot, BC_DID)
    assert snapshot.alerts[0].document == "ca-on-toronto"


@pytest.mark.parametrize("role", ["root", "timestamp"])
async def test_t02_a_root_that_names_one_key_twice(world: World, tmp_path: Path, role: str) -> None:
    def double(signed: Any) -> None:
        (keyid,) = signed.roles[role].keyids
        signed.keys["second"] = Key.from_dict("second", copy.deepcopy(signed.keys[keyid].to_dict()))
        signed.roles[role].keyids.append("second")

    forged = world.forged_root(double, world.signers("root"))
    client = world.client()
    before = await client.refresh()
    world.host.lies["metadata/2.root.json"] = forged
    await refused(client, Code.REGISTRY_INVALID, before)
    pinned = tmp_path / "double.json"
    pinned.write_bytes(forged)
    with pytest.raises(Misconfigured):
        RegistryClient(URL, pinned, tmp_path / "c", world.host, world.clock)


# --- T03: going back


@pytest.mark.parametrize("restart", [False, True])
async def test_t03_an_older_timestamp_is_refused_also_after_a_restart(world: World, restart: bool) -> None:
    old = world.published(TIMESTAMP)
    world.repository.apply([WITHDRAWAL])
    client = world.client()
    before = await client.refresh()
    if restart:
        client = world.client()
        before = client.snapshot()
    world.host.lies[TIMESTAMP] = old
    await refused(client, Code.REGISTRY_ROLLBACK, before)
    fresh = world.client(cache=world.cache.with_name("fresh"))
    assert (await fresh.refresh()).versions["timestamp"] == 2  # nobody can tell without a memory; expiry bounds it


async def test_t03_a_newer_timestamp_over_an_older_snapshot(world: World) -> None:
    old = read_snapshot(world.published("metadata/2.snapshot.json"))
    world.repository.apply([WITHDRAWAL])
    client = world.client()
    before = await client.refresh()

    def back(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta.version = old.signed.version
        signed.snapshot_meta.hashes = None
        signed.snapshot_meta.length = None

    world.host.lies[TIMESTAMP] = world.forged_timestamp(back, world.signers("timestamp"))
    await refused(client, Code.REGISTRY_ROLLBACK, before)


async def test_t03_the_running_process_remembers_when_its_cache_is_wiped(world: World) -> None:
    old = world.published(TIMESTAMP)
    world.repository.apply([WITHDRAWAL])
    client = world.client()
    before = await client.refresh()
    world.cache.rename(world.cache.with_name("gone"))
    world.host.lies[TIMESTAMP] = old
    await refused(client, Code.REGISTRY_ROLLBACK, before)


async def test_t03_an_older_root_is_refused_when_the_cache_is_wiped(world: World) -> None:
    before_rotation = world.published(TIMESTAMP)
    world.repository.rotate("timestamp")
    client = world.client()
    before = await client.refresh()
    world.cache.rename(world.cache.with_name("gone"))
    world.host.lies |= {"metadata/2.root.json": 404, TIMESTAMP: before_rotation}
    await refused(client, Code.REGISTRY_ROLLBACK, before)


# --- T04: freeze


async def test_t04_a_timestamp_that_never_changes_expires(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    entry = before.find_issuer(ONTARIO_DID, "vc+jwt")
    assert entry is not None
    world.clock.advance(timedelta(days=3) - timedelta(seconds=1))
    assert (await client.refresh()).targets is before.targets
    assert client.last_error is None
    world.clock.advance(timedelta(seconds=1))
    frozen = client.snapshot()
    await refused(client, Code.REGISTRY_EXPIRED, frozen)
    decision = trust.may_issue(frozen, entry, PERSON, issued_on=NOW.date(), at=world.clock.now())
    assert (decision.answer.value, decision.code) == ("unknown", Code.REGISTRY_EXPIRED)
    world.repository.refresh()
    thawed = await client.refresh()
    assert trust.may_issue(thawed, entry, PERSON, issued_on=NOW.date(), at=world.clock.now()).code is Code.OK


async def test_t04_an_expired_registry_is_not_taken_for_a_first_state(world: World) -> None:
    world.clock.advance(timedelta(days=4))
    with pytest.raises(Malformed) as expired:
        await world.client().refresh()
    assert expired.value.code is Code.REGISTRY_EXPIRED


# --- T05: mix and match


@pytest.mark.parametrize("role", ["ca-on", "snapshot"])
async def test_t05_an_old_file_under_a_new_name(world: World, role: str) -> None:
    old = world.published(world.newest(role))
    client = world.client()
    before = await client.refresh()
    world.repository.apply([WITHDRAWAL])
    world.host.lies[world.newest(role)] = old
    await refused(client, Code.REGISTRY_INVALID, before)
    world.host.lies.clear()
    assert (await client.refresh()).versions["ca-on/issuers.json"] == 2


async def test_t05_an_old_document_under_a_new_name(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    world.repository.apply([WITHDRAWAL])
    document = strict_json.serialise(world.repository.documents()["ca-on/issuers.json"])
    info = TargetFile.from_data("ca-on/issuers.json", document, ["sha256"])
    path = f"targets/{info.get_prefixed_paths()[0]}"
    world.host.lies[path] = before.targets["ca-on/issuers.json"]
    await refused(client, Code.REGISTRY_INVALID, before)
    del world.host.lies[path]
    assert (await client.refresh()).targets["ca-on/issuers.json"] == document


async def test_t05_even_a_delegates_file_must_be_the_one_that_the_snapshot_names(world: World) -> None:
    """A host that serves another file for a municipality is refused; it is not the municipality's mistake."""
    client = world.client()
    before = await client.refresh()
    old = world.published(world.newest("ca-on-toronto"))
    world.repository.sign("ca-on-toronto")
    world.host.lies[world.newest("ca-on-toronto")] = old
    await refused(client, Code.REGISTRY_INVALID, before)


# --- T06: fast forward


async def test_t06_a_version_beyond_all_bounds_is_not_followed(world: World) -> None:
    client = world.client()
    before = await client.refresh()

    def forward(signed: Any) -> None:
        signed.version = 2**63 - 1

    world.host.lies[TIMESTAMP] = world.forged_timestamp(forward, world.signers("timestamp"))
    await refused(client, Code.REGISTRY_INVALID, before)
    world.host.lies.clear()
    world.repository.apply([WITHDRAWAL])
    assert (await client.refresh()).versions["timestamp"] == 3
    assert client.last_error is None


async def test_t06_new_online_keys_undo_a_fast_forward(world: World) -> None:
    client = world.client()
    await client.refresh()

    def forward(signed: Any) -> None:
        signed.version = 1_000_000

    world.host.lies[TIMESTAMP] = world.forged_timestamp(forward, world.signers("timestamp"))
    assert (await client.refresh()).versions["timestamp"] == 1_000_000
    world.host.lies.clear()
    blocked = client.snapshot()
    await refused(client, Code.REGISTRY_ROLLBACK, blocked)
    world.repository.rotate("timestamp")
    recovered = await client.refresh()
    assert client.last_error is None
    assert recovered.versions["timestamp"] < 10 < blocked.versions["timestamp"]


# --- T07: too much, too slow


@pytest.mark.parametrize(("path", "size"), [(TIMESTAMP, 1 << 14), ("metadata/2.root.json", 1 << 20)])
async def test_t07_endless_metadata(world: World, path: str, size: int) -> None:
    client = world.client()
    before = await client.refresh()
    world.host.lies[path] = b" " * (size + 1)
    await refused(client, Code.REGISTRY_INVALID, before)


async def test_t07_a_document_that_is_too_large_is_left_out(world: World) -> None:
    large = b'{"narrow": []}' + b" " * MAX_DOCUMENT_BYTES
    info = world.files.write_document("ca-bc/recognition.json", large)
    world.forge("ca-bc", lambda signed: signed.targets.update({"ca-bc/recognition.json": info}))
    snapshot = await world.client().refresh()
    assert is_known(snapshot, BC_DID)
    assert snapshot.unreadable == {"ca-bc/recognition.json"}
    assert [(alert.code, alert.document) for alert in snapshot.alerts] == [(Code.TOO_LARGE, "ca-bc/recognition.json")]
    assert not any("recognition" in path for path in world.host.asked)
    decision = trust.recognises(snapshot, "ca-bc", "ca-on", PERSON, at=NOW)
    assert (decision.answer.value, decision.code) == ("unknown", Code.RECOGNITION_UNKNOWN)


async def test_t07_more_documents_than_there_may_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_updater, "MAX_DOCUMENTS", 2)
    snapshot = await world.client().refresh()
    assert len(snapshot.targets) == 2
    assert len(snapshot.unreadable) == 2


async def test_t07_a_hundred_thousand_entries_of_nothing(world: World) -> None:
    def flood(signed: Targets) -> None:
        info = next(iter(signed.targets.values()))
        for number in range(4000):
            signed.targets[f"ca-bc/x{number}.json"] = info

    world.forge("ca-bc", flood)
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    assert len(snapshot.alerts) == 200


async def test_t07_a_slow_host_costs_a_bounded_time(world: World) -> None:
    client = world.client(deadline_seconds=0.3)
    before = await client.refresh()
    world.host.delay[TIMESTAMP] = 30.0
    await refused(client, Code.REGISTRY_UNAVAILABLE, before)


async def test_t07_no_time_left_is_a_host_that_does_not_answer(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    client._deadline_seconds = 0.0
    await refused(client, Code.REGISTRY_UNAVAILABLE, before)


async def test_t07_every_way_of_asking_is_bounded(world: World) -> None:
    """python-tuf may ask for bytes, a file or a stream; all of them go through the one bounded request."""
    loop = asyncio.get_running_loop()
    bridge = registry_updater.BridgingFetcher(world.host, loop, deadline_seconds=5)
    stream = await asyncio.to_thread(lambda: b"".join(bridge.fetch(f"{URL}/{TIMESTAMP}")))
    assert stream == world.published(TIMESTAMP)
    world.host.lies[TIMESTAMP] = b" " * (registry_updater.MAX_METADATA_BYTES + 1)
    with pytest.raises(DownloadLengthMismatchError):
        await asyncio.to_thread(lambda: b"".join(bridge.fetch(f"{URL}/{TIMESTAMP}")))


# --- T08: a chain of roots with a bad end


async def test_t08_a_chain_of_roots_that_ends_badly(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    world.repository.sign("root")  # version 2, good
    world.host.lies["metadata/3.root.json"] = world.forged_root(lambda signed: None, [stranger()])
    await refused(client, Code.REGISTRY_INVALID, before)
    assert not (world.cache / "metadata" / "root_history" / "3.root.json").exists()
    world.host.lies.clear()
    again = world.client()
    assert again.snapshot().root_version == 1
    assert (await again.refresh()).root_version == 2


async def test_t08_a_new_root_needs_the_old_roots_keys(world: World) -> None:
    """Signed by its own new key only: nobody who trusts the old root follows."""
    thief = stranger()

    def take_over(signed: Any) -> None:
        (old,) = signed.roles["root"].keyids
        signed.add_key(thief.public_key, "root")
        signed.revoke_key(old, "root")

    client = world.client()
    before = await client.refresh()
    world.host.lies["metadata/2.root.json"] = world.forged_root(take_over, [thief])
    await refused(client, Code.REGISTRY_INVALID, before)
    world.host.lies["metadata/2.root.json"] = world.forged_root(take_over, [thief, *world.signers("root")])
    assert (await client.refresh()).root_version == 2


# --- T09: one jurisdiction signs for another


def listing(world: World, name: str, content: Any) -> Callable[[Targets], None]:
    info = world.files.write_document(name, strict_json.serialise(content))
    return lambda signed: signed.targets.update({name: info})


async def test_t09_a_jurisdiction_lists_anothers_document(world: World) -> None:
    theirs = world.repository.documents()["ca-on/issuers.json"]
    world.forge("ca-bc", listing(world, "ca-on/issuers.json", {**theirs, "issuers": []}))
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    assert [(alert.code, alert.document) for alert in snapshot.alerts] == [
        (Code.REGISTRY_OUT_OF_PATH, "ca-on/issuers.json")
    ]
    assert "ca-bc" in snapshot.alerts[0].detail


async def test_t09_the_federation_cannot_speak_for_a_jurisdiction(world: World) -> None:
    theirs = world.repository.documents()["ca-on/issuers.json"]
    world.forge("targets", listing(world, "ca-on/issuers.json", {**theirs, "issuers": []}))
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    assert snapshot.alerts[0].code is Code.REGISTRY_OUT_OF_PATH


async def test_t09_a_province_cannot_speak_inside_its_delegates_path(world: World) -> None:
    theirs = world.repository.documents()["ca-on/toronto/issuers.json"]
    world.forge("ca-on", listing(world, "ca-on/toronto/issuers.json", {**theirs, "issuers": []}))
    snapshot = await world.client().refresh()
    assert is_known(snapshot, TORONTO_DID)
    assert "inside a path that it has delegated on" in snapshot.alerts[0].detail


def delegating(role: DelegatedRole, *signers: Any) -> Callable[[Targets], None]:
    def change(signed: Targets) -> None:
        if signed.delegations is None:
            signed.delegations = Delegations(keys={}, roles={})
        signed.delegations.roles = {**(signed.delegations.roles or {}), role.name: role}
        for signer in signers:
            signed.add_key(signer.public_key, role.name)

    return change


async def test_t09_a_province_delegates_what_is_not_its_own(world: World) -> None:
    thief = stranger()
    role = DelegatedRole("ca-bc-annex", [], 1, terminating=True, paths=["ca-on/*"])
    world.forge("ca-bc", delegating(role, thief), announce=False)
    theirs: dict[str, list[Any]] = {"issuers": [], "delegations": []}
    annex = world.repository._state().roles["ca-bc"]
    annex.signed.delegations = None
    annex.signed.version = 1
    annex.signed.targets = {}
    listing(world, "ca-on/issuers.json", theirs)(annex.signed)
    annex.signatures.clear()
    annex.sign(thief)
    world.files.publish("ca-bc-annex", annex)
    world.announce()
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    assert [alert.document for alert in snapshot.alerts] == ["ca-on/issuers.json"]


# --- T14: names


BAD_ROLES = ["../../evil", "a/b", "https://evil.example/x", "é" * 500, "A", "."]


@pytest.mark.parametrize("name", BAD_ROLES)
@pytest.mark.parametrize("parent", ["targets", "ca-on"])
async def test_t14_a_role_with_a_hostile_name_is_never_asked_for(world: World, name: str, parent: str) -> None:
    role = DelegatedRole(name, [], 1, terminating=True, paths=["*/*"])
    world.forge(parent, delegating(role, stranger()))
    before = set(files_below(world.cache.parent))
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    assert snapshot.alerts[0].code is Code.REGISTRY_INVALID
    assert snapshot.alerts[0].document.isascii()
    assert len(snapshot.alerts[0].document) <= 800
    assert all(path.startswith(("metadata/", "targets/")) for path in world.host.asked)
    assert not any("evil" in path or "%" in path for path in world.host.asked)
    new = set(files_below(world.cache.parent)) - before
    assert all(path.is_relative_to(world.cache) for path in new)


def files_below(folder: Path) -> list[Path]:
    return [Path(at) / name for at, _, names in os.walk(folder) for name in names]


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "/etc/passwd", "ca-on/../../x.json", "https://evil.example/x.json", "\N{SNOWMAN}" * 3000],
)
async def test_t14_a_document_with_a_hostile_name_is_never_asked_for(world: World, name: str) -> None:
    def add(signed: Targets) -> None:
        info = next(iter(signed.targets.values())).to_dict()
        signed.targets[name] = TargetFile.from_dict(copy.deepcopy(info), name)

    world.forge("ca-on", add)
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    (alert,) = snapshot.alerts
    assert alert.code is Code.REGISTRY_OUT_OF_PATH
    assert alert.document.isascii()
    assert name not in snapshot.targets
    assert not any("etc" in path or "evil" in path or ".." in path for path in world.host.asked)


@pytest.mark.parametrize(
    ("role", "why"),
    [
        (DelegatedRole("ca-x", [], 1, terminating=False, paths=["ca-on/*/*"]), "not limited to paths, or not final"),
        (DelegatedRole("ca-x", [], 1, terminating=True, path_hash_prefixes=["0"]), "not limited to paths"),
        (DelegatedRole("ca-x", [], 1, terminating=True, paths=[]), "not limited to paths"),
        (DelegatedRole("ca-bc", [], 1, terminating=True, paths=["ca-on/*/*"]), "another role already has its name"),
        (DelegatedRole("ca-on", [], 1, terminating=True, paths=["ca-on/*/*"]), "another role already has its name"),
    ],
)
async def test_delegations_that_are_not_ours_are_not_followed(world: World, role: DelegatedRole, why: str) -> None:
    world.forge("ca-on", delegating(role, stranger()))
    snapshot = await world.client().refresh()
    assert is_known(snapshot, BC_DID)
    assert is_known(snapshot, ONTARIO_DID)
    assert why in snapshot.alerts[0].detail


async def test_roles_are_followed_only_so_deep_and_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_updater, "MAX_DEPTH", 1)
    shallow = await world.client().refresh()
    assert not is_known(shallow, TORONTO_DID)
    assert "too many" in shallow.alerts[0].detail
    monkeypatch.undo()
    monkeypatch.setattr(registry_updater, "MAX_ROLES", 2)
    few = await world.client(cache=world.cache.with_name("few")).refresh()
    assert sum(is_known(few, did) for did in (ONTARIO_DID, BC_DID)) == 1


async def test_a_delegated_role_that_was_never_published_is_left_out_further_down(world: World) -> None:
    role = DelegatedRole("ca-on-ghost", [], 1, terminating=True, paths=["ca-on/ghost/*"])
    world.forge("ca-on", delegating(role, stranger()))
    snapshot = await world.client().refresh()
    assert [alert.document for alert in snapshot.alerts] == ["ca-on-ghost"]
    world.forge(
        "targets",
        delegating(DelegatedRole("ca-ghost", [], 1, terminating=True, paths=["ca-ns/*"]), stranger()),
    )
    client = world.client()
    before = client.snapshot()
    await refused(client, Code.REGISTRY_INVALID, before)
