"""URLs inside protocol messages: their shape, and whether one belongs to another.

Whether an address may be contacted at all (loopback http, private networks) is decided once: ``comity.runtime.urls``.
"""

import re
from urllib.parse import SplitResult, urlsplit

_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+\Z")
_DOT_SEGMENT = re.compile(r"(?:\A|/)(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)
_DEFAULT_PORT = {"https": 443, "http": 80}


def split(url: str) -> SplitResult | None:
    """Return the parts of an absolute https URL, or of an http URL whose host is ``localhost``; None for anything else.

    Refused with None: other schemes, no host, user names, fragments, white space and other characters RFC 3986 does
    not allow, dot segments (plain or percent-encoded), ports that are not numbers.
    """
    if not _CHARACTERS.match(url) or "#" in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or port == 0 or "@" in parts.netloc or parts.netloc.endswith(":"):
        return None
    if parts.scheme != "https" and not (parts.scheme == "http" and host == "localhost"):
        return None
    return None if _DOT_SEGMENT.search(parts.path) else parts


def is_endpoint(url: str) -> bool:
    """Tell whether ``url`` has the shape an endpoint must have (see :func:`split`)."""
    return split(url) is not None


def is_identifier(url: str) -> bool:
    """Tell whether ``url`` can be an issuer identifier: no query either (OpenID4VCI §12.2.1, RFC 8414 §2)."""
    return "?" not in url and is_endpoint(url)


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Return scheme, host and port; the port is the scheme's own when none is written (RFC 6454 §4)."""
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORT[parts.scheme]


def belongs_to(url: str, base: str) -> bool:
    """Tell whether ``url`` lies at or below ``base``: the same origin, and its path begins with all of base's segments.

    Several issuers share one host in this federation, so the origin alone says nothing about who answers.
    """
    parts, owner = split(url), split(base)
    if parts is None or owner is None or origin(parts) != origin(owner):
        return False
    prefix = owner.path.rstrip("/")
    return parts.path == prefix or parts.path.startswith(f"{prefix}/")


def well_known_url(identifier: str, name: str) -> str:
    """Return ``identifier`` with ``/.well-known/<name>`` inserted between host and path.

    OpenID4VCI 1.0 §12.2.2 and RFC 8414 §3: inserted, never appended; a final slash of the path is removed first.

    Args:
        identifier: an identifier for which :func:`is_identifier` holds; anything else is a programming error.
        name: such as ``openid-credential-issuer`` or ``oauth-authorization-server``.
    """
    parts = split(identifier)
    if parts is None or parts.query:
        raise ValueError("a well-known URL needs an issuer identifier")
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.rstrip('/')}"
