"""The French gate: every word in both languages, and French that was written, not marked.

Run by ``make check`` as ``python -m tests.house.french``; ``test_french.py`` plants one violation of each kind.
"""

import ast
import json
import re
import string
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.messages.pofile import PoFileError, read_po

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("comity", "issuer", "wallet", "verifier")
LANGUAGES = ("en", "fr")

SAME_IN_BOTH = frozenset(
    {
        # words that are written alike
        "Conditions",
        "Photo",
        "Restrictions",
        "Type",
        # names of provinces and territories that have one form
        "Alberta",
        "Manitoba",
        "Nunavut",
        "Ontario",
        "Saskatchewan",
        "Yukon",
    }
)
"""The only texts that may be the same in English and in French."""

_MARKED = re.compile(r"\((fr|en)\)|\[(fr|en)\]|\b(todo|fixme|xxx|lorem)\b|^(fr|en):", re.IGNORECASE)
_WORDS = re.compile(r"[^\W\d_]{2}")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_KEY = re.compile(r"[a-z_]+(\.[a-z0-9_-]+)+")
_CALL_IN_TEMPLATE = re.compile(r"""\b(?:i18n\.)?(?:text|t|_)\(\s*["']([^"']+)["']""")
_TYPOGRAPHY = (
    (re.compile(r"\w'\w"), "a straight apostrophe"),
    (re.compile(r"«(?!\u00a0)|(?<!\u00a0)»"), "guillemets without a no-break space inside"),
    (re.compile(r"(?<![\u00a0\W]):(\s|$)|[ \t]:(\s|$)"), "a colon without a no-break space before it"),
    (re.compile(r"\s[;?!](\s|$)"), "a space before ; ? or !"),
)

Forms = tuple[str, ...]
Catalog = Mapping[str, Forms]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One text in both languages and where it stands."""

    where: str
    english: Forms
    french: Forms


def findings(root: Path) -> list[str]:
    """Return every violation in the checkout at ``root``, sorted."""
    locale = root / "comity" / "web" / "locale"
    catalogs = {language: _catalogs(locale / language) for language in LANGUAGES}
    found = list(_incomplete(catalogs["en"], catalogs["fr"]))
    found += [line for language in LANGUAGES for line in _repeated(locale / language)]
    for pair in [*_catalog_pairs(catalogs["en"], catalogs["fr"]), *_schema_pairs(root / "schemas", found)]:
        found += _judge(pair)
    keys = {key for catalog in catalogs["en"].values() for key in catalog}
    found += _unknown_keys(root, keys)
    return sorted(set(found))


def _catalogs(folder: Path) -> dict[str, Catalog]:
    """Return the texts of each domain; an unfinished (fuzzy) text counts as empty."""
    return {path.stem: _catalog(path) for path in sorted(folder.glob("*.po"))}


def _catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        messages = read_po(file, abort_invalid=True, ignore_obsolete=True)
    texts: dict[str, Forms] = {}
    for message in messages:
        key = message.id if isinstance(message.id, str) else message.id[0]
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        if key:
            texts[key] = ("",) if message.fuzzy else forms
    return texts


def _incomplete(english: Mapping[str, Catalog], french: Mapping[str, Catalog]) -> Iterator[str]:
    for domain in sorted({*english, *french}):
        ours, theirs = english.get(domain, {}), french.get(domain, {})
        yield from (f"{key}: not in French" for key in ours if key not in theirs)
        yield from (f"{key}: not in English" for key in theirs if key not in ours)
        yield from (f"{key}: stands in {domain}.po" for key in ours if not key.startswith(f"{domain}."))


def _repeated(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.po")):
        counted = Counter(re.findall(r'^msgid "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE))
        yield from (f"{key}: stands {times} times in {path.name}" for key, times in counted.items() if times > 1)


def _catalog_pairs(english: Mapping[str, Catalog], french: Mapping[str, Catalog]) -> Iterator[Pair]:
    for domain in english:
        for key, forms in english[domain].items():
            if key in french.get(domain, {}):
                yield Pair(where=key, english=forms, french=french[domain][key])


def _schema_pairs(folder: Path, found: list[str]) -> Iterator[Pair]:
    """Yield the display texts of types and rules; what lacks a language goes to ``found``."""
    for path in sorted(folder.glob("*/*/type.json")):
        slug = "/".join(path.parts[-3:-1])
        metadata = json.loads(path.read_text(encoding="utf-8"))
        yield from _displays(slug, metadata["display"], ("name", "description"), found)
        for claim in metadata["claims"]:
            yield from _displays(f"{slug} {claim['path']}", claim["display"], ("label",), found)
        yield from _words(slug, metadata["comity"]["values"], found)
    for path in sorted([*folder.glob("rules/*.json"), *folder.glob("transactions/*/*/type.json")]):
        where = path.name if path.name != "type.json" else "/".join(path.parts[-3:-1])
        yield from _words(where, json.loads(path.read_text(encoding="utf-8")), found)


def _displays(where: str, displays: Sequence[Mapping[str, Any]], members: Forms, found: list[str]) -> Iterator[Pair]:
    by_locale = {display["locale"]: display for display in displays}
    for member in members:
        texts = [str(by_locale.get(locale, {}).get(member, "")) for locale in ("en-CA", "fr-CA")]
        if all(texts):
            yield Pair(where=f"{where} {member}", english=(texts[0],), french=(texts[1],))
        else:
            found.append(f"{where} {member}: not in en-CA and fr-CA")


def _words(where: str, value: object, found: list[str]) -> Iterator[Pair]:
    """Yield each ``{"en": …, "fr": …}`` inside ``value``."""
    if not isinstance(value, Mapping):
        return
    if "en" not in value and "fr" not in value:
        for key, inner in value.items():
            yield from _words(f"{where} {key}", inner, found)
    elif value.get("en") and value.get("fr"):
        yield Pair(where=where, english=(value["en"],), french=(value["fr"],))
    else:
        found.append(f"{where}: not in English and French")


def _judge(pair: Pair) -> Iterator[str]:
    english, french = pair.english, pair.french
    if not all(english) or not all(french):
        yield f"{pair.where}: empty"
        return
    if set(english) & set(french) and any(_needs_translation(each) for each in set(english) & set(french)):
        yield f"{pair.where}: French is the same as English"
    if _placeholders(english) != _placeholders(french):
        yield f"{pair.where}: other placeholders in French"
    if any(_MARKED.search(form) for form in (*english, *french)):
        yield f"{pair.where}: marked, not written"
    for pattern, what in _TYPOGRAPHY:
        if any(pattern.search(_PLACEHOLDER.sub("x", form)) for form in french):
            yield f"{pair.where}: {what}"


def _needs_translation(text: str) -> bool:
    return text not in SAME_IN_BOTH and bool(_WORDS.search(_PLACEHOLDER.sub("", text)))


def _placeholders(forms: Forms) -> set[str]:
    return {field for form in forms for _, field, _, _ in string.Formatter().parse(form) if field is not None}


def _unknown_keys(root: Path, keys: set[str]) -> Iterator[str]:
    """Yield every literal key that the sources and templates use and no catalog has."""
    for name in SOURCES:
        for path in sorted((root / name).rglob("*.py")):
            for line, key in _keys_in_python(path.read_text(encoding="utf-8")):
                if key not in keys and not (key.endswith("*") and any(each.startswith(key[:-1]) for each in keys)):
                    yield f"{path.relative_to(root)}:{line}: no words for {key}"
        for path in sorted((root / name).rglob("*.html")):
            for match in _CALL_IN_TEMPLATE.finditer(path.read_text(encoding="utf-8")):
                if _KEY.fullmatch(match[1]) and match[1] not in keys:
                    yield f"{path.relative_to(root)}: no words for {match[1]}"


def _keys_in_python(source: str) -> Iterator[tuple[int, str]]:
    """Yield ``(line, key)`` of the calls ``text(…)`` and ``i18n.text(…)``; a computed rest is written ``*``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args and _is_text(node.func):
            for key in _literals(node.args[0]):
                if _KEY.fullmatch(key.rstrip("*").rstrip(".")) and "." in key:
                    yield node.lineno, key


def _is_text(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr == "text" and isinstance(function.value, ast.Name) and function.value.id == "i18n"
    return isinstance(function, ast.Name) and function.id == "text"


def _literals(argument: ast.expr) -> Iterator[str]:
    """Yield the keys written in an argument: a string, both sides of a choice, the start of an f-string."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
    elif isinstance(argument, ast.IfExp):
        yield from _literals(argument.body)
        yield from _literals(argument.orelse)
    elif isinstance(argument, ast.JoinedStr) and isinstance(argument.values[0], ast.Constant):
        yield str(argument.values[0].value) + "*"


def main() -> int:
    """Print every violation; return 1 when there is one."""
    try:
        found = findings(ROOT)
    except PoFileError as error:
        found = [f"a catalog cannot be read: {error}"]
    for line in found:
        print(line)
    texts = sum(len(catalog) for catalog in _catalogs(ROOT / "comity" / "web" / "locale" / "fr").values())
    print(f"French gate: {len(found)} violations in {texts} texts" if found else f"French gate: {texts} texts in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
