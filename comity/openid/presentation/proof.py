"""How a request was signed: by which certificate chain or key, or not at all. Who that is, the registry says."""

from msgspec import Struct

from comity.openid.presentation.verifier_attestation import VerifierAttestation
from comity.ports import Jwk
from comity.record import Discreet
from comity.x509 import Certificate


class SignedByCertificate(Struct, frozen=True, kw_only=True):
    """Signed by the key in ``chain[0]``. Whether the chain leads to an anchor of the registry is not yet checked."""

    chain: tuple[Certificate, ...]


class SignedByDid(Struct, frozen=True, kw_only=True):
    """Signed by the key ``did_url`` of ``did``. Whether the registry lists that DID and key is not checked."""

    did: str
    did_url: str
    jwk: Jwk


class SignedByAttested(Struct, frozen=True, kw_only=True):
    """Signed by the key in ``attestation``, which was verified with keys that the caller got from the registry."""

    attestation: VerifierAttestation


class AttestationKey(Discreet, frozen=True, kw_only=True):
    """How a verifier names its key under ``verifier_attestation``: by the attestation that it was given."""

    UNPRINTED = frozenset({"encoded"})
    encoded: str


class Unsigned(Struct, frozen=True, kw_only=True):
    """Not signed: nothing is known of the verifier but where the answer goes: an address, or an origin."""

    response_uri: str


RequestProof = SignedByCertificate | SignedByDid | SignedByAttested | Unsigned
