"""The file of relying parties."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity import strict_json
from comity.errors import Code, Denied, Misconfigured
from verifier import relying_parties
from verifier.relying_parties import RelyingParties, RelyingParty


def entry(name: object, token: str = "t") -> dict[str, object]:
    return {"name": name, "token_sha256": hashlib.sha256(token.encode()).hexdigest()}


def written(path: Path, value: object) -> Path:
    path.write_bytes(value if isinstance(value, bytes) else strict_json.serialise(value))
    return path


def test_only_the_hash_of_a_token_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "parties.json"
    tokens = [relying_parties.add(path, name) for name in ("bar", "bank")]
    assert len(set(tokens)) == 2
    assert not any(token in path.read_text() for token in tokens)
    found = RelyingParties.load(path)
    assert [each.name for each in found.parties] == ["bar", "bank"]
    assert [found.authenticate(f"Bearer {token}").name for token in tokens] == ["bar", "bank"]
    assert found.authenticate(f"bearer  {tokens[0]} ").name == "bar"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic {}", "{}", "Bearer {}x"])
def test_anything_else_is_nobody(tmp_path: Path, header: str | None) -> None:
    path = tmp_path / "parties.json"
    token = relying_parties.add(path, "bar")
    with pytest.raises(Denied) as caught:
        RelyingParties.load(path).authenticate(header and header.format(token))
    assert caught.value.code is Code.NOT_AUTHENTICATED


def test_a_token_of_two_parties_is_nobodys() -> None:
    digest = hashlib.sha256(b"t").hexdigest()
    parties = tuple(RelyingParty(name=name, token_sha256=digest) for name in ("bar", "bank"))
    with pytest.raises(Denied):
        RelyingParties(parties=parties).authenticate("Bearer t")
    assert RelyingParties(parties=parties[:1]).authenticate("Bearer t").name == "bar"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        None,
        7,
        {"name": "bar"},
        ["bar"],
        [{"name": "bar"}],
        [entry("")],
        [entry("x" * 201)],
        [entry(7)],
        [{"name": "bar", "token_sha256": "é"}],
        [{"name": "bar", "token_sha256": "AB" * 32}],
        [{"name": "bar", "token_sha256": 7}],
    ],
)
def test_a_file_that_is_none_is_said_to_be_none(tmp_path: Path, value: object) -> None:
    with pytest.raises(Misconfigured, match="not a list"):
        RelyingParties.load(written(tmp_path / "parties.json", value))
    assert RelyingParties.load(written(tmp_path / "parties.json", [entry("x" * 200)])).parties


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="relying-party add"):
        RelyingParties.load(tmp_path / "none.json")
    with pytest.raises(Misconfigured, match="not a list"):
        RelyingParties.load(tmp_path)


@given(data=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_random_bytes_are_no_file(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path / "any.json", data)
    if data.strip() == b"[]":
        assert RelyingParties.load(path).parties == ()
        return
    with pytest.raises(Misconfigured) as caught:
        RelyingParties.load(path)
    assert caught.value.code is Code.MISCONFIGURED
