"""What others attest of the verifier, inside its request (OpenID4VP 1.0 §5.1 ``verifier_info``; VP-5)."""

from typing import Any

from comity.errors import Code
from comity.openid.members import Members
from comity.openid.refusal import Refusal
from comity.record import Discreet

ENTITLEMENT = "comity-entitlement+jwt"
"""The one format read here: :mod:`comity.trust.attestation`. Others are ignored, as §5.1 says."""

MAX_ENTRIES, MAX_LENGTH = 16, 65_536
_REFUSE = Refusal(code=Code.REQUEST_INVALID)


class VerifierInfo(Discreet, frozen=True, kw_only=True):
    """One attestation, as text; ``credential_ids`` are the queries it speaks of, empty for all. Nothing is verified."""

    UNPRINTED = frozenset({"data"})
    format: str
    data: str
    credential_ids: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        limits = {"credential_ids": list(self.credential_ids)} if self.credential_ids else {}
        return {"format": self.format, "data": self.data, **limits}


def parse(members: Members) -> tuple[VerifierInfo, ...]:
    """Return the attestations of the format known here; none when the request carries none.

    Raises:
        OAuthError: ``invalid_request``: not a non-empty array of objects with a format, or one of ours that is no text.
    """
    entries = members.optional_array("verifier_info")
    if len(entries) > MAX_ENTRIES:
        raise _REFUSE("verifier_info holds too many attestations")
    known = (each for each in entries if each.string("format") == ENTITLEMENT)
    return tuple(_read(each) for each in known)


def _read(entry: Members) -> VerifierInfo:
    data = entry.string("data")
    if len(data) > MAX_LENGTH:
        raise _REFUSE("verifier_info holds an attestation that is too long")
    return VerifierInfo(format=ENTITLEMENT, data=data, credential_ids=entry.optional_strings("credential_ids"))
