"""Names of places and jurisdictions: ISO 3166-2:CA codes in lower case, and what lies below them.

``ca`` is the federation's own government, ``ca-on`` a province or territory, ``ca-on/toronto`` a municipality or region
of it. A *place* (where a credential is relied on) is ``ca`` or one of the thirteen provinces and territories, whether
or not it is a member.
"""

import re

PROVINCES_AND_TERRITORIES = frozenset(
    f"ca-{letters}"
    for letters in ("ab", "bc", "mb", "nb", "nl", "ns", "nt", "nu", "on", "pe", "qc", "sk", "yt")  # ISO 3166-2:CA
)

TERRITORIES = frozenset({"ca-nt", "ca-nu", "ca-yt"})

_JURISDICTION = re.compile(r"(ca|ca-[a-z]{2})(?:/[a-z][a-z0-9-]{0,40})?")
_TYPE_ID = re.compile(r"[a-z][a-z0-9-]{0,63}/[1-9][0-9]{0,3}")


def place_of(text: str) -> str | None:
    """Return the canonical form of a place (``CA-ON`` → ``ca-on``), or None when it is not a Canadian place."""
    place = text.lower() if text.isascii() else ""
    return place if place == "ca" or place in PROVINCES_AND_TERRITORIES else None


def is_jurisdiction(text: str) -> bool:
    """Say whether ``text`` is written as a jurisdiction of Canada; not whether it is a member."""
    match = _JURISDICTION.fullmatch(text)
    if match is None:
        return False
    return match[1] in PROVINCES_AND_TERRITORIES or text == "ca"


def top_of(jurisdiction: str) -> str:
    """Return the province, territory or federal government in which ``jurisdiction`` lies (itself when at the top)."""
    return jurisdiction.partition("/")[0]


def level_of(jurisdiction: str) -> str:
    """Return which kind of jurisdiction it is: ``federal``, ``province``, ``territory`` or ``municipality``."""
    if top_of(jurisdiction) != jurisdiction:
        return "municipality"
    if jurisdiction == "ca":
        return "federal"
    return "territory" if jurisdiction in TERRITORIES else "province"


def levels_of(jurisdiction: str) -> tuple[str, ...]:
    """Return ``jurisdiction`` and what lies above it, from the top down: ``("ca-on", "ca-on/toronto")``."""
    top = top_of(jurisdiction)
    return (top,) if top == jurisdiction else (top, jurisdiction)


def is_type_id(text: str) -> bool:
    """Say whether ``text`` is written as a credential type, such as ``person/1``; not whether it exists."""
    return _TYPE_ID.fullmatch(text) is not None
