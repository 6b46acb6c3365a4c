"""Which URLs the house is willing to talk to; the one place that decides about loopback http.

Only the text of the URL is judged here (profile C4, catalogue R01, R02, R19). What a host name resolves to is judged by
:mod:`comity.runtime.address_guard` at the moment of connecting.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from comity.errors import Code, Unreachable

MAX_URL_LENGTH = 8192
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NUMERIC_LABEL = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_ALLOWED_TEXT = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%#]+\Z")
_INTERNAL_SUFFIXES = (".internal", ".local", ".localdomain", ".lan", ".home.arpa", ".intranet", ".corp", ".localhost")


class AllowedUrl(Struct, frozen=True, kw_only=True):
    """A URL whose text was accepted.

    Attributes:
        text: the URL as it was given.
        scheme: ``https``, or ``http`` for loopback.
        host: lower case, IPv6 without brackets.
        port: always a number.
    """

    text: str
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what two URLs share when they are of one origin."""
        return self.scheme, self.host, self.port


def is_loopback_host(host: str) -> bool:
    """Say whether ``host`` is one of the plain spellings of this machine: localhost, *.localhost, 127.x.y.z, ::1."""
    name = host.lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    # Python 3.13 began to call ::ffff:127.0.0.1 loopback; it is no plain spelling in any version.
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def require_allowed(url: str, *, allow_loopback_http: bool = False, neighbour: str = "") -> AllowedUrl:
    """Return ``url``, taken apart, when the house may send a request there.

    https is required. Plain http passes only to loopback and only with ``allow_loopback_http``, and loopback itself
    passes only with it. Refused besides: user information, fragments, control and non-ASCII characters, backslashes,
    percent-encoding in the host, a trailing dot, names of private networks, single-label names, and every spelling of
    an IPv4 address other than four decimal numbers. Does NOT resolve the name.

    ``neighbour`` is the one host name that passes although it is one of a private network; https it must be all the
    same (:mod:`comity.runtime.neighbour`).

    Raises:
        Unreachable: ``url_not_allowed``, or ``address_not_public`` for a literal address that is not public.
    """
    parts, port = _split(url)
    is_neighbour = bool(neighbour) and (parts.hostname or "").lower() == neighbour
    host = neighbour if is_neighbour else _checked_host(parts, allow_loopback=allow_loopback_http)
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_loopback_http and is_loopback_host(host)):
        raise Unreachable(Code.URL_NOT_ALLOWED, "only https addresses are allowed")
    return AllowedUrl(text=url, scheme=parts.scheme, host=host, port=port or _DEFAULT_PORTS[parts.scheme])


def _split(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > MAX_URL_LENGTH:
        raise Unreachable(Code.URL_NOT_ALLOWED, "the address is too long")
    if not _ALLOWED_TEXT.match(url):
        raise Unreachable(Code.URL_NOT_ALLOWED, "the address holds characters that a URL cannot hold")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unreachable(Code.URL_NOT_ALLOWED, "the address is not a URL") from None
    if not parts.hostname or port == 0:
        raise Unreachable(Code.URL_NOT_ALLOWED, "the address names no host")
    if "@" in parts.netloc:
        raise Unreachable(Code.URL_NOT_ALLOWED, "the address holds user information")
    if "#" in url:
        raise Unreachable(Code.URL_NOT_ALLOWED, "the address holds a fragment")
    return parts, port


def _checked_host(parts: SplitResult, *, allow_loopback: bool) -> str:
    host = (parts.hostname or "").lower()
    bracketed = parts.netloc.startswith("[")
    if is_loopback_host(host):
        if not allow_loopback:
            raise Unreachable(Code.ADDRESS_NOT_PUBLIC, "the address is this machine itself")
        return host
    if bracketed or _NUMERIC_LABEL.match(host.rpartition(".")[2]):
        _require_literal(host, bracketed=bracketed)
    else:
        _require_name(host)
    return host


def _require_literal(host: str, *, bracketed: bool) -> None:
    """Refuse what browsers read as an IPv4 address but is not four plain decimal numbers, and zone ids."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise Unreachable(Code.URL_NOT_ALLOWED, "the address is an unusual spelling of a number") from None
    if bracketed != (address.version == 6) or "%" in host:
        raise Unreachable(Code.URL_NOT_ALLOWED, "the address is an unusual spelling of a number")


def _require_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise Unreachable(Code.URL_NOT_ALLOWED, "the host is not a plain host name")
    if len(labels) == 1 or host.endswith(_INTERNAL_SUFFIXES):
        raise Unreachable(Code.ADDRESS_NOT_PUBLIC, "the host is a name of a private network")
