"""How issuers, credential types and claims are shown, by language (OpenID4VCI §12.2.4, appendix C)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from comity.errors import Code
from comity.openid.members import Members
from comity.openid.refusal import Refusal

_REFUSE = Refusal(code=Code.METADATA_INVALID)
_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z")
_COLOUR = re.compile(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})\Z")

PathElement = str | int | None
"""A claims path element: a member name, an array index from 0, or None for every element of an array."""


class Display(Struct, frozen=True, kw_only=True):
    """How something is shown in one language. ``locale`` is a BCP 47 tag; None where the issuer named none.

    Colours are ``#rrggbb`` or ``#rgb``; any other notation is dropped, as is a logo that is not https or ``data:``.
    """

    name: str
    locale: str | None = None
    description: str | None = None
    background_color: str | None = None
    text_color: str | None = None
    logo_uri: str | None = None
    logo_alt_text: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        members = {
            "name": self.name,
            "locale": self.locale,
            "description": self.description,
            "background_color": self.background_color,
            "text_color": self.text_color,
        }
        body: dict[str, Any] = {name: value for name, value in members.items() if value is not None}
        if self.logo_uri is not None:
            alt = {} if self.logo_alt_text is None else {"alt_text": self.logo_alt_text}
            body["logo"] = {"uri": self.logo_uri, **alt}
        return body


class ClaimDescription(Struct, frozen=True, kw_only=True):
    """One claim: where it is in the credential, whether it is always there, and its label by language."""

    path: tuple[PathElement, ...]
    mandatory: bool = False
    display: tuple[Display, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {"path": list(self.path), "mandatory": self.mandatory}
        if self.display:
            body["display"] = [entry.to_dict() for entry in self.display]
        return body


def in_language(entries: Sequence[Display], language: str) -> Display | None:
    """Return the entry for ``language`` (``en`` or ``fr``), else the first one, else None."""
    exact = (entry for entry in entries if entry.locale and entry.locale.lower().split("-")[0] == language)
    return next(exact, entries[0] if entries else None)


def parse(members: Members, *, name_required: bool = False) -> tuple[Display, ...]:
    """Read the ``display`` array of ``members``; () when absent (VCI-4).

    Only a credential's entries must have a name; other entries without one show nothing and are dropped.

    Raises:
        OAuthError: ``metadata_invalid``: an entry without a name, a malformed locale, one locale twice.
    """
    found = members.optional_array("display")
    entries = tuple(_display(entry) for entry in found if name_required or entry.has("name"))
    locales = [entry.locale.lower() if entry.locale else None for entry in entries]
    if len(set(locales)) != len(locales):
        raise _REFUSE(f"{members.where}: two display entries have the same locale")
    return entries


def parse_claims(members: Members) -> tuple[ClaimDescription, ...]:
    """Read the ``claims`` array of ``members``; () when absent.

    Raises:
        OAuthError: ``metadata_invalid``: a malformed path, one path twice, or paths that contradict each other
            (OpenID4VCI appendix C: one reads a value as an object, the other as an array).
    """
    claims = tuple(
        ClaimDescription(path=_path(entry), mandatory=entry.boolean("mandatory", default=False), display=parse(entry))
        for entry in members.optional_array("claims")
    )
    kinds: dict[tuple[PathElement, ...], bool] = {}
    seen: set[tuple[PathElement, ...]] = set()
    for claim in claims:
        if claim.path in seen:
            raise _REFUSE(f"{members.where}: one claims path appears twice")
        seen.add(claim.path)
        for depth, element in enumerate(claim.path):
            if kinds.setdefault(claim.path[:depth], isinstance(element, str)) is not isinstance(element, str):
                raise _REFUSE(f"{members.where}: two claims paths contradict each other")
    return claims


def of_type_metadata(data: Mapping[str, Any]) -> tuple[Display, ...]:
    """Return the display entries of SD-JWT VC type metadata of our own (``schemas/<type>/<n>/type.json``)."""
    return tuple(
        Display(
            name=entry["name"],
            locale=entry["locale"],
            description=entry.get("description"),
            background_color=entry.get("rendering", {}).get("simple", {}).get("background_color"),
            text_color=entry.get("rendering", {}).get("simple", {}).get("text_color"),
        )
        for entry in data["display"]
    )


def claims_of_type_metadata(data: Mapping[str, Any], *, prefix: tuple[str, ...]) -> tuple[ClaimDescription, ...]:
    """Return the claim descriptions of SD-JWT VC type metadata of our own, each path below ``prefix``."""
    return tuple(
        ClaimDescription(
            path=(*prefix, *entry["path"]),
            mandatory=entry.get("mandatory", False),
            display=tuple(Display(name=label["label"], locale=label["locale"]) for label in entry.get("display", ())),
        )
        for entry in data["claims"]
    )


def _display(members: Members) -> Display:
    locale = members.optional_string("locale")
    if locale is not None and not _LOCALE.match(locale):
        raise _REFUSE(f"{members.where}: locale is not a language tag")
    logo = members.optional_members("logo")
    uri = logo.string("uri") if logo else None
    return Display(
        name=members.string("name"),
        locale=locale,
        description=members.optional_string("description"),
        background_color=_colour(members.optional_string("background_color")),
        text_color=_colour(members.optional_string("text_color")),
        logo_uri=uri if uri and uri.startswith(("https://", "data:image/")) else None,
        logo_alt_text=logo.optional_string("alt_text") if logo else None,
    )


def _colour(value: str | None) -> str | None:
    """A colour goes into a style sheet: only hexadecimal notation survives."""
    return value if value is not None and _COLOUR.match(value) else None


def _path(members: Members) -> tuple[PathElement, ...]:
    value = members.value.get("path")
    if not isinstance(value, list) or not value:
        raise _REFUSE(f"{members.where}: path must be a non-empty array")
    for element in value:
        index = isinstance(element, int) and not isinstance(element, bool) and element >= 0
        if not (index or element is None or isinstance(element, str)):
            raise _REFUSE(f"{members.where}: path holds an element that is neither a name, an index nor null")
    return tuple(value)
