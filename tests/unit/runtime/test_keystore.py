import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comity import keys
from comity.errors import Code, Conflict, Malformed, Misconfigured, NotFound
from comity.runtime.keystore import SECRET_BYTES, FileKeyStore, seal, unseal

NAME = "ca-on/services/credential"


@pytest.fixture
def store(tmp_path: Path) -> FileKeyStore:
    return FileKeyStore(tmp_path / "keys")


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
def test_a_key_signs_after_a_restart(store: FileKeyStore, tmp_path: Path, algorithm: str) -> None:
    made = store.create(NAME, algorithm)
    again = FileKeyStore(tmp_path / "keys").signer(NAME)
    assert again.algorithm == algorithm
    assert again.public_jwk == made.public_jwk
    assert keys.is_signature(again.sign(b"x"), b"x", keys.public_key(made.public_jwk))


def test_only_the_owner_can_read(store: FileKeyStore, tmp_path: Path) -> None:
    store.create(NAME)
    store.save_chain(NAME, ["MIIB"])
    for path in (tmp_path / "keys").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_a_key_is_never_replaced(store: FileKeyStore) -> None:
    first = store.create(NAME)
    with pytest.raises(Conflict):
        store.create(NAME)
    assert store.signer(NAME).thumbprint == first.thumbprint
    assert store.signer(NAME) is store.signer(NAME), "read once"


def test_two_who_want_a_key_get_the_same(tmp_path: Path) -> None:
    def want(_number: int) -> str:
        return FileKeyStore(tmp_path).signer_or_create(NAME).thumbprint

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(want, range(8)))) == 1


def test_the_one_who_comes_second_takes_the_first_ones_key(
    store: FileKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, first = store.signer, FileKeyStore(store._folder)
    answers = iter([NotFound(Code.KEY_NOT_FOUND)])

    def signer(name: str) -> keys.KeySigner:
        for answer in answers:
            first.create(name)
            raise answer
        return real(name)

    monkeypatch.setattr(store, "signer", signer)
    assert store.signer_or_create(NAME).thumbprint == first.signer(NAME).thumbprint


def test_names_lists_keys_only(store: FileKeyStore, tmp_path: Path) -> None:
    assert store.names() == ()
    for name in ("b", NAME, "a_1"):
        store.create(name)
    store.save_chain("b", ["MIIB"])
    (tmp_path / "keys" / "Not-A-Key.pem").write_text("x")
    assert store.names() == ("a_1", "b", NAME)


def test_an_absent_key_is_not_found(store: FileKeyStore) -> None:
    for ask in (store.signer, store.chain):
        with pytest.raises(NotFound) as refused:
            ask("none")
        assert refused.value.code is Code.KEY_NOT_FOUND
    with pytest.raises(NotFound):
        store.save_chain("none", ["MIIB"])


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/../b", "/a", "a/", "a//b", "A", "a b", "a\0", "-a", "a.pem", "é", "a" * 65, "a\n"],
)
@pytest.mark.attack("W15")
def test_names_cannot_leave_the_folder(store: FileKeyStore, name: str) -> None:
    for act in (store.create, store.signer, store.chain):
        with pytest.raises(Misconfigured):
            act(name)


def test_an_unknown_algorithm_makes_no_file(store: FileKeyStore) -> None:
    with pytest.raises(Misconfigured):
        store.create(NAME, "RS256")
    assert store.names() == ()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_key_that_others_can_read_is_refused(store: FileKeyStore, tmp_path: Path, mode: int) -> None:
    store.create("a")
    (tmp_path / "keys/a.pem").chmod(mode)
    with pytest.raises(Misconfigured) as refused:
        FileKeyStore(tmp_path / "keys").signer("a")
    assert "chmod 600" in refused.value.detail


def test_what_is_no_key_is_refused(store: FileKeyStore, tmp_path: Path) -> None:
    store.create("a")
    (tmp_path / "keys/a.pem").write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(Misconfigured):
        FileKeyStore(tmp_path / "keys").signer("a")
    (tmp_path / "keys/b.pem").mkdir(mode=0o700)
    with pytest.raises(Misconfigured):
        store.signer("b")


def test_a_folder_that_cannot_be_made_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured):
        FileKeyStore(tmp_path / "file").create("a")


def test_chains_lie_beside_their_keys_and_may_be_renewed(store: FileKeyStore, tmp_path: Path) -> None:
    store.create(NAME)
    with pytest.raises(NotFound):
        store.chain(NAME)
    store.save_chain(NAME, ["leaf1", "anchor"])
    store.save_chain(NAME, ("leaf2", "anchor"))
    assert FileKeyStore(tmp_path / "keys").chain(NAME) == ("leaf2", "anchor")


@pytest.mark.parametrize("content", ["", "{}", "[]", "[1]", '"leaf"', "[", '["a"] x'])
def test_what_is_no_chain_is_refused(store: FileKeyStore, tmp_path: Path, content: str) -> None:
    store.create("a")
    (tmp_path / "keys/a.x5c.json").write_text(content)
    with pytest.raises(Misconfigured):
        store.chain("a")


def test_a_chain_that_cannot_be_written_or_read_is_misconfigured(store: FileKeyStore, tmp_path: Path) -> None:
    store.create("a")
    (tmp_path / "keys/a.x5c.json").mkdir()
    with pytest.raises(Misconfigured):
        store.save_chain("a", ["x"])
    with pytest.raises(Misconfigured):
        store.chain("a")


# --- secrets


def test_a_secret_is_made_once_and_kept(store: FileKeyStore, tmp_path: Path) -> None:
    assert not store.has_secret("index")
    secret = store.create_secret("index")
    assert len(secret) == SECRET_BYTES
    assert secret != store.create_secret("other")
    assert store.has_secret("index")
    assert FileKeyStore(tmp_path / "keys").secret("index") == secret
    with pytest.raises(Conflict):
        store.create_secret("index")
    assert store.secret("index") == secret
    assert store.names() == (), "a secret is not a key"


def test_a_secret_that_cannot_be_used_is_refused(store: FileKeyStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        store.secret("index")
    store.create_secret("index")
    (path,) = (tmp_path / "keys").iterdir()
    path.chmod(0o640)
    with pytest.raises(Misconfigured):
        store.secret("index")
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(Misconfigured):
        store.secret("index")
    path.unlink()
    path.mkdir()
    with pytest.raises(Misconfigured):
        store.secret("index")
    with pytest.raises(Misconfigured):
        store.create_secret("index")


def test_what_is_sealed_opens_only_with_its_key_and_context() -> None:
    key, other = bytes(32), bytes([1]) * 32
    sealed = seal(key, b"claims", context=b"offer 1")
    assert unseal(key, sealed, context=b"offer 1") == b"claims"
    assert b"claims" not in sealed
    assert sealed != seal(key, b"claims", context=b"offer 1"), "a nonce is never used twice"
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for wrong_key, wrong_data, wrong_context in (
        (other, sealed, b"offer 1"),
        (key, sealed, b"offer 2"),
        (key, changed, b"offer 1"),
        (key, sealed[1:], b"offer 1"),
        (key, b"", b"offer 1"),
    ):
        with pytest.raises(Malformed) as refused:
            unseal(wrong_key, wrong_data, context=wrong_context)
        assert refused.value.code is Code.RECORD_TAMPERED
