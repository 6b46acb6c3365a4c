"""What a snapshot takes from its documents, and what it leaves out with an alert (TR-4, T09, T12)."""

import copy
import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from comity import strict_json
from comity.errors import Code, Malformed
from comity.trust import Alert, RegistrySnapshot
from comity.trust.snapshot import MAX_ALERTS
from tests.unit.trust.federation import (
    AT,
    BASE,
    EXPIRES,
    FETCHED,
    ONTARIO_DID,
    ONTARIO_URL,
    TORONTO_DID,
    VERIFIER,
    Documents,
    accreditation,
    anchored,
    did_identifier,
    federation_of,
    issuer,
    snapshot,
    x5c_identifier,
)


def codes(of: RegistrySnapshot) -> list[tuple[Code, str]]:
    return [(alert.code, alert.document) for alert in of.alerts]


def listed_by(document: str, *entries: dict[str, Any]) -> Any:
    def change(documents: Documents) -> None:
        documents.setdefault(document, {"issuers": []})["issuers"].extend(entries)

    return change


def test_an_issuer_is_found_by_its_id_in_its_format_only() -> None:
    of = snapshot()
    assert of.alerts == ()
    by_url = of.find_issuer(ONTARIO_URL, "dc+sd-jwt")
    assert by_url is not None
    assert (by_url.authority, by_url.jurisdiction, by_url.name["fr"]) == ("ca-on/services", "ca-on", "ca-on/services")
    assert by_url.identifier.mechanism == "x5c"
    assert by_url.document == "ca-on/issuers.json"
    by_did = of.find_issuer(ONTARIO_DID, "vc+jwt")
    assert by_did is not None
    assert by_did.identifier.mechanism == "did"
    assert of.find_issuer(ONTARIO_URL, "vc+jwt") is None
    assert of.find_issuer(ONTARIO_DID, "dc+sd-jwt") is None
    for near in (ONTARIO_URL + "/", ONTARIO_URL.upper(), ONTARIO_URL[:-1], "", "https://issuer.example/ca-on"):
        assert of.find_issuer(near, "dc+sd-jwt") is None
    assert [entry.authority for entry in of.issuers()] == ["ca-on/services", "ca-on/services", "ca-on/toronto/services"]


def test_a_verifier_is_found_by_its_whole_client_id_only() -> None:
    of = snapshot()
    found = of.find_verifier(VERIFIER)
    assert found is not None
    assert (found.client_id, found.jurisdiction, found.name["en"]) == (VERIFIER, "ca-bc", "Vancouver bar")
    assert found.anchor == anchored("bar anchor")["anchor"]
    assert of.find_verifier(VERIFIER.removeprefix("x509_hash:")) is None
    assert of.find_verifier(ONTARIO_URL) is None  # an issuer is no verifier (T12)
    assert of.find_issuer(VERIFIER, "dc+sd-jwt") is None
    assert [entry.client_id for entry in of.verifiers()] == [VERIFIER]


def test_type_digests() -> None:
    assert snapshot().type_digest("https://types.comity.example/person/1") == "0" * 64
    assert snapshot().type_digest("https://types.comity.example/person/2") is None


def test_versions_and_dates() -> None:
    of = snapshot(versions={"ca-on/issuers.json": 5}, ends={"ca-on/issuers.json": AT}, root_version=3)
    assert (of.version_of("ca-on/issuers.json"), of.version_of("federation.json"), of.root_version) == (5, 1, 3)
    assert not of.is_expired_at(EXPIRES - timedelta(seconds=1))
    assert of.is_expired_at(EXPIRES)
    assert of.is_document_expired_at("ca-on/issuers.json", AT)
    assert not of.is_document_expired_at("ca-on/issuers.json", AT - timedelta(seconds=1))
    assert not of.is_document_expired_at("federation.json", AT)
    assert of.is_document_expired_at("federation.json", EXPIRES)
    late = snapshot(ends={"ca-on/issuers.json": EXPIRES + timedelta(days=1)})
    assert late.is_document_expired_at("ca-on/issuers.json", EXPIRES)


def test_it_is_immutable() -> None:
    of = snapshot()
    with pytest.raises(dataclasses.FrozenInstanceError):
        of.root_version = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        of.targets["x"] = b""  # type: ignore[index]


def test_without_a_federation_document_there_is_no_snapshot() -> None:
    with pytest.raises(Malformed) as missing:
        RegistrySnapshot.from_targets({}, fetched_at=FETCHED, expires_at=EXPIRES)
    assert missing.value.code is Code.REGISTRY_INVALID
    with pytest.raises(Malformed):
        RegistrySnapshot.from_targets({"federation.json": b"{}"}, fetched_at=FETCHED, expires_at=EXPIRES)


@pytest.mark.clause("TR-4")
def test_an_authority_of_another_jurisdiction_is_ignored() -> None:
    """T09: British Columbia lists an Ontario authority with a key of its own."""
    fake = issuer("ca-on/fake", [did_identifier("did:web:evil.example")], accreditation("person/1"))
    of = snapshot(listed_by("ca-bc/issuers.json", fake))
    assert of.find_issuer("did:web:evil.example", "vc+jwt") is None
    assert codes(of) == [(Code.REGISTRY_OUT_OF_PATH, "ca-bc/issuers.json")]
    assert "ca-on/fake" in of.alerts[0].detail
    own = snapshot(listed_by("ca-bc/issuers.json", {**fake, "authority": "ca-bc/fake"}))
    assert own.find_issuer("did:web:evil.example", "vc+jwt") is not None


@pytest.mark.parametrize("authority", ["ca-on/toronto/x", "ca-on-x/y", "ca/on"])
def test_a_province_lists_only_authorities_directly_its_own(authority: str) -> None:
    entry = issuer(authority, [did_identifier("did:web:x.example")])
    of = snapshot(listed_by("ca-on/issuers.json", entry))
    assert of.find_issuer("did:web:x.example", "vc+jwt") is None
    assert of.alerts


@pytest.mark.parametrize("identifier", [did_identifier(ONTARIO_DID, "E" * 43), x5c_identifier(ONTARIO_URL, "evil")])
def test_an_id_that_somebody_else_claims_too_stays_with_its_namespace(identifier: dict[str, Any]) -> None:
    """T12: British Columbia claims Ontario's own issuer id with another key. Ontario keeps it."""
    of = snapshot(listed_by("ca-bc/issuers.json", issuer("ca-bc/evil", [identifier], accreditation("person/1"))))
    found = of.find_issuer(identifier["id"], identifier["format"])
    assert found is not None
    assert found.authority == "ca-on/services"
    assert codes(of) == [(Code.REGISTRY_INVALID, "ca-bc/issuers.json")]


@pytest.mark.attack("T12")
@pytest.mark.good_twin("T12")
def test_an_id_claimed_across_formats_stays_with_its_namespace() -> None:
    """Claiming Ontario's DID for the other format is no way around it."""
    claim = {**x5c_identifier(ONTARIO_DID, "evil")}
    of = snapshot(listed_by("ca-bc/issuers.json", issuer("ca-bc/evil", [claim])))
    assert of.find_issuer(ONTARIO_DID, "dc+sd-jwt") is None
    assert of.find_issuer(ONTARIO_DID, "vc+jwt") is not None


def test_an_id_in_nobodys_namespace_that_two_claim_belongs_to_nobody() -> None:
    claim = did_identifier("did:web:shared.example")
    of = snapshot(
        listed_by("ca-bc/issuers.json", issuer("ca-bc/a", [claim])),
        listed_by("ca-on/issuers.json", issuer("ca-on/b", [claim])),
    )
    assert of.find_issuer("did:web:shared.example", "vc+jwt") is None
    assert codes(of) == [(Code.REGISTRY_INVALID, "ca-bc/issuers.json"), (Code.REGISTRY_INVALID, "ca-on/issuers.json")]


def test_the_namespace_ends_at_whole_segments() -> None:
    """``…/xca-on/services`` is not in Ontario's namespace, and nobody else's either."""
    claim = did_identifier("did:web:issuer.example:xca-on:b")
    of = snapshot(
        listed_by("ca-bc/issuers.json", issuer("ca-bc/a", [claim])),
        listed_by("ca-on/issuers.json", issuer("ca-on/b", [claim])),
    )
    assert of.find_issuer(claim["id"], "vc+jwt") is None


def test_one_authority_that_lists_an_id_twice_in_a_format_has_it_in_neither() -> None:
    def twice(documents: Documents) -> None:
        documents["ca-on/issuers.json"]["issuers"][0]["identifiers"].append(did_identifier(ONTARIO_DID, "B" * 43))

    of = snapshot(twice)
    assert of.find_issuer(ONTARIO_DID, "vc+jwt") is None
    assert of.find_issuer(ONTARIO_URL, "dc+sd-jwt") is not None
    assert len(of.alerts) == 2


def test_two_authorities_of_one_jurisdiction_do_not_share_an_id() -> None:
    of = snapshot(listed_by("ca-on/issuers.json", issuer("ca-on/other", [did_identifier(ONTARIO_DID, "E" * 43)])))
    found = of.find_issuer(ONTARIO_DID, "vc+jwt")
    assert found is not None
    assert found.authority == "ca-on/services"


def verifier(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(BASE["ca-bc/verifiers.json"]["verifiers"][0]), **changes}


def test_a_client_id_that_two_claim_belongs_to_nobody() -> None:
    of = snapshot(lambda documents: documents.update({"ca-on/verifiers.json": {"verifiers": [verifier()]}}))
    assert of.find_verifier(VERIFIER) is None
    assert [code for code, _ in codes(of)] == [Code.REGISTRY_INVALID] * 2


@pytest.mark.attack("T12")
@pytest.mark.good_twin("T12")
def test_a_verifier_with_an_issuers_anchor_is_ignored() -> None:
    """T12: an issuer's certificates must not pass as a verifier's."""
    confused = verifier(client_ids=["x509_hash:other"], **anchored("ontario anchor"))
    of = snapshot(lambda documents: documents["ca-bc/verifiers.json"]["verifiers"].append(confused))
    assert of.find_verifier("x509_hash:other") is None
    assert of.find_verifier(VERIFIER) is not None
    assert codes(of) == [(Code.REGISTRY_INVALID, "ca-bc/verifiers.json")]


def test_a_verifier_known_by_its_key_alone() -> None:
    entry = verifier(client_ids=["decentralized_identifier:did:web:v.example"], key_thumbprints=["K" * 43])
    del entry["anchor"], entry["anchor_sha256"]
    of = snapshot(lambda documents: documents["ca-bc/verifiers.json"]["verifiers"].append(entry))
    found = of.find_verifier("decentralized_identifier:did:web:v.example")
    assert found is not None
    assert (found.anchor, found.key_thumbprints) == (None, ("K" * 43,))


def test_scope_is_passed_on_to_what_lies_directly_below_only() -> None:
    def change(documents: Documents) -> None:
        documents["ca-on/issuers.json"]["delegations"] += [
            {"to": "ca-bc", "types": ["drivers-licence/1"]},
            {"to": "ca-on", "types": ["drivers-licence/1"]},
        ]

    of = snapshot(change)
    assert [grant.to for grant in of.grants_of("ca-on")] == ["ca-on/toronto"]
    assert [code for code, _ in codes(of)] == [Code.REGISTRY_OUT_OF_PATH] * 2
    assert [grant.to for grant in of.grants_of("federation")] == ["ca-on", "ca-bc"]
    assert of.grants_of("ca-qc") == ()


def test_an_unreadable_document_leaves_out_its_jurisdiction_only() -> None:
    of = snapshot(lambda documents: documents.update({"ca-on/issuers.json": {"issuers": "none"}}))
    assert of.find_issuer(ONTARIO_DID, "vc+jwt") is None
    assert of.find_issuer(TORONTO_DID, "vc+jwt") is not None
    assert of.unreadable == {"ca-on/issuers.json"}
    assert codes(of) == [(Code.REGISTRY_INVALID, "ca-on/issuers.json")]


@pytest.mark.parametrize("name", ["ca-on/other.json", "../x.json", "ca-qc/issuers.json", "ca-qc/verifiers.json"])
def test_documents_of_nobody_are_ignored(name: str) -> None:
    """Not a name of the registry, or of a jurisdiction that was never a member."""
    content = strict_json.serialise(listed_entry("ca-qc"))
    targets = {**{each: strict_json.serialise(value) for each, value in BASE.items()}, name: content}
    of = RegistrySnapshot.from_targets(targets, fetched_at=FETCHED, expires_at=EXPIRES)
    assert codes(of) == [(Code.REGISTRY_OUT_OF_PATH, name)]
    assert of.find_issuer("did:web:qc.example", "vc+jwt") is None


def listed_entry(jurisdiction: str) -> dict[str, Any]:
    return {"issuers": [issuer(f"{jurisdiction}/services", [did_identifier("did:web:qc.example")])]}


def test_a_member_that_left_is_still_read_so_that_the_past_can_be_judged() -> None:
    of = snapshot(lambda documents: federation_of(documents)["members"][0].update(until="2026-02-01"))
    assert of.find_issuer(ONTARIO_DID, "vc+jwt") is not None


def test_alerts_and_unreadable_documents_from_before_are_kept() -> None:
    alert = Alert(code=Code.TOO_LARGE, document="ca-on/recognition.json", detail="It is too large.")
    of = snapshot(alerts=[alert], unreadable=["ca-on/recognition.json"])
    assert of.alerts == (alert,)
    assert of.unreadable == {"ca-on/recognition.json"}


def test_a_flood_of_alerts_is_cut() -> None:
    entries = [issuer(f"ca-on/x{number}", [did_identifier(f"did:web:x{number}.example")]) for number in range(250)]
    of = snapshot(listed_by("ca-bc/issuers.json", *entries))
    assert len(of.alerts) == MAX_ALERTS
