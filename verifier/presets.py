"""Presets: the policies as a counter offers them, with what each one asks for in the words of the credential types.

Nothing is decided here: the policy's name is sent on to :mod:`verifier.requesting`, and :mod:`verifier.policies` holds
the query, the rule table and the judgement.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

import schemas
from comity.errors import Malformed
from comity.openid.issuance import display
from verifier import policies

GROUPS: Mapping[str, str] = {
    "age-alcohol": "alcohol",
    "age-cannabis": "cannabis",
    "age-majority": "majority",
    "drivers-licence-valid": "licence",
    "residency": "residency",
    "server-and-person": "certificate",
}
"""Policy → what kind of question it is: the sign on its button."""
OWN = "own"
"""The kind of a question that the installation itself put into words."""


class Asked(Struct, frozen=True, kw_only=True):
    """What one credential type is asked for.

    Attributes:
        type_id: ``person/1``.
        claims: names of the claims.
    """

    type_id: str
    claims: tuple[str, ...]

    def type_name(self, language: str) -> str:
        """Return the type's name in ``language``."""
        found = display.in_language(display.of_type_metadata(_metadata(self.type_id)), language)
        return found.name or self.type_id if found else self.type_id

    def labels(self, language: str) -> tuple[str, ...]:
        """Return the claims' labels in ``language``."""
        return tuple(label(self.type_id, claim, language) for claim in self.claims)


class Words(Struct, frozen=True, kw_only=True):
    """What a question of the installation's own is called, each in English and in French.

    Attributes:
        title: what stands large on its button.
        about: what it is for.
        met: what a green verdict says.
    """

    title: Mapping[str, str]
    about: Mapping[str, str]
    met: Mapping[str, str]


class Preset(Struct, frozen=True, kw_only=True):
    """One question that a counter can ask in its place.

    Attributes:
        policy: the policy's name; also the preset's.
        place: the place of use.
        age: the age that the rule table sets there; None when the question is not about age.
        asked: what is asked of which types; for an age, any one of them will do.
        words: what the installation calls it, for a policy of its own; None for those of the house.
    """

    policy: str
    place: str
    age: int | None
    asked: tuple[Asked, ...]
    words: Words | None = None

    @property
    def group(self) -> str:
        """What kind of question it is."""
        return GROUPS[self.policy] if self.words is None else OWN

    @property
    def is_scannable(self) -> bool:
        """Whether a scan of one credential can answer it; the installation's own policies are for wallets."""
        return self.words is None and not self.is_combined

    @property
    def is_combined(self) -> bool:
        """Whether it takes two credentials of one holder; a scan of one of them cannot answer it."""
        return self.policy == "server-and-person"


Own = Mapping[str, Preset]
"""The installation's own presets by policy; they are the same in every place."""
NONE_OF_OWN: Own = MappingProxyType({})


def of_place(place: str, own: Own = NONE_OF_OWN) -> tuple[Preset, ...]:
    """Return the presets that the rules allow in ``place``, in the order of the counter's page; its own come last."""
    return (*_presets(place), *(replace(each, place=place) for each in own.values()))


def find(policy: str, place: str, own: Own = NONE_OF_OWN) -> Preset | None:
    """Return the preset of this policy in ``place``, or None when there is none there."""
    return next((each for each in of_place(place, own) if each.policy == policy), None)


def label(type_id: str, claim: str, language: str) -> str:
    """Return a claim's label in ``language``; its name when the type does not describe it."""
    described = display.claims_of_type_metadata(_metadata(type_id), prefix=())
    for each in described:
        if each.path == (claim,):
            found = display.in_language(each.display, language)
            return found.name or claim if found else claim
    return claim


def _presets(place: str) -> Iterator[Preset]:
    for policy in policies.POLICIES:
        try:
            age = policies.required_age(policy, place) if policy.startswith("age-") else None
        except Malformed:  # the rule table has nothing for this place
            continue
        yield Preset(policy=policy, place=place, age=age, asked=tuple(_asked(policy, age)))


def _asked(policy: str, age: int | None) -> Iterator[Asked]:
    for entitled in policies.entitlements():
        if entitled["purpose"] == policy:
            claims = entitled["claims"] if age is None else [f"age_over_{age}"]
            yield Asked(type_id=entitled["type"], claims=tuple(claims))


def _metadata(type_id: str) -> dict[str, Any]:
    slug, _, version = type_id.partition("/")
    return schemas.type_metadata(slug, int(version))
