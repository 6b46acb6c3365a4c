"""A signing key is exchanged while verifiers still know the old one (catalogue F26)."""

from typing import Any

import pytest

from comity import strict_json, x509
from comity.credential import Format, Kid, SignedCredential, X5c
from comity.did import web
from comity.keys import KeySigner
from comity.verification.checks import Verdict
from tests.support.world import PERSON, World


def verdict(world: World, held: SignedCredential, **known: Any) -> Verdict:
    return world.verify(world.present(held), **known).verdict


@pytest.mark.fault("F26")
def test_under_one_anchor_the_old_leaf_and_the_new_one_are_good_for_who_read_the_registry_before() -> None:
    world = World()
    before, known = world.issue(world.bc, Format.DC_SD_JWT, PERSON), world.snapshot()
    world.bc.key = KeySigner.generate()
    world.bc.leaf = world.bc.certify(world.bc.key, world.bc.issuer_id)
    after = world.issue(world.bc, Format.DC_SD_JWT, PERSON)
    assert [verdict(world, each, snapshot=known) for each in (before, after)] == [Verdict.ACCEPTED] * 2
    foreign = KeySigner.generate()
    leaf = X5c(chain=(x509.to_base64(world.on.certify(foreign, world.bc.issuer_id)),))
    other = world.issue(world.bc, Format.DC_SD_JWT, PERSON, signer=foreign, key=leaf)
    assert verdict(world, other, snapshot=known) is Verdict.REJECTED


@pytest.mark.fault("F26")
def test_a_key_of_a_did_is_published_before_it_signs() -> None:
    """Both keys stand in the registry and in the document for a while; a key that stands in neither is never good."""
    world, new = World(), KeySigner.generate()
    kid = Kid(did_url=f"{world.bc.did}#next")
    before = world.issue(world.bc, Format.VC_JWT, PERSON)
    after = world.issue(world.bc, Format.VC_JWT, PERSON, signer=new, key=kid)
    assert verdict(world, before) is Verdict.ACCEPTED
    assert verdict(world, after) is Verdict.REJECTED
    (entry,) = world.documents["ca-bc/issuers.json"]["issuers"]
    for each in (*entry["identifiers"], *entry["status_signers"]):
        if "key_thumbprints" in each:
            each["key_thumbprints"] = [world.bc.did_key.thumbprint, new.thumbprint]
    keys = {"credential": world.bc.did_key.public_jwk, "next": new.public_jwk}
    world.put(world.bc.document_url, strict_json.serialise(web.web_document(world.bc.did, keys, {"assertionMethod"})))
    assert [verdict(world, each) for each in (before, after)] == [Verdict.ACCEPTED] * 2
