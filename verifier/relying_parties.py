"""Who may start requests here and read their results: a small file of names and token hashes."""

import hashlib
import re
import secrets
from pathlib import Path
from typing import Any

from msgspec import Struct

from comity import base64url, strict_json
from comity.errors import Code, Conflict, Denied, Malformed, Misconfigured
from comity.runtime.files import replace_file

MAX_NAME = 200
_SHA256 = re.compile(r"[0-9a-f]{64}")


class RelyingParty(Struct, frozen=True, kw_only=True):
    """One relying party; only the SHA-256 (hexadecimal) of its token is kept."""

    name: str
    token_sha256: str


class RelyingParties(Struct, frozen=True, kw_only=True):
    """Everyone who may use the relying parties' API."""

    parties: tuple[RelyingParty, ...]

    @classmethod
    def load(cls, path: Path) -> "RelyingParties":
        """Read the file.

        Raises:
            Misconfigured: it is missing or not a list of ``{name, token_sha256}``.
        """
        try:
            entries = strict_json.parse(path.read_bytes())
            parties = tuple(_party(entry) for entry in entries)
        except FileNotFoundError:
            detail = f"{path} does not exist; run 'comity verifier relying-party add NAME'"
            raise Misconfigured(Code.MISCONFIGURED, detail) from None
        except (OSError, Malformed, KeyError, TypeError):
            raise Misconfigured(Code.MISCONFIGURED, f"{path} is not a list of names and token hashes") from None
        return cls(parties=parties)

    def authenticate(self, authorization: str | None) -> RelyingParty:
        """Return whose token an ``Authorization`` header carries.

        Raises:
            Denied: ``not_authenticated``.
        """
        scheme, _, token = (authorization or "").partition(" ")
        presented = hashlib.sha256(token.strip().encode()).hexdigest()
        found = [each for each in self.parties if secrets.compare_digest(each.token_sha256, presented)]
        if scheme.lower() != "bearer" or len(found) != 1:
            raise Denied(Code.NOT_AUTHENTICATED, "this needs the token of a relying party")
        return found[0]


def add(path: Path, name: str) -> str:
    """Add a relying party to the file and return its new token, which is not kept anywhere.

    Raises:
        Misconfigured: the file exists but is not readable as one.
        Conflict: there is a relying party of this name; two of one name could read each other's results.
        Malformed: a name has 1 to 200 characters.
    """
    known = RelyingParties.load(path).parties if path.exists() else ()
    if not 0 < len(name) <= MAX_NAME:
        raise Malformed(Code.MALFORMED, f"a relying party's name has 1 to {MAX_NAME} characters")
    if any(each.name == name for each in known):
        raise Conflict(Code.CONFLICT, "there is a relying party of this name already")
    token = base64url.encode(secrets.token_bytes(32))
    added = RelyingParty(name=name, token_sha256=hashlib.sha256(token.encode()).hexdigest())
    entries = [{"name": each.name, "token_sha256": each.token_sha256} for each in (*known, added)]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, strict_json.serialise(entries))
    return token


def _party(entry: dict[str, Any]) -> RelyingParty:
    name, token_sha256 = entry["name"], entry["token_sha256"]
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not _SHA256.fullmatch(token_sha256):
        raise Malformed(Code.MALFORMED, "an entry is not a name and a token hash")
    return RelyingParty(name=name, token_sha256=token_sha256)
