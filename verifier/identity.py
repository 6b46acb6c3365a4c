"""Who this verifier is towards wallets: its anchor, its request-signing key, and the names it can use."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from comity import did, x509
from comity import keys as public_keys
from comity.credential import KeyReference, Kid, X5c
from comity.did import web
from comity.errors import Code, Malformed, Misconfigured, NotFound
from comity.openid.presentation import client_id, verifier_attestation
from comity.openid.presentation.client_id import ClientId, Prefix
from comity.openid.presentation.proof import AttestationKey
from comity.openid.presentation.verifier_attestation import VerifierAttestation
from comity.ports import Clock, Signer
from comity.runtime.keystore import FileKeyStore

ANCHOR, REQUEST, SEAL, ID_TOKEN = "anchor", "request", "seal", "id-token"
"""Names in the key store: the relying party's certificate authority, the key that signs requests, the sealing key, and
the key that signs what websites are told (OpenID Connect)."""

FRAGMENT = "request"
ANCHOR_DAYS, LEAF_DAYS = 3650, 825


class Identity(Struct, frozen=True, kw_only=True):
    """One way to sign requests.

    Attributes:
        client: the full client identifier; the audience of every presentation.
        key: how the request's header names the key.
        signer: the key.
        seal: 32 bytes under which stored keys and claims are sealed.
    """

    client: ClientId
    key: KeyReference | AttestationKey
    signer: Signer
    seal: bytes

    @property
    def signs(self) -> bool:
        """Whether requests are signed; under ``redirect_uri`` they cannot be."""
        return self.client.prefix.can_sign

    def client_for(self, response_uri: str) -> ClientId:
        """Return the client identifier of one request; under ``redirect_uri`` it is the address of the answer."""
        return self.client if self.signs else ClientId(prefix=Prefix.REDIRECT_URI, identifier=response_uri)


def create(keys: FileKeyStore, public_url: str, clock: Clock) -> None:
    """Make the verifier's keys and certificate; what exists already is left as it is."""
    now = clock.now()
    anchor_signer, signer = keys.signer_or_create(ANCHOR), keys.signer_or_create(REQUEST)
    keys.signer_or_create(ID_TOKEN)
    if not keys.has_secret(SEAL):
        keys.create_secret(SEAL)
    if _has_chain(keys):
        return
    anchor = x509.issue_anchor(
        name=f"Relying party {public_url}"[:64],
        signer=anchor_signer,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=ANCHOR_DAYS),
    )
    leaf = x509.issue_leaf(
        name="Request signer",
        uri_san=public_url,
        dns_san=urlsplit(public_url).hostname,
        public_jwk=signer.public_jwk,
        anchor=anchor,
        anchor_signer=anchor_signer,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=LEAF_DAYS),
    )
    keys.save_chain(ANCHOR, [x509.to_base64(anchor)])
    keys.save_chain(REQUEST, [x509.to_base64(leaf)])


def load(keys: FileKeyStore, public_url: str, prefix: str, attestation: Path | None = None) -> Identity:
    """Return the identity under ``prefix``, one of those that a request can have (OpenID4VP §5.9.3).

    Does NOT check that the certificate or the attestation is valid today; :func:`require_usable` does.

    Raises:
        Misconfigured: there are no keys yet, the certificate was made without a DNS name, or the attestation in the
            file ``attestation`` is not one of this verifier's key.
    """
    try:
        signer, chain, seal = keys.signer(REQUEST), keys.chain(REQUEST), keys.secret(SEAL)
    except NotFound:
        raise Misconfigured(Code.KEY_NOT_FOUND, "there are no keys; run 'comity verifier keys init'") from None
    leaf = x509.parse_chain(chain)[0]
    by_certificate = {
        Prefix.X509_HASH: client_id.of_certificate(leaf),
        Prefix.X509_SAN_DNS: ClientId(prefix=Prefix.X509_SAN_DNS, identifier=urlsplit(public_url).hostname or ""),
        Prefix.REDIRECT_URI: ClientId(prefix=Prefix.REDIRECT_URI, identifier=public_url),
    }
    if prefix == Prefix.X509_SAN_DNS and by_certificate[Prefix.X509_SAN_DNS].identifier not in x509.dns_sans(leaf):
        detail = "the certificate was made without a DNS name; make new keys, or use the prefix x509_hash"
        raise Misconfigured(Code.CERTIFICATE_NAME_MISMATCH, detail)
    if prefix in by_certificate:
        return Identity(client=by_certificate[Prefix(prefix)], key=X5c(chain=chain), signer=signer, seal=seal)
    if prefix == Prefix.VERIFIER_ATTESTATION:
        encoded, found = _attestation(attestation, signer)
        attested = client_id.of_attestation(found.subject)
        return Identity(client=attested, key=AttestationKey(encoded=encoded), signer=signer, seal=seal)
    own = web.did_of(public_url)
    return Identity(client=client_id.of_did(own), key=Kid(did_url=f"{own}#{FRAGMENT}"), signer=signer, seal=seal)


def require_usable(keys: FileKeyStore, identity: Identity, at: datetime) -> None:
    """Check that ``identity`` can sign, and that wallets will believe its certificate at ``at``.

    Raises:
        Malformed: ``certificate_expired``, ``certificate_untrusted`` or ``verifier_attestation_expired``.
        Misconfigured: the anchor's certificate is gone.
    """
    identity.signer.sign(b"readiness")  # for nobody
    if isinstance(identity.key, X5c):
        anchors = [x509.from_base64(each) for each in keys.chain(ANCHOR)]
        x509.validate_chain(x509.parse_chain(identity.key.chain), anchors, at)
    if isinstance(identity.key, AttestationKey) and verifier_attestation.own(identity.key.encoded).expires_at <= at:
        raise Malformed(Code.VERIFIER_ATTESTATION_EXPIRED, "the attestation of this verifier has ended")


def did_document(keys: FileKeyStore, public_url: str) -> dict[str, Any]:
    """Return the verifier's DID document."""
    key = keys.signer(REQUEST).public_jwk
    return web.web_document(web.did_of(public_url), {FRAGMENT: key}, {"authentication"})


def did_path(public_url: str) -> str:
    """Return the path at which the DID document is expected, relative to the host."""
    url = did.document_url(web.did_of(public_url))
    return "/" + (url or "").partition("://")[2].partition("/")[2]


def registry_entry(
    keys: FileKeyStore,
    public_url: str,
    *,
    name: Mapping[str, str],
    may_ask: list[dict[str, Any]],
    prefix: str = "",
    attestation: Path | None = None,
) -> dict[str, Any]:
    """Return this verifier's entry for ``verifiers.json``, with its names by certificate hash and DID.

    Under ``prefix`` ``x509_san_dns`` or ``verifier_attestation`` that name is there too; a host name that several
    verifiers share is nobody's.

    Raises:
        Misconfigured: there are no keys yet; as :func:`load`.
    """
    prefixes = [Prefix.X509_HASH, Prefix.DECENTRALIZED_IDENTIFIER]
    prefixes += [each for each in (Prefix.X509_SAN_DNS, Prefix.VERIFIER_ATTESTATION) if each == prefix]
    clients = [load(keys, public_url, each, attestation).client.text for each in prefixes]
    anchor = keys.chain(ANCHOR)[0]
    return {
        "name": dict(name),
        "client_ids": clients,
        "anchor": anchor,
        "anchor_sha256": x509.sha256_hex(x509.from_base64(anchor)),
        "key_thumbprints": [keys.signer(REQUEST).thumbprint],
        "may_ask": may_ask,
    }


def _attestation(file: Path | None, signer: Signer) -> tuple[str, VerifierAttestation]:
    """Return the attestation in ``file``, which must be one of ``signer``'s key."""
    if file is None:
        raise Misconfigured(Code.MISCONFIGURED, "the prefix verifier_attestation needs ATTESTATION_FILE")
    try:
        encoded = file.read_text(encoding="ascii").strip()
        found = verifier_attestation.own(encoded)
        client_id.parse(client_id.of_attestation(found.subject).text)
    except (OSError, UnicodeDecodeError, Malformed):
        raise Misconfigured(Code.MISCONFIGURED, "the attestation file cannot be used") from None
    if public_keys.thumbprint(found.jwk) != public_keys.thumbprint(signer.public_jwk):
        raise Misconfigured(Code.MISCONFIGURED, "the attestation is that of another key than this verifier's")
    if found.redirect_uris is not None:  # ours has another address for each request, which no list can hold
        raise Misconfigured(Code.MISCONFIGURED, "the attestation allows fixed addresses only; have one without any")
    return encoded, found


def _has_chain(keys: FileKeyStore) -> bool:
    try:
        keys.chain(REQUEST)
    except NotFound:
        return False
    return True
