"""Whom the demo's issuer takes: its own wallet's provider, further ones, and everybody or attested wallets only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comity import strict_json
from comity.errors import Code, Malformed, Misconfigured
from comity.runtime.keystore import FileKeyStore

KEY_FILE, TRUST_FILE = "wallet-provider.pem", "wallet-providers.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Which wallets the demo's issuer takes.

    Attributes:
        others: entries of wallet providers beside the demo's own, as ``ISSUER_WALLET_PROVIDERS_FILE`` has them; not
            checked here: an issuer that cannot read them does not start.
        attested: only wallets and keys that a trusted provider vouches for, at every authority.
    """

    others: tuple[Mapping[str, Any], ...] = ()
    attested: bool = False

    def settings(self) -> dict[str, str]:
        """Return the issuer's settings that this adds."""
        return {"CLIENT_AUTHENTICATION": "required"} if self.attested else {}

    def authorities(self, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the authorities file's ``entries`` as this wants them: key attestations for each type, at no level."""
        if not self.attested:
            return [dict(entry) for entry in entries]
        return [{**entry, "key_attestations": {each: {} for each in entry["types"]}} for entry in entries]


def read(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of a file of wallet providers.

    Raises:
        Misconfigured: it cannot be read, or is no JSON array of objects.
    """
    try:
        entries = strict_json.parse(path.read_bytes())
    except (OSError, Malformed) as error:
        raise Misconfigured(Code.MISCONFIGURED, f"{path} cannot be read as JSON") from error
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise Misconfigured(Code.MISCONFIGURED, f"{path} must hold a list of wallet providers")
    return tuple(entries)


def found(folder: Path, *, wallet_url: str, others: Sequence[Mapping[str, Any]] = ()) -> None:
    """Make the key, and write the file, as ``comity wallet provider`` prints it and an issuer's operator keeps it.

    ``others`` are trusted too.

    Raises:
        Misconfigured: the folder cannot be written.
    """
    signer = FileKeyStore(folder).signer_or_create(Path(KEY_FILE).stem)
    entry = {"name": wallet_url, "client_ids": [wallet_url], "keys": [dict(signer.public_jwk)]}
    (folder / TRUST_FILE).write_bytes(strict_json.serialise([entry, *map(dict, others)]))
