"""The demo's wallet provider: a key that the wallet vouches with, and the issuer's file that trusts it."""

from pathlib import Path

from comity import strict_json
from comity.runtime.keystore import FileKeyStore

KEY_FILE, TRUST_FILE = "wallet-provider.pem", "wallet-providers.json"


def found(folder: Path, *, wallet_url: str) -> None:
    """Make the key, and write the file, as ``comity wallet provider`` prints it and an issuer's operator keeps it.

    Raises:
        Misconfigured: the folder cannot be written.
    """
    signer = FileKeyStore(folder).signer_or_create(Path(KEY_FILE).stem)
    entry = {"name": wallet_url, "client_ids": [wallet_url], "keys": [dict(signer.public_jwk)]}
    (folder / TRUST_FILE).write_bytes(strict_json.serialise([entry]))
