"""did:web (W3C CCG): a DID whose document stands at an https URL. It proves the holder of the path, not a past.

Stricter than the method's text where its freedom was used for attacks (catalogue R02, R05): lower-case host names with
a dot only, ``%3A`` for the port and no other percent-encoding, no addresses, no dot or empty path segments. So each
document URL has one DID, and nothing is decoded twice.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from comity.did.syntax import Did, parse
from comity.errors import Code, Malformed
from comity.keys import public_jwk, public_key
from comity.ports import Jwk

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}|localhost")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_MAX_HOST_LENGTH = 253
_MAX_PORT = 65535


def document_url(did: Did) -> str:
    """Return where the document of a did:web stands (did:web §3.2): https, but http for ``localhost``.

    Whether that address may be fetched at all is the fetcher's decision.

    Raises:
        Malformed: ``malformed_did``.
    """
    # did:web §3.2 step 1: `:` separates the host from the path segments.
    authority, *segments = did.identifier.split(":")
    # Step 2: the port, if any, follows `%3A`.
    host, separator, port = authority.partition("%3A")
    _check_host(host)
    if separator and (not _PORT.fullmatch(port) or int(port) > _MAX_PORT):
        raise _refused("the port of the did:web is not a port")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise _refused("a path segment of the did:web is empty, relative or encoded")
    # Steps 3 to 5: https, `/.well-known` without a path, `/did.json`.
    scheme = "http" if host == "localhost" else "https"
    path = "/".join(segments) or ".well-known"
    return f"{scheme}://{host}{':' if separator else ''}{port}/{path}/did.json"


def did_of(url: str) -> str:
    """Return the did:web of an https URL such as ``https://issuer.example/ca-on/services`` (http for ``localhost``).

    Raises:
        Malformed: ``malformed_did`` for a URL that no did:web stands for.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("the URL cannot be read") from None
    identifier = host if port is None else f"{host}%3A{port}"
    did = parse(f"did:web:{identifier}{parts.path.replace('/', ':')}")
    # The way back gives the same URL exactly, or the URL held something a did:web cannot say.
    if document_url(did).removesuffix("/did.json").removesuffix("/.well-known") != url:
        raise _refused("no did:web stands for this URL")
    return did.did


def web_document(did: str, keys: Mapping[str, Jwk], relationships: Collection[str]) -> dict[str, Any]:
    """Return the document that an issuer publishes at :func:`document_url`: every key in every relationship.

    ``keys`` are public JWKs by fragment.

    Raises:
        Malformed: ``malformed_did``; as :func:`comity.keys.public_key` for the keys, so that no private key goes out.
    """
    document_url(parse(did))
    methods = [
        {
            "id": parse(f"{did}#{fragment}").url,
            "type": "JsonWebKey",
            "controller": did,
            "publicKeyJwk": public_jwk(public_key(jwk)),
        }
        for fragment, jwk in keys.items()
    ]
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://www.w3.org/ns/cid/v1"],
        "id": did,
        "verificationMethod": methods,
        **{name: [method["id"] for method in methods] for name in relationships},
    }


def _check_host(host: str) -> None:
    if len(host) > _MAX_HOST_LENGTH or not _HOST.fullmatch(host):
        raise _refused("the host of the did:web is not a lower-case domain name")
    # A host whose last label is a number is read as an IPv4 address (WHATWG URL §3.5): 127.1, 2130706433, 0x7f.1.
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        raise _refused("the host of the did:web is an address")


def _refused(detail: str) -> Malformed:
    return Malformed(Code.MALFORMED_DID, detail)
