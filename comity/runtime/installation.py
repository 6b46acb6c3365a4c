"""Where this machine's last demo or ``comity serve`` left its addresses, for commands that are not told otherwise.

``.comity/installation.json`` holds addresses and file names only, no secrets.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from comity import strict_json
from comity.errors import Code, Misconfigured

FOLDER = Path(".comity")
FILE_NAME = "installation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Addresses of a running or past installation.

    Attributes:
        registry_url: where the registry is or was served.
        registry_root_file: its pinned root.
        registry_cache: folder with the registry as last verified; usable when the host is down.
        status_cache: folder with status lists as last fetched.
        allow_loopback_http: whether its services are reached without TLS on this machine.
        place: place of use assumed by default, such as ``ca-on``.
        services: service name → public URL.
    """

    registry_url: str
    registry_root_file: str
    registry_cache: str
    status_cache: str
    allow_loopback_http: bool = False
    place: str = ""
    services: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path = FOLDER) -> None:
        """Write this as the installation that later commands fall back to."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE_NAME).write_bytes(strict_json.serialise(asdict(self)) + b"\n")


def load(folder: Path = FOLDER) -> Installation:
    """Return what the last demo or serve left.

    Raises:
        Misconfigured: there is none, or it cannot be read.
    """
    try:
        members = strict_json.parse_object((folder / FILE_NAME).read_bytes())
        return Installation(**members)
    except FileNotFoundError:
        detail = f"no {folder / FILE_NAME}; run 'comity demo', or name --registry and --root"
        raise Misconfigured(Code.MISCONFIGURED, detail) from None
    except TypeError:
        raise Misconfigured(
            Code.MISCONFIGURED, f"{folder / FILE_NAME} cannot be read; run 'comity demo' anew"
        ) from None
