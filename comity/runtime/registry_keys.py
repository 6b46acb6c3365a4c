"""The keys with which a registry is signed; private ones are PEM files by role, readable by their owner only.

They never lie below the published folder. A role whose keys are kept elsewhere simply has no files here; what it would
sign then waits (``staged``) until its keeper signs.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key

from comity.errors import Code, ComityError, Misconfigured
from comity.keys import KeySigner


class KeyFolder:
    """The keys below one folder: ``<role>/<key id>.pem``; a retired key is renamed ``….pem.retired``."""

    def __init__(self, path: Path) -> None:
        """Use ``path``, which is made when the first key is."""
        self._path = path

    def create(self, role: str, count: int) -> list[CryptoSigner]:
        """Return ``count`` new Ed25519 keys of ``role``, written to files of mode 0600.

        Raises:
            Misconfigured: the folder cannot be written.
        """
        folder = self._path / role
        try:
            for each in (self._path, folder):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                each.chmod(0o700)
            signers = [CryptoSigner.generate_ed25519() for _ in range(count)]
            for signer in signers:
                _write_private(folder / f"{signer.public_key.keyid}.pem", signer.private_bytes)
        except OSError:
            raise Misconfigured(Code.MISCONFIGURED, "the registry's key folder cannot be written") from None
        return signers

    def signers(self, role: str, keys: Iterable[Key]) -> list[CryptoSigner]:
        """Return a signer for each of ``keys`` whose private half is here.

        Raises:
            Misconfigured: a key file is not a private key, or of another key than its name says.
        """
        return [signer for key in keys if (signer := self._signer(role, key)) is not None]

    def retire(self, role: str, keyids: Iterable[str]) -> None:
        """Rename key files so that they are not used any more; they are not destroyed."""
        for keyid in keyids:
            path = self._path / role / f"{keyid}.pem"
            if path.is_file():
                path.rename(path.with_suffix(".pem.retired"))

    def _signer(self, role: str, key: Key) -> CryptoSigner | None:
        path = self._path / role / f"{key.keyid}.pem"
        try:
            pem = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            raise Misconfigured(Code.MISCONFIGURED, f"a key file of {role} cannot be read") from None
        try:
            signer = CryptoSigner(KeySigner.from_pem(pem).private_key)
        except (ComityError, ValueError):
            raise Misconfigured(Code.MISCONFIGURED, f"a key file of {role} holds no private key") from None
        if signer.public_key.keyid != key.keyid:
            raise Misconfigured(Code.MISCONFIGURED, f"a key file of {role} holds another key than its name says")
        return signer


def _write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read, from its first moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def material(key: Key) -> bytes:
    """Return the public key itself, however it is written: hexadecimal in either case, a point compressed or not.

    What cannot be read as a key verifies nothing, so its own text will do.
    """
    public = str(key.to_dict()["keyval"]["public"])
    try:
        raw = bytes.fromhex(public) if key.keytype == "ed25519" else None
        read = Ed25519PublicKey.from_public_bytes(raw) if raw else load_pem_public_key(public.encode())
    except (ValueError, UnsupportedAlgorithm):
        return public.encode()
    return read.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
