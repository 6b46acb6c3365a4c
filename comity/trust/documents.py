"""The four documents of the registry, parsed: ``federation``, ``issuers``, ``verifiers``, ``recognition``.

Each is read by :mod:`comity.strict_json` and validated against its JSON Schema (``schemas/registry``), formats
asserted. What a schema cannot say is checked here: an anchor must have the hash stated beside it, dates must be in
order, ids must be unique. What a document may say *about others* is not judged here but in
:mod:`comity.trust.snapshot` (paths) and :mod:`comity.trust.decision` (scope).
"""

import base64
import binascii
import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any

from jsonschema_rs import Draft202012Validator

import schemas
from comity import keys, strict_json
from comity.errors import Code, Malformed
from comity.ports import Jwk
from comity.trust.entries import (
    Accreditation,
    Attester,
    Entitlement,
    Federation,
    Identifier,
    Issuer,
    Issuers,
    Member,
    Names,
    RecognitionRule,
    ScopeGrant,
    StatusSigner,
    TypeRecord,
    Verifier,
)

MAX_DOCUMENT_BYTES = 1 << 20
"""Largest document accepted, in bytes (catalogue T07)."""


def parse_federation(document: bytes | Mapping[str, Any]) -> Federation:
    """Return ``federation.json`` parsed.

    Raises:
        Malformed: ``registry_invalid``, or the codes of :func:`comity.strict_json.parse_object`.
    """
    value = validated("federation", document)
    members = tuple(
        Member(
            id=item["id"],
            name=_name(item["name"]),
            level=item["level"],
            since=_day(item["since"]),
            until=_maybe_day(item, "until"),
        )
        for item in value["members"]
    )
    types = tuple(TypeRecord(id=item["id"], vct=item["vct"], digest=item["digest"]) for item in value["types"])
    _require_unique((member.id for member in members), "two members have one id")
    _require_unique((record.id for record in types), "two types have one id")
    _require_unique((record.vct for record in types), "two types have one vct")
    for member in members:
        _require_order(member.since, member.until, "a membership ends before it begins")
    return Federation(
        name=_name(value["name"]) if "name" in value else None,
        members=members,
        types=types,
        delegations=_grants(value),
        recognition_default=value["recognition_default"]["accept"] if "recognition_default" in value else None,
    )


def parse_issuers(document: bytes | Mapping[str, Any]) -> Issuers:
    """Return an ``issuers.json`` parsed.

    Raises:
        Malformed: ``registry_invalid``, or the codes of :func:`comity.strict_json.parse_object`.
    """
    value = validated("issuers", document)
    issuers = tuple(
        Issuer(
            authority=item["authority"],
            name=_name(item["name"]),
            identifiers=tuple(_identifier(each) for each in item["identifiers"]),
            accreditations=tuple(_accreditation(each) for each in item["accreditations"]),
            status_signers=tuple(_status_signer(each) for each in item["status_signers"]),
        )
        for item in value["issuers"]
    )
    _require_unique((issuer.authority for issuer in issuers), "two issuers have one authority")
    return Issuers(issuers=issuers, delegations=_grants(value))


def parse_verifiers(document: bytes | Mapping[str, Any]) -> tuple[Verifier, ...]:
    """Return a ``verifiers.json`` parsed.

    Raises:
        Malformed: ``registry_invalid``, or the codes of :func:`comity.strict_json.parse_object`.
    """
    return tuple(
        Verifier(
            name=_name(item["name"]),
            client_ids=tuple(item["client_ids"]),
            anchor=_anchor(item),
            anchor_sha256=item.get("anchor_sha256"),
            key_thumbprints=tuple(item.get("key_thumbprints", ())),
            may_ask=tuple(
                Entitlement(type=each["type"], claims=frozenset(each["claims"]), purpose=each.get("purpose"))
                for each in item["may_ask"]
            ),
        )
        for item in validated("verifiers", document)["verifiers"]
    )


def parse_entitlement_signers(document: bytes | Mapping[str, Any]) -> tuple[Jwk, ...]:
    """Return the public keys in a ``verifiers.json`` that sign what verifiers may ask; none when it names none.

    Raises:
        Malformed: ``registry_invalid``, ``malformed_key``, or the codes of :func:`comity.strict_json.parse_object`.
    """
    found: tuple[Jwk, ...] = tuple(validated("verifiers", document).get("entitlement_signers", ()))
    for jwk in found:
        keys.public_key(jwk)
    return found


def parse_attesters(document: bytes | Mapping[str, Any], *, jurisdiction: str, name: str) -> tuple[Attester, ...]:
    """Return who may attest verifiers, as the ``verifiers.json`` called ``name`` of ``jurisdiction`` lists them.

    Raises:
        Malformed: ``registry_invalid``, ``malformed_key``, or the codes of :func:`comity.strict_json.parse_object`.
    """
    listed = validated("verifiers", document).get("verifier_attesters", ())
    for jwk in (each for item in listed for each in item["keys"]):
        keys.public_key(jwk)
    _require_unique((item["iss"] for item in listed), "two attesters of verifiers have one name")
    return tuple(
        Attester(
            iss=item["iss"],
            name=_name(item["name"]),
            keys=tuple(item["keys"]),
            jurisdiction=jurisdiction,
            document=name,
        )
        for item in listed
    )


def parse_recognition(document: bytes | Mapping[str, Any]) -> tuple[RecognitionRule, ...]:
    """Return a ``recognition.json`` parsed.

    Raises:
        Malformed: ``registry_invalid``, or the codes of :func:`comity.strict_json.parse_object`.
    """
    return tuple(
        RecognitionRule(
            jurisdiction=item.get("jurisdiction"),
            type=item.get("type"),
            purpose=item.get("purpose"),
            accept=item["accept"],
            reference=item.get("reference", ""),
        )
        for item in validated("recognition", document)["narrow"]
    )


def validated(schema: str, document: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``document`` as a mapping that fits the registry schema called ``schema``.

    Raises:
        Malformed: ``registry_invalid`` naming the place and the keyword, never the value; or the codes of
            :func:`comity.strict_json.parse_object`.
    """
    value = (
        strict_json.parse_object(document, max_bytes=MAX_DOCUMENT_BYTES) if isinstance(document, bytes) else document
    )
    error = next(iter(_validator(schema).iter_errors(value)), None)
    if error is not None:
        path = "/".join(str(part) for part in error.instance_path if isinstance(part, int) or part.isidentifier())
        raise _refused(f"{schema}: {path or 'the document'} does not fit its schema ({error.kind.name})")
    return value


@cache
def _validator(schema: str) -> Draft202012Validator:
    return schemas.validator(schemas.registry_schema(schema))


def _identifier(item: Mapping[str, Any]) -> Identifier:
    return Identifier(
        format=item["format"],
        id=item["id"],
        mechanism=item["mechanism"],
        anchor=_anchor(item),
        anchor_sha256=item.get("anchor_sha256"),
        key_thumbprints=tuple(item.get("key_thumbprints", ())),
    )


def _status_signer(item: Mapping[str, Any]) -> StatusSigner:
    return StatusSigner(
        format=item["format"],
        uri_prefix=item["uri_prefix"],
        mechanism=item["mechanism"],
        id=item.get("id", ""),
        anchor=_anchor(item),
        anchor_sha256=item.get("anchor_sha256"),
        key_thumbprints=tuple(item.get("key_thumbprints", ())),
    )


def _accreditation(item: Mapping[str, Any]) -> Accreditation:
    accreditation = Accreditation(
        type=item["type"],
        since=_day(item["from"]),
        until=_maybe_day(item, "until"),
        withdrawn_at=_maybe_day(item, "withdrawn_at"),
        effect=item.get("effect", ""),
        reason=item.get("reason", ""),
    )
    _require_order(accreditation.since, accreditation.until, "an accreditation ends before it begins")
    return accreditation


def _grants(value: Mapping[str, Any]) -> tuple[ScopeGrant, ...]:
    return tuple(
        ScopeGrant(to=item["to"], types=frozenset(item["types"]), until=_maybe_day(item, "until"))
        for item in value.get("delegations", ())
    )


def anchor_digest(anchor: str) -> str:
    """Return the SHA-256 of a base64 DER certificate, hexadecimal. That it *is* a certificate is not checked.

    Raises:
        Malformed: ``registry_invalid``.
    """
    try:
        return hashlib.sha256(base64.b64decode(anchor, validate=True)).hexdigest()
    except (binascii.Error, ValueError):
        raise _refused("an anchor is not base64") from None


def _anchor(item: Mapping[str, Any]) -> str | None:
    """Return the anchor of an entry after comparing it with the hash stated beside it."""
    anchor: str | None = item.get("anchor")
    if anchor is not None and anchor_digest(anchor) != item["anchor_sha256"]:
        raise _refused("an anchor does not have the hash stated beside it")
    return anchor


def _name(value: Mapping[str, str]) -> Names:
    return MappingProxyType({"en": value["en"], "fr": value["fr"]})


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _maybe_day(item: Mapping[str, Any], member: str) -> date | None:
    text = item.get(member)
    return None if text is None else _day(text)


def _require_order(first: date, last: date | None, problem: str) -> None:
    if last is not None and last < first:
        raise _refused(problem)


def _require_unique(values: Iterable[Hashable], problem: str) -> None:
    seen: Sequence[Hashable] = tuple(values)
    if len(set(seen)) != len(seen):
        raise _refused(problem)


def _refused(detail: str) -> Malformed:
    return Malformed(Code.REGISTRY_INVALID, detail)
