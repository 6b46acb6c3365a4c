"""X.509 certificates: read strictly from what a peer sends, and looked into. Nothing here says that one is trusted."""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from cryptography import x509 as pkix
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Certificate

from comity import base64url, keys
from comity.errors import Code, Malformed
from comity.keys import PublicKey

__all__ = [
    "KEPT", "MAX_CHAIN", "MAX_LENGTH", "Certificate", "authority_key_identifier", "complete", "dns_sans",
    "extension_of", "from_base64", "from_pem", "malformed", "parse_chain", "public_key", "reading", "sha256_b64url",
    "sha256_hex", "subject_key_identifier", "to_base64", "to_pem", "uri_sans",
]  # fmt: skip

MAX_CHAIN = 3
"""Most certificates in a chain, the anchor not counted."""

MAX_LENGTH = 16384
"""Longest certificate read, in characters of base64."""

_Kind = TypeVar("_Kind", bound=pkix.ExtensionType)
_UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm, pkix.DuplicateExtension, pkix.InvalidVersion,
    pkix.UnsupportedGeneralNameType, CryptographyDeprecationWarning,
)  # fmt: skip

KEPT = 1024
"""Certificates, their keys and whether one signed another never change, so each is worked out once."""


def parse_chain(x5c: object) -> tuple[Certificate, ...]:
    """Return the certificates of an ``x5c`` header (any JSON value), leaf first; nothing about them is verified.

    Raises:
        Malformed: ``malformed_certificate``: not a list of 1 to 3 texts, or one is not a certificate.
    """
    if not isinstance(x5c, list | tuple) or not 1 <= len(x5c) <= MAX_CHAIN:
        raise malformed(f"a certificate chain is a list of 1 to {MAX_CHAIN} certificates")
    if not all(isinstance(text, str) for text in x5c):
        raise malformed("a certificate in a chain is base64 text")
    return tuple(from_base64(text) for text in x5c)


@lru_cache(maxsize=KEPT)
def from_base64(text: str) -> Certificate:
    """Return the certificate in ``text``, base64 (not base64url) of its DER, canonical and without white space.

    Raises:
        Malformed: ``malformed_certificate``.
    """
    if len(text) > MAX_LENGTH:
        raise malformed("the certificate is too large")
    try:
        der = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise malformed("the certificate is not base64") from None
    if base64.b64encode(der).decode("ascii") != text:
        raise malformed("the certificate is not canonical base64")
    with reading():
        return complete(pkix.load_der_x509_certificate(der))


def from_pem(data: bytes) -> Certificate:
    """Return the first certificate of a PEM text.

    Raises:
        Malformed: ``malformed_certificate``.
    """
    with reading():
        return complete(pkix.load_pem_x509_certificate(data))


def to_base64(certificate: Certificate) -> str:
    """Return the DER of ``certificate`` in base64, as it stands in ``x5c``."""
    return base64.b64encode(_der(certificate)).decode("ascii")


def to_pem(certificate: Certificate) -> bytes:
    """Return ``certificate`` as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


@lru_cache(maxsize=KEPT)
def public_key(certificate: Certificate) -> PublicKey:
    """Return the subject's key. Valid only to use after :func:`validate_chain`.

    Raises:
        Malformed: ``malformed_key`` for key types other than P-256, P-384, Ed25519.
    """
    return keys.supported(certificate.public_key())


@lru_cache(maxsize=KEPT)
def uri_sans(certificate: Certificate) -> tuple[str, ...]:
    """Return the URI subject alternative names, in order (RFC 5280 §4.2.1.6)."""
    names = extension_of(certificate, pkix.SubjectAlternativeName)
    return tuple(names.get_values_for_type(pkix.UniformResourceIdentifier)) if names else ()


@lru_cache(maxsize=KEPT)
def dns_sans(certificate: Certificate) -> tuple[str, ...]:
    """Return the DNS subject alternative names, in order (RFC 5280 §4.2.1.6)."""
    names = extension_of(certificate, pkix.SubjectAlternativeName)
    return tuple(names.get_values_for_type(pkix.DNSName)) if names else ()


@lru_cache(maxsize=KEPT)
def authority_key_identifier(certificate: Certificate) -> bytes:
    """Return the authority key identifier (RFC 5280 §4.2.1.1), which DCQL ``aki`` names.

    Raises:
        Malformed: ``malformed_certificate``: the certificate has none.
    """
    extension = extension_of(certificate, pkix.AuthorityKeyIdentifier)
    if extension is None or extension.key_identifier is None:
        raise malformed("the certificate names no authority key identifier")
    return extension.key_identifier


def subject_key_identifier(certificate: Certificate) -> bytes:
    """Return the subject key identifier (RFC 5280 §4.2.1.2): what certificates signed by this one name as authority.

    Raises:
        Malformed: ``malformed_certificate``: the certificate has none.
    """
    extension = extension_of(certificate, pkix.SubjectKeyIdentifier)
    if extension is None:
        raise malformed("the certificate names no subject key identifier")
    return extension.key_identifier


def sha256_hex(certificate: Certificate) -> str:
    """Return the SHA-256 of the DER in lower-case hex, as the registry pins anchors."""
    return hashlib.sha256(_der(certificate)).hexdigest()


def sha256_b64url(certificate: Certificate) -> str:
    """Return the SHA-256 of the DER in base64url, as ``x509_hash`` client identifiers carry it (OpenID4VP §5.9.3)."""
    return base64url.encode(hashlib.sha256(_der(certificate)).digest())


def extension_of(certificate: Certificate, kind: type[_Kind]) -> _Kind | None:
    """Return the value of one extension; the certificate was read completely, so nothing else can go wrong."""
    for extension in certificate.extensions:
        if isinstance(extension.value, kind):
            return extension.value
    return None


def malformed(detail: str) -> Malformed:
    """Return the refusal of something that is no readable certificate."""
    return Malformed(Code.MALFORMED_CERTIFICATE, detail)


@contextmanager
def reading() -> Iterator[None]:
    """Turn what cryptography says about bytes it cannot read into our one error."""
    try:
        yield
    except _UNREADABLE:
        raise malformed("the certificate cannot be read") from None


def complete(certificate: Certificate) -> Certificate:
    """Read now what cryptography would read late, so that errors appear here and nowhere else."""
    if certificate.serial_number <= 0:
        raise malformed("the certificate's serial number is not positive")
    _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.version)
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc, certificate.public_key())
    return certificate


def _der(certificate: Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
