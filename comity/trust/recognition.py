"""Does the place where a credential is shown give effect to it? Check 8 of a verification."""

from datetime import date, datetime
from typing import NamedTuple

from comity.credential import CredentialType
from comity.errors import Code
from comity.trust.decision import Chain, Decision, day_of, expired_at, outside_membership, type_id
from comity.trust.entries import RecognitionRule
from comity.trust.placement import FEDERATION, document_of
from comity.trust.places import levels_of, place_of, top_of
from comity.trust.snapshot import RegistrySnapshot


def recognises(
    snapshot: RegistrySnapshot,
    place: str,
    jurisdiction: str,
    credential_type: CredentialType,
    *,
    at: datetime,
    purpose: str | None = None,
) -> Decision:
    """Say whether ``place`` gives effect to credentials of this type from ``jurisdiction`` (check 8).

    A place gives effect to what it, or a municipality of it, issues. Else its own rules answer, the most specific
    first; without a rule that fits, the federation's default does, and the answer says so (``recognised_by_default``).
    Without either the answer is UNKNOWN. A place whose own rules are listed but unreadable is never answered for by
    the default. Whether the issuer may issue is :func:`may_issue`'s question, not this one's.

    Args:
        snapshot: the registry.
        place: ISO 3166-2:CA code of the place of use (``CA-ON`` or ``ca-on``; ``CA`` for the federal government),
            member or not.
        jurisdiction: whose credential it is.
        credential_type: what it is.
        at: the instant of the question.
        purpose: what it is relied on for; None when that is not said.
    """
    here = place_of(place)
    if here is None:
        detail = "the place is not a province, a territory or the federal government"
        return Chain(snapshot).unknown(Code.PLACE_UNKNOWN, detail)
    expired = expired_at(snapshot, at, (FEDERATION, document_of(here, "recognition")))
    if expired:
        return expired
    asked = _Asked(place=here, jurisdiction=jurisdiction, type=type_id(credential_type), purpose=purpose)
    return snapshot.once(_recognises_on, asked, day_of(at))


class _Asked(NamedTuple):
    place: str
    jurisdiction: str
    type: str
    purpose: str | None


def _recognises_on(snapshot: RegistrySnapshot, asked: _Asked, today: date) -> Decision:
    """Answer for a day on which nothing asked has ended."""
    here, jurisdiction, wanted, purpose = asked
    chain, own = Chain(snapshot), document_of(here, "recognition")
    if own in snapshot.unreadable:
        return chain.unknown(Code.RECOGNITION_UNKNOWN, f"the rules of {here} are listed but cannot be read")
    rules = [each for each in snapshot.recognition_rules(here) if _fits(each, jurisdiction, wanted)]
    decided = _by_own_rules(chain, own, rules, purpose)
    if decided:
        return decided
    if top_of(jurisdiction) == here:
        return chain.passed(Code.OK, f"{here} gives effect to what is issued under its own authority")
    return _by_default(chain, here, jurisdiction, today)


def _fits(rule: RecognitionRule, jurisdiction: str, wanted: str) -> bool:
    """Say whether a rule is about this jurisdiction (or what it lies in) and this type."""
    return rule.jurisdiction in (None, *levels_of(jurisdiction)) and rule.type in (None, wanted)


def _by_own_rules(chain: Chain, own: str, rules: list[RecognitionRule], purpose: str | None) -> Decision | None:
    """Let the place's most specific rule answer; None when it has none that fits."""
    rule = _most_specific(rules, purpose)
    if rule is not None and not rule.accept:
        chain.add(own, f"does not accept it{_reference(rule)}")
        return chain.fail(Code.NOT_RECOGNISED_IN_PLACE, f"the place does not accept it{_reference(rule)}")
    if purpose is None and any(_refuses(rules, each.purpose) for each in rules):
        chain.add(own, "accepts it for some purposes only")
        return chain.unknown(Code.RECOGNITION_UNKNOWN, "it depends on the purpose, and none was stated")
    if rule is None:
        return None
    chain.add(own, f"accepts it{_reference(rule)}")
    return chain.passed(Code.OK, f"the place accepts it{_reference(rule)}")


def _most_specific(rules: list[RecognitionRule], purpose: str | None) -> RecognitionRule | None:
    """Return the rule that decides for ``purpose``; of two equally specific ones, the refusal."""
    usable = [each for each in rules if each.purpose in (None, purpose)]
    return max(usable, key=lambda each: (*_specificity(each), not each.accept), default=None)


def _refuses(rules: list[RecognitionRule], purpose: str | None) -> bool:
    rule = _most_specific(rules, purpose)
    return rule is not None and not rule.accept


def _specificity(rule: RecognitionRule) -> tuple[int, int, int]:
    """Order rules by how narrow they are: jurisdiction (a municipality before its province), type, purpose."""
    depth = 0 if rule.jurisdiction is None else len(levels_of(rule.jurisdiction))
    return depth, rule.type is not None, rule.purpose is not None


def _reference(rule: RecognitionRule) -> str:
    return f" ({rule.reference})" if rule.reference else ""


def _by_default(chain: Chain, here: str, jurisdiction: str, today: date) -> Decision:
    """Let the federation's default answer for a place whose own rules do not."""
    default = chain.snapshot.federation.recognition_default
    if default is None:
        chain.add(FEDERATION, "has no rule for places without their own")
        return chain.unknown(Code.RECOGNITION_UNKNOWN, f"nothing says whether {here} gives effect to it")
    chain.add(FEDERATION, f"recognition_default accept: {default}")
    if default == "none":
        detail = f"{here} has no rule of its own, and recognition_default (none) accepts nothing"
        return chain.fail(Code.NOT_RECOGNISED_IN_PLACE, detail)
    if outside_membership(chain, jurisdiction, None, today) is not None:
        detail = f"recognition_default (members) does not cover {jurisdiction}, which is not a member now"
        return chain.fail(Code.NOT_RECOGNISED_IN_PLACE, detail)
    detail = f"{here} has no rule of its own; recognition_default (members) gives effect to {jurisdiction}"
    return chain.passed(Code.RECOGNISED_BY_DEFAULT, detail)
