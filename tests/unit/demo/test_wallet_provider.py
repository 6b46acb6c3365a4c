"""Which wallets the demo's issuer takes: any, those of further providers, or attested ones only."""

from pathlib import Path

import pytest

from comity import strict_json
from comity.demo import cast
from comity.demo.wallet_provider import TRUST_FILE, Admission, found, read
from comity.errors import Misconfigured

OTHER = {"name": "Foreign", "client_ids": ["https://wallet.example"], "keys": [{"kty": "EC"}]}


def test_another_provider_stands_beside_the_demos_own(tmp_path: Path) -> None:
    file = tmp_path / "providers.json"
    file.write_bytes(strict_json.serialise([OTHER]))
    found(tmp_path, wallet_url="http://localhost:8102", others=read(file))
    own, other = strict_json.parse((tmp_path / TRUST_FILE).read_bytes())
    assert (own["name"], other) == ("http://localhost:8102", OTHER)


@pytest.mark.parametrize("text", [None, "", "{}", '["a"]', "[{}"])
def test_a_file_that_is_none(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "providers.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Misconfigured):
        read(file)


def test_attested_wallets_only() -> None:
    entries = cast.deployment()
    assert Admission().settings() == {}
    assert Admission().authorities(entries) == entries
    strict = Admission(attested=True)
    assert strict.settings() == {"CLIENT_AUTHENTICATION": "required"}
    for entry in strict.authorities(entries):
        assert entry["key_attestations"] == {each: {} for each in entry["types"]}
