"""Certificates, good and bad, that the tests of :mod:`comity.x509` share."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509 as pkix
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from comity import x509
from comity.errors import Code, Malformed
from comity.keys import KeySigner

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ISSUER_URL = "https://issuer.example/ca-on/services"
ANCHOR_SIGNER = KeySigner.generate()
LEAF_SIGNER = KeySigner.generate()
Builder = pkix.CertificateBuilder


def name(text: str) -> pkix.Name:
    return pkix.Name([pkix.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*, sign: bool = False, certificates: bool = False) -> pkix.KeyUsage:
    return pkix.KeyUsage(sign, False, False, False, False, certificates, certificates, False, False)


def certificate(
    subject: str,
    issuer: str,
    key: KeySigner,
    signer: KeySigner,
    *,
    ca: bool | None = False,
    path_length: int | None = None,
    key_usage: pkix.KeyUsage | None = None,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + DAY,
    extra: tuple[tuple[pkix.ExtensionType, bool], ...] = (),
    digest: hashes.SHA224 | hashes.SHA256 | None = None,
) -> x509.Certificate:
    """Any certificate at all, also those that :mod:`comity.x509` would never issue."""
    builder = Builder().subject_name(name(subject)).issuer_name(name(issuer)).serial_number(pkix.random_serial_number())
    builder = builder.public_key(key.private_key.public_key()).not_valid_before(begins).not_valid_after(ends)
    if ca is not None:
        builder = builder.add_extension(pkix.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer.private_key, digest or hashes.SHA256())


def anchor(signer: KeySigner = ANCHOR_SIGNER, subject: str = "Anchor", **changes: Any) -> x509.Certificate:
    settings: dict[str, Any] = {"ca": True, "key_usage": usage(certificates=True), **changes}
    return certificate(subject, subject, signer, signer, **settings)


ANCHOR = next(found for found in (anchor() for _ in range(9999)) if found.serial_number.bit_length() > 152)
MIDDLE_SIGNER, SECOND_SIGNER = KeySigner.generate(), KeySigner.generate()


def authority(subject: str, issuer: str, key: KeySigner, signer: KeySigner, **changes: Any) -> x509.Certificate:
    settings: dict[str, Any] = {"ca": True, "key_usage": usage(certificates=True), **changes}
    return certificate(subject, issuer, key, signer, **settings)


def leaf(issuer: str = "Anchor", signer: KeySigner = ANCHOR_SIGNER, **changes: Any) -> x509.Certificate:
    settings: dict[str, Any] = {"key_usage": usage(sign=True), **changes}
    return certificate("Leaf", issuer, LEAF_SIGNER, signer, **settings)


def refusal(chain: list[x509.Certificate], anchors: list[x509.Certificate] | None = None, at: datetime = NOW) -> Code:
    with pytest.raises(Malformed) as raised:
        x509.validate_chain(chain, [ANCHOR] if anchors is None else anchors, at)
    return raised.value.code


def issue(uri: str | None, dns: str | None, jwk: dict[str, str] | None = None) -> x509.Certificate:
    return x509.issue_leaf(
        name="Leaf",
        uri_san=uri,
        dns_san=dns,
        public_jwk=jwk or dict(LEAF_SIGNER.public_jwk),
        anchor=ANCHOR,
        anchor_signer=ANCHOR_SIGNER,
        not_before=NOW - DAY,
        not_after=NOW + DAY,
    )
