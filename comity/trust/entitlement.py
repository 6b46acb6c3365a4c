"""May this verifier ask for that? Asked by a wallet before its holder consents."""

from collections.abc import Collection, Mapping
from datetime import datetime

from comity.credential import CredentialType
from comity.errors import Code
from comity.trust.decision import Chain, Decision, day_of, expired_at, outside_membership, type_id
from comity.trust.entries import Entitlement
from comity.trust.placement import FEDERATION
from comity.trust.snapshot import RegistrySnapshot, VerifierEntry


def may_ask(
    snapshot: RegistrySnapshot,
    entry: VerifierEntry,
    claims_by_type: Mapping[CredentialType | None, Collection[str]],
    purpose: str | None,
    *,
    at: datetime,
) -> Decision:
    """Say whether the verifier may ask for these claims, by type, for this purpose (profile TR-6).

    Passed when the entitlements for one purpose (and those for any) cover every claim of every type. A request that
    states no purpose is held to the purposes that the registry lists: one of them must cover it all. Whether the
    verifier is who it says it is, is NOT checked here.

    Args:
        snapshot: the registry.
        entry: the verifier, from the same snapshot.
        claims_by_type: top-level claim names asked for, by credential type; a type with no claim is asked for as such.
            None stands for what is asked of no type in particular, or of another's: nobody is entitled to that.
        purpose: the purpose that the request states, or None.
        at: the instant of the question.
    """
    expired = expired_at(snapshot, at, (FEDERATION, entry.document))
    if expired:
        return expired
    chain = Chain(snapshot)
    refused = outside_membership(chain, entry.jurisdiction, None, day_of(at))
    if refused:
        return chain.fail(Code.VERIFIER_NOT_ENTITLED, refused.detail)
    listed: list[str | None] = [*sorted({each.purpose for each in entry.may_ask if each.purpose is not None})]
    for candidate in (listed or [None]) if purpose is None else [purpose]:
        if _covers(entry.may_ask, claims_by_type, candidate):
            told = f"the verifier may ask for this{f' for the purpose {candidate}' if candidate else ''}"
            chain.add(entry.document, told)
            return chain.passed(Code.OK, told)
    told = "the verifier is not entitled to ask for all of this for one purpose"
    chain.add(entry.document, told)
    return chain.fail(Code.VERIFIER_NOT_ENTITLED, told)


def _covers(
    entitlements: Collection[Entitlement],
    claims_by_type: Mapping[CredentialType | None, Collection[str]],
    purpose: str | None,
) -> bool:
    """Say whether the entitlements for ``purpose`` (and those for any) cover every claim of every type."""
    for credential_type, claims in claims_by_type.items():
        if credential_type is None:
            return False
        usable = [
            each for each in entitlements if each.type == type_id(credential_type) and each.purpose in (None, purpose)
        ]
        if not usable or not frozenset[str]().union(*(each.claims for each in usable)).issuperset(claims):
            return False
    return True
