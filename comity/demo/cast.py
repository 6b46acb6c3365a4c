"""Who plays: eight jurisdictions and one that joins later, their authorities, and people. Everything is fictional.

The names of jurisdictions are those of the country; the authorities, people, numbers and addresses are made up, and
every card number begins with DEMO.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SINCE = "2026-01-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A jurisdiction with the one authority that issues for it here."""

    id: str
    en: str
    fr: str
    level: str
    authority: str
    authority_en: str
    authority_fr: str
    types: tuple[str, ...]

    @property
    def name(self) -> dict[str, str]:
        """Its name in both languages."""
        return {"en": self.en, "fr": self.fr}

    @property
    def authority_name(self) -> dict[str, str]:
        """The authority's name in both languages."""
        return {"en": self.authority_en, "fr": self.authority_fr}


MEMBERS = (
    Member(
        id="ca",
        en="Canada",
        fr="Canada",
        level="federal",
        authority="ca/transport",
        authority_en="Federal boating office (DEMO)",
        authority_fr="Bureau fédéral de la navigation de plaisance (DÉMO)",
        types=("boating-card/1",),
    ),
    Member(
        id="ca-bc",
        en="British Columbia",
        fr="Colombie-Britannique",
        level="province",
        authority="ca-bc/services",
        authority_en="British Columbia services (DEMO)",
        authority_fr="Services de la Colombie-Britannique (DÉMO)",
        types=("person/1", "serving-it-right/1"),
    ),
    Member(
        id="ca-on",
        en="Ontario",
        fr="Ontario",
        level="province",
        authority="ca-on/services",
        authority_en="Ontario services (DEMO)",
        authority_fr="Services de l’Ontario (DÉMO)",
        types=("drivers-licence/1",),
    ),
    Member(
        id="ca-pe",
        en="Prince Edward Island",
        fr="Île-du-Prince-Édouard",
        level="province",
        authority="ca-pe/services",
        authority_en="Prince Edward Island services (DEMO)",
        authority_fr="Services de l’Île-du-Prince-Édouard (DÉMO)",
        types=("health-card/1",),
    ),
    Member(
        id="ca-nt",
        en="Northwest Territories",
        fr="Territoires du Nord-Ouest",
        level="territory",
        authority="ca-nt/services",
        authority_en="Northwest Territories services (DEMO)",
        authority_fr="Services des Territoires du Nord-Ouest (DÉMO)",
        types=("identification-card/1",),
    ),
    Member(
        id="ca-yt",
        en="Yukon",
        fr="Yukon",
        level="territory",
        authority="ca-yt/services",
        authority_en="Yukon services (DEMO)",
        authority_fr="Services du Yukon (DÉMO)",
        types=("fishing-licence/1",),
    ),
    Member(
        id="ca-on/peel",
        en="Region of Peel",
        fr="Région de Peel",
        level="municipality",
        authority="ca-on/peel/services",
        authority_en="Region of Peel services (DEMO)",
        authority_fr="Services de la Région de Peel (DÉMO)",
        types=("fare-subsidy/1",),
    ),
    Member(
        id="ca-on/toronto",
        en="City of Toronto",
        fr="Ville de Toronto",
        level="municipality",
        authority="ca-on/toronto/services",
        authority_en="City of Toronto services (DEMO)",
        authority_fr="Services de la Ville de Toronto (DÉMO)",
        types=("business-licence/1",),
    ),
)
"""The eight members from the beginning."""

IMMIGRATION = Member(
    id="ca",
    en="Canada",
    fr="Canada",
    level="federal",
    authority="ca/immigration",
    authority_en="Federal immigration office (DEMO)",
    authority_fr="Bureau fédéral de l’immigration (DÉMO)",
    types=("work-permit/1",),
)
"""The second federal authority; its jurisdiction is a member already."""

NOVA_SCOTIA = Member(
    id="ca-ns",
    en="Nova Scotia",
    fr="Nouvelle-Écosse",
    level="province",
    authority="ca-ns/services",
    authority_en="Nova Scotia services (DEMO)",
    authority_fr="Services de la Nouvelle-Écosse (DÉMO)",
    types=("drivers-licence/1",),
)
"""Runs its issuer from the beginning, but joins while everything is running."""


def office(authority: str) -> dict[str, str]:
    """Return the name of a member's authority in both languages; empty for one that is nobody's."""
    hosted = (*MEMBERS, IMMIGRATION, NOVA_SCOTIA)
    return next((each.authority_name for each in hosted if each.authority == authority), {})


ROGUE_TYPES = ("drivers-licence/1",)
"""What Toronto also signs in the demo, without the scope for it."""

STRANGER = "ca-on/stranger"
"""An authority that runs an issuer and that no registry names."""


SIGN_IN_AT = "ca-bc/services"
"""The authority at which people can sign in: it has a register of its own."""

PEOPLE_FILE = "people.json"
"""The register of that authority, beside the authorities file."""


def deployment() -> list[dict[str, Any]]:
    """Return the authorities file of the demo's issuer deployment."""
    hosted = [*MEMBERS, IMMIGRATION, NOVA_SCOTIA]
    entries = [_authority(each, each.types) for each in hosted if each.id != "ca-on/toronto"]
    for entry in entries:
        if entry["authority"] == SIGN_IN_AT:
            entry["source"] = {"people": PEOPLE_FILE}
    toronto = next(each for each in MEMBERS if each.id == "ca-on/toronto")
    stranger = {
        "authority": STRANGER,
        "jurisdiction": "ca-on",
        "name": {"en": "An office nobody vouches for (DEMO)", "fr": "Un bureau que personne ne reconnaît (DÉMO)"},
        "types": ["person/1"],
    }
    return [*entries, _authority(toronto, (*toronto.types, *ROGUE_TYPES)), stranger]


def _authority(member: Member, types: tuple[str, ...]) -> dict[str, Any]:
    return {
        "authority": member.authority,
        "jurisdiction": member.id,
        "name": member.authority_name,
        "types": list(types),
        "revocation_approval": member.id == "ca-bc",  # where two people revoke, for the console to show
    }


MAYA = {"given_names": "Maya", "family_name": "Chen", "birthdate": "2008-03-14"}
"""18 years old on the day the demo is set, an Ontario resident."""
ELISE = {"given_names": "Élise", "family_name": "Gagné-O’Brien", "birthdate": "1988-07-02"}
ELISE_FILE = "DEMO-FILE-1"
"""Élise's file number in British Columbia."""
ARJUN = {"family_name": "Arjun", "birthdate": "1995-11-30"}
"""One name only."""


def ages(years: int) -> dict[str, bool]:
    """Return what a credential states beforehand about a person of ``years``."""
    return {f"age_over_{limit}": years >= limit for limit in (18, 19, 21)}


def person(who: Mapping[str, Any], years: int) -> dict[str, Any]:
    """Return the claims of a BC Person credential; the address is not verified, as the real programme says."""
    return {**who, **ages(years), "locality": "Victoria", "region": "BC", "address_verified": False}


def people() -> dict[str, Any]:
    """Return the register of the authority at which people sign in: file number → type → claims."""
    return {
        ELISE_FILE: {"person": person(ELISE, 38)},
        "DEMO-FILE-2": {"person": person(MAYA, 18)},
        "DEMO-FILE-3": {"person": person(ARJUN, 30)},
    }


def drivers_licence(who: Mapping[str, Any], years: int, number: str) -> dict[str, Any]:
    """Return the claims of a driver's licence."""
    return {
        **who,
        **ages(years),
        "licence_number": f"DEMO-{number}",
        "class": "G2",
        "issued_on": "2026-01-05",
        "expires_on": "2031-01-05",
    }


def serving_it_right(who: Mapping[str, Any], number: str) -> dict[str, Any]:
    """Return the claims of a serving certificate."""
    names = {name: who[name] for name in ("given_names", "family_name") if name in who}
    return {
        **names,
        "certification_number": f"DEMO-{number}",
        "completed_on": "2026-02-01",
        "expires_on": "2031-02-01",
    }
