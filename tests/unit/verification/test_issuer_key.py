"""What the finding of a key refuses by itself, where no registry document could say it."""

from datetime import timedelta

import pytest
from cryptography import x509 as pkix
from cryptography.hazmat.primitives import hashes

from comity import base64url, keys, x509
from comity.credential import X5c
from comity.errors import Code, Malformed
from comity.verification.issuer_key import authority_key_ids, certified_key, pinned_key
from tests.support.world import NOW, World


def test_a_chain_without_an_anchor_to_lead_to(world: World) -> None:
    on = world.on
    found = certified_key(on.x5c, anchor=x509.to_base64(on.anchor), name=on.issuer_id, at=NOW)
    assert keys.public_jwk(found) == on.key.public_jwk
    with pytest.raises(Malformed) as caught:
        certified_key(on.x5c, anchor=None, name=on.issuer_id, at=NOW)
    assert caught.value.code is Code.CERTIFICATE_UNTRUSTED


def test_a_did_whose_document_is_missing(world: World) -> None:
    pins = (world.on.did_key.thumbprint,)
    found = pinned_key(world.on.kid, world.on.document, pins=pins, at=NOW)
    assert keys.public_jwk(found) == world.on.did_key.public_jwk
    with pytest.raises(Malformed) as caught:
        pinned_key(world.on.kid, None, pins=pins, at=NOW)
    assert caught.value.code is Code.DID_UNRESOLVED


def test_authorities_are_named_by_chains_only(world: World) -> None:
    named = base64url.encode(x509.authority_key_identifier(world.on.leaf))
    assert authority_key_ids(world.on.x5c) == (named,)
    assert authority_key_ids(world.on.kid) == ()


def test_a_chain_that_names_no_authority_fits_no_query_by_authority(world: World) -> None:
    on = world.on
    subject = pkix.Name([pkix.NameAttribute(pkix.NameOID.COMMON_NAME, "without an authority key identifier")])
    builder = pkix.CertificateBuilder(on.anchor.subject, subject, on.key.private_key.public_key())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    builder = builder.serial_number(pkix.random_serial_number())
    names = pkix.SubjectAlternativeName([pkix.UniformResourceIdentifier(on.issuer_id)])
    leaf = builder.add_extension(names, critical=False).sign(on.anchor_key.private_key, hashes.SHA256())
    reference = X5c(chain=(x509.to_base64(leaf),))
    anchor = x509.to_base64(on.anchor)
    assert keys.public_jwk(certified_key(reference, anchor=anchor, name=on.issuer_id, at=NOW)) == on.key.public_jwk
    assert authority_key_ids(reference) == ()
