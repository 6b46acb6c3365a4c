"""Attacks by those who may sign something: too much, in another's place, under hostile names (T07, T09, T14)."""

import asyncio
import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import DownloadLengthMismatchError
from tuf.api.metadata import DelegatedRole, Delegations, TargetFile, Targets

from comity import strict_json, trust
from comity.errors import Code
from comity.runtime import registry_updater
from comity.trust.documents import MAX_DOCUMENT_BYTES
from tests.unit.runtime.registry_world import (
    BC_DID,
    NOW,
    ONTARIO_DID,
    PERSON,
    TIMESTAMP,
    TORONTO_DID,
    URL,
    World,
    is_known,
    refused,
    stranger,
)

# --- T07: too much, too slow


@pytest.mark.parametrize(("path", "size"), [(TIMESTAMP, 1 << 14), ("metadata/2.root.json", 1 << 20)])
@pytest.mark.attack("T07")
async def test_t07_endless_metadata(world: World, path: str, size: int) -> None:
    client = world.client()
    before = await client.refresh()
    world.host.lies[path] = b" " * (size + 1)
    await refused(client, Code.REGISTRY_INVALID, before)


@pytest.mark.attack("T07")
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


@pytest.mark.attack("T07")
async def test_t07_more_documents_than_there_may_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_updater, "MAX_DOCUMENTS", 2)
    snapshot = await world.client().refresh()
    assert len(snapshot.targets) == 2
    assert len(snapshot.unreadable) == 2


@pytest.mark.attack("T07")
async def test_t07_a_hundred_thousand_entries_of_nothing(world: World) -> None:
    def flood(signed: Targets) -> None:
        info = next(iter(signed.targets.values()))
        for number in range(4000):
            signed.targets[f"ca-bc/x{number}.json"] = info

    world.forge("ca-bc", flood)
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    assert len(snapshot.alerts) == 200


@pytest.mark.attack("T07")
async def test_t07_a_slow_host_costs_a_bounded_time(world: World) -> None:
    client = world.client()
    before = await client.refresh()
    client._deadline_seconds = 0.3
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


# --- T09: one jurisdiction signs for another


def listing(world: World, name: str, content: Any) -> Callable[[Targets], None]:
    info = world.files.write_document(name, strict_json.serialise(content))
    return lambda signed: signed.targets.update({name: info})


@pytest.mark.clause("TR-4")
@pytest.mark.attack("T09")
@pytest.mark.good_twin("T09")
async def test_t09_a_jurisdiction_lists_anothers_document(world: World) -> None:
    theirs = world.repository.documents()["ca-on/issuers.json"]
    world.forge("ca-bc", listing(world, "ca-on/issuers.json", {**theirs, "issuers": []}))
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    assert [(alert.code, alert.document) for alert in snapshot.alerts] == [
        (Code.REGISTRY_OUT_OF_PATH, "ca-on/issuers.json")
    ]
    assert "ca-bc" in snapshot.alerts[0].detail


@pytest.mark.attack("T09")
@pytest.mark.good_twin("T09")
async def test_t09_the_federation_cannot_speak_for_a_jurisdiction(world: World) -> None:
    theirs = world.repository.documents()["ca-on/issuers.json"]
    world.forge("targets", listing(world, "ca-on/issuers.json", {**theirs, "issuers": []}))
    snapshot = await world.client().refresh()
    assert is_known(snapshot, ONTARIO_DID)
    assert snapshot.alerts[0].code is Code.REGISTRY_OUT_OF_PATH


@pytest.mark.attack("T09")
@pytest.mark.good_twin("T09")
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


@pytest.mark.attack("T09")
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
@pytest.mark.attack("T14")
@pytest.mark.good_twin("T14")
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
@pytest.mark.attack("T14")
@pytest.mark.good_twin("T14")
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
