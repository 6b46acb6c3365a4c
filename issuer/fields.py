"""The form of a credential type: its fields out of ``schemas/``, and claims out of what a person typed.

A person types a date of birth; whether they are 18, 19 or 21 is counted. Photos are not taken here. What is typed is
text, in a form or in a spreadsheet's cell, and becomes what the type's schema says.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from msgspec import Struct, field

import schemas
from comity.credential import CredentialType
from comity.record import Discreet

LANGUAGES = ("en", "fr")
LIST_MARK = "|"
"""Separates the values of a list in one cell."""
_AGE = re.compile(r"age_over_([0-9]{1,3})")
_BIRTHDATE = "birthdate"
_LEFT_OUT = frozenset({"portrait"})
_STARTS, _ENDS = frozenset({"issued_on", "valid_from", "completed_on"}), frozenset({"expires_on", "valid_until"})
_YES, _NO = frozenset({"true", "yes", "oui", "vrai", "1"}), frozenset({"false", "no", "non", "faux", "0"})


class Field(Struct, frozen=True, kw_only=True):
    """One thing to type.

    Attributes:
        name: of the claim.
        kind: ``text``, ``date``, ``choice``, ``choices`` or ``yes_no``.
        labels: by language.
        is_needed: whether the type needs it.
        options: value → words by language, for choices.
        most: most characters of a text.
        may_be_hidden: whether the holder may keep it to themself when showing the credential.
    """

    name: str
    kind: str
    labels: Mapping[str, str]
    is_needed: bool
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    most: int = 200
    may_be_hidden: bool = True

    def shown(self, value: object, language: str) -> str | None:
        """Return a value in words of ``language``; None where the pages have words of their own (yes and no)."""
        if isinstance(value, bool):
            return None
        if isinstance(value, list):
            return ", ".join(self._word(each, language) for each in value)
        return self._word(value, language)

    def _word(self, value: object, language: str) -> str:
        words = self.options.get(str(value), {})
        return words.get(language, str(value))


class Reading(Discreet, frozen=True, kw_only=True):
    """What became of what was typed.

    Attributes:
        claims: as the schema wants them, also where something is wrong.
        problems: what is wrong, by name of the claim: a keyword of JSON Schema, ``required``, ``unknown``, or
            ``future`` for somebody who is not born yet.
    """

    UNPRINTED = frozenset({"claims"})
    claims: Mapping[str, Any]
    problems: Mapping[str, str]


def fields_of(credential_type: CredentialType) -> tuple[Field, ...]:
    """Return what has to be typed for a type, in the order of its metadata."""
    data = schemas.type_metadata(credential_type.slug, credential_type.version)
    found = (entry["path"][0] for entry in data["claims"])
    return tuple(_field(credential_type, name) for name in found if name not in _LEFT_OUT and not _is_counted(name))


def label_of(credential_type: CredentialType, name: str, language: str) -> str:
    """Return the label of a claim; the name itself where the type has no such claim."""
    data = schemas.type_metadata(credential_type.slug, credential_type.version)
    entry = next((each for each in data["claims"] if each["path"] == [name]), None)
    return name if entry is None else _labels(entry)[language]


def type_name(credential_type: CredentialType, language: str) -> str:
    """Return what a type is called."""
    display = schemas.type_metadata(credential_type.slug, credential_type.version)["display"]
    return str(next(each["name"] for each in display if each["locale"].startswith(language)))


def counts_ages(credential_type: CredentialType) -> bool:
    """Say whether ages are counted for this type."""
    schema = schemas.type_schema(credential_type.slug, credential_type.version)
    return any(_is_counted(name) for name in schema["properties"])


def defaults(credential_type: CredentialType, today: date) -> dict[str, str]:
    """Return what most people would type: from today, for as long as the type is valid."""
    names = {each.name for each in fields_of(credential_type)}
    days = int(schemas.type_metadata(credential_type.slug, credential_type.version)["comity"]["validity_days"])
    started = {name: today.isoformat() for name in names & _STARTS}
    return started | {name: (today + timedelta(days=days)).isoformat() for name in names & _ENDS}


def read(credential_type: CredentialType, typed: Mapping[str, str], *, today: date) -> Reading:
    """Make claims of ``typed`` (text by claim name; several values of a list with ``|`` between them).

    Empty text is an absent claim. Ages are counted from the date of birth; what was typed for them is not looked at.
    """
    claims: dict[str, Any] = {}
    for each in fields_of(credential_type):
        text = " ".join(typed.get(each.name, "").split()) if each.kind != "text" else typed.get(each.name, "").strip()
        if text:
            claims[each.name] = _value(each, text)
    claims |= _ages(credential_type, claims, today)
    return Reading(claims=claims, problems=unborn(claims, today) | _problems(credential_type, claims))


def unborn(claims: Mapping[str, Any], today: date) -> dict[str, str]:
    """Return a problem for a date of birth after ``today``; a date that is none is the schema's to tell."""
    try:
        born = date.fromisoformat(str(claims.get(_BIRTHDATE, "")))
    except ValueError:
        return {}
    return {_BIRTHDATE: "future"} if born > today else {}


def _problems(credential_type: CredentialType, claims: Mapping[str, Any]) -> dict[str, str]:
    problems: dict[str, str] = {}
    for line in schemas.violations(credential_type.slug, credential_type.version, claims, partial=False):
        path, _, rule = line.partition(": ")
        name = path.partition("/")[0]
        if not _is_counted(name):  # the date of birth is what is wrong then, and it is told
            problems.setdefault(name, rule)
    return problems


def _field(credential_type: CredentialType, name: str) -> Field:
    schema = schemas.type_schema(credential_type.slug, credential_type.version)
    data = schemas.type_metadata(credential_type.slug, credential_type.version)
    entry = next(each for each in data["claims"] if each["path"] == [name])
    rule = schema["properties"][name]
    allowed = rule.get("items", rule).get("enum", ())
    words = data["comity"]["values"].get(name, {})
    return Field(
        name=name,
        kind=_kind(rule),
        labels=_labels(entry),
        is_needed=name in schema["required"],
        options={value: words.get(value, dict.fromkeys(LANGUAGES, value)) for value in allowed},
        most=int(rule.get("maxLength", 200)),
        may_be_hidden=entry["sd"] != "never",
    )


def _kind(rule: Mapping[str, Any]) -> str:
    if rule["type"] == "boolean":
        return "yes_no"
    if rule["type"] == "array":
        return "choices"
    if "enum" in rule:
        return "choice"
    return "date" if rule.get("format") == "date" else "text"


def _labels(entry: Mapping[str, Any]) -> dict[str, str]:
    return {each["locale"][:2]: each["label"] for each in entry["display"]}


def _value(wanted: Field, text: str) -> Any:
    """Return ``text`` as the field wants it; what does not fit stays text, and the schema says so."""
    if wanted.kind == "yes_no":
        word = text.casefold()
        return True if word in _YES else False if word in _NO else text
    if wanted.kind == "choices":
        return [_chosen(wanted, each.strip()) for each in text.split(LIST_MARK) if each.strip()]
    return _chosen(wanted, text)


def _chosen(wanted: Field, text: str) -> str:
    """Return the value of an option that was written as its words in either language."""
    folded = text.casefold()
    for value, words in wanted.options.items():
        if folded in {value.casefold(), *(word.casefold() for word in words.values())}:
            return value
    return text


def _is_counted(name: str) -> bool:
    return _AGE.fullmatch(name) is not None


def _ages(credential_type: CredentialType, claims: Mapping[str, Any], today: date) -> dict[str, bool]:
    """Return the ages that the type wants, counted on ``today`` (a birthday on 29 February falls on 1 March)."""
    names = schemas.type_schema(credential_type.slug, credential_type.version)["properties"]
    try:
        born = date.fromisoformat(str(claims.get(_BIRTHDATE, "")))
    except ValueError:
        return {}
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    found = ((name, _AGE.fullmatch(name)) for name in names)
    return {name: years >= int(match.group(1)) for name, match in found if match}
