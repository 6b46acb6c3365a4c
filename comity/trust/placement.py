"""Who may sign which document: the path rules of the registry over the signed listings of every role.

TUF proves *which role* listed a document; these rules say whether that role may (profile TR-4, catalogue T09, T14):

* the federation's own role lists ``federation.json`` and nothing else: no override of a jurisdiction from above;
* a jurisdiction's role lists only documents inside its paths **and** inside the paths of every role above it;
* what a role has delegated on is its delegate's alone, so a document that a province signs inside a municipality's path
  is ignored;
* where two delegations of one role match, the first one counts (they are terminating).

A document elsewhere is ignored with an alert. Pure: names in, names out; nothing is downloaded that was not placed.
"""

import fnmatch
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from comity.errors import Code
from comity.trust.places import is_jurisdiction

FEDERATION = "federation.json"
TOP_ROLE = "targets"
"""The name that TUF gives to the role of the federation itself."""

KINDS = ("issuers", "verifiers", "recognition")

_ROLE_NAME = re.compile(r"[a-z][a-z0-9-]{0,127}")


class Alert(Struct, frozen=True, kw_only=True):
    """Something in the registry that was ignored, for the people who operate it.

    Attributes:
        code: why.
        document: the document or role it is about, shortened and printable.
        detail: one plain sentence.
    """

    code: Code
    document: str
    detail: str


class RoleListing(Struct, frozen=True, kw_only=True):
    """What one verified role says.

    Attributes:
        name: the role.
        parent: the role that delegates to it; None for the federation's own.
        paths: path patterns of the delegation (``*`` stops at ``/``); not used for the federation's own role.
        documents: names of the documents that it lists.
    """

    name: str
    parent: str | None
    paths: tuple[str, ...]
    documents: tuple[str, ...]


class Placement(Struct, frozen=True, kw_only=True):
    """Which role each accepted document is taken from, and what was ignored."""

    owners: Mapping[str, str]
    alerts: tuple[Alert, ...]


def role_of(jurisdiction: str) -> str:
    """Return the name of the role that signs for ``jurisdiction``: ``ca-on/toronto`` → ``ca-on-toronto``."""
    return jurisdiction.replace("/", "-")


def paths_of(jurisdiction: str) -> tuple[str, ...]:
    """Return the path patterns that are delegated to ``jurisdiction``."""
    own = f"{jurisdiction}/*"
    return (own,) if "/" in jurisdiction else (own, f"{jurisdiction}/*/*")


def document_of(jurisdiction: str, kind: str) -> str:
    """Return the name of the document ``kind`` (one of :data:`KINDS`) of ``jurisdiction``."""
    return f"{jurisdiction}/{kind}.json"


def jurisdiction_of(document: str) -> str | None:
    """Return whose document ``document`` is, or None when it is not named like a document of a jurisdiction."""
    jurisdiction, _, name = document.rpartition("/")
    kind = name.removesuffix(".json")
    return jurisdiction if is_jurisdiction(jurisdiction) and kind in KINDS and name != kind else None


def is_role_name(name: str) -> bool:
    """Say whether ``name`` can be the name of a role here; anything else is never used as a file name or URL."""
    return _ROLE_NAME.fullmatch(name) is not None


def shown(name: str) -> str:
    """Return a name from outside, fit to be shown: printable ASCII, at most 80 characters."""
    return ascii(name[:80])[1:-1]


def matches(document: str, patterns: Sequence[str]) -> bool:
    """Say whether ``document`` lies in one of ``patterns``, by TUF's rule: as many segments, each matching its own."""
    segments = document.split("/")
    return any(_matches_segments(segments, pattern.split("/")) for pattern in patterns)


def _matches_segments(segments: Sequence[str], patterns: Sequence[str]) -> bool:
    return len(segments) == len(patterns) and all(
        fnmatch.fnmatchcase(segment, pattern) for segment, pattern in zip(segments, patterns, strict=True)
    )


def place(listings: Sequence[RoleListing]) -> Placement:
    """Return from which role each document is taken.

    ``listings`` are verified roles, the federation's own first, siblings in the order of their delegation.
    """
    owners: dict[str, str] = {}
    alerts: list[Alert] = []
    parents = {listing.name: listing.parent for listing in listings}
    for listing in listings:
        for document in listing.documents:
            owner = _owner(document, listings)
            if owner == listing.name:
                owners[document] = owner
            else:
                alerts.append(_misplaced(document, listing, owner, parents))
    return Placement(owners=owners, alerts=tuple(alerts))


def _owner(document: str, listings: Sequence[RoleListing]) -> str | None:
    """Return the one role that may list ``document``: down the delegations, the first match at each level."""
    if document == FEDERATION:
        return TOP_ROLE
    if jurisdiction_of(document) is None:
        return None
    owner: str | None = None
    level: str | None = TOP_ROLE
    while level is not None:
        children = (each for each in listings if each.parent == level and matches(document, each.paths))
        child = next(children, None)
        level = child.name if child else None
        owner = level or owner
    return owner


def _misplaced(document: str, listing: RoleListing, owner: str | None, parents: Mapping[str, str | None]) -> Alert:
    if jurisdiction_of(document) is None and document != FEDERATION:
        why = "lists a document whose name the registry does not know"
    elif listing.name in _above(owner, parents):
        why = "lists a document inside a path that it has delegated on"
    else:
        why = "lists a document outside its own path"
    return Alert(
        code=Code.REGISTRY_OUT_OF_PATH,
        document=shown(document),
        detail=f"The role {shown(listing.name)} {why}; it is ignored.",
    )


def _above(role: str | None, parents: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the roles above ``role``, nearest first."""
    above: list[str] = []
    while role is not None and (parent := parents.get(role)) is not None:
        above.append(parent)
        role = parent
    return tuple(above)
