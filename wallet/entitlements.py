"""What a verifier shows of its entitlement, judged against the registry before the person is asked (VP-5)."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from comity.credential import CredentialType
from comity.errors import Code, Malformed
from comity.openid.presentation.parameters import RequestObject
from comity.openid.presentation.verifier_info import VerifierInfo
from comity.trust import attestation, may_ask
from comity.trust.entries import Names
from comity.trust.snapshot import RegistrySnapshot


class Attested(Struct, frozen=True, kw_only=True):
    """What came of an entitlement that was shown.

    Attributes:
        is_valid: whether a jurisdiction of the registry attests it to whoever signed the request, now.
        answer: ``passed`` when it covers all that is asked, else ``failed`` or ``unknown``.
        code: why.
        jurisdiction: who attests it; empty when it is not valid.
        name: the verifier's name as attested; empty when it is not valid.
        purposes: the purposes for which it covers all that is asked.
    """

    is_valid: bool
    answer: str
    code: Code
    jurisdiction: str = ""
    name: Names
    purposes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return what the person sees."""
        return {"answer": self.answer, "code": self.code.value, "jurisdiction": self.jurisdiction or None}


Claims = Mapping[CredentialType | None, Collection[str]]


def judge(asked: RequestObject, snapshot: RegistrySnapshot, claims: Claims, *, at: datetime) -> Attested | None:
    """Return what the entitlements in a request come to, the best of them; None when it shows none."""
    judged = [_judge(each, asked, snapshot, claims, at) for each in asked.verifier_info]
    return min(judged, key=lambda each: (each.answer != "passed", not each.is_valid), default=None)


def _judge(
    info: VerifierInfo, asked: RequestObject, snapshot: RegistrySnapshot, claims: Claims, at: datetime
) -> Attested:
    # Who is asked by a website alone, or without a signature, has no name that could be attested.
    client = asked.client_id
    if not client.prefix.can_sign:
        return Attested(is_valid=False, answer="failed", code=Code.ENTITLEMENT_INVALID, name={})
    try:
        found = attestation.read(info.data, snapshot, client_id=client.text, at=at)
    except Malformed as error:
        known = error.code.value.startswith("entitlement_")
        return Attested(
            is_valid=False, answer="failed", code=error.code if known else Code.ENTITLEMENT_INVALID, name={}
        )
    entry = found.entry_for(client.text)
    decision = may_ask(snapshot, entry, claims, None, at=at)
    answer, code = decision.answer.value, decision.code
    if info.credential_ids and not set(info.credential_ids).issuperset(each.id for each in asked.query.credentials):
        answer, code = "failed", Code.VERIFIER_NOT_ENTITLED  # it does not speak of everything that is asked
    listed = sorted({each.purpose for each in found.may_ask if each.purpose})
    covered = (each for each in listed if may_ask(snapshot, entry, claims, each, at=at).answer.value == "passed")
    return Attested(
        is_valid=True,
        answer=answer,
        code=code,
        jurisdiction=found.jurisdiction,
        name=found.name,
        purposes=tuple(covered) if answer == "passed" else (),
    )
