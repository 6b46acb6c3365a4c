"""A small federation as documents: tests change one thing in a copy and look at what changes in the answer."""

import base64
import copy
import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from comity import strict_json
from comity.credential import CredentialType
from comity.trust.snapshot import IssuerEntry, RegistrySnapshot, VerifierEntry

PERSON = CredentialType(slug="person", version=1)
LICENCE = CredentialType(slug="drivers-licence", version=1)
BUSINESS = CredentialType(slug="business-licence", version=1)

FETCHED = datetime(2026, 6, 1, 0, 0, tzinfo=UTC)
EXPIRES = datetime(2026, 12, 31, 0, 0, tzinfo=UTC)
AT = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
ISSUED = date(2026, 5, 1)

ONTARIO_URL = "https://issuer.example/ca-on/services"
ONTARIO_DID = "did:web:issuer.example:ca-on:services"
TORONTO_DID = "did:web:issuer.example:ca-on:toronto:services"
VERIFIER = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk"

Documents = dict[str, Any]
Change = Callable[[Documents], object]


def name(en: str, fr: str | None = None) -> dict[str, str]:
    return {"en": en, "fr": fr or en}


def anchored(text: str) -> dict[str, str]:
    der = text.encode()
    return {"anchor": base64.b64encode(der).decode(), "anchor_sha256": hashlib.sha256(der).hexdigest()}


def did_identifier(did: str, thumbprint: str = "A" * 43) -> dict[str, Any]:
    return {"format": "vc+jwt", "id": did, "mechanism": "did", "key_thumbprints": [thumbprint]}


def x5c_identifier(url: str, anchor: str) -> dict[str, Any]:
    return {"format": "dc+sd-jwt", "id": url, "mechanism": "x5c", **anchored(anchor)}


def issuer(authority: str, identifiers: list[dict[str, Any]], *accreditations: dict[str, Any]) -> dict[str, Any]:
    return {
        "authority": authority,
        "name": name(authority),
        "identifiers": identifiers,
        "accreditations": list(accreditations),
        "status_signers": [],
    }


def accreditation(type_id: str, since: str = "2026-02-01", **more: str) -> dict[str, Any]:
    return {"type": type_id, "from": since, **more}


def member(jurisdiction: str, level: str = "province", since: str = "2026-01-01", **more: str) -> dict[str, Any]:
    return {"id": jurisdiction, "name": name(jurisdiction), "level": level, "since": since, **more}


def type_record(credential_type: CredentialType) -> dict[str, str]:
    type_id = f"{credential_type.slug}/{credential_type.version}"
    return {"id": type_id, "vct": credential_type.vct, "digest": "0" * 64}


BASE: Documents = {
    "federation.json": {
        "version": 1,
        "name": name("Demo registry", "Registre démo"),
        "members": [
            member("ca-on"),
            member("ca-bc"),
            member("ca-on/toronto", "municipality"),
        ],
        "types": [type_record(PERSON), type_record(LICENCE), type_record(BUSINESS)],
        "delegations": [
            {"to": "ca-on", "types": ["person/1", "drivers-licence/1", "business-licence/1"]},
            {"to": "ca-bc", "types": ["person/1"]},
        ],
        "recognition_default": {"accept": "members"},
    },
    "ca-on/issuers.json": {
        "issuers": [
            issuer(
                "ca-on/services",
                [x5c_identifier(ONTARIO_URL, "ontario anchor"), did_identifier(ONTARIO_DID)],
                accreditation("person/1"),
                accreditation("drivers-licence/1"),
            )
        ],
        "delegations": [{"to": "ca-on/toronto", "types": ["business-licence/1"]}],
    },
    "ca-on/toronto/issuers.json": {
        "issuers": [
            issuer(
                "ca-on/toronto/services",
                [did_identifier(TORONTO_DID)],
                accreditation("business-licence/1"),
                accreditation("drivers-licence/1"),
            )
        ],
    },
    "ca-bc/verifiers.json": {
        "verifiers": [
            {
                "name": name("Vancouver bar", "Bar de Vancouver"),
                "client_ids": [VERIFIER],
                **anchored("bar anchor"),
                "may_ask": [
                    {"type": "person/1", "claims": ["age_over_19", "portrait"], "purpose": "age_alcohol"},
                    {"type": "drivers-licence/1", "claims": ["class"], "purpose": "employment"},
                    {"type": "person/1", "claims": ["given_names"]},
                ],
            }
        ]
    },
}


def snapshot(*changes: Change, **arguments: Any) -> RegistrySnapshot:
    """Return the snapshot of the federation after ``changes`` to a copy of its documents."""
    documents = copy.deepcopy(BASE)
    for change in changes:
        change(documents)
    targets = {each: strict_json.serialise(value) for each, value in documents.items()}
    return RegistrySnapshot.from_targets(targets, **{"fetched_at": FETCHED, "expires_at": EXPIRES, **arguments})


def ontario(of: RegistrySnapshot) -> IssuerEntry:
    entry = of.find_issuer(ONTARIO_DID, "vc+jwt")
    assert entry is not None
    return entry


def toronto(of: RegistrySnapshot) -> IssuerEntry:
    entry = of.find_issuer(TORONTO_DID, "vc+jwt")
    assert entry is not None
    return entry


def bar(of: RegistrySnapshot) -> VerifierEntry:
    entry = of.find_verifier(VERIFIER)
    assert entry is not None
    return entry


def federation_of(documents: Documents) -> dict[str, Any]:
    federation: dict[str, Any] = documents["federation.json"]
    return federation


def first_accreditation(documents: Documents) -> dict[str, Any]:
    """Return Ontario's accreditation for person/1, to be changed."""
    found: dict[str, Any] = documents["ca-on/issuers.json"]["issuers"][0]["accreditations"][0]
    return found
