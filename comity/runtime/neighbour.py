"""The one host beside loopback that a demonstration may reach: this machine under a name that phones know too.

``comity serve --host NAME`` gives every service a public https address under that name. Requests to it never leave the
machine: the name is not resolved, the connection goes to loopback, and the certificate must come from the demo's own
authority (decision record 0024). Production refuses the setting.
"""

import ssl
from pathlib import Path

from msgspec import Struct

from comity.errors import Code, Misconfigured

LOOPBACK = "127.0.0.1"


class Neighbour(Struct, frozen=True, kw_only=True):
    """This machine under a name.

    Attributes:
        host: the name, lower case.
        tls: whom to trust: the system's authorities and the demo's own, which may speak for this name only.
    """

    host: str
    tls: ssl.SSLContext


def neighbour(host: str, ca_file: Path | None) -> Neighbour | None:
    """Return the neighbour that a service's settings name, or None when they name none.

    Raises:
        Misconfigured: a host without its authority's certificate, or a file that holds none.
    """
    if not host:
        return None
    try:
        return Neighbour(host=host.lower(), tls=trusting(ca_file or Path()))
    except (OSError, ssl.SSLError):
        raise Misconfigured(Code.MISCONFIGURED, "DEMO_HOST needs the certificate of DEMO_CA_FILE") from None


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Return whom to trust when ``ca_file`` counts too.

    Raises:
        OSError: the file cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=ca_file)
    return context
