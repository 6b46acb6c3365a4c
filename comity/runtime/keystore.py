"""Private keys as files, and the certificate chains that belong to them.

One key is ``<name>.pem`` (PKCS #8, mode 0600) in folders of mode 0700; its chain lies beside it as ``<name>.x5c.json``.
Names may have several parts: ``ca-on/services/credential``. Good enough for a demonstration and a small deployment; a
key in hardware is another :class:`comity.ports.Signer`.
"""

import re
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from comity import strict_json
from comity.errors import Code, Conflict, Malformed, Misconfigured, NotFound
from comity.keys import KeySigner
from comity.runtime.files import create_file, make_private_folder, replace_file

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(?:/[a-z0-9][a-z0-9_-]{0,63}){0,7}\Z")
_KEY = ".pem"
_CHAIN = ".x5c.json"
_SECRET = ".secret"
SECRET_BYTES = 32
_NONCE_BYTES = 12


class FileKeyStore:
    """The keys in one folder. Names are lower case letters, digits, ``-``, ``_``, in parts divided by ``/``."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory
        self._signers: dict[str, KeySigner] = {}

    def create(self, name: str, algorithm: str = "ES256") -> KeySigner:
        """Make a new key and return its signer; never replaces a key.

        Raises:
            Conflict: a key of this name exists.
            Misconfigured: the name or the algorithm is not allowed, or the folder cannot be written.
        """
        path = self._path(name, _KEY)
        signer = KeySigner.generate(algorithm)
        _create(path, signer.to_pem(), name)
        return signer

    def signer(self, name: str) -> KeySigner:
        """Return the signer over the key called ``name``.

        Raises:
            NotFound: ``key_not_found``.
            Misconfigured: the file can be read by others than its owner, or holds no key.
        """
        known = self._signers.get(name)
        if known is not None:
            return known
        path = self._path(name, _KEY)
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                raise _unusable(name, "others than its owner can read it; chmod 600")
            signer = KeySigner.from_pem(path.read_bytes())
        except FileNotFoundError:
            raise NotFound(Code.KEY_NOT_FOUND, f"there is no key called {name}") from None
        except OSError as error:
            raise _unusable(name, str(error.strerror)) from None
        except Malformed as error:
            raise _unusable(name, error.detail) from None
        self._signers[name] = signer
        return signer

    def signer_or_create(self, name: str, algorithm: str = "ES256") -> KeySigner:
        """Return the signer called ``name``, made now when there is none; two processes get the same key.

        Raises:
            Misconfigured: as for :meth:`create` and :meth:`signer`.
        """
        try:
            return self.signer(name)
        except NotFound:
            pass
        try:
            return self.create(name, algorithm)
        except Conflict:
            return self.signer(name)

    def create_secret(self, name: str) -> bytes:
        """Make and return a secret of 32 random bytes; never replaces one.

        Raises:
            Conflict: a secret of this name exists.
            Misconfigured: the name is not allowed, or the folder cannot be written.
        """
        path, secret = self._path(name, _SECRET), secrets.token_bytes(SECRET_BYTES)
        _create(path, secret, name)
        return secret

    def has_secret(self, name: str) -> bool:
        """Say whether there is a secret called ``name``."""
        return self._path(name, _SECRET).exists()

    def secret(self, name: str) -> bytes:
        """Return the 32 bytes of the secret called ``name``.

        Raises:
            NotFound: ``key_not_found``.
            Misconfigured: the file can be read by others than its owner, or is not of that length.
        """
        path = self._path(name, _SECRET)
        try:
            mode, secret = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
        except FileNotFoundError:
            raise NotFound(Code.KEY_NOT_FOUND, f"there is no secret called {name}") from None
        except OSError as error:
            raise _unusable(name, str(error.strerror)) from None
        if mode & 0o077:
            raise _unusable(name, "others than its owner can read it; chmod 600")
        if len(secret) != SECRET_BYTES:
            raise _unusable(name, f"a secret has {SECRET_BYTES} bytes")
        return secret

    def names(self) -> tuple[str, ...]:
        """Return the names of all keys, sorted."""
        found = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob(f"*{_KEY}"))
        return tuple(sorted(name for each in found if _NAME.match(name := each.removesuffix(_KEY))))

    def save_chain(self, name: str, chain: Sequence[str]) -> None:
        """Keep the certificate chain (base64 DER, leaf first, without the root) of the key called ``name``.

        Replaces the former chain. Does NOT check that the leaf certifies the key.

        Raises:
            NotFound: ``key_not_found``: there is no such key.
            Misconfigured: the file cannot be written.
        """
        self.signer(name)
        try:
            replace_file(self._path(name, _CHAIN), strict_json.serialise(list(chain)))
        except OSError as error:
            raise _unusable(name, str(error.strerror)) from None

    def chain(self, name: str) -> tuple[str, ...]:
        """Return the certificate chain of the key called ``name``.

        Raises:
            NotFound: ``key_not_found``: no chain was saved under this name.
            Misconfigured: the file holds no chain.
        """
        try:
            found = strict_json.parse(self._path(name, _CHAIN).read_bytes())
        except FileNotFoundError:
            raise NotFound(Code.KEY_NOT_FOUND, f"the key {name} has no certificate chain") from None
        except (OSError, Malformed):
            raise _unusable(name, "its certificate chain is not readable") from None
        if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
            raise _unusable(name, "its certificate chain is not a list of certificates")
        return tuple(found)

    def _path(self, name: str, ending: str) -> Path:
        if not _NAME.match(name):
            raise Misconfigured(Code.MISCONFIGURED, "a key name holds characters that are not allowed")
        return self._folder / f"{name}{ending}"


def _create(path: Path, data: bytes, name: str) -> None:
    try:
        make_private_folder(path.parent)
        create_file(path, data)
    except OSError as error:
        if path.is_file():
            raise Conflict(Code.CONFLICT, f"there is a key called {name} already") from None
        raise _unusable(name, str(error.strerror)) from None


def _unusable(name: str, why: str) -> Misconfigured:
    return Misconfigured(Code.MISCONFIGURED, f"the key {name} cannot be used: {why}")


def seal(key: bytes, plaintext: bytes, *, context: bytes) -> bytes:
    """Return ``plaintext`` encrypted and bound to ``context`` (AES-256-GCM, random 96-bit nonce in front).

    ``key`` has 32 bytes. ``context`` says whose record this is, so that two sealed records cannot change places.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, context)


def unseal(key: bytes, sealed: bytes, *, context: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        Malformed: ``record_tampered``: changed, of another context, or sealed with another key.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise Malformed(Code.RECORD_TAMPERED, "a sealed record is not what was stored") from None
