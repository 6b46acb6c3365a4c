"""The verifier's keys, its two names, its registry entry."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from comity import did, keys, x509
from comity.credential import Kid, X5c
from comity.did import web
from comity.errors import Code, Malformed, Misconfigured, NotFound
from comity.openid.presentation import client_id, verifier_attestation
from comity.openid.presentation.client_id import Prefix
from comity.openid.presentation.proof import AttestationKey
from comity.runtime.clock import FixedClock
from comity.runtime.keystore import FileKeyStore
from verifier import identity

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "https://verifier.example/counter"


@pytest.fixture
def store(tmp_path: Path) -> FileKeyStore:
    made = FileKeyStore(tmp_path / "keys")
    identity.create(made, URL, FixedClock(NOW))
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_exists_is_kept(store: FileKeyStore, tmp_path: Path) -> None:
    before = contents(tmp_path / "keys")
    identity.create(store, URL, FixedClock(NOW + timedelta(days=100)))
    assert contents(tmp_path / "keys") == before
    assert store.names() == ("anchor", "id-token", "request")


def test_a_creation_that_was_interrupted_is_finished(store: FileKeyStore, tmp_path: Path) -> None:
    (chain,) = [path for path in (tmp_path / "keys").rglob("request*") if b"[" in path.read_bytes()[:1]]
    chain.unlink()
    with pytest.raises(Misconfigured):
        identity.load(store, URL, "x509_hash")
    key = store.signer(identity.REQUEST).thumbprint
    identity.create(store, URL, FixedClock(NOW))
    own = identity.load(store, URL, "x509_hash")
    assert store.signer(identity.REQUEST).thumbprint == key
    identity.require_usable(store, own, NOW)


def test_by_certificate(store: FileKeyStore) -> None:
    own = identity.load(store, URL, "x509_hash")
    assert isinstance(own.key, X5c)
    (leaf,) = x509.parse_chain(own.key.chain)
    assert own.client == client_id.of_certificate(leaf)
    assert x509.uri_sans(leaf) == (URL,)
    assert keys.thumbprint(keys.public_jwk(x509.public_key(leaf))) == keys.thumbprint(own.signer.public_jwk)
    assert len(own.seal) == 32


def test_by_did(store: FileKeyStore) -> None:
    own = identity.load(store, URL, "decentralized_identifier")
    assert own.client.text == "decentralized_identifier:did:web:verifier.example:counter"
    assert own.key == Kid(did_url="did:web:verifier.example:counter#request")
    members = identity.did_document(store, URL)
    assert members["id"] == "did:web:verifier.example:counter"
    (method,) = members["verificationMethod"]
    assert "d" not in method["publicKeyJwk"]
    assert set(members) & {"assertionMethod", "keyAgreement"} == set()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://verifier.example", "/.well-known/did.json"),
        ("http://localhost:8103", "/.well-known/did.json"),
        (URL, "/counter/did.json"),
    ],
)
def test_where_the_document_is(url: str, path: str) -> None:
    assert identity.did_path(url) == path
    document_url = did.document_url(web.did_of(url))
    assert document_url is not None
    assert document_url.endswith(path)


@pytest.mark.parametrize("prefix", ["x509_hash", "decentralized_identifier"])
def test_without_keys_there_is_no_identity(tmp_path: Path, prefix: str) -> None:
    empty = FileKeyStore(tmp_path / "none")
    with pytest.raises(Misconfigured, match="keys init") as caught:
        identity.load(empty, URL, prefix)
    assert caught.value.code is Code.KEY_NOT_FOUND
    with pytest.raises(Misconfigured):
        identity.registry_entry(empty, URL, name={"en": "a", "fr": "b"}, may_ask=[])


def test_the_certificate_is_judged_by_its_anchor_and_its_days(store: FileKeyStore, tmp_path: Path) -> None:
    own = identity.load(store, URL, "x509_hash")
    identity.require_usable(store, own, NOW)
    identity.require_usable(store, own, NOW + timedelta(days=identity.LEAF_DAYS - 1))
    for at in (NOW + timedelta(days=identity.LEAF_DAYS + 1), NOW - timedelta(days=2)):
        with pytest.raises(Malformed) as caught:
            identity.require_usable(store, own, at)
        assert caught.value.code is Code.CERTIFICATE_EXPIRED
    stranger = FileKeyStore(tmp_path / "stranger")
    identity.create(stranger, URL, FixedClock(NOW))
    with pytest.raises(Malformed) as caught:
        identity.require_usable(stranger, own, NOW)
    assert caught.value.code is Code.CERTIFICATE_UNTRUSTED
    by_did = identity.load(store, URL, "decentralized_identifier")
    identity.require_usable(store, by_did, NOW + timedelta(days=5000))


def test_the_registry_entry_ties_both_names_to_one_key(store: FileKeyStore) -> None:
    may_ask = [{"type": "person/1", "claims": ["age_over_19"], "purpose": "age-alcohol"}]
    entry = identity.registry_entry(store, URL, name={"en": "Bar", "fr": "Bar"}, may_ask=may_ask)
    assert entry["client_ids"] == [
        identity.load(store, URL, prefix).client.text for prefix in ("x509_hash", "decentralized_identifier")
    ]
    anchor = x509.from_base64(entry["anchor"])
    assert entry["anchor_sha256"] == x509.sha256_hex(anchor)
    assert entry["key_thumbprints"] == [store.signer(identity.REQUEST).thumbprint]
    assert entry["may_ask"] == may_ask
    with pytest.raises(NotFound):
        store.signer("none")


# --- attested


def attested(store: FileKeyStore, folder: Path, **changes: Any) -> Path:
    terms: dict[str, Any] = {"issuer": "https://chamber.example", "subject": "shop.example", "at": NOW}
    terms |= {"until": NOW + timedelta(days=9), "jwk": store.signer(identity.REQUEST).public_jwk, **changes}
    file = folder / "attestation.jwt"
    file.write_text(verifier_attestation.sign(keys.KeySigner.generate(), **terms) + "\n", "ascii")
    return file


def test_an_attested_verifier_is_what_its_attestation_says(store: FileKeyStore, tmp_path: Path) -> None:
    file = attested(store, tmp_path)
    found = identity.load(store, URL, Prefix.VERIFIER_ATTESTATION, file)
    assert found.client.text == "verifier_attestation:shop.example"
    assert found.key == AttestationKey(encoded=file.read_text("ascii").strip())
    identity.require_usable(store, found, NOW + timedelta(days=9, seconds=-1))
    with pytest.raises(Malformed) as caught:
        identity.require_usable(store, found, NOW + timedelta(days=9))
    assert caught.value.code is Code.VERIFIER_ATTESTATION_EXPIRED
    entry = identity.registry_entry(
        store, URL, name={"en": "a", "fr": "b"}, may_ask=[], prefix=Prefix.VERIFIER_ATTESTATION, attestation=file
    )
    assert "verifier_attestation:shop.example" in entry["client_ids"]


@pytest.mark.parametrize("text", [None, "", "a.b.c", "é"])
def test_a_file_that_holds_no_attestation(store: FileKeyStore, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "attestation.jwt"
    if text is not None:
        file.write_text(text, "utf-8")
    for given in (file, None):
        with pytest.raises(Misconfigured):
            identity.load(store, URL, Prefix.VERIFIER_ATTESTATION, given)


@pytest.mark.parametrize(
    "change",
    [
        {"jwk": keys.KeySigner.generate().public_jwk},
        {"subject": "a b"},
        {"redirect_uris": ("https://verifier.example/counter/openid/responses/1",)},
    ],
)
def test_an_attestation_that_is_of_no_use_here(store: FileKeyStore, tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        identity.load(store, URL, Prefix.VERIFIER_ATTESTATION, attested(store, tmp_path, **change))
