"""Words in English and French, read from ``locale/<language>/<domain>.po``.

A key is ``domain.rest``; the whole key is the ``msgid``. Plural entries have ``msgid "key"`` and
``msgid_plural "key"``; ``count`` among the values chooses the form. Catalogs are read at first use and kept.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal

LANGUAGES = ("en", "fr")
DEFAULT_LANGUAGE = "en"
_LOCALES = {"en": Locale("en", "CA"), "fr": Locale("fr", "CA")}
_FOLDER = Path(__file__).parent / "locale"
_MAX_HEADER = 1024


def text(key: str, language: str, **values: object) -> str:
    """Return the words for ``key`` in ``language`` with ``values`` filled in by ``str.format``.

    The text is plain: escape it before it goes into HTML, as every template here does by itself.

    Raises:
        KeyError: no such language, domain or key, or a value that the words need is absent.
    """
    forms = _catalog(language, key.partition(".")[0])[key]
    form = forms[0] if len(forms) == 1 else forms[_plural_form(language, values["count"])]
    return form.format_map(values)


def has(key: str, language: str) -> bool:
    """Say whether there are words for ``key`` in ``language``."""
    try:
        return key in _catalog(language, key.partition(".")[0])
    except KeyError:
        return False


def keys(language: str, domain: str) -> frozenset[str]:
    """Return every key of ``domain``; for the test that both languages have the same.

    Raises:
        KeyError: no such language or domain.
    """
    return frozenset(_catalog(language, domain))


def choose(accept_language: str | None) -> str:
    """Return the language among ours that an ``Accept-Language`` header prefers (RFC 9110 §12.5.4).

    Regional forms count as their language. English when nothing of ours is named; never raises.
    """
    best, best_weight = DEFAULT_LANGUAGE, 0.0
    for item in (accept_language or "")[:_MAX_HEADER].split(","):
        tag, _, parameters = item.partition(";")
        language = tag.strip().lower().partition("-")[0]
        weight = _weight(parameters)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def date(day: dt.date, language: str) -> str:
    """Return ``day`` written out: ``23 November 2026`` as Canadian English and French write it."""
    return format_date(day, format="long", locale=_LOCALES[language])


def instant(at: dt.datetime, language: str) -> str:
    """Return ``at`` with date and time in UTC, written out, to the minute."""
    there = at.astimezone(dt.UTC)
    return f"{date(there, language)}, {format_time(there, format='short', locale=_LOCALES[language])} UTC"


def money(amount: str, currency: str, language: str) -> str:
    """Return a decimal ``amount`` of ``currency`` as it is written: ``$25.00``, ``25,00 $``."""
    return format_currency(Decimal(amount), currency, locale=_LOCALES[language])


def number(value: float, language: str) -> str:
    """Return ``value`` as it is written: ``1,234.5`` or ``1 234,5``."""
    return format_decimal(value, locale=_LOCALES[language])


def enumeration(items: list[str], language: str) -> str:
    """Return ``items`` as one phrase: ``a, b and c``."""
    return format_list(items, locale=_LOCALES[language])


def pick(words: Mapping[str, Any], language: str) -> str:
    """Return the words of a ``{"en": …, "fr": …}`` member of a document, the other language when one is absent."""
    return str(words.get(language) or words.get(DEFAULT_LANGUAGE) or next(iter(words.values()), ""))


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0


def _plural_form(language: str, count: object) -> int:
    """CLDR: English has one form for exactly 1; French for everything below 2."""
    if not isinstance(count, int | float):
        raise KeyError("count")
    return int(abs(count) >= 2 if language == "fr" else count != 1)


@cache
def _catalog(language: str, domain: str) -> Mapping[str, tuple[str, ...]]:
    if language not in LANGUAGES or not domain.isidentifier():
        raise KeyError(f"{language}/{domain}")
    path = _FOLDER / language / f"{domain}.po"
    try:
        with path.open("rb") as file:
            catalog = read_po(file, locale=_LOCALES[language], ignore_obsolete=True, abort_invalid=True)
    except FileNotFoundError:
        raise KeyError(f"{language}/{domain}") from None
    found: dict[str, tuple[str, ...]] = {}
    for message in catalog:
        key = message.id if isinstance(message.id, str) else message.id[0]
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        if key and forms and all(forms) and not message.fuzzy:
            found[key] = forms
    return found
