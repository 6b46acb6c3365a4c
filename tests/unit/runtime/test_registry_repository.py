"""Writing a registry: what is published, what waits, who must sign what."""

import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.errors import Code, ComityError, Conflict, Malformed, Misconfigured, NotFound
from comity.runtime.clock import FixedClock
from comity.runtime.registry_folder import RegistryFolder, read_root, read_targets
from comity.runtime.registry_keys import KeyFolder
from comity.runtime.registry_repository import RegistryRepository
from tests.unit.runtime.registry_world import (
    FEDERATION_EDITS,
    NOW,
    ONTARIO_DID,
    WITHDRAWAL,
    World,
    member_edits,
    named,
    stranger,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_a_new_registry_looks_like(tmp_path: Path) -> None:
    made = RegistryRepository.create(
        tmp_path / "r", FixedClock(NOW), name_en="Demo", name_fr="Démo", root_keys=3, root_threshold=2
    )
    federation = made.documents()["federation.json"]
    assert federation["name"] == {"en": "Demo", "fr": "Démo"}
    root = read_root(made.root_file.read_bytes()).signed
    assert (len(root.roles["root"].keyids), root.roles["root"].threshold) == (3, 2)
    assert made.root_file.read_bytes() == (made.public_folder / "metadata" / "1.root.json").read_bytes()
    status = made.status()
    assert [(each["role"], each["version"], each["keys"], each["keys_here"]) for each in status["roles"]] == [
        ("root", 1, 3, 3),
        ("targets", 1, 1, 1),
        ("snapshot", 1, 1, 1),
        ("timestamp", 1, 1, 1),
    ]
    assert status["roles"][3]["expires"] == (NOW + timedelta(days=3)).isoformat()
    assert status["pending"] == []


def test_private_keys_are_for_their_owner_and_never_published(world: World) -> None:
    keys = world.path / "keys"
    assert mode(keys) == 0o700
    files = [path for path in keys.rglob("*") if path.is_file()]
    assert len(files) == 7  # root, targets, snapshot, timestamp and three members
    assert {mode(path) for path in files} == {0o600}
    assert {mode(path) for path in keys.iterdir()} == {0o700}
    for path in world.repository.public_folder.rglob("*"):
        assert not path.is_file() or b"PRIVATE" not in path.read_bytes()
        assert not path.is_file() or mode(path) == 0o644


@pytest.mark.parametrize("place", ["r/public", "r/public/keys", "r/public/a/b"])
def test_keys_below_the_published_folder_are_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(Malformed):
        RegistryRepository.create(tmp_path / "r", FixedClock(NOW), name_en="D", name_fr="D", keys=tmp_path / place)
    assert not (tmp_path / "r" / "public").exists()


@pytest.mark.parametrize(("keys", "threshold"), [(1, 2), (3, 0), (2, 3)])
def test_impossible_thresholds_are_refused(tmp_path: Path, keys: int, threshold: int) -> None:
    with pytest.raises(Malformed):
        RegistryRepository.create(
            tmp_path / "r", FixedClock(NOW), name_en="D", name_fr="D", root_keys=keys, root_threshold=threshold
        )
    world = World(tmp_path / "w")
    with pytest.raises(Malformed):
        world.repository.rotate("ca-on", keys=keys, threshold=threshold)
    with pytest.raises(Malformed):
        world.repository.apply([WITHDRAWAL], role_keys=keys, role_threshold=threshold)


def test_a_registry_is_not_made_twice(world: World) -> None:
    with pytest.raises(Conflict):
        RegistryRepository.create(world.path, world.clock, name_en="D", name_fr="D")


def test_no_registry_is_said(tmp_path: Path) -> None:
    nothing = RegistryRepository(tmp_path, FixedClock(NOW))
    for call in (nothing.documents, nothing.status, nothing.sign, nothing.refresh):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(NotFound):
        nothing.apply([WITHDRAWAL])


def test_edits_sign_each_touched_role_once(world: World) -> None:
    before = world.files.versions()
    done = world.repository.apply([*member_edits("ca-ns"), *member_edits("ca-pe"), WITHDRAWAL])
    after = world.files.versions()
    assert set(done.roles) == {"targets", "ca-ns", "ca-pe", "ca-on"}
    assert done.pending == ()
    assert set(done.documents) == {
        "federation.json",
        "ca-ns/issuers.json",
        "ca-pe/issuers.json",
        "ca-on/issuers.json",
    }
    assert after["targets"] == before["targets"] + 1
    assert (after["ca-ns"], after["ca-on"], after["ca-bc"]) == (1, before["ca-on"] + 1, before["ca-bc"])
    assert after["snapshot"] == before["snapshot"] + 1


def test_each_jurisdiction_gets_its_own_terminating_role(world: World) -> None:
    top = read_targets(world.published(world.newest("targets"))).signed
    assert top.delegations is not None
    assert top.delegations.roles is not None
    ontario = top.delegations.roles["ca-on"]
    assert (ontario.paths, ontario.terminating, ontario.threshold) == (["ca-on/*", "ca-on/*/*"], True, 1)
    assert list(top.targets) == ["federation.json"]
    province = read_targets(world.published(world.newest("ca-on"))).signed
    assert province.delegations is not None
    assert province.delegations.roles is not None
    assert province.delegations.roles["ca-on-toronto"].paths == ["ca-on/toronto/*"]
    assert list(province.targets) == ["ca-on/issuers.json"]


@pytest.mark.parametrize(
    "edit",
    [
        {**WITHDRAWAL, "authority": "ca-qc/services"},
        {"edit": "issuer", "authority": "ca-qc/services", "name": named("x"), "identifiers": []},
        {"edit": "recognition", "place": "ca-ab", "rule": {"accept": True}},
        {**member_edits("ca-qc/montreal", "municipality")[0]},
        {"edit": "member", "id": "ca-on", "name": named("x"), "level": "province", "since": "2026-01-01"},
        {"edit": "nonsense"},
    ],
)
def test_a_plan_with_one_wrong_edit_changes_nothing(world: World, edit: dict[str, Any]) -> None:
    before = {path: path.read_bytes() for path in world.path.rglob("*") if path.is_file()}
    with pytest.raises(ComityError) as refused:
        world.repository.apply([*member_edits("ca-ns"), edit])
    assert refused.value.detail.startswith("edit 4: ")
    assert {path: path.read_bytes() for path in world.path.rglob("*") if path.is_file()} == before


def test_a_municipality_without_a_role_is_its_provinces_to_sign(world: World) -> None:
    toronto = member_edits("ca-on/peel", "municipality")[1:]
    done = world.repository.apply(toronto)
    assert done.roles == ("ca-on",)
    assert "ca-on/peel/issuers.json" in read_targets(world.published(world.newest("ca-on"))).signed.targets


async def test_what_is_written_is_what_a_reader_reads(world: World) -> None:
    world.repository.apply([WITHDRAWAL])
    snapshot = await world.client().refresh()
    assert {name: json.loads(data) for name, data in snapshot.targets.items()} == world.repository.documents()


def test_refresh_needs_the_online_keys_and_nothing_else(world: World, tmp_path: Path) -> None:
    online = tmp_path / "online"
    for role in ("snapshot", "timestamp"):
        (online / role).mkdir(parents=True)
        for path in (world.path / "keys" / role).iterdir():
            (online / role / path.name).write_bytes(path.read_bytes())
    world.clock.advance(timedelta(hours=1))
    elsewhere = RegistryRepository(world.path, world.clock, keys=online)
    assert elsewhere.refresh().roles == ("snapshot", "timestamp")
    assert elsewhere.status()["roles"][-1]["expires"] == (NOW + timedelta(days=3, hours=1)).isoformat()
    for role in ("snapshot", "timestamp"):
        for path in (online / role).iterdir():
            path.unlink()
        with pytest.raises(Conflict):
            elsewhere.refresh()


def test_old_snapshots_are_forgotten(world: World) -> None:
    for _ in range(25):
        world.repository.refresh()
    snapshots = list((world.repository.public_folder / "metadata").glob("*.snapshot.json"))
    assert len(snapshots) == 20


async def test_an_edit_without_the_online_keys_waits_for_them(world: World) -> None:
    client = world.client()
    await client.refresh()
    timestamp = next((world.path / "keys" / "timestamp").iterdir())
    hidden = timestamp.rename(world.path / "hidden")
    done = world.repository.apply([WITHDRAWAL])
    assert (done.roles, done.pending) == (("ca-on",), ("snapshot", "timestamp"))
    assert (await client.refresh()).versions["ca-on/issuers.json"] == 1
    hidden.rename(timestamp)
    world.repository.refresh()
    assert (await client.refresh()).versions["ca-on/issuers.json"] == 2


# --- files


def test_files_that_are_not_what_they_say(world: World) -> None:
    newest = world.repository.public_folder / world.newest("ca-bc")
    good = newest.read_bytes()
    for wrong in (b"", b"{}", world.published("metadata/timestamp.json")):
        newest.write_bytes(wrong)
        with pytest.raises(Malformed) as refused:
            world.repository.documents()
        assert refused.value.code is Code.REGISTRY_INVALID
    newest.write_bytes(good)
    assert world.repository.documents()
    (world.path / "settings.json").write_bytes(b"nonsense")
    with pytest.raises(Misconfigured):
        world.repository.refresh()


def test_a_document_whose_file_is_missing(world: World) -> None:
    for path in (world.repository.public_folder / "targets" / "ca-bc").iterdir():
        path.unlink()
    with pytest.raises(NotFound):
        world.repository.documents()


def test_metadata_that_was_never_published(world: World) -> None:
    with pytest.raises(NotFound):
        world.files.published_bytes("ca-qc", 1)


def test_a_document_that_did_not_change_is_written_once(world: World) -> None:
    first = world.files.write_document("ca-on/recognition.json", b"{}")
    path = world.files.targets / first.get_prefixed_paths()[0]
    before = path.stat().st_mtime_ns
    again = world.files.write_document("ca-on/recognition.json", b"{}")
    assert again == first
    assert path.stat().st_mtime_ns == before


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = RegistryFolder(tmp_path / "r")
    folder.create({})
    with pytest.raises(Misconfigured):
        folder._write(tmp_path / "missing" / "x.json", b"")


def test_keys(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path / "keys")
    (signer,) = keys.create("ca-on", 1)
    assert [each.public_key for each in keys.signers("ca-on", [signer.public_key])] == [signer.public_key]
    assert keys.signers("ca-on", [stranger().public_key]) == []
    assert keys.signers("ca-bc", [signer.public_key]) == []
    path = tmp_path / "keys" / "ca-on" / f"{signer.public_key.keyid}.pem"
    path.write_bytes(stranger().private_bytes)
    with pytest.raises(Misconfigured, match="another key"):
        keys.signers("ca-on", [signer.public_key])
    path.write_bytes(b"nonsense")
    with pytest.raises(Misconfigured, match="no private key"):
        keys.signers("ca-on", [signer.public_key])
    path.unlink()
    path.mkdir()
    with pytest.raises(Misconfigured, match="cannot be read"):
        keys.signers("ca-on", [signer.public_key])
    keys.retire("ca-on", [signer.public_key.keyid, "missing"])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misconfigured):
        KeyFolder(tmp_path / "file").create("ca-on", 1)


def test_editors_wait_for_each_other(world: World) -> None:
    """A second process that edits the same registry waits for the lock."""
    import fcntl

    with world.files.locked(), (world.path / ".lock").open("w") as second, pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (world.path / ".lock").open("w") as second:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_demo_registry_is_written_at_once(tmp_path: Path) -> None:
    """Eight members in one plan: one signature for each role, whatever the number of edits."""
    made = RegistryRepository.create(tmp_path / "r", FixedClock(NOW), name_en="D", name_fr="D")
    rest = [edit for each in ("ca", "ca-pe", "ca-nt", "ca-yt") for edit in member_edits(each)]
    done = made.apply([*FEDERATION_EDITS, *rest, *member_edits("ca-on/peel", "municipality")])
    assert len(done.roles) == 9
    versions = RegistryFolder(tmp_path / "r").versions()
    assert set(versions.values()) <= {1, 2}
    assert list((tmp_path / "r" / "staged").iterdir()) == []
    assert ONTARIO_DID in str(made.documents())
