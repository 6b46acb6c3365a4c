"""Certificate chains in ``x5c`` (RFC 7515 §4.1.6): read strictly, validated to anchors that the registry names.

A deliberate, numbered subset of RFC 5280 §6.1, as small as what HAIP 1.0 §5 needs: leaf first, no root in the chain, a
leaf that is not self-signed, at most three certificates, and nothing critical that is not understood. An anchor is
whatever the registry pins, self-signed or not; a chain never brings its own. Not checked here: revocation of
certificates (leaves are short-lived, and the registry can withdraw an anchor at any time) and who may issue what.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509 as pkix
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from comity import base64url, keys
from comity.errors import Code, Malformed
from comity.keys import KeySigner, PublicKey
from comity.ports import Jwk

__all__ = [
    "MAX_CHAIN", "Certificate", "authority_key_identifier", "dns_sans", "from_base64", "from_pem", "issue_anchor",
    "issue_host_anchor", "issue_leaf", "parse_chain", "public_key", "sha256_b64url", "sha256_hex",
    "to_base64", "to_pem", "uri_sans", "validate_chain",
]  # fmt: skip

MAX_CHAIN = 3
"""Most certificates in a chain, the anchor not counted."""

MAX_LENGTH = 16384
"""Longest certificate read, in characters of base64."""

_UNDERSTOOD = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.SUBJECT_ALTERNATIVE_NAME}
)  # fmt: skip
_Kind = TypeVar("_Kind", bound=pkix.ExtensionType)
_UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm, pkix.DuplicateExtension, pkix.InvalidVersion,
    pkix.UnsupportedGeneralNameType, CryptographyDeprecationWarning,
)  # fmt: skip
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)

_KEPT = 1024
"""Certificates, their keys and whether one signed another never change, so each is worked out once."""


# --- reading


def parse_chain(x5c: object) -> tuple[Certificate, ...]:
    """Return the certificates of an ``x5c`` header (any JSON value), leaf first; nothing about them is verified.

    Raises:
        Malformed: ``malformed_certificate``: not a list of 1 to 3 texts, or one is not a certificate.
    """
    if not isinstance(x5c, list | tuple) or not 1 <= len(x5c) <= MAX_CHAIN:
        raise _malformed(f"a certificate chain is a list of 1 to {MAX_CHAIN} certificates")
    if not all(isinstance(text, str) for text in x5c):
        raise _malformed("a certificate in a chain is base64 text")
    return tuple(from_base64(text) for text in x5c)


@lru_cache(maxsize=_KEPT)
def from_base64(text: str) -> Certificate:
    """Return the certificate in ``text``, base64 (not base64url) of its DER, canonical and without white space.

    Raises:
        Malformed: ``malformed_certificate``.
    """
    if len(text) > MAX_LENGTH:
        raise _malformed("the certificate is too large")
    try:
        der = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise _malformed("the certificate is not base64") from None
    if base64.b64encode(der).decode("ascii") != text:
        raise _malformed("the certificate is not canonical base64")
    with _reading():
        return _complete(pkix.load_der_x509_certificate(der))


def from_pem(data: bytes) -> Certificate:
    """Return the first certificate of a PEM text.

    Raises:
        Malformed: ``malformed_certificate``.
    """
    with _reading():
        return _complete(pkix.load_pem_x509_certificate(data))


def to_base64(certificate: Certificate) -> str:
    """Return the DER of ``certificate`` in base64, as it stands in ``x5c``."""
    return base64.b64encode(_der(certificate)).decode("ascii")


def to_pem(certificate: Certificate) -> bytes:
    """Return ``certificate`` as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


@lru_cache(maxsize=_KEPT)
def public_key(certificate: Certificate) -> PublicKey:
    """Return the subject's key. Valid only to use after :func:`validate_chain`.

    Raises:
        Malformed: ``malformed_key`` for key types other than P-256, P-384, Ed25519.
    """
    return keys.supported(certificate.public_key())


@lru_cache(maxsize=_KEPT)
def uri_sans(certificate: Certificate) -> tuple[str, ...]:
    """Return the URI subject alternative names, in order (RFC 5280 §4.2.1.6)."""
    names = _extension(certificate, pkix.SubjectAlternativeName)
    return tuple(names.get_values_for_type(pkix.UniformResourceIdentifier)) if names else ()


@lru_cache(maxsize=_KEPT)
def dns_sans(certificate: Certificate) -> tuple[str, ...]:
    """Return the DNS subject alternative names, in order (RFC 5280 §4.2.1.6)."""
    names = _extension(certificate, pkix.SubjectAlternativeName)
    return tuple(names.get_values_for_type(pkix.DNSName)) if names else ()


@lru_cache(maxsize=_KEPT)
def authority_key_identifier(certificate: Certificate) -> bytes:
    """Return the authority key identifier (RFC 5280 §4.2.1.1), which DCQL ``aki`` names.

    Raises:
        Malformed: ``malformed_certificate``: the certificate has none.
    """
    extension = _extension(certificate, pkix.AuthorityKeyIdentifier)
    if extension is None or extension.key_identifier is None:
        raise _malformed("the certificate names no authority key identifier")
    return extension.key_identifier


def sha256_hex(certificate: Certificate) -> str:
    """Return the SHA-256 of the DER in lower-case hex, as the registry pins anchors."""
    return hashlib.sha256(_der(certificate)).hexdigest()


def sha256_b64url(certificate: Certificate) -> str:
    """Return the SHA-256 of the DER in base64url, as ``x509_hash`` client identifiers carry it (OpenID4VP §5.9.3)."""
    return base64url.encode(hashlib.sha256(_der(certificate)).digest())


# --- validating


def validate_chain(chain: Sequence[Certificate], anchors: Sequence[Certificate], at: datetime) -> None:
    """Check that ``chain``, leaf first, leads to one of ``anchors`` at the instant ``at``.

    Raises:
        Malformed: ``certificate_untrusted``, ``certificate_expired`` or ``certificate_root_included``.
    """
    # HAIP 1.0 §5.
    # 1. One to three certificates.
    if not 1 <= len(chain) <= MAX_CHAIN:
        raise _untrusted(f"a certificate chain holds 1 to {MAX_CHAIN} certificates")
    # 2. No root, and no anchor, stands in the chain.
    if any(_is_self_signed(certificate) for certificate in chain[1:]) or any(each in anchors for each in chain):
        raise Malformed(Code.CERTIFICATE_ROOT_INCLUDED, "the certificate chain includes its own trust anchor")
    # 3. The leaf is not self-signed.
    if _is_self_signed(chain[0]):
        raise _untrusted("the signing certificate is self-signed")
    # RFC 5280 §6.1.1 (d): the anchor is the caller's, found by the name and the signature of the last certificate.
    anchor = _anchor_of(chain[-1], anchors)
    # RFC 5280 §6.1.3 and §6.1.4, from the anchor down to the leaf; the anchor is held to the rules of a CA too.
    path = (*chain, anchor)
    for position in range(len(path) - 1, -1, -1):
        certificate = path[position]
        # 6.1.3 (a)(1) and (a)(4): issued and signed by the one above.
        if position < len(chain):
            _check_issued_by(certificate, path[position + 1])
        # 6.1.3 (a)(2): valid now.
        _check_period(certificate, at)
        # 6.1.4 (o), 6.1.5 (f): every critical extension is one that is processed here.
        _check_critical(certificate)
        if position > 0:
            # 6.1.4 (k) to (n): a CA, of this depth, that may sign certificates.
            _check_authority(certificate, below=position - 1)
        else:
            # 6.1.5 and HAIP 1.0 §5: a leaf that may sign data, and not certificates.
            _check_leaf(certificate)


def _anchor_of(last: Certificate, anchors: Sequence[Certificate]) -> Certificate:
    for anchor in anchors:
        if _is_signed_by(last, anchor):
            return anchor
    raise _untrusted("the certificate chain does not lead to a trusted anchor")


def _check_issued_by(certificate: Certificate, issuer: Certificate) -> None:
    if not _is_signed_by(certificate, issuer):
        raise _untrusted("a certificate of the chain was not issued by the next one")


def _is_self_signed(certificate: Certificate) -> bool:
    return _is_signed_by(certificate, certificate)


@lru_cache(maxsize=_KEPT)
def _is_signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Say whether ``issuer`` signed ``certificate``, with a supported key, a current hash, and its own name in it."""
    try:
        keys.supported(issuer.public_key())
        algorithm = certificate.signature_hash_algorithm  # None for Ed25519
        if algorithm is not None and not isinstance(algorithm, _HASHES):
            return False
        certificate.verify_directly_issued_by(issuer)  # the signature, and issuer name == subject name
    except (Malformed, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


@lru_cache(maxsize=_KEPT)
def _period(certificate: Certificate) -> tuple[datetime, datetime]:
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def _check_period(certificate: Certificate, at: datetime) -> None:
    not_before, not_after = _period(certificate)
    if not not_before <= at <= not_after:
        raise Malformed(Code.CERTIFICATE_EXPIRED, "a certificate of the chain is not valid at this time")


@lru_cache(maxsize=_KEPT)  # what it refuses it raises, and that is not kept
def _check_critical(certificate: Certificate) -> None:
    if any(extension.critical and extension.oid not in _UNDERSTOOD for extension in certificate.extensions):
        raise _untrusted("a certificate of the chain has a critical extension that is not supported")


@lru_cache(maxsize=_KEPT)  # what it refuses it raises, and that is not kept
def _check_authority(certificate: Certificate, *, below: int) -> None:
    """``below``: how many further CA certificates stand between this one and the leaf."""
    constraints = _extension(certificate, pkix.BasicConstraints)
    if constraints is None or not constraints.ca:  # 6.1.4 (k): only version 3 has extensions at all
        raise _untrusted("a certificate above the signing certificate is not one of an authority")
    if constraints.path_length is not None and below > constraints.path_length:
        raise _untrusted("the certificate chain is longer than an authority in it allows")
    usage = _extension(certificate, pkix.KeyUsage)
    if usage is None or not usage.key_cert_sign:
        raise _untrusted("an authority in the chain may not sign certificates")


@lru_cache(maxsize=_KEPT)  # what it refuses it raises, and that is not kept
def _check_leaf(certificate: Certificate) -> None:
    constraints = _extension(certificate, pkix.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise _untrusted("the signing certificate is one of an authority")
    usage = _extension(certificate, pkix.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise _untrusted("the signing certificate may not sign data")
    keys.supported(certificate.public_key())


# --- issuing


def issue_anchor(*, name: str, signer: KeySigner, not_before: datetime, not_after: datetime) -> Certificate:
    """Return a self-signed CA certificate for ``name`` whose leaves it signs directly (path length 0)."""
    return _anchor(name, signer, not_before, not_after).sign(signer.private_key, _hash_of(signer))


def issue_host_anchor(
    host: str, *, name: str, signer: KeySigner, not_before: datetime, not_after: datetime
) -> Certificate:
    """Return a CA certificate that can vouch for the web host ``host`` and for no other (RFC 5280 §4.2.1.10).

    Whoever is told to trust a demonstration's authority trusts it for one name.
    """
    permitted = pkix.NameConstraints(permitted_subtrees=[pkix.DNSName(host)], excluded_subtrees=None)
    builder = _anchor(name, signer, not_before, not_after).add_extension(permitted, critical=True)
    return builder.sign(signer.private_key, _hash_of(signer))


def _anchor(name: str, signer: KeySigner, not_before: datetime, not_after: datetime) -> pkix.CertificateBuilder:
    public = signer.private_key.public_key()
    builder = _builder(name, not_before, not_after).issuer_name(_name(name)).public_key(public)
    builder = builder.add_extension(pkix.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return builder.add_extension(pkix.SubjectKeyIdentifier.from_public_key(public), critical=False)


def issue_leaf(
    *,
    name: str,
    uri_san: str | None,
    dns_san: str | None,
    public_jwk: Jwk,
    anchor: Certificate,
    anchor_signer: KeySigner,
    not_before: datetime,
    not_after: datetime,
    serves: bool = False,
) -> Certificate:
    """Return a signing certificate for ``public_jwk`` under ``anchor``, with at most one URI and one DNS name.

    With ``serves`` it is one for serving https as ``dns_san`` (extended key usage *serverAuth*, RFC 5280 §4.2.1.12).

    Raises:
        Malformed: ``malformed_key`` for the JWK; ``malformed_certificate`` for a name that is not ASCII.
    """
    public = keys.public_key(public_jwk)
    identifier = pkix.AuthorityKeyIdentifier.from_issuer_public_key(anchor_signer.private_key.public_key())
    builder = _builder(name, not_before, not_after).issuer_name(anchor.subject).public_key(public)
    builder = builder.add_extension(pkix.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(pkix.SubjectKeyIdentifier.from_public_key(public), critical=False)
    builder = builder.add_extension(identifier, critical=False)
    if serves:
        builder = builder.add_extension(pkix.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    with _reading():
        names: list[pkix.GeneralName] = [pkix.UniformResourceIdentifier(uri_san)] if uri_san else []
        names += [pkix.DNSName(dns_san)] if dns_san else []
    if names:
        builder = builder.add_extension(pkix.SubjectAlternativeName(names), critical=False)
    return builder.sign(anchor_signer.private_key, _hash_of(anchor_signer))


def _builder(name: str, not_before: datetime, not_after: datetime) -> pkix.CertificateBuilder:
    return (
        pkix.CertificateBuilder()
        .subject_name(_name(name))
        .serial_number(pkix.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def _name(name: str) -> pkix.Name:
    return pkix.Name([pkix.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> pkix.KeyUsage:
    return pkix.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _hash_of(signer: KeySigner) -> hashes.SHA256 | hashes.SHA384 | None:
    """Return the hash that goes with the signer's algorithm; Ed25519 brings its own."""
    if signer.algorithm == "EdDSA":
        return None
    return hashes.SHA384() if signer.algorithm == "ES384" else hashes.SHA256()


# --- details


def _malformed(detail: str) -> Malformed:
    return Malformed(Code.MALFORMED_CERTIFICATE, detail)


def _untrusted(detail: str) -> Malformed:
    return Malformed(Code.CERTIFICATE_UNTRUSTED, detail)


@contextmanager
def _reading() -> Iterator[None]:
    """Turn what cryptography says about bytes it cannot read into our one error."""
    try:
        yield
    except _UNREADABLE:
        raise _malformed("the certificate cannot be read") from None


def _complete(certificate: Certificate) -> Certificate:
    """Read now what cryptography would read late, so that errors appear here and nowhere else."""
    if certificate.serial_number <= 0:
        raise _malformed("the certificate's serial number is not positive")
    _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.version)
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc, certificate.public_key())
    return certificate


def _der(certificate: Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _extension(certificate: Certificate, kind: type[_Kind]) -> _Kind | None:
    """Return the value of one extension; the certificate was read completely, so nothing else can go wrong."""
    for extension in certificate.extensions:
        if isinstance(extension.value, kind):
            return extension.value
    return None
