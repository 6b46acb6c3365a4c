"""Check 3: the issuer's key, by the one mechanism that the registry entry names for the format, and by no other.

An attacker must not be able to choose how the key of an issuer is found. So the mechanism comes from the registry
entry; what the credential carries (a certificate chain, a key id) only has to fit it.
"""

from datetime import datetime
from functools import lru_cache

from comity import base64url, did, keys, x509
from comity.credential import KeyReference, Kid, X5c
from comity.errors import Code, Malformed
from comity.formats.opened import OpenedCredential
from comity.keys import PublicKey
from comity.trust.snapshot import IssuerEntry
from comity.verification.evidence import Need, NeedKind

_PATHS_KEPT, _DOCUMENTS_KEPT = 1024, 128

DID_DOCUMENT_TYPES = ("application/did+json", "application/json", "application/did+ld+json")


def document_needed(opened: OpenedCredential, entry: IssuerEntry) -> Need | None:
    """Return the DID document to fetch before the key is known; only ever for a DID that the registry lists."""
    identifier = entry.identifier
    if identifier.mechanism == "x5c":
        if not isinstance(opened.key, X5c):
            raise Malformed(Code.KEY_MECHANISM_NOT_ALLOWED, "this issuer is known by its certificate, not by a key id")
        return None
    if not isinstance(opened.key, Kid):
        raise Malformed(Code.KEY_MECHANISM_NOT_ALLOWED, "this issuer is known by its DID, not by a certificate")
    if did.parse(opened.key.did_url).did != identifier.id:
        raise Malformed(Code.ISSUER_MISMATCH, "the signing key belongs to another DID than the issuer's")
    return document_need(identifier.id)


@lru_cache(maxsize=_PATHS_KEPT)
def document_need(issuer_did: str) -> Need | None:
    """Return the fetch for a DID document, or None for a DID that carries its own key."""
    url = did.document_url(issuer_did)
    return Need(url=url, kind=NeedKind.DID_DOCUMENT, accept=DID_DOCUMENT_TYPES) if url else None


def issuer_key(opened: OpenedCredential, entry: IssuerEntry, document: bytes | None, at: datetime) -> PublicKey:
    """Return the key with which this issuer, as the registry knows it, signs this format.

    Raises:
        Malformed: the chain, the name in it, the DID document or the pin does not fit the entry.
    """
    identifier = entry.identifier
    if isinstance(opened.key, X5c):
        return certified_key(opened.key, anchor=identifier.anchor, name=identifier.id, at=at)
    return pinned_key(opened.key, document, pins=identifier.key_thumbprints, at=at)


def certified_key(reference: X5c, *, anchor: str | None, name: str, at: datetime) -> PublicKey:
    """Return the leaf's key after path validation to ``anchor`` (base64 DER), the entry's own and no other.

    The leaf must carry exactly one URI SAN, equal to ``name``: a chain that is good for one authority of a deployment
    is thereby worthless for every other (profile 7.3).
    """
    if anchor is None:
        raise Malformed(Code.CERTIFICATE_UNTRUSTED, "the registry names no anchor for this issuer")
    path, names, key = _path(reference.chain, anchor)
    path.check_valid(at)
    if names != (name,):
        raise Malformed(Code.CERTIFICATE_NAME_MISMATCH, "the certificate was issued to another name")
    return key


@lru_cache(maxsize=_PATHS_KEPT)
def _path(chain: tuple[str, ...], anchor: str) -> tuple[x509.Path, tuple[str, ...], PublicKey]:
    """Return the path from a chain to an anchor (both base64 DER), its leaf's URI SANs and key.

    Worked out once, for the same texts always give the same path; whether it is valid *now* is asked at every use.
    """
    path = x509.path_of(x509.parse_chain(chain), [x509.from_base64(anchor)])
    return path, x509.uri_sans(path.leaf), x509.public_key(path.leaf)


def pinned_key(reference: Kid, document: bytes | None, *, pins: tuple[str, ...], at: datetime) -> PublicKey:
    """Return the verification method's key when the DID document offers it for assertions and the registry pins it."""
    issuer_did = did.parse(reference.did_url).did
    resolved = did.local_document(issuer_did) if document is None else _document(issuer_did, document)
    if resolved is None:
        raise Malformed(Code.DID_UNRESOLVED, "the issuer's key document is missing")
    method = did.verification_key(resolved, reference.did_url, relationships={"assertionMethod"}, at=at)
    if keys.thumbprint(method.jwk) not in pins:
        raise Malformed(Code.KEY_NOT_PINNED, "the registry does not vouch for this key of the issuer")
    return method.key


_document = lru_cache(maxsize=_DOCUMENTS_KEPT)(did.document)
"""Equal bytes are read once; what of them counts, and until when, is asked at every use."""


def authority_key_ids(reference: KeyReference) -> tuple[str, ...]:
    """Return the base64url key identifiers of the authorities that a certificate chain names; none for a DID.

    A certificate that names none adds none: it fits no query by authority, and is judged like any other.

    Raises:
        Malformed: the chain cannot be read.
    """
    return _authorities_of(reference.chain) if isinstance(reference, X5c) else ()


@lru_cache(maxsize=_PATHS_KEPT)
def _authorities_of(chain: tuple[str, ...]) -> tuple[str, ...]:
    named = map(_authority_of, x509.parse_chain(chain))
    return tuple(base64url.encode(each) for each in named if each is not None)


def _authority_of(certificate: x509.Certificate) -> bytes | None:
    try:
        return x509.authority_key_identifier(certificate)
    except Malformed:
        return None
