"""Signing a registry: several holders, keys that are elsewhere, rotation, and what may be published."""

from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata

from comity.errors import NotFound
from comity.runtime.clock import FixedClock
from comity.runtime.registry_repository import RegistryRepository
from comity.runtime.registry_state import RegistryState, publishable
from tests.unit.runtime.registry_world import (
    BC_DID,
    NOW,
    WITHDRAWAL,
    World,
    stranger,
)

# --- several holders of keys


def part(keys: Path, role: str, into: Path) -> list[Path]:
    """Give each key of ``role`` to a holder of its own; return their key folders."""
    holders = []
    for number, path in enumerate(sorted((keys / role).glob("*.pem"))):
        holder = into / f"holder{number}"
        (holder / role).mkdir(parents=True)
        path.rename(holder / role / path.name)
        holders.append(holder)
    return holders


@pytest.mark.good_twin("T02")
async def test_a_role_of_several_holders_publishes_when_enough_have_signed(world: World, tmp_path: Path) -> None:
    world.repository.rotate("ca-bc", keys=3, threshold=2)
    client = world.client()
    await client.refresh()
    first, second, _ = part(world.path / "keys", "ca-bc", tmp_path)
    edit = {**WITHDRAWAL, "authority": "ca-bc/services"}
    done = world.repository.apply([edit])
    assert (done.roles, done.pending) == ((), ("ca-bc",))
    assert world.repository.status()["pending"] == ["ca-bc"]
    assert "withdrawn_at" in str(world.repository.documents()["ca-bc/issuers.json"])
    assert (await client.refresh()).versions["ca-bc/issuers.json"] == 2
    one = RegistryRepository(world.path, world.clock, keys=first).sign()
    assert (one.roles, one.pending) == ((), ("ca-bc",))
    # Another edit meanwhile goes its own way.
    assert world.repository.apply([WITHDRAWAL]).roles == ("ca-on",)
    two = RegistryRepository(world.path, world.clock, keys=second).sign("ca-bc")
    assert two.roles == ("ca-bc",)
    assert two.pending == ("snapshot", "timestamp")  # this holder has no online keys
    world.repository.refresh()
    snapshot = await client.refresh()
    assert client.last_error is None
    assert snapshot.versions["ca-bc/issuers.json"] == 3
    entry = snapshot.find_issuer(BC_DID, "vc+jwt")
    assert entry is not None
    assert entry.accreditations[0].effect == "lose"
    assert world.repository.status()["pending"] == []


def test_signing_twice_with_one_key_is_one_signature(world: World, tmp_path: Path) -> None:
    world.repository.rotate("ca-bc", keys=2, threshold=2)
    first, second = part(world.path / "keys", "ca-bc", tmp_path)
    world.repository.apply([{**WITHDRAWAL, "authority": "ca-bc/services"}])
    for _ in range(2):
        assert RegistryRepository(world.path, world.clock, keys=first).sign().pending == ("ca-bc",)
    assert RegistryRepository(world.path, world.clock, keys=second).sign().roles == ("ca-bc",)


def test_an_edit_while_another_waits_needs_every_signature_anew(world: World, tmp_path: Path) -> None:
    world.repository.rotate("ca-bc", keys=2, threshold=2)
    first, second = part(world.path / "keys", "ca-bc", tmp_path)
    edit = {**WITHDRAWAL, "authority": "ca-bc/services"}
    world.repository.apply([edit])
    RegistryRepository(world.path, world.clock, keys=first).sign()
    world.repository.apply([{**edit, "effect": "keep"}])
    assert RegistryRepository(world.path, world.clock, keys=second).sign().pending == ("ca-bc",)
    assert RegistryRepository(world.path, world.clock, keys=first).sign().roles == ("ca-bc",)
    assert world.files.versions()["ca-bc"] == 3


async def test_new_keys_of_a_jurisdiction_whose_delegator_signs_later(world: World, tmp_path: Path) -> None:
    """The federation's key is elsewhere: neither the new keys nor what they signed appear before it has signed."""
    (federation,) = part(world.path / "keys", "targets", tmp_path)
    client = world.client()
    await client.refresh()
    done = world.repository.rotate("ca-bc")
    assert (done.roles, set(done.pending)) == ((), {"targets", "ca-bc"})
    world.repository.apply([WITHDRAWAL])  # others go on, and readers still read
    await client.refresh()
    assert client.last_error is None
    signed = RegistryRepository(world.path, world.clock, keys=federation).sign("targets")
    assert set(signed.roles) == {"targets", "ca-bc"}
    world.repository.refresh()
    await client.refresh()
    assert client.last_error is None
    assert client.snapshot().versions["ca-bc/issuers.json"] == 2
    assert world.repository.sign("ca-bc").roles == ("ca-bc",)


async def test_a_new_root_of_several_holders(tmp_path: Path) -> None:
    world = World(tmp_path, root_keys=3, root_threshold=2)
    client = world.client()
    await client.refresh()
    first, second, third = part(world.path / "keys", "root", tmp_path)
    done = world.repository.rotate("timestamp")
    assert (done.roles, done.pending) == ((), ("root",))
    world.repository.refresh()  # the old online keys still serve
    await client.refresh()
    assert client.last_error is None
    assert RegistryRepository(world.path, world.clock, keys=third).sign().pending == ("root",)
    assert RegistryRepository(world.path, world.clock, keys=first).sign().roles == ("root",)
    world.repository.refresh()
    assert (await client.refresh()).root_version == 2
    assert client.last_error is None
    del second


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp", "ca-on", "ca-on-toronto"])
async def test_after_a_rotation_readers_go_on_and_old_keys_sign_nothing(world: World, role: str) -> None:
    client = world.client()
    before = await client.refresh()
    old = {path.name for path in (world.path / "keys" / role).glob("*.pem")}
    done = world.repository.rotate(role, keys=3, threshold=2)
    assert done.pending == ()
    now = {path.name for path in (world.path / "keys" / role).glob("*.pem")}
    assert len(now) == 3
    assert not old & now
    assert len(list((world.path / "keys" / role).glob("*.pem.retired"))) == 1
    after = await client.refresh()
    assert client.last_error is None
    assert after.targets == before.targets
    fresh = world.client(cache=world.cache.with_name("fresh"))
    assert (await fresh.refresh()).targets == before.targets
    assert world.repository.rotate(role).pending == ()
    await client.refresh()
    assert client.last_error is None


@pytest.mark.parametrize("role", ["root", "targets", "ca-on", "ca-on-toronto"])
async def test_signing_a_role_anew_extends_its_term(world: World, role: str) -> None:
    world.clock.advance(timedelta(days=2))
    before = world.files.versions()[role]
    assert world.repository.sign(role).roles == (role,)
    assert world.files.versions()[role] == before + 1
    terms = {each["role"]: each["expires"] for each in world.repository.status()["roles"]}
    days = 365 if role == "root" else 180
    assert terms[role] == (NOW + timedelta(days=2 + days)).isoformat()
    client = world.client()
    await client.refresh()
    assert client.last_error is None


@pytest.mark.parametrize("role", ["ca-qc", "nobody", ""])
def test_roles_that_do_not_exist(world: World, role: str) -> None:
    with pytest.raises(NotFound):
        world.repository.sign(role)
    with pytest.raises(NotFound):
        world.repository.rotate(role)


def test_other_terms_may_be_set(tmp_path: Path) -> None:
    made = RegistryRepository.create(tmp_path / "r", FixedClock(NOW), name_en="D", name_fr="D", days={"timestamp": 10})
    assert made.status()["roles"][-1]["expires"] == (NOW + timedelta(days=10)).isoformat()


# --- what may be published


def test_a_parent_is_not_published_when_it_would_disown_what_stays(world: World) -> None:
    before = RegistryState.read(world.files, staged=False)
    changed = RegistryState.read(world.files, staged=False)
    new = stranger()
    top = changed.roles["targets"].signed
    (old,) = changed.keys("ca-bc")
    top.add_key(new.public_key, "ca-bc")
    top.revoke_key(old.keyid, "ca-bc")
    changed.roles["targets"].signatures.clear()
    changed.roles["targets"].sign(world.signers("targets")[0])
    alone = {"targets": changed.roles["targets"]}
    assert publishable(alone, before) == frozenset()
    changed.roles["ca-bc"].signatures.clear()
    changed.roles["ca-bc"].sign(new)
    assert publishable({**alone, "ca-bc": changed.roles["ca-bc"]}, before) == {"targets", "ca-bc"}
    # With a third that lacks its signature, these two still go.
    unsigned = Metadata(changed.roles["ca-on"].signed)
    together = {**alone, "ca-bc": changed.roles["ca-bc"], "ca-on": unsigned}
    assert publishable(together, before) == {"targets", "ca-bc"}


def test_nothing_is_publishable_without_a_root(world: World) -> None:
    state = RegistryState.read(world.files, staged=False)
    assert publishable({"targets": state.roles["targets"]}, None) == frozenset()
    assert publishable({}, None) == frozenset()
    assert publishable({"root": state.root, **state.roles}, None) == {"root", *state.roles}
    assert publishable({"root": Metadata(state.root.signed), **state.roles}, None) == frozenset()
