"""Who may use the operators' API: bearer tokens with a role, restricted to authorities.

The operators file holds hashes only: ``[{name, role, token_sha256, authorities: ["ca-on/services"] | ["*"]}]``.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from comity import base64url, strict_json
from comity.errors import Code, Denied, Malformed, Misconfigured
from comity.runtime.files import replace_file

_MAX_FILE_BYTES = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
EVERY_AUTHORITY = "*"


class Role(StrEnum):
    """What an operator is."""

    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Right(StrEnum):
    """What an operator may do."""

    ISSUE = "issue"
    LOOK_UP = "look_up"
    CHANGE_STATUS = "change_status"
    READ_AUDIT = "read_audit"
    ASK_REVOCATION = "ask_revocation"
    MANAGE_CLERKS = "manage_clerks"
    MANAGE_WEBHOOKS = "manage_webhooks"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.CLERK: frozenset({Right.ISSUE, Right.LOOK_UP, Right.ASK_REVOCATION}),
    Role.SUPERVISOR: frozenset({Right.ISSUE, Right.LOOK_UP, Right.CHANGE_STATUS, Right.ASK_REVOCATION}),
    Role.AUDITOR: frozenset({Right.LOOK_UP, Right.READ_AUDIT}),
    Role.ADMIN: frozenset(Right),
}


class Operator(Struct, frozen=True, kw_only=True):
    """One operator. ``authorities`` are paths, or ``*`` for all."""

    name: str
    role: Role
    token_sha256: str
    authorities: frozenset[str]

    def may(self, right: Right) -> bool:
        """Say whether the operator's role includes this, for the authorities the operator acts for."""
        return right in RIGHTS[self.role]

    def require(self, right: Right, authority: str) -> None:
        """Check that the operator may do this in the name of this authority.

        Raises:
            Denied: ``not_permitted``.
        """
        if not self.may(right):
            raise Denied(Code.NOT_PERMITTED, f"the role {self.role} does not include this")
        if not self.authorities & {authority, EVERY_AUTHORITY}:
            raise Denied(Code.NOT_PERMITTED, "this operator does not act for this authority")


class Operators:
    """The operators of a deployment, read again whenever the file changes: a dismissed clerk is out at once."""

    def __init__(self, file: Path) -> None:
        """Read ``file``.

        Raises:
            Misconfigured: it cannot be read or is malformed.
        """
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._operators: tuple[Operator, ...] = ()
        self.refresh()

    def authenticate(self, token: str) -> Operator:
        """Return the operator whose token this is.

        Raises:
            Denied: ``not_authenticated``.
            Misconfigured: the file was changed into one that cannot be read; nobody is let in then.
        """
        self.refresh()
        given, found = _digest(token), None
        for operator in self._operators:  # all are compared, so that time does not tell which matched
            if hmac.compare_digest(operator.token_sha256, given):
                found = operator
        if found is None:
            raise Denied(Code.NOT_AUTHENTICATED, "the operator token is not known")
        return found

    def refresh(self) -> None:
        """Read the file again if it changed.

        Raises:
            Misconfigured: it cannot be read or is malformed.
        """
        try:
            status = self._file.stat()
        except OSError:
            raise _wrong(f"the operators file {self._file} cannot be read") from None
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            self._operators, self._seen = load(self._file), seen


def load(file: Path) -> tuple[Operator, ...]:
    """Read an operators file.

    Raises:
        Misconfigured: it cannot be read or is malformed.
    """
    try:
        entries = strict_json.parse(file.read_bytes(), max_bytes=_MAX_FILE_BYTES)
    except (OSError, Malformed):
        raise _wrong(f"the operators file {file} cannot be read") from None
    if not isinstance(entries, list):
        raise _wrong("the operators file must hold a list")
    return tuple(_operator(entry) for entry in entries)


def _operator(entry: object) -> Operator:
    members = {"name": str, "role": str, "token_sha256": str, "authorities": list}
    if not isinstance(entry, dict) or set(entry) != set(members):
        raise _wrong("an operator is described by name, role, token_sha256 and authorities")
    is_typed = all(isinstance(entry[name], kind) for name, kind in members.items())
    if not is_typed or entry["role"] not in set(Role) or not _DIGEST.match(entry["token_sha256"].lower()):
        raise _wrong("an operator has a name, one of four roles, the SHA-256 of a token and a list of authorities")
    return Operator(
        name=entry["name"][:100],
        role=Role(entry["role"]),
        token_sha256=entry["token_sha256"].lower(),
        authorities=frozenset(str(each) for each in entry["authorities"]),
    )


def add(file: Path, *, name: str, role: Role, authorities: tuple[str, ...]) -> str:
    """Add an operator to ``file``, which is made when absent, and return the token: it is shown this once.

    Raises:
        Misconfigured: the file cannot be read, or there is an operator of this name.
    """
    known = load(file) if file.exists() else ()
    if name in {operator.name for operator in known}:
        raise _wrong(f"there is an operator called {name} already")
    token = base64url.encode(secrets.token_bytes(32))
    new = Operator(name=name, role=role, token_sha256=_digest(token), authorities=frozenset(authorities))
    entries = [
        {
            "name": each.name,
            "role": each.role.value,
            "token_sha256": each.token_sha256,
            "authorities": sorted(each.authorities),
        }
        for each in (*known, new)
    ]
    replace_file(file, strict_json.serialise(entries))
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _wrong(detail: str) -> Misconfigured:
    return Misconfigured(Code.MISCONFIGURED, detail)
