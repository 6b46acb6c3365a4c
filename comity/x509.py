"""Certificate chains in ``x5c`` (RFC 7515 §4.1.6): read strictly, validated to anchors that the registry names.

A deliberate, numbered subset of RFC 5280 §6.1, as small as what HAIP 1.0 §5 needs: leaf first, no root in the chain, a
leaf that is not self-signed, at most three certificates, and nothing critical that is not understood. An anchor is
whatever the registry pins, self-signed or not; a chain never brings its own. Not checked here: revocation of
certificates (leaves are short-lived, and the registry can withdraw an anchor at any time) and who may issue what.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509 as pkix
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from msgspec import Struct

from comity import keys
from comity.certificate import (
    KEPT,
    MAX_CHAIN,
    Certificate,
    authority_key_identifier,
    dns_sans,
    extension_of,
    from_base64,
    from_pem,
    parse_chain,
    public_key,
    reading,
    sha256_b64url,
    sha256_hex,
    subject_key_identifier,
    to_base64,
    to_pem,
    uri_sans,
)
from comity.errors import Code, Malformed
from comity.keys import KeySigner
from comity.ports import Jwk

__all__ = [
    "MAX_CHAIN", "Certificate", "Path", "authority_key_identifier", "dns_sans", "from_base64", "from_pem",
    "issue_anchor", "issue_host_anchor", "issue_leaf", "parse_chain", "path_of", "public_key", "sha256_b64url",
    "sha256_hex", "subject_key_identifier", "to_base64", "to_pem", "uri_sans", "validate_chain",
]  # fmt: skip

_UNDERSTOOD = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.SUBJECT_ALTERNATIVE_NAME}
)  # fmt: skip
_FOREIGN = frozenset(
    {
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.OCSP_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
    }
)
"""Purposes that a certificate for credentials and requests does not have alone. Those of TLS are not among them:
verifiers sign requests with the certificate of their web server (OpenID4VP §5.9.3, ``x509_san_dns``)."""
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


# --- validating


class Path(Struct, frozen=True, kw_only=True):
    """A chain that leads to an anchor. It never changes; whether it is good *now* is asked at every use.

    Attributes:
        leaf: the signing certificate.
        not_before: first instant at which every certificate of the path is valid, the anchor's included.
        not_after: the last such instant.
    """

    leaf: Certificate
    not_before: datetime
    not_after: datetime

    def check_valid(self, at: datetime) -> None:
        """Refuse the path at an instant when a certificate of it is not valid (RFC 5280 §6.1.3 (a)(2)).

        Raises:
            Malformed: ``certificate_expired``.
        """
        if not self.not_before <= at <= self.not_after:
            raise Malformed(Code.CERTIFICATE_EXPIRED, "a certificate of the chain is not valid at this time")


def validate_chain(chain: Sequence[Certificate], anchors: Sequence[Certificate], at: datetime) -> None:
    """Check that ``chain``, leaf first, leads to one of ``anchors`` at the instant ``at``.

    Raises:
        Malformed: ``certificate_untrusted``, ``certificate_expired`` or ``certificate_root_included``.
    """
    path_of(chain, anchors).check_valid(at)


def path_of(chain: Sequence[Certificate], anchors: Sequence[Certificate]) -> Path:
    """Return the path of ``chain``, leaf first, to one of ``anchors``. Not checked: whether it is valid at any instant.

    Raises:
        Malformed: ``certificate_untrusted`` or ``certificate_root_included``.
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
        # 6.1.4 (o), 6.1.5 (f): every critical extension is one that is processed here.
        _check_critical(certificate)
        if position > 0:
            # 6.1.4 (k) to (n): a CA, of this depth, that may sign certificates.
            _check_authority(certificate, below=position - 1)
        else:
            # 6.1.5 and HAIP 1.0 §5: a leaf that may sign data, and not certificates.
            _check_leaf(certificate)
    # 6.1.3 (a)(2): valid while all of them are.
    return Path(
        leaf=chain[0],
        not_before=max(certificate.not_valid_before_utc for certificate in path),
        not_after=min(certificate.not_valid_after_utc for certificate in path),
    )


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


@lru_cache(maxsize=KEPT)
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


@lru_cache(maxsize=KEPT)  # what it refuses it raises, and that is not kept
def _check_critical(certificate: Certificate) -> None:
    if any(extension.critical and extension.oid not in _UNDERSTOOD for extension in certificate.extensions):
        raise _untrusted("a certificate of the chain has a critical extension that is not supported")


@lru_cache(maxsize=KEPT)  # what it refuses it raises, and that is not kept
def _check_authority(certificate: Certificate, *, below: int) -> None:
    """``below``: how many further CA certificates stand between this one and the leaf."""
    constraints = extension_of(certificate, pkix.BasicConstraints)
    if constraints is None or not constraints.ca:  # 6.1.4 (k): only version 3 has extensions at all
        raise _untrusted("a certificate above the signing certificate is not one of an authority")
    if constraints.path_length is not None and below > constraints.path_length:
        raise _untrusted("the certificate chain is longer than an authority in it allows")
    usage = extension_of(certificate, pkix.KeyUsage)
    if usage is None or not usage.key_cert_sign:
        raise _untrusted("an authority in the chain may not sign certificates")
    # 4.2.1.10: what narrows the names below is not processed here, and is not passed over where it is not critical.
    if extension_of(certificate, pkix.NameConstraints) is not None:
        raise _untrusted("an authority in the chain is constrained to certain names, which is not supported")


@lru_cache(maxsize=KEPT)  # what it refuses it raises, and that is not kept
def _check_leaf(certificate: Certificate) -> None:
    constraints = extension_of(certificate, pkix.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise _untrusted("the signing certificate is one of an authority")
    usage = extension_of(certificate, pkix.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise _untrusted("the signing certificate may not sign data")
    purposes = extension_of(certificate, pkix.ExtendedKeyUsage)
    if purposes is not None and _FOREIGN.issuperset(purposes):  # 4.2.1.12
        raise _untrusted("the signing certificate is for another purpose")
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
    with reading():
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


def _untrusted(detail: str) -> Malformed:
    return Malformed(Code.CERTIFICATE_UNTRUSTED, detail)
