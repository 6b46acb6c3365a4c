"""Attacks on the registry, against the real client (catalogue group T): the last good state stays, and it is said."""

import base64
import copy
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Key, Root, TargetFile, Targets

from comity import strict_json, trust
from comity.errors import Code, Malformed, Misconfigured
from comity.runtime.registry_client import RegistryClient
from comity.runtime.registry_folder import read_snapshot
from comity.runtime.registry_updater import require_distinct_keys
from tests.unit.runtime.registry_world import (
    BC_DID,
    NOW,
    ONTARIO_DID,
    PERSON,
    TIMESTAMP,
    TORONTO_DID,
    URL,
    WITHDRAWAL,
    World,
    is_known,
    refused,
    stranger,
)

# --- T01: arbitrary metadata


@pytest.mark.parametrize("lie", [b"", b"{}", b"\xff\xfe", b"[" * 10_000, b'{"signed": {}, "signatures": []}'])
@pytest.mark.parametrize("path", [TIMESTAMP, "metadata/3.snapshot.json", "metadata/2.ca-on.json"])
@pytest.mark.attack("T01")
@pytest.mark.good_twin("T01")
async def test_t01_bytes_that_are_no_metadata(world: World, path: str, lie: bytes) -> None:
    client = world.client()
    before = await client.refresh()
    world.repository.apply([WITHDRAWAL])
    world.host.lies[path] = lie
    await refused(client, Code.REGISTRY_INVALID, before)
    del world.host.lies[path]
    assert (await client.refresh()).versions["timestamp"] == 3  # the good twin


@pytest.mark.parametrize("signers", [[], [stranger()]], ids=["unsigned", "unknown key"])
@pytest.mark.attack("T01")
@pytest.mark.good_twin("T01")
async def test_t01_a_timestamp_that_is_not_signed_by_its_key(world: World, signers: list[Any]) -> None:
    client = world.client()
    before = await client.refresh()

    def newer(signed: Any) -> None:
        signed.version += 1

    world.host.lies[TIMESTAMP] = world.forged_timestamp(newer, signers)
    await refused(client, Code.REGISTRY_INVALID, before)
    world.host.lies[TIMESTAMP] = world.forged_timestamp(newer, world.signers("timestamp"))
    assert (await client.refresh()).versions["timestamp"] == before.versions["timestamp"] + 1


@pytest.mark.attack("T01")
@pytest.mark.good_twin("T01")
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


@pytest.mark.attack("T01")
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
@pytest.mark.attack("T02")
async def test_t02_one_key_under_two_ids_is_one_key(world: World, written: Callable[[str], str]) -> None:
    client = world.client()
    before = await client.refresh()
    world.forge("targets", lambda signed: twice(signed, "ca-bc", written), announce=False)
    sign_under_two_ids(world, "ca-bc")
    await refused(client, Code.REGISTRY_INVALID, before)


def written_otherwise(key: Key) -> str:
    """Return the PEM of the same P-256 key, its point compressed."""
    public = load_pem_public_key(key.keyval["public"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    point = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    der = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"


@pytest.mark.attack("T02")
def test_t02_one_key_in_two_notations_is_one_key() -> None:
    first, other = (CryptoSigner.generate_ecdsa().public_key for _ in range(2))
    again = Key.from_dict("again", {**first.to_dict(), "keyval": {"public": written_otherwise(first)}})
    root = Root(consistent_snapshot=True)
    root.add_key(first, "timestamp")
    root.add_key(other, "timestamp")
    require_distinct_keys(root)
    root.add_key(again, "timestamp")
    with pytest.raises(RepositoryError):
        require_distinct_keys(root)


@pytest.mark.attack("T02")
async def test_t02_one_key_under_two_ids_further_down(world: World) -> None:
    world.forge("ca-on", lambda signed: twice(signed, "ca-on-toronto"), announce=False)
    sign_under_two_ids(world, "ca-on-toronto")
    snapshot = await world.client().refresh()
    assert not is_known(snapshot, TORONTO_DID)
    assert is_known(snapshot, BC_DID)
    assert snapshot.alerts[0].document == "ca-on-toronto"


@pytest.mark.parametrize("role", ["root", "timestamp"])
@pytest.mark.attack("T02")
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
@pytest.mark.clause("TR-3")
@pytest.mark.attack("T03")
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


@pytest.mark.clause("TR-3")
@pytest.mark.attack("T03")
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


@pytest.mark.attack("T03")
async def test_t03_the_running_process_remembers_when_its_cache_is_wiped(world: World) -> None:
    old = world.published(TIMESTAMP)
    world.repository.apply([WITHDRAWAL])
    client = world.client()
    before = await client.refresh()
    world.cache.rename(world.cache.with_name("gone"))
    world.host.lies[TIMESTAMP] = old
    await refused(client, Code.REGISTRY_ROLLBACK, before)


@pytest.mark.attack("T03")
async def test_t03_an_older_root_is_refused_when_the_cache_is_wiped(world: World) -> None:
    before_rotation = world.published(TIMESTAMP)
    world.repository.rotate("timestamp")
    client = world.client()
    before = await client.refresh()
    world.cache.rename(world.cache.with_name("gone"))
    world.host.lies |= {"metadata/2.root.json": 404, TIMESTAMP: before_rotation}
    await refused(client, Code.REGISTRY_ROLLBACK, before)


# --- T04: freeze


@pytest.mark.attack("T04")
@pytest.mark.good_twin("T04")
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


@pytest.mark.attack("T04")
async def test_t04_an_expired_registry_is_not_taken_for_a_first_state(world: World) -> None:
    world.clock.advance(timedelta(days=4))
    with pytest.raises(Malformed) as expired:
        await world.client().refresh()
    assert expired.value.code is Code.REGISTRY_EXPIRED


# --- T05: mix and match


@pytest.mark.parametrize("role", ["ca-on", "snapshot"])
@pytest.mark.attack("T05")
@pytest.mark.good_twin("T05")
async def test_t05_an_old_file_under_a_new_name(world: World, role: str) -> None:
    old = world.published(world.newest(role))
    client = world.client()
    before = await client.refresh()
    world.repository.apply([WITHDRAWAL])
    world.host.lies[world.newest(role)] = old
    await refused(client, Code.REGISTRY_INVALID, before)
    world.host.lies.clear()
    assert (await client.refresh()).versions["ca-on/issuers.json"] == 2


@pytest.mark.attack("T05")
@pytest.mark.good_twin("T05")
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


@pytest.mark.attack("T05")
async def test_t05_even_a_delegates_file_must_be_the_one_that_the_snapshot_names(world: World) -> None:
    """A host that serves another file for a municipality is refused; it is not the municipality's mistake."""
    client = world.client()
    before = await client.refresh()
    old = world.published(world.newest("ca-on-toronto"))
    world.repository.sign("ca-on-toronto")
    world.host.lies[world.newest("ca-on-toronto")] = old
    await refused(client, Code.REGISTRY_INVALID, before)


# --- T06: fast forward


@pytest.mark.attack("T06")
@pytest.mark.good_twin("T06")
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


@pytest.mark.attack("T06")
@pytest.mark.good_twin("T06")
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


# --- T08: a chain of roots with a bad end


@pytest.mark.attack("T08")
@pytest.mark.good_twin("T08")
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


@pytest.mark.attack("T08")
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
