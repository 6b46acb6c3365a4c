"""DIDs: one dispatcher over did:web, did:key and did:jwk. Pure: documents of did:web are fetched by the caller.

The way of a verifier: :func:`parse` the DID URL; :func:`local_document`, or fetch :func:`document_url` and hand the
bytes to :func:`document`; then :func:`verification_key`. Whose DID is trusted is decided elsewhere (``comity.trust``).
"""

from comity.did import jwk, key, web
from comity.did.document import DidDocument, VerificationKey, read, verification_key
from comity.did.syntax import Did, parse
from comity.did.web import web_document

__all__ = [
    "Did",
    "DidDocument",
    "VerificationKey",
    "document",
    "document_url",
    "jwk",
    "key",
    "local_document",
    "parse",
    "verification_key",
    "web",
    "web_document",
]  # fmt: skip

_LOCAL = {"key": key.document, "jwk": jwk.document}


def document_url(did: Did | str) -> str | None:
    """Return the URL of the document of a did:web, or None for a DID that needs no network.

    Raises:
        Malformed: ``malformed_did`` or ``did_method_unsupported``.
    """
    parsed = _parsed(did)
    return web.document_url(parsed) if parsed.method == "web" else None


def local_document(did: Did | str) -> DidDocument | None:
    """Return the document of a did:key or did:jwk, or None for a DID whose document must be fetched.

    Raises:
        Malformed: ``malformed_did``, ``did_method_unsupported`` or ``private_key_exposed``.
    """
    parsed = _parsed(did)
    build = _LOCAL.get(parsed.method)
    return build(parsed) if build else None


def document(did: Did | str, body: bytes) -> DidDocument:
    """Return the fetched document ``body`` of ``did``, checked to be about that DID and to conform to CID 1.0.

    Raises:
        Malformed: ``did_document_mismatch``, ``malformed_did``, ``did_method_unsupported``, or what
            :mod:`comity.strict_json` says of the bytes.
    """
    return read(_parsed(did), body)


def _parsed(did: Did | str) -> Did:
    return parse(did) if isinstance(did, str) else did
