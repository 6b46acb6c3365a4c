"""Who may say who a verifier is (OpenID4VP 1.0 §12), and whom the person is told of then (decision record 0030)."""

from datetime import datetime

from comity.errors import Code, Denied, Unreachable
from comity.openid.presentation.proof import RequestProof, SignedByAttested
from comity.trust.decision import Chain, day_of, outside_membership
from comity.trust.entries import Attester
from comity.trust.placement import FEDERATION
from comity.trust.snapshot import RegistrySnapshot


def find(snapshot: RegistrySnapshot, issuer: str, *, at: datetime) -> Attester:
    """Return whom the registry lists under ``issuer``, by a jurisdiction that is a member at ``at``.

    Raises:
        Denied: ``verifier_attester_unknown``: nobody.
        Unreachable: ``registry_expired``: what the registry said of it has ended; unknown is never yes.
    """
    found = snapshot.find_attester(issuer)
    if found is None:
        raise Denied(Code.VERIFIER_ATTESTER_UNKNOWN, "no registry lists who attests this verifier")
    if any(snapshot.is_document_expired_at(document, at) for document in (FEDERATION, found.document)):
        raise Unreachable(Code.REGISTRY_EXPIRED, "what the trust registry says of the attester has ended")
    refused = outside_membership(Chain(snapshot), found.jurisdiction, None, day_of(at))
    if refused is not None:
        raise Denied(Code.VERIFIER_ATTESTER_UNKNOWN, refused.detail)
    return found


def name_of(proof: RequestProof) -> dict[str, str] | None:
    """Return what an attested verifier is called: as its attestation says, else by its identifier; None for others."""
    if not isinstance(proof, SignedByAttested):
        return None
    attested = proof.attestation
    return dict(attested.name) or {"en": attested.subject, "fr": attested.subject}


def issuer_name(proof: RequestProof, snapshot: RegistrySnapshot) -> dict[str, str] | None:
    """Return the name under which the registry lists whoever attested the verifier; None when nobody did."""
    found = snapshot.find_attester(proof.attestation.issuer) if isinstance(proof, SignedByAttested) else None
    return None if found is None else dict(found.name)
