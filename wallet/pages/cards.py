"""How credentials are drawn: cards, badges, claims, in the citizen's language."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

import schemas
from comity.credential import CredentialType
from comity.errors import Code
from comity.trust.snapshot import RegistrySnapshot
from comity.web import i18n
from comity.web.assets import card_class, logo_letters
from wallet import shown
from wallet.holdings import Held
from wallet.watching import state_of

SOON = timedelta(days=30)
NAME = ("given_names", "family_name")
"""The claims that are drawn on a card as its holder's name."""
_BAD_UNTIL_CHANGED = {Code.SUSPENDED.value}


class Card(Struct, frozen=True, kw_only=True):
    """What is drawn of one credential."""

    id: str
    css: str
    title: str
    issuer: str
    initials: str
    holder: str = ""
    number: str = ""
    badge: tuple[str, str] | None = None
    href: str = ""
    meaning: str = ""


def card(held: Held, language: str, now: datetime, snapshot: RegistrySnapshot | None, *, href: str = "") -> Card:
    """Return the card of a held credential."""
    issuer = str(held.about["issuer"])
    name = i18n.pick(held.about["issuer_name"], language) if held.about["issuer_name"] else _host(issuer)
    state = state_of(held.about)
    return Card(
        id=held.id,
        css=css_of(held.processed.type) if held.about["recognised"] else "",
        title=held.title(language),
        issuer=name,
        initials=initials(issuer, name, snapshot),
        holder=" ".join(str(held.processed.claims[each]) for each in NAME if each in held.processed.claims),
        badge=badge(held, language, now),
        href=href,
        meaning="" if state == Code.OK.value else shown.words(state, language),
    )


def badge(held: Held, language: str, now: datetime) -> tuple[str, str]:
    """Return kind and words of the badge: how the credential stands, and by colour whether that is good."""
    state, until = state_of(held.about), held.processed.valid_until
    if state in _BAD_UNTIL_CHANGED:
        return "warn", i18n.text("wallet.state.suspended", language)
    if state != Code.OK.value:
        return "bad", i18n.text(f"codes.{state}.title", language)
    if until is not None and until - now <= SOON:
        return "warn", i18n.text("wallet.state.ends_soon", language)
    return "good", i18n.text("wallet.state.valid", language)


def css_of(kind: CredentialType | None) -> str:
    """Return the class with the colours of a type; empty for one of somebody else.

    Whoever may not issue a type does not get its colours either: its cards are drawn plain.
    """
    if kind is None or (kind.slug, kind.version) not in schemas.all_types():
        return ""
    return card_class(kind.slug, kind.version)


def initials(issuer: str, name: str, snapshot: RegistrySnapshot | None) -> str:
    """Return what stands in the place of a logo: the jurisdiction's letters, else those of the name."""
    entries = snapshot.issuers() if snapshot is not None else ()
    entry = next((each for each in entries if each.identifier.id == issuer), None)
    if entry is not None:
        return logo_letters(entry.jurisdiction)
    letters = [word[0] for word in name.split() if word[0].isalpha()]
    return "".join(letters[:2]).upper() or "?"


def in_order(held: Held) -> list[tuple[str, Any]]:
    """Return the claims as their type orders them: what is disclosed selectively comes in no order at all."""
    kind, claims = held.processed.type, held.processed.claims
    if kind is None or (kind.slug, kind.version) not in schemas.all_types():
        return list(claims.items())
    order = [each["path"][-1] for each in schemas.type_metadata(kind.slug, kind.version)["claims"]]
    return sorted(claims.items(), key=lambda each: order.index(each[0]) if each[0] in order else len(order))


def is_picture(value: object) -> bool:
    """Say whether a claim's value is a picture of a kind that browsers draw and that holds no script."""
    return isinstance(value, str) and value.startswith(("data:image/jpeg;", "data:image/png;", "data:image/webp;"))


def labels(type_name: str, claims: list[str], language: str) -> list[str]:
    """Return the labels of claims of a type by name; a claim's own name where the type knows none."""
    kind = CredentialType.from_vct(type_name.partition("#")[0])
    known: Mapping[str, Any] = {}
    if kind is not None and (kind.slug, kind.version) in schemas.all_types():
        known = {
            each["path"][-1]: {entry["locale"][:2]: entry["label"] for entry in each["display"]}
            for each in schemas.type_metadata(kind.slug, kind.version)["claims"]
        }
    return [i18n.pick(known.get(each, {"en": each}), language) for each in claims]


def type_title(type_name: str, language: str) -> str:
    """Return a type's name for people."""
    kind = CredentialType.from_vct(type_name.partition("#")[0])
    if kind is None or (kind.slug, kind.version) not in schemas.all_types():
        return type_name
    display = {each["locale"][:2]: each["name"] for each in schemas.type_metadata(kind.slug, kind.version)["display"]}
    return i18n.pick(display, language)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
