"""Where this machine's last demo or ``comity serve`` left its addresses, for commands that are not told otherwise.

``.comity/installation.json`` holds addresses and file names only, no secrets.
"""

import hashlib
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from comity import strict_json
from comity.errors import Code, Malformed, Misconfigured

FOLDER = Path(".comity")
FILE_NAME = "installation.json"


class Installation(Struct, frozen=True, kw_only=True):
    """Addresses of a running or past installation.

    Attributes:
        registry_url: where the registry is or was served.
        registry_root_file: its pinned root.
        registry_cache: folder with the registry as last verified; usable when the host is down.
        status_cache: folder with status lists as last fetched.
        allow_loopback_http: whether its services are reached without TLS on this machine.
        place: place of use assumed by default, such as ``ca-on``.
        services: service name → public URL.
        data_folders: service name → folder with its keys and files.
    """

    registry_url: str
    registry_root_file: str
    registry_cache: str
    status_cache: str
    allow_loopback_http: bool = False
    place: str = ""
    services: dict[str, str] = field(default_factory=dict)
    data_folders: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path = FOLDER) -> None:
        """Write this as the installation that later commands fall back to."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE_NAME).write_bytes(strict_json.serialise(asdict(self)) + b"\n")


class NoInstallation(Misconfigured):
    """No demo and no serve left anything here."""


def load(folder: Path = FOLDER) -> Installation:
    """Return what the last demo or serve left.

    Raises:
        NoInstallation: there is none.
        Misconfigured: it cannot be read.
    """
    try:
        members = strict_json.parse_object((folder / FILE_NAME).read_bytes())
        return _checked(members)
    except FileNotFoundError:
        detail = f"no {folder / FILE_NAME}; run 'comity demo', or name --registry and --root"
        raise NoInstallation(Code.MISCONFIGURED, detail) from None
    except (OSError, TypeError, Malformed):
        detail = f"{folder / FILE_NAME} cannot be read; run 'comity demo' anew"
        raise Misconfigured(Code.MISCONFIGURED, detail) from None


def chosen(registry: str, root: Path | None, place: str, folder: Path = FOLDER) -> Installation:
    """Return what a command works against: the registry that its options name, else what :func:`load` finds.

    A registry named by options gets caches of its own below ``folder``, apart from those of any other registry or root;
    plain http is allowed for ``localhost`` only.

    Raises:
        Misconfigured: only one of ``registry`` and ``root`` is given; or neither, and :func:`load` raises.
    """
    if bool(registry) != (root is not None):
        raise Misconfigured(Code.MISCONFIGURED, "--registry and --root belong together")
    if root is None:
        left = load(folder)
        return replace(left, place=place or left.place)
    own = folder / "verify" / _name_of(registry, root)
    return Installation(
        registry_url=registry,
        registry_root_file=str(root),
        registry_cache=str(own / "registry"),
        status_cache=str(own / "status"),
        allow_loopback_http=registry.startswith(("http://localhost:", "http://localhost/")),
        place=place,
    )


def _name_of(registry: str, root: Path) -> str:
    """Return a folder name for one registry under one root of trust.

    Raises:
        Misconfigured: the root file cannot be read.
    """
    try:
        return hashlib.sha256(registry.encode() + b"\n" + root.read_bytes()).hexdigest()[:16]
    except OSError:
        raise Misconfigured(Code.MISCONFIGURED, "the registry's root file cannot be read") from None


def _checked(members: dict[str, Any]) -> Installation:
    """Return the installation over ``members``.

    Raises:
        TypeError: a member is missing, unknown or of another type.
    """
    found = Installation(**members)
    for name, value in asdict(found).items():
        expected = {"allow_loopback_http": bool, "services": dict, "data_folders": dict}.get(name, str)
        if not isinstance(value, expected):
            raise TypeError(name)
        if isinstance(value, dict) and not all(isinstance(each, str) for each in value.values()):
            raise TypeError(name)
    return found
