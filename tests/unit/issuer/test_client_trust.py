"""Whom a deployment trusts as client: both files, and what is wrong with them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.errors import Code, Misconfigured
from comity.keys import KeySigner
from issuer import client_trust
from issuer.client_trust import ClientTrust
from tests.support.attesting import CLIENT_ID, Provider
from tests.unit.openid.parties import AT

PROVIDER, STRANGER = Provider(AT), Provider(AT)
KEY = KeySigner.generate()
PORTAL = {"client_id": "portal", "keys": [{**KEY.public_jwk, "kid": "k1"}]}
SERVER = "https://issuer.example/ca-on/services"


def read(folder: Path, providers: Any = None, clients: Any = None, *, is_required: bool = False) -> ClientTrust:
    files: list[Path | None] = []
    for name, entries in (("providers", providers), ("clients", clients)):
        file = folder / f"{name}.json"
        if entries is not None:
            file.write_text(entries if isinstance(entries, str) else json.dumps(entries), "utf-8")
        files.append(None if entries is None else file)
    day = timedelta(days=1)
    return client_trust.load(*files, is_required=is_required, gives_challenges=True, attestation_age=day)


def refused(folder: Path, *entries: Any, is_required: bool = False) -> str:
    with pytest.raises(Misconfigured) as caught:
        read(folder, *entries, is_required=is_required)
    assert caught.value.code is Code.MISCONFIGURED
    return caught.value.detail


def test_both_files(tmp_path: Path) -> None:
    found = read(tmp_path, [PROVIDER.entry()], [PORTAL], is_required=True)
    assert found.attesters == (PROVIDER.attester,)
    assert found.registered == {"portal": {KEY.thumbprint: KEY.public_jwk, "k1": KEY.public_jwk}}
    assert found.named == {CLIENT_ID, "portal"}
    described = found.described(SERVER)
    assert described.methods == ("attest_jwt_client_auth", "attest_jwt_client_auth_dpop", "private_key_jwt")
    assert described.challenge_endpoint == f"{SERVER}/challenge"
    assert not found.attesters[0].ignores_status
    assert read(tmp_path, [PROVIDER.entry(ignores_status=True)]).attesters[0].ignores_status
    lists = ["https://wallet.example/status"]
    assert read(tmp_path, [PROVIDER.entry(status_lists=lists)]).attesters[0].status_lists == tuple(lists)


def test_nobody_by_default(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found == ClientTrust()
    assert found.described(SERVER).methods == ("none",)
    assert found.described(SERVER).challenge_endpoint is None


def test_somebody_who_attests_keys_only(tmp_path: Path) -> None:
    maker = [PROVIDER.entry(client_ids=[])]
    found = read(tmp_path, maker)
    assert found.attesters
    assert not found.takes_attestations
    assert found.described(SERVER).methods == ("none",)
    assert "no wallet provider" in refused(tmp_path, maker, is_required=True)


@pytest.mark.parametrize("providers", [None, []], ids=str)
def test_required_and_nobody_trusted(tmp_path: Path, providers: Any) -> None:
    assert "no wallet provider" in refused(tmp_path, providers, is_required=True)
    assert "no wallet provider" in refused(tmp_path, providers, [], is_required=True)
    assert read(tmp_path, providers, [PORTAL], is_required=True).is_required
    assert read(tmp_path, [PROVIDER.entry()], is_required=True).is_required


@pytest.mark.parametrize(
    "providers",
    [
        {},
        "[",
        [{}],
        [1],
        [PROVIDER.entry(name=1)],
        [PROVIDER.entry(keys=[], anchors=[])],
        [PROVIDER.entry(keys=[PROVIDER.signer.private_jwk()])],
        [PROVIDER.entry(keys=["x"])],
        [PROVIDER.entry(keys="x")],
        [PROVIDER.entry(keys=[dict(KEY.public_jwk), {**KEY.public_jwk, "kid": "b"}])],
        [PROVIDER.entry(keys=[{**KEY.public_jwk, "kid": 1}])],
        [PROVIDER.entry(anchors=["x"])],
        [PROVIDER.entry(anchors=[1])],
        [PROVIDER.entry(anchors="x")],
        [PROVIDER.entry(client_ids="x")],
        [PROVIDER.entry(client_ids=["a" * 201])],
        [PROVIDER.entry(client_ids=[""])],
        [PROVIDER.entry(unheard_of=1)],
        [PROVIDER.entry(), STRANGER.entry()],
        [PROVIDER.entry(), PROVIDER.entry(client_ids=[])],
    ],
)
def test_a_file_of_providers_that_is_wrong(tmp_path: Path, providers: Any) -> None:
    assert refused(tmp_path, providers)


@pytest.mark.parametrize(
    "clients",
    [
        {},
        [{"client_id": "portal"}],
        [{"client_id": "portal", "keys": []}],
        [{"client_id": "", "keys": PORTAL["keys"]}],
        [{"client_id": 1, "keys": PORTAL["keys"]}],
        [{"client_id": CLIENT_ID, "keys": PORTAL["keys"]}],
        [{"client_id": "portal", "keys": [KEY.private_jwk()]}],
        [{**PORTAL, "secret": "s"}],
    ],
)
def test_a_file_of_clients_that_is_wrong(tmp_path: Path, clients: Any) -> None:
    assert refused(tmp_path, [PROVIDER.entry()], clients)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    day = timedelta(days=1)
    with pytest.raises(Misconfigured):
        client_trust.load(tmp_path / "x", None, is_required=False, gives_challenges=True, attestation_age=day)
