"""Whose key it is: the registry says how an issuer is known, and nothing that a credential carries changes it.

Catalogue S16, J14, T12; profile 7.
"""

from datetime import timedelta
from typing import Any

import pytest

from comity import did, strict_json, x509
from comity.credential import Format, Kid, SignedCredential, X5c
from comity.errors import Code
from comity.keys import KeySigner
from comity.verification.checks import CheckName, Outcome
from tests.support.forging import accepted, held_in, licence, rejected, resigned, undetermined
from tests.support.world import LICENCE, NOW, PERSON, World

SECOND = timedelta(seconds=1)
SD, VC = Format.DC_SD_JWT, Format.VC_JWT


def chain(*certificates: x509.Certificate) -> X5c:
    return X5c(chain=tuple(x509.to_base64(each) for each in certificates))


def judged(world: World, held: SignedCredential, code: Code) -> None:
    """The issuer's key is refused, and nothing was fetched for it but what the registry lists."""
    rejected(held_in(world, held.encoded), CheckName.ISSUER_KEY, code)
    assert set(world.asked) <= {world.on.document_url}


# --- certificates


@pytest.mark.clause("2b-3")
@pytest.mark.good_twin("S16")
def test_its_own_leaf_is_the_good_twin(world: World) -> None:
    again = world.on.certify(world.on.key, world.on.issuer_id)
    accepted(held_in(world, licence(world, SD, key=chain(again)).encoded))


@pytest.mark.attack("S16")
def test_the_leaf_of_another_authority_of_the_same_deployment(world: World) -> None:
    forged = world.issue(world.bc, SD, LICENCE, issuer=world.on.issuer_id)
    judged(world, forged, Code.CERTIFICATE_UNTRUSTED)


@pytest.mark.clause("7-3")
@pytest.mark.attack("S16")
def test_another_name_in_the_leaf_under_the_right_anchor(world: World) -> None:
    for name in (world.bc.issuer_id, f"{world.on.issuer_id}/", world.on.issuer_id.upper(), world.on.status_base, None):
        leaf = world.on.certify(world.on.key, name)
        judged(world, licence(world, SD, key=chain(leaf)), Code.CERTIFICATE_NAME_MISMATCH)


def test_the_leaf_for_status_lists_signs_no_credentials(world: World) -> None:
    forged = licence(world, SD, signer=world.on.status_key, key=chain(world.on.status_leaf))
    judged(world, forged, Code.CERTIFICATE_NAME_MISMATCH)


@pytest.mark.clause("7-3")
def test_the_host_name_is_not_the_issuer(world: World) -> None:
    leaf = world.on.certify(world.on.key, None, dns_san="issuer.example")
    judged(world, licence(world, SD, key=chain(leaf)), Code.CERTIFICATE_NAME_MISMATCH)


@pytest.mark.attack("S16")
def test_the_anchor_included(world: World) -> None:
    judged(world, licence(world, SD, key=chain(world.on.leaf, world.on.anchor)), Code.CERTIFICATE_ROOT_INCLUDED)
    forged = licence(world, SD, signer=world.on.anchor_key, key=chain(world.on.anchor))
    judged(world, forged, Code.CERTIFICATE_ROOT_INCLUDED)


@pytest.mark.attack("S16")
def test_a_self_signed_leaf(world: World) -> None:
    signer = KeySigner.generate()
    window = {"not_before": NOW - SECOND, "not_after": NOW + SECOND}
    own = x509.issue_anchor(name=world.on.authority, signer=signer, **window)
    judged(world, licence(world, SD, signer=signer, key=chain(own)), Code.CERTIFICATE_UNTRUSTED)


@pytest.mark.attack("S16")
def test_an_unknown_anchor(world: World) -> None:
    stranger = world.stranger
    leaf = stranger.certify(stranger.key, world.on.issuer_id)
    judged(world, licence(world, SD, signer=stranger.key, key=chain(leaf)), Code.CERTIFICATE_UNTRUSTED)


@pytest.mark.attack("S16")
def test_an_anchor_of_the_same_name_with_another_key(world: World) -> None:
    signer = KeySigner.generate()
    window = {"not_before": NOW - SECOND, "not_after": NOW + SECOND}
    twin = x509.issue_anchor(name=f"{world.on.authority} anchor", signer=signer, **window)
    leaf = world.on.certify(world.on.key, world.on.issuer_id, anchor=twin, anchor_signer=signer, **window)
    judged(world, licence(world, SD, key=chain(leaf)), Code.CERTIFICATE_UNTRUSTED)


@pytest.mark.parametrize(
    ("begins", "ends", "good"),
    [(0, 0, True), (1, 60, False), (-60, -1, False), (-60, 0, True), (0, 60, True)],
)
@pytest.mark.attack("C03")
@pytest.mark.good_twin("C03")
def test_the_seconds_at_which_a_leaf_ends_and_begins(world: World, begins: int, ends: int, good: bool) -> None:
    window = {"not_before": NOW + begins * SECOND, "not_after": NOW + ends * SECOND}
    leaf = world.on.certify(world.on.key, world.on.issuer_id, **window)
    held = licence(world, SD, key=chain(leaf))
    if good:
        accepted(held_in(world, held.encoded))
    else:
        judged(world, held, Code.CERTIFICATE_EXPIRED)


@pytest.mark.clause("2b-3")
def test_a_key_id_where_the_registry_says_certificate(world: World) -> None:
    forged = licence(world, SD, signer=world.on.did_key, key=world.on.kid)
    judged(world, forged, Code.KEY_MECHANISM_NOT_ALLOWED)
    assert world.asked == []


def test_the_leaf_of_one_key_with_the_signature_of_another(world: World) -> None:
    forged = licence(world, SD, signer=world.on.did_key)
    rejected(held_in(world, forged.encoded), CheckName.SIGNATURE, Code.SIGNATURE_INVALID)


def test_what_cannot_be_read_as_a_certificate(world: World) -> None:
    held = licence(world, SD)
    for text in ("MIIB", "!!", x509.to_base64(world.on.leaf) + "\n", "A" * 20_000):
        judged(world, resigned(held, world.on.key, header={"x5c": [text]}), Code.MALFORMED_CERTIFICATE)
    judged(world, licence(world, SD, key=chain(*[world.on.leaf] * 9)), Code.MALFORMED_CERTIFICATE)


# --- DIDs


def served(world: World, **changes: Any) -> None:
    """Serve Ontario's DID document with changes to its one verification method."""
    document = strict_json.parse_object(world.on.document)
    document["verificationMethod"][0] |= changes
    world.put(world.on.document_url, strict_json.serialise(document))


def relate(world: World, relationship: str) -> None:
    """Serve Ontario's DID document with its key under this relationship only."""
    document = strict_json.parse_object(world.on.document)
    document[relationship] = document.pop("assertionMethod")
    world.put(world.on.document_url, strict_json.serialise(document))


@pytest.mark.clause("2a-2")
@pytest.mark.good_twin("R07", "R08", "R16")
def test_the_document_served_again_is_the_good_twin(world: World) -> None:
    served(world)
    accepted(held_in(world, licence(world, VC).encoded))
    assert world.asked[0] == world.on.document_url


def test_a_key_of_another_did(world: World) -> None:
    for other in (world.bc, world.stranger):
        judged(world, licence(world, VC, signer=other.did_key, key=other.kid), Code.ISSUER_MISMATCH)
    longer = Kid(did_url=f"{world.on.did}:more#credential")
    judged(world, licence(world, VC, key=longer), Code.ISSUER_MISMATCH)
    assert world.asked == []


@pytest.mark.clause("7-4")
@pytest.mark.attack("S16")
def test_trust_is_checked_on_the_issuer_whose_key_signed(world: World) -> None:
    """Regression by name: `issuer` says Ontario, the key is found by a `kid` of somebody else's good DID document.

    A verifier that takes the key from `kid` and then asks the registry about `issuer` accepts this forgery. The same
    holds for the certificate of an accredited authority under the name of another.
    """
    stranger, on, bc = world.stranger, world.on, world.bc
    world.put(stranger.document_url, stranger.document)
    forged = licence(world, VC, signer=stranger.did_key, key=stranger.kid)
    judged(world, forged, Code.ISSUER_MISMATCH)
    named_twice = resigned(forged, stranger.did_key, header={"iss": stranger.did}, payload={"iss": on.did})
    judged(world, named_twice, Code.ISSUER_MISMATCH)
    judged(world, world.issue(bc, SD, PERSON, issuer=on.issuer_id), Code.CERTIFICATE_UNTRUSTED)
    assert stranger.document_url not in world.asked
    contradicting = resigned(licence(world, VC), on.did_key, payload={"iss": bc.did})
    rejected(held_in(world, contradicting.encoded), CheckName.WELL_FORMED, Code.ISSUER_MISMATCH)
    accepted(held_in(world, licence(world, VC).encoded))


@pytest.mark.clause("7-4")
def test_a_certificate_where_the_registry_says_did(world: World) -> None:
    judged(world, licence(world, VC, signer=world.on.key, key=world.on.x5c), Code.KEY_MECHANISM_NOT_ALLOWED)
    assert world.asked == []


@pytest.mark.parametrize("relationship", ["authentication", "keyAgreement", "capabilityInvocation"])
@pytest.mark.clause("2a-2")
@pytest.mark.attack("R08")
def test_a_key_under_another_relationship(world: World, relationship: str) -> None:
    relate(world, relationship)
    judged(world, licence(world, VC), Code.KEY_RELATIONSHIP_MISSING)
    relate(world, "assertionMethod")
    accepted(held_in(world, licence(world, VC).encoded))


@pytest.mark.attack("R16")
def test_a_key_that_the_registry_does_not_pin(world: World) -> None:
    thief = KeySigner.generate()
    served(world, publicKeyJwk=dict(thief.public_jwk))
    judged(world, licence(world, VC, signer=thief), Code.KEY_NOT_PINNED)
    identifier = world.documents["ca-on/issuers.json"]["issuers"][0]["identifiers"][1]
    identifier["key_thumbprints"].append(thief.thumbprint)
    result = held_in(world, licence(world, VC, signer=thief).encoded)
    assert result.credentials[0].check(CheckName.ISSUER_KEY).outcome is Outcome.PASSED


def test_a_key_that_the_document_does_not_have(world: World) -> None:
    judged(world, licence(world, VC, key=Kid(did_url=f"{world.on.did}#other")), Code.KEY_NOT_FOUND)


@pytest.mark.parametrize("member", ["revoked", "expires"])
@pytest.mark.clause("2a-2", "7-5")
def test_a_key_past_its_end(world: World, member: str) -> None:
    served(world, **{member: "2026-11-23T12:00:00Z"})
    judged(world, licence(world, VC), Code.KEY_REVOKED)
    served(world, **{member: "2026-11-23T12:00:01Z"})
    accepted(held_in(world, licence(world, VC).encoded))


@pytest.mark.clause("2a-5")
@pytest.mark.attack("R07")
def test_a_key_with_another_controller(world: World) -> None:
    served(world, controller=world.stranger.did)
    judged(world, licence(world, VC), Code.DID_DOCUMENT_MISMATCH)


@pytest.mark.attack("R07")
def test_the_document_of_another_did_at_the_address(world: World) -> None:
    for other in (world.bc, world.stranger):
        world.put(world.on.document_url, other.document)
        judged(world, licence(world, VC), Code.DID_DOCUMENT_MISMATCH)


def test_private_key_material_in_the_document(world: World) -> None:
    served(world, publicKeyJwk={**world.on.did_key.public_jwk, "d": "AAAA"})
    judged(world, licence(world, VC), Code.PRIVATE_KEY_EXPOSED)


@pytest.mark.parametrize(
    ("body", "code"), [(b"<html>", Code.MALFORMED_JSON), (b'{"id":1,"id":2}', Code.DUPLICATE_MEMBER)]
)
def test_something_else_than_a_document(world: World, body: bytes, code: Code) -> None:
    world.put(world.on.document_url, body)
    judged(world, licence(world, VC), code)


def test_a_document_that_cannot_be_had_leaves_it_open(world: World) -> None:
    held = licence(world, VC)
    del world.evidence[world.on.document_url]
    result = held_in(world, held.encoded)
    undetermined(result, CheckName.ISSUER_KEY, Code.DID_UNRESOLVED)
    told = {check.name: check.outcome for check in result.all_checks}
    assert told[CheckName.SIGNATURE] is told[CheckName.STATUS] is Outcome.NOT_RUN
    assert world.asked == [world.on.document_url]


def test_a_did_that_carries_its_own_key_needs_no_document(world: World) -> None:
    own = did.jwk.did_of(world.on.did_key.public_jwk)
    issuers: list[dict[str, Any]] = world.documents["ca-on/issuers.json"]["issuers"]
    issuers[0]["identifiers"][1]["id"] = own
    held = licence(world, VC, issuer=own, key=Kid(did_url=f"{own}#0"))
    accepted(held_in(world, held.encoded))
    assert own not in "".join(world.asked)
