"""Chains: every rule of the path validation has a chain that breaks only it, and the good twin passes."""

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509 as pkix
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from comity import keys, x509
from comity.errors import Code, Malformed
from comity.keys import KeySigner
from tests.unit.certificates import (
    ANCHOR,
    ANCHOR_SIGNER,
    DAY,
    ISSUER_URL,
    LEAF_SIGNER,
    MIDDLE_SIGNER,
    NOW,
    SECOND_SIGNER,
    Builder,
    anchor,
    authority,
    certificate,
    issue,
    leaf,
    name,
    refusal,
    usage,
)

# --- what we issue


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_what_we_issue_we_accept(algorithm: str) -> None:
    root, holder = KeySigner.generate(algorithm), KeySigner.generate("ES256")
    trusted = x509.issue_anchor(name="Ontario", signer=root, not_before=NOW - DAY, not_after=NOW + DAY)
    issued = x509.issue_leaf(
        name="Ontario",
        uri_san=ISSUER_URL,
        dns_san="issuer.example",
        public_jwk=holder.public_jwk,
        anchor=trusted,
        anchor_signer=root,
        not_before=NOW - DAY,
        not_after=NOW + DAY,
    )
    chain = x509.parse_chain([x509.to_base64(issued)])
    x509.validate_chain(chain, [ANCHOR, trusted], NOW)
    assert keys.public_jwk(x509.public_key(chain[0])) == holder.public_jwk
    assert x509.uri_sans(issued) == (ISSUER_URL,)
    assert x509.dns_sans(issued) == ("issuer.example",)
    subject_key = trusted.extensions.get_extension_for_class(pkix.SubjectKeyIdentifier).value.digest
    assert x509.authority_key_identifier(issued) == subject_key
    assert x509.from_pem(x509.to_pem(issued)) == issued
    assert x509.sha256_hex(issued) == issued.fingerprint(hashes.SHA256()).hex()
    assert x509.sha256_b64url(issued) == base64.urlsafe_b64encode(issued.fingerprint(hashes.SHA256())).decode().rstrip(
        "="
    )


def test_names_are_optional() -> None:
    assert x509.uri_sans(issue(None, None)) == x509.dns_sans(issue(None, None)) == ()
    assert x509.uri_sans(issue(ISSUER_URL, None)) == (ISSUER_URL,)
    assert x509.dns_sans(issue(None, "verifier.example")) == ("verifier.example",)
    x509.validate_chain([issue(None, None)], [ANCHOR], NOW)


def test_names_that_a_certificate_cannot_carry_are_refused() -> None:
    with pytest.raises(Malformed) as raised:
        issue("https://québec.example", None)
    assert raised.value.code is Code.MALFORMED_CERTIFICATE


def test_a_private_key_is_never_certified() -> None:
    with pytest.raises(Malformed) as raised:
        issue(None, None, LEAF_SIGNER.private_jwk())
    assert raised.value.code is Code.PRIVATE_KEY_EXPOSED


def test_a_certificate_without_authority_key_identifier() -> None:
    for extra in ((), ((pkix.AuthorityKeyIdentifier(None, [pkix.DirectoryName(name("x"))], 5), False),)):
        with pytest.raises(Malformed) as raised:
            x509.authority_key_identifier(leaf(extra=extra))
        assert raised.value.code is Code.MALFORMED_CERTIFICATE


# --- good chains


def middle(**changes: Any) -> x509.Certificate:
    return authority("Middle", "Anchor", MIDDLE_SIGNER, ANCHOR_SIGNER, **changes)


def second(**changes: Any) -> x509.Certificate:
    return authority("Second", "Middle", SECOND_SIGNER, MIDDLE_SIGNER, **changes)


def test_chains_of_one_two_and_three_certificates() -> None:
    x509.validate_chain([leaf()], [ANCHOR], NOW)
    x509.validate_chain([leaf("Middle", MIDDLE_SIGNER), middle()], [ANCHOR], NOW)
    x509.validate_chain([leaf("Second", SECOND_SIGNER), second(), middle()], [ANCHOR], NOW)


def test_an_anchor_need_not_be_self_signed() -> None:
    x509.validate_chain([leaf("Middle", MIDDLE_SIGNER)], [middle()], NOW)


def test_of_several_anchors_with_one_name_the_one_that_signed_is_found() -> None:
    x509.validate_chain([leaf()], [anchor(KeySigner.generate()), ANCHOR], NOW)


def test_a_leaf_may_share_the_name_of_its_anchor() -> None:
    x509.validate_chain([certificate("Anchor", "Anchor", LEAF_SIGNER, ANCHOR_SIGNER)], [ANCHOR], NOW)


def test_a_leaf_without_constraints_or_usage_is_a_leaf() -> None:
    x509.validate_chain([leaf(ca=None, key_usage=None)], [ANCHOR], NOW)


def test_path_lengths_are_counted_as_rfc_5280_counts() -> None:
    x509.validate_chain([leaf("Middle", MIDDLE_SIGNER), middle(path_length=0)], [anchor(path_length=1)], NOW)
    assert refusal([leaf("Middle", MIDDLE_SIGNER), middle()], [anchor(path_length=0)]) is Code.CERTIFICATE_UNTRUSTED
    three = [leaf("Second", SECOND_SIGNER), second(), middle(path_length=0)]
    assert refusal(three) is Code.CERTIFICATE_UNTRUSTED
    x509.validate_chain([*three[:2], middle(path_length=1)], [ANCHOR], NOW)


# --- roots and leaves


@pytest.mark.clause("7-3")
def test_the_anchor_is_never_in_the_chain() -> None:
    assert refusal([leaf(), ANCHOR]) is Code.CERTIFICATE_ROOT_INCLUDED
    assert refusal([ANCHOR]) is Code.CERTIFICATE_ROOT_INCLUDED
    assert refusal([leaf("Middle", MIDDLE_SIGNER), middle()], [middle_anchor := middle()]) is Code.CERTIFICATE_UNTRUSTED
    assert refusal([leaf("Middle", MIDDLE_SIGNER), middle_anchor], [middle_anchor]) is Code.CERTIFICATE_ROOT_INCLUDED


def test_no_root_is_in_the_chain_even_an_unknown_one() -> None:
    stranger = KeySigner.generate()
    chain = [leaf("Stranger", stranger), anchor(stranger, "Stranger")]
    assert refusal(chain) is Code.CERTIFICATE_ROOT_INCLUDED


def test_a_chain_does_not_bring_its_own_trust() -> None:
    stranger = KeySigner.generate()
    assert refusal([leaf("Anchor", stranger)]) is Code.CERTIFICATE_UNTRUSTED
    assert refusal([leaf("Stranger", stranger)]) is Code.CERTIFICATE_UNTRUSTED
    assert refusal([leaf()], []) is Code.CERTIFICATE_UNTRUSTED


def test_a_self_signed_leaf_is_refused() -> None:
    assert refusal([certificate("Leaf", "Leaf", LEAF_SIGNER, LEAF_SIGNER)]) is Code.CERTIFICATE_UNTRUSTED
    # Signed by the anchor's own key, so everything but the rule itself holds.
    by_the_anchor = certificate("Anchor", "Anchor", ANCHOR_SIGNER, ANCHOR_SIGNER, key_usage=usage(sign=True))
    assert refusal([by_the_anchor]) is Code.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize("count", [0, 4])
def test_one_to_three_certificates(count: int) -> None:
    assert refusal([leaf()] * count) is Code.CERTIFICATE_UNTRUSTED


# --- each link


def test_a_link_that_does_not_hold() -> None:
    assert refusal([leaf("Middle", ANCHOR_SIGNER), middle()]) is Code.CERTIFICATE_UNTRUSTED  # signed by another key
    assert refusal([leaf("Other", MIDDLE_SIGNER), middle()]) is Code.CERTIFICATE_UNTRUSTED  # issued by another name
    assert refusal([leaf(), middle()]) is Code.CERTIFICATE_UNTRUSTED  # not linked at all
    assert refusal([middle(), leaf("Middle", MIDDLE_SIGNER)]) is Code.CERTIFICATE_UNTRUSTED  # the wrong way round


@pytest.mark.parametrize(
    ("begins", "ends"), [(NOW - 2 * DAY, NOW - timedelta(seconds=1)), (NOW + timedelta(seconds=1), NOW + DAY)]
)
@pytest.mark.clause("7-3")
def test_every_certificate_is_valid_now(begins: datetime, ends: datetime) -> None:
    expired = Code.CERTIFICATE_EXPIRED
    assert refusal([leaf(begins=begins, ends=ends)]) is expired
    assert refusal([leaf("Middle", MIDDLE_SIGNER), middle(begins=begins, ends=ends)]) is expired
    assert refusal([leaf()], [anchor(begins=begins, ends=ends)]) is expired


def test_both_ends_of_the_period_count() -> None:
    x509.validate_chain([leaf()], [ANCHOR], NOW - DAY)
    x509.validate_chain([leaf()], [ANCHOR], NOW + DAY)


@pytest.mark.parametrize(
    "changes", [{"ca": False}, {"ca": None}, {"key_usage": None}, {"key_usage": usage(sign=True)}], ids=str
)
def test_only_an_authority_issues(changes: dict[str, Any]) -> None:
    assert refusal([leaf("Middle", MIDDLE_SIGNER), middle(**changes)]) is Code.CERTIFICATE_UNTRUSTED
    assert refusal([leaf()], [anchor(**changes)]) is Code.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize("changes", [{"ca": True}, {"key_usage": usage(certificates=True)}], ids=str)
def test_an_authority_does_not_sign_data(changes: dict[str, Any]) -> None:
    assert refusal([leaf(**changes)]) is Code.CERTIFICATE_UNTRUSTED


def test_nothing_critical_may_be_left_unprocessed() -> None:
    unknown = pkix.UnrecognizedExtension(pkix.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    names = pkix.NameConstraints([pkix.DNSName("example")], None)
    assert refusal([leaf(extra=((unknown, True),))]) is Code.CERTIFICATE_UNTRUSTED
    assert refusal([leaf("Middle", MIDDLE_SIGNER), middle(extra=((names, True),))]) is Code.CERTIFICATE_UNTRUSTED
    assert refusal([leaf()], [anchor(extra=((unknown, True),))]) is Code.CERTIFICATE_UNTRUSTED
    alternative = pkix.SubjectAlternativeName([pkix.DNSName("a.example")])
    x509.validate_chain([leaf(extra=((unknown, False), (alternative, True)))], [ANCHOR], NOW)


def test_constraints_of_names_are_not_passed_over() -> None:
    names = pkix.NameConstraints([pkix.DNSName("elsewhere.example")], None)
    assert refusal([leaf("Middle", MIDDLE_SIGNER), middle(extra=((names, False),))]) is Code.CERTIFICATE_UNTRUSTED
    assert refusal([leaf()], [anchor(extra=((names, False),))]) is Code.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize(
    ("purposes", "is_good"),
    [
        ([ExtendedKeyUsageOID.CODE_SIGNING], False),
        ([ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.TIME_STAMPING], False),
        ([ExtendedKeyUsageOID.OCSP_SIGNING], False),
        ([ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True),
        ([ExtendedKeyUsageOID.CODE_SIGNING, pkix.ObjectIdentifier("1.0.18013.5.1.2")], True),
        ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], True),
    ],
)
def test_a_certificate_for_another_purpose_signs_nothing_here(
    purposes: list[pkix.ObjectIdentifier], is_good: bool
) -> None:
    chain = [leaf(extra=((pkix.ExtendedKeyUsage(purposes), False),))]
    if is_good:
        x509.validate_chain(chain, [ANCHOR], NOW)
    else:
        assert refusal(chain) is Code.CERTIFICATE_UNTRUSTED


def test_weak_hashes_and_foreign_keys_are_refused() -> None:
    assert refusal([leaf(digest=hashes.SHA224())]) is Code.CERTIFICATE_UNTRUSTED
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    root = foreign_certificate("RSA", "RSA", foreign, foreign, ca=True)
    assert (
        refusal([foreign_certificate("Leaf", "RSA", LEAF_SIGNER.private_key, foreign)], [root])
        is Code.CERTIFICATE_UNTRUSTED
    )
    assert isinstance(ANCHOR_SIGNER.private_key, ec.EllipticCurvePrivateKey)
    for key in (foreign, ec.generate_private_key(ec.SECP256K1())):
        assert refusal([foreign_certificate("Leaf", "Anchor", key, ANCHOR_SIGNER.private_key)]) is Code.MALFORMED_KEY


def foreign_certificate(subject: str, issuer: str, key: Any, signer: Any, *, ca: bool = False) -> x509.Certificate:
    builder = Builder().subject_name(name(subject)).issuer_name(name(issuer)).serial_number(7)
    builder = builder.public_key(key.public_key()).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    if ca:
        builder = builder.add_extension(pkix.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(usage(certificates=True), critical=True)
    return builder.sign(signer, hashes.SHA256())
