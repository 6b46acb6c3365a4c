"""A backup as a file: a sequence of sealed parts under a passphrase, readable only from the first to the last.

::

    line 1   {"comity_backup":1,"id":…,"salt":…,"scrypt":[n,r,p]}     in the clear
    then     length (4 bytes, big endian) · sealed part                again and again

Each part is compressed JSON under AES-256-GCM, bound to the backup's id, its own number and whether it is the last: no
part can be left out, moved, taken from another backup, and a file that was cut short is no backup (catalogue F32).
"""

import contextlib
import hashlib
import secrets
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from comity import base64url, strict_json
from comity.errors import Code, Conflict, Denied, Malformed, Misconfigured
from comity.runtime import keystore
from comity.runtime.files import new_file

VERSION = 1
MINIMUM_PASSPHRASE = 10
COST = (1 << 17, 8, 1)
"""scrypt's n, r and p: 128 MiB for each guess (RFC 7914; the OWASP recommendation)."""
_MOST_MEMORY = 512 << 20
_MAX_HEADER = 4096
_MAX_PART = 64 << 20
_LENGTH = struct.Struct(">I")


class BackupWriter:
    """Appends parts to an open file; :func:`writing` makes one."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        self.id, salt = base64url.encode(secrets.token_bytes(16)), secrets.token_bytes(16)
        self._file, self._number = file, 0
        self._key = _key(passphrase, salt, COST)
        header = {"comity_backup": VERSION, "id": self.id, "salt": base64url.encode(salt), "scrypt": list(COST)}
        file.write(strict_json.serialise(header) + b"\n")

    def write(self, part: Any, *, is_last: bool = False) -> None:
        """Append one part, a JSON value; the last one closes the sequence."""
        packed = zlib.compress(strict_json.serialise(part), 6)
        sealed = keystore.seal(self._key, packed, context=_context(self.id, self._number, is_last=is_last))
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._number += 1


@contextlib.contextmanager
def writing(path: Path, passphrase: str) -> Iterator[BackupWriter]:
    """Write a new backup under ``path``, durable when the block ends without an error, absent otherwise.

    Raises:
        Malformed: ``passphrase_too_short``.
        Conflict: something of this name exists; a backup never replaces another.
        Misconfigured: the file cannot be written.
    """
    if len(unicodedata.normalize("NFKC", passphrase)) < MINIMUM_PASSPHRASE:
        raise Malformed(Code.PASSPHRASE_TOO_SHORT, f"a passphrase has at least {MINIMUM_PASSPHRASE} characters")
    if path.exists():
        raise Conflict(Code.CONFLICT, f"{path} exists; a backup never replaces another")
    try:
        with new_file(path) as file:
            yield BackupWriter(file, passphrase)
    except FileExistsError:
        raise Conflict(Code.CONFLICT, f"{path} exists; a backup never replaces another") from None
    except OSError as error:
        raise Misconfigured(Code.MISCONFIGURED, f"{path} cannot be written: {error.strerror}") from None


class BackupReader:
    """The parts of one backup, in order; :func:`reading` makes one."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        header = _header(file)
        self.id: str = header["id"]
        self._file = file
        self._key = _key(passphrase, base64url.decode(header["salt"]), header["scrypt"])

    def parts(self) -> Iterator[tuple[Any, bool]]:
        """Yield every part and whether it is the last one.

        Raises:
            Denied: ``passphrase_wrong``: the very first part does not open.
            Malformed: ``record_tampered``: changed, cut short, or followed by something.
        """
        number, is_last = 0, False
        while not is_last:
            packed, is_last = self._opened(number)
            if is_last and self._file.read(1):
                raise _tampered()
            yield strict_json.parse(packed, max_bytes=_MAX_PART), is_last
            number += 1

    def _opened(self, number: int) -> tuple[bytes, bool]:
        sealed = _sealed(self._file)
        for is_last in (False, True):
            with contextlib.suppress(Malformed):
                packed = keystore.unseal(self._key, sealed, context=_context(self.id, number, is_last=is_last))
                return _inflated(packed), is_last
        if number == 0:
            raise Denied(Code.PASSPHRASE_WRONG, "this passphrase does not open the backup")
        raise _tampered()


@contextlib.contextmanager
def reading(path: Path, passphrase: str) -> Iterator[BackupReader]:
    """Open a backup.

    Raises:
        Misconfigured: the file cannot be read.
        Malformed: ``record_tampered``: not a backup of a version known here.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise Misconfigured(Code.MISCONFIGURED, f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield BackupReader(file, passphrase)


def _header(file: IO[bytes]) -> dict[str, Any]:
    try:
        header = strict_json.parse_object(file.readline(_MAX_HEADER))
    except Malformed:
        raise _tampered() from None
    cost, salt, identifier = header.get("scrypt"), header.get("salt"), header.get("id")
    is_ours = header.get("comity_backup") == VERSION and isinstance(salt, str) and isinstance(identifier, str)
    if not is_ours or not isinstance(cost, list) or [type(each) for each in cost] != [int, int, int]:
        raise _tampered()
    if min(cost) < 1 or 128 * cost[0] * cost[1] * cost[2] > _MOST_MEMORY:
        raise _tampered()
    return header


def _sealed(file: IO[bytes]) -> bytes:
    head = file.read(_LENGTH.size)
    if len(head) != _LENGTH.size:
        raise _tampered()
    (length,) = _LENGTH.unpack(head)
    if length > _MAX_PART or len(sealed := file.read(length)) != length:
        raise _tampered()
    return sealed


def _inflated(packed: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    text = decompressor.decompress(packed, _MAX_PART)
    if decompressor.unconsumed_tail:
        raise _tampered()
    return text


def _key(passphrase: str, salt: bytes, cost: Any) -> bytes:
    n, r, p = cost
    secret = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    try:
        return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY + (1 << 20), dklen=32)
    except ValueError:  # n is no power of two
        raise _tampered() from None


def _context(identifier: str, number: int, *, is_last: bool) -> bytes:
    return strict_json.serialise(["comity backup", identifier, number, is_last])


def _tampered() -> Malformed:
    return Malformed(Code.RECORD_TAMPERED, "this is not a whole backup of a version known here")


def fingerprint(secret: bytes) -> str:
    """Return what recognises a secret that a backup needs and does not hold; says nothing else about it."""
    return hashlib.sha256(b"comity backup fingerprint\0" + secret).hexdigest()
