"""How a request was signed: by which certificate chain or key, or not at all. Who that is, the registry says."""

from dataclasses import dataclass, field

from comity.openid.presentation.verifier_attestation import VerifierAttestation
from comity.ports import Jwk
from comity.x509 import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedByCertificate:
    """Signed by the key in ``chain[0]``. Whether the chain leads to an anchor of the registry is not yet checked."""

    chain: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedByDid:
    """Signed by the key ``did_url`` of ``did``. Whether the registry lists that DID and key is not checked."""

    did: str
    did_url: str
    jwk: Jwk


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedByAttested:
    """Signed by the key in ``attestation``, which was verified with keys that the caller got from the registry."""

    attestation: VerifierAttestation


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationKey:
    """How a verifier names its key under ``verifier_attestation``: by the attestation that it was given."""

    encoded: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """Not signed: nothing is known of the verifier but where the answer goes: an address, or an origin."""

    response_uri: str


RequestProof = SignedByCertificate | SignedByDid | SignedByAttested | Unsigned
