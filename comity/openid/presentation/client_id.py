"""Client identifiers and their prefixes (OpenID4VP 1.0 §5.9, profile 6.2).

The text before the first colon says how the verifier proves who it is. The full text, prefix included, is the audience
of every presentation. Five prefixes are written out; any other, ``origin:`` and ``openid_federation:`` among them, is
refused. An identifier without a prefix is that of a pre-registered verifier: it proves nothing by itself, and counts
only where the registry lists it with the key that signed.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from comity import did, x509
from comity.errors import Code, Malformed
from comity.openid import endpoint
from comity.openid.refusal import Refusal
from comity.x509 import Certificate

_REFUSE = Refusal(code=Code.CLIENT_MISMATCH)
_UNKNOWN = Refusal(code=Code.REQUEST_INVALID)
_SHA256 = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")


class Prefix(StrEnum):
    """The prefixes this house understands."""

    X509_HASH = "x509_hash"
    X509_SAN_DNS = "x509_san_dns"
    DECENTRALIZED_IDENTIFIER = "decentralized_identifier"
    VERIFIER_ATTESTATION = "verifier_attestation"
    REDIRECT_URI = "redirect_uri"
    PRE_REGISTERED = "pre-registered"
    """No prefix at all; this name stands only in metadata (§10.1)."""
    ORIGIN = "origin"
    """Who asks by the Digital Credentials API without a signature, as the platform says; never read from a request."""

    @property
    def can_sign(self) -> bool:
        """Whether requests under this prefix are signed; ``redirect_uri`` has no key to sign with."""
        return self not in {Prefix.REDIRECT_URI, Prefix.ORIGIN}


_WRITTEN = frozenset({"x509_hash", "x509_san_dns", "decentralized_identifier", "verifier_attestation", "redirect_uri"})
_ATTESTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~/-]{0,254}\Z")
_PRE_REGISTERED = re.compile(r"[A-Za-z0-9._~-]{1,255}\Z")  # unreserved characters; any of them may come first


class ClientId(Struct, frozen=True, kw_only=True):
    """A client identifier: ``text`` is ``<prefix>:<identifier>``, or the identifier alone of a pre-registered one."""

    prefix: Prefix
    identifier: str

    @property
    def text(self) -> str:
        """The full client identifier, as it is compared and used as the audience."""
        is_bare = self.prefix is Prefix.PRE_REGISTERED
        return self.identifier if is_bare else f"{self.prefix.value}:{self.identifier}"


def parse(text: str) -> ClientId:
    """Read a client identifier.

    Raises:
        OAuthError: ``invalid_request`` for a prefix that is unknown or not supported, or an identifier that does not
            have the shape its prefix demands (which also stops a second prefix).
    """
    name, colon, identifier = text.partition(":")
    if not colon and _PRE_REGISTERED.match(text):
        return ClientId(prefix=Prefix.PRE_REGISTERED, identifier=text)
    if not colon or name not in _WRITTEN:
        raise _UNKNOWN("the client identifier has no prefix that this wallet supports")
    prefix = Prefix(name)
    if not _has_shape(prefix, identifier):
        raise _UNKNOWN(f"the client identifier is not a valid {prefix.value} identifier")
    return ClientId(prefix=prefix, identifier=identifier)


def of_certificate(leaf: Certificate) -> ClientId:
    """Return the ``x509_hash`` client identifier of a verifier with this leaf; it changes with every certificate."""
    return ClientId(prefix=Prefix.X509_HASH, identifier=x509.sha256_b64url(leaf))


def of_did(identifier: str) -> ClientId:
    """Return the ``decentralized_identifier`` client identifier of a DID."""
    return ClientId(prefix=Prefix.DECENTRALIZED_IDENTIFIER, identifier=identifier)


def of_attestation(subject: str) -> ClientId:
    """Return the ``verifier_attestation`` client identifier of a verifier whose attestation has this ``sub``."""
    return ClientId(prefix=Prefix.VERIFIER_ATTESTATION, identifier=subject)


def of_origin(origin: str) -> ClientId:
    """Return what stands for a website that asks without a signature (annex A.2); its text is also the audience."""
    return ClientId(prefix=Prefix.ORIGIN, identifier=origin)


def check_certificate(client: ClientId, chain: Sequence[Certificate]) -> None:
    """Check that the leaf of ``chain`` is the one that ``client`` names.

    Not checked: that the chain leads to a trusted anchor. Without that, the name proves nothing.

    Raises:
        OAuthError: ``client_mismatch``.
    """
    # x509_hash: the identifier is base64url(SHA-256(DER of the leaf)).
    if client.prefix is Prefix.X509_HASH and x509.sha256_b64url(chain[0]) != client.identifier:
        raise _REFUSE("the client identifier is not the hash of the certificate that signed the request")
    # x509_san_dns: the identifier is one of the leaf's DNS names, letter by letter (no wildcards).
    if client.prefix is Prefix.X509_SAN_DNS and client.identifier not in {
        name.lower() for name in x509.dns_sans(chain[0])
    }:
        raise _REFUSE("the client identifier is not a name in the certificate that signed the request")


def check_response_uri(client: ClientId, response_uri: str) -> None:
    """Check that answers go to somebody whom ``client`` may send them to (attack P15).

    ``x509_san_dns``: the host is the identifier. ``redirect_uri``: the address is the identifier. The others say
    nothing about addresses: the request's signature answers for it (what an attestation says of them is checked with
    it).

    Raises:
        OAuthError: ``client_mismatch``.
    """
    parts = endpoint.split(response_uri)
    host = parts.hostname if parts is not None else None
    if client.prefix is Prefix.X509_SAN_DNS and host != client.identifier:
        raise _REFUSE("the response address is on another host than the client identifier")
    if client.prefix is Prefix.REDIRECT_URI and response_uri != client.identifier:
        raise _REFUSE("the response address is not the client identifier")


def _has_shape(prefix: Prefix, identifier: str) -> bool:
    if prefix is Prefix.X509_HASH:
        return bool(_SHA256.match(identifier))
    if prefix is Prefix.X509_SAN_DNS:
        return bool(_DNS_NAME.match(identifier))
    if prefix is Prefix.REDIRECT_URI:
        return endpoint.is_endpoint(identifier)
    if prefix is Prefix.VERIFIER_ATTESTATION:
        return bool(_ATTESTED.match(identifier))
    return _is_did(identifier)


def _is_did(identifier: str) -> bool:
    if any(separator in identifier for separator in "#?/"):
        return False
    try:
        did.parse(identifier)
    except Malformed:
        return False
    return True
