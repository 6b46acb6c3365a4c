"""What relying parties can ask, by name: each policy gives the query that is sent and judges what comes back.

The query never holds ``values``: a wallet would have to compare, and its silence would tell (OpenID4VP §6.4; profile
DQ-5). The person sends ``age_over_19`` as it is, and check 11 judges it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

import schemas
from comity import dcql
from comity.credential import CredentialType, Format
from comity.errors import Code, Malformed
from comity.formats.opened import ProcessedCredential
from comity.trust.places import PROVINCES_AND_TERRITORIES
from comity.verification.checks import Check, CheckName, failed, passed
from comity.verification.presentation import PolicyJudge

PERSON = CredentialType(slug="person", version=1)
LICENCE = CredentialType(slug="drivers-licence", version=1)
IDENTIFICATION = CredentialType(slug="identification-card", version=1)
HEALTH = CredentialType(slug="health-card", version=1)
SERVER = CredentialType(slug="serving-it-right", version=1)

AGE_CLAIMS = (18, 19, 21)
"""Ages that credentials state beforehand as ``age_over_N``; SD-JWT proves no comparison."""
_AGE_TYPES = (PERSON, LICENCE, IDENTIFICATION)


class Ask(Struct, frozen=True, kw_only=True):
    """A policy made ready for one request.

    Attributes:
        policy: its name; also the purpose that the registry's entitlements speak of.
        place: the place of use.
        query: what is sent.
        judge: check 11.
        same_holder: whether all credentials must be bound to one holder key.
    """

    policy: str
    place: str
    query: dcql.Query
    judge: PolicyJudge
    same_holder: bool = False


Builder = Callable[[str, str, date], Ask]
"""Makes a policy ready, given its name, the place of use, and the day."""

NO_OTHERS: Mapping[str, Builder] = {}


def prepare(policy: str, *, place: str, today: date, own: Mapping[str, Builder] = NO_OTHERS) -> Ask:
    """Return the policy called ``policy`` for a request in ``place``.

    Args:
        policy: its name.
        place: place of use in canonical form, such as ``ca-on``.
        today: the day on which documents must not be past their last day, in UTC.
        own: further policies of the installation, by name.

    Raises:
        Malformed: ``policy_unknown``; ``place_unknown`` or ``age_rule_unknown`` for a place that the rule table does
            not know.
    """
    builder = POLICIES.get(policy) or own.get(policy)
    if builder is None:
        raise Malformed(Code.POLICY_UNKNOWN, f"there is no such policy; known are {', '.join((*POLICIES, *own))}")
    return builder(policy, place, today)


def required_age(policy: str, place: str) -> int:
    """Return the age that ``policy`` asks for in ``place``, by the one rule table (``schemas/rules/age.json``).

    Raises:
        Malformed: ``place_unknown``, ``age_rule_unknown``.
    """
    rules = schemas.age_rules()["places"]
    if place not in rules:
        raise Malformed(Code.PLACE_UNKNOWN, "age rules depend on the place of use; name a province or territory")
    age = rules[place].get(policy.removeprefix("age-"))
    if age not in AGE_CLAIMS:
        raise Malformed(Code.AGE_RULE_UNKNOWN, "there is no age rule for this place and purpose")
    return int(age)


def _age(policy: str, place: str, _today: date) -> Ask:
    """Ask one document for one ``age_over_N``; nothing else leaves the wallet."""
    age = required_age(policy, place)
    claim = f"age_over_{age}"
    asked = [_credential(each, Format.DC_SD_JWT, [claim]) for each in _AGE_TYPES]

    def judge(credentials: Mapping[str, Sequence[ProcessedCredential]]) -> Sequence[Check]:
        stated = [each.claims.get(claim) for each in _all(credentials)]
        if stated and all(value is True for value in stated):
            return (passed(CheckName.POLICY, age=age),)
        detail = f"the person is not shown to be {age} or older"
        return (failed(CheckName.POLICY, Code.AGE_REQUIREMENT_NOT_MET, detail, age=age),)

    return Ask(policy=policy, place=place, query=_any_of(asked), judge=judge)


def _licence(policy: str, place: str, today: date) -> Ask:
    """Ask for a driver's licence in either format; its own last day counts beside the credential's."""
    claims = ["class", "expires_on"]
    asked = [_credential(LICENCE, each, claims) for each in (Format.DC_SD_JWT, Format.VC_JWT)]

    def judge(credentials: Mapping[str, Sequence[ProcessedCredential]]) -> Sequence[Check]:
        last_days = [str(each.claims.get("expires_on", "")) for each in _all(credentials)]
        if last_days and all(day >= today.isoformat() for day in last_days):
            return (passed(CheckName.POLICY),)
        return (failed(CheckName.POLICY, Code.POLICY_NOT_MET, "the licence itself is past its last day"),)

    return Ask(policy=policy, place=place, query=_any_of(asked), judge=judge)


def _residency(policy: str, place: str, _today: date) -> Ask:
    """Ask where the person lives, as one region and nothing finer."""
    if place not in PROVINCES_AND_TERRITORIES:
        raise Malformed(Code.PLACE_UNKNOWN, "residency is asked for a province or territory; name it")
    region = place.removeprefix("ca-").upper()
    wanted = {HEALTH: "resident_region", PERSON: "region"}
    asked = [_credential(each, Format.DC_SD_JWT, [claim]) for each, claim in wanted.items()]

    def judge(credentials: Mapping[str, Sequence[ProcessedCredential]]) -> Sequence[Check]:
        regions = [each.claims.get(wanted[each.type]) for each in _all(credentials) if each.type in wanted]
        if regions and all(value == region for value in regions):
            return (passed(CheckName.POLICY),)
        return (failed(CheckName.POLICY, Code.POLICY_NOT_MET, "the person is not shown to live there"),)

    return Ask(policy=policy, place=place, query=_any_of(asked), judge=judge)


def _server(policy: str, place: str, today: date) -> Ask:
    """Ask for a serving certificate and a proof of name, of one and the same holder."""
    certificate = _credential(SERVER, Format.DC_SD_JWT, ["certification_number", "expires_on"])
    names = [_credential(each, Format.DC_SD_JWT, ["family_name"]) for each in _AGE_TYPES]
    query = dcql.parse(
        {
            "credentials": [certificate, *names],
            "credential_sets": [{"options": [[certificate["id"], each["id"]] for each in names]}],
        }
    )

    def judge(credentials: Mapping[str, Sequence[ProcessedCredential]]) -> Sequence[Check]:
        last_days = [str(each.claims.get("expires_on", "")) for each in _all(credentials) if each.type == SERVER]
        if last_days and all(day >= today.isoformat() for day in last_days):
            return (passed(CheckName.POLICY),)
        return (failed(CheckName.POLICY, Code.POLICY_NOT_MET, "the certificate is past its last day"),)

    return Ask(policy=policy, place=place, query=query, judge=judge, same_holder=True)


POLICIES: Mapping[str, Builder] = {
    "age-alcohol": _age,
    "age-cannabis": _age,
    "age-majority": _age,
    "drivers-licence-valid": _licence,
    "residency": _residency,
    "server-and-person": _server,
}
"""Every policy by its pinned name."""


def entitlements() -> list[dict[str, Any]]:
    """Return what a verifier that offers every policy must be entitled to ask: ``may_ask`` of its registry entry."""
    ages = [f"age_over_{age}" for age in AGE_CLAIMS]
    by_age = [(kind, ages, policy) for policy in POLICIES if policy.startswith("age-") for kind in _AGE_TYPES]
    others = [
        (LICENCE, ["class", "expires_on"], "drivers-licence-valid"),
        (HEALTH, ["resident_region"], "residency"),
        (PERSON, ["region"], "residency"),
        (SERVER, ["certification_number", "expires_on"], "server-and-person"),
        *((kind, ["family_name"], "server-and-person") for kind in _AGE_TYPES),
    ]
    return [
        {"type": f"{kind.slug}/{kind.version}", "claims": list(claims), "purpose": purpose}
        for kind, claims, purpose in (*by_age, *others)
    ]


def _all(credentials: Mapping[str, Sequence[ProcessedCredential]]) -> Iterator[ProcessedCredential]:
    for presented in credentials.values():
        yield from presented


def _credential(credential_type: CredentialType, credential_format: Format, claims: Sequence[str]) -> dict[str, Any]:
    """Return a DCQL credential query; its id says type and format, so that people can read a request."""
    names = dcql.type_names(credential_format, credential_type)
    is_w3c = credential_format is Format.VC_JWT
    return {
        "id": f"{credential_type.slug}_{'vcjwt' if is_w3c else 'sdjwt'}",
        "format": credential_format.value,
        "meta": {"type_values": [list(names)]} if is_w3c else {"vct_values": list(names)},
        "claims": [{"path": list(dcql.claim_path(credential_format, claim))} for claim in claims],
    }


def _any_of(asked: Sequence[Mapping[str, Any]]) -> dcql.Query:
    """Return the query that any one of ``asked`` satisfies, the first preferred."""
    return dcql.parse({"credentials": list(asked), "credential_sets": [{"options": [[each["id"]] for each in asked]}]})
