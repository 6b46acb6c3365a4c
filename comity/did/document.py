"""Controlled identifier documents and the way from a DID URL to a key (CID 1.0 §2, §3.3; profile 7.1)."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from comity import keys, strict_json
from comity.did.multibase import decode_key
from comity.did.syntax import Did, parse
from comity.errors import Code, Malformed
from comity.keys import PublicKey
from comity.ports import Jwk

RELATIONSHIPS = ("authentication", "assertionMethod", "keyAgreement", "capabilityInvocation", "capabilityDelegation")
"""Every verification relationship of CID 1.0 §2.3."""

SIGNING_RELATIONSHIPS = ("authentication", "assertionMethod", "capabilityInvocation", "capabilityDelegation")
"""Those in which a signature key of did:key and did:jwk stands."""

_DATE_TIME_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


class DidDocument(Struct, frozen=True, kw_only=True):
    """A document whose ``id`` is the DID that was asked for. What it says is only as good as how it was fetched.

    Attributes:
        id: the DID.
        methods: verification methods by their absolute id, as they stand in the document.
        relationships: ids of the methods listed under each verification relationship.
    """

    id: str
    methods: Mapping[str, Mapping[str, Any]]
    relationships: Mapping[str, frozenset[str]]


class VerificationKey(Struct, frozen=True, kw_only=True):
    """The key a DID URL names, allowed for the use that was asked for.

    Attributes:
        jwk: the key as a JWK, with exactly the members of its thumbprint.
        key: the same key as an object.
    """

    jwk: Jwk
    key: PublicKey


def read(did: Did, body: bytes) -> DidDocument:
    """Return the document in ``body``, fetched for ``did`` (profile 7.1: conforming, and about the DID asked for).

    Raises:
        Malformed: ``did_document_mismatch`` when it is another DID's, ``malformed_did`` when it does not conform, or a
            code of :mod:`comity.strict_json`.
    """
    return from_members(did, strict_json.parse_object(body))


def from_members(did: Did, members: Mapping[str, Any]) -> DidDocument:
    """Return the document that ``members`` describe; :func:`read` without the bytes.

    Raises:
        Malformed: as :func:`read`.
    """
    if members.get("id") != did.did:
        raise Malformed(Code.DID_DOCUMENT_MISMATCH, "the DID document is about another DID")
    methods: dict[str, Mapping[str, Any]] = {}
    _add_methods(methods, _list_of(members, "verificationMethod"))
    relationships: dict[str, frozenset[str]] = {}
    for name in RELATIONSHIPS:
        entries = _list_of(members, name)
        # CID 1.0 §2.3: an entry is a method's id, or a whole method that then stands in this relationship only.
        _add_methods(methods, (entry for entry in entries if not isinstance(entry, str)))
        relationships[name] = frozenset(entry if isinstance(entry, str) else entry["id"] for entry in entries)
    return DidDocument(id=did.did, methods=methods, relationships=relationships)


def verification_key(
    document: DidDocument, did_url: str, *, relationships: Collection[str], at: datetime
) -> VerificationKey:
    """Retrieve the verification method that ``did_url`` names (CID 1.0 §3.3), allowed in any of ``relationships``.

    A relationship that names a method of another document is not followed: such a method is not found.

    Raises:
        Malformed: ``malformed_did``, ``did_document_mismatch``, ``key_not_found``, ``key_relationship_missing``,
            ``key_revoked``, ``malformed_key`` or ``private_key_exposed``.
    """
    # CID 1.0 §3.3 steps 1 to 3: the identifier is a valid URL with a fragment.
    wanted = parse(did_url)
    if wanted.fragment is None:
        raise Malformed(Code.MALFORMED_DID, "the key is named by a DID without a fragment")
    # Steps 4 to 6: the document is the one that the part before the fragment names.
    if document.id != wanted.did:
        raise Malformed(Code.DID_DOCUMENT_MISMATCH, "the DID document is not that of the named key")
    # Steps 7 to 9: the method with exactly this id; a relative id is another text and so not found.
    method = document.methods.get(wanted.url)
    if method is None:
        raise Malformed(Code.KEY_NOT_FOUND, "the DID document has no such verification method")
    # Step 10: the method's controller is the document.
    if method["controller"] != document.id:
        raise Malformed(Code.DID_DOCUMENT_MISMATCH, "the verification method is controlled by another DID")
    # Step 11: listed in a relationship that allows the use; being in the document is not enough.
    if not any(wanted.url in document.relationships.get(name, ()) for name in relationships):
        raise Malformed(Code.KEY_RELATIONSHIP_MISSING, "the key is not meant for this use")
    # CID 1.0 §2.2: neither revoked nor expired at the instant of verification.
    _check_life(method, at)
    # Step 12: the key itself, normalised from whatever the method's type carries.
    jwk = _jwk_of(method)
    key = keys.public_key(jwk)
    return VerificationKey(jwk=keys.bare_jwk(jwk), key=key)


def _list_of(members: Mapping[str, Any], name: str) -> list[Any]:
    value = members.get(name, [])
    if not isinstance(value, list):
        raise Malformed(Code.MALFORMED_DID, f"the member {name} of the DID document is not a list")
    return value


def _add_methods(methods: dict[str, Mapping[str, Any]], entries: Iterable[Any]) -> None:
    """CID 1.0 §2.2: a method has an id, a type and a controller; no two methods share an id."""
    for entry in entries:
        shaped = isinstance(entry, dict) and all(
            isinstance(entry.get(name), str) for name in ("id", "type", "controller")
        )
        if not shaped:
            raise Malformed(Code.MALFORMED_DID, "a verification method lacks its id, type or controller")
        if entry["id"] in methods:
            raise Malformed(Code.MALFORMED_DID, "two verification methods share one id")
        methods[entry["id"]] = entry


def _check_life(method: Mapping[str, Any], at: datetime) -> None:
    for name in ("revoked", "expires"):
        if name in method and at >= _instant(method[name]):
            raise Malformed(Code.KEY_REVOKED, "the key was revoked" if name == "revoked" else "the key has expired")


def _instant(value: object) -> datetime:
    """Return the instant of an XMLSCHEMA11-2 dateTimeStamp."""
    if not isinstance(value, str) or not _DATE_TIME_STAMP.fullmatch(value):
        raise Malformed(Code.MALFORMED_DID, "a time in the DID document is not a date and time with a time zone")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise Malformed(Code.MALFORMED_DID, "a time in the DID document does not exist") from None


def _jwk_of(method: Mapping[str, Any]) -> Jwk:
    """Return the key of a method as a JWK (profile 2a step 2: did:jwk's and did:key's types are normalised)."""
    jwk, multibase = method.get("publicKeyJwk"), method.get("publicKeyMultibase")
    if method["type"] in ("JsonWebKey", "JsonWebKey2020") and isinstance(jwk, dict) and multibase is None:
        return jwk
    if method["type"] == "Multikey" and isinstance(multibase, str) and jwk is None:
        return decode_key(multibase)
    raise Malformed(Code.MALFORMED_KEY, "the verification method is of a type that is not supported")
