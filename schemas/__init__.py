"""What the credential types of the federation are, as data, and the small loader that reads it.

Every name (``vct``, JSON-LD context, JSON Schema ``$id``) is only a name: nothing here is ever fetched. All files are
part of the package and therefore trusted; that is why plain :mod:`json` reads them. Returned dicts are shared and
cached: callers read them and do not change them.

Layout: ``<slug>/<n>/{schema.json, type.json, context.jsonld}``, ``registry/<name>.schema.json``, ``rules/age.json``,
``algorithms.json``.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

_ROOT = files(__name__)
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,3}")
_REGISTRY_SUFFIX = ".schema.json"
_CLAIM_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@cache
def all_types() -> tuple[tuple[str, int], ...]:
    """Return every credential type as ``(slug, version)``, sorted."""
    return tuple(sorted(_types_in(_ROOT)))


def _types_in(root: Traversable) -> Iterator[tuple[str, int]]:
    """Yield each folder ``<slug>/<n>`` that holds a ``type.json``."""
    for folder in root.iterdir():
        if _SLUG.fullmatch(folder.name) and folder.is_dir():
            for version in folder.iterdir():
                if _VERSION.fullmatch(version.name) and version.joinpath("type.json").is_file():
                    yield folder.name, int(version.name)


@cache
def type_metadata(slug: str, version: int) -> dict[str, Any]:
    """Return the SD-JWT VC type metadata with the house's own member ``comity``.

    Raises:
        KeyError: the federation has no such type.
    """
    return _object(_type_file(slug, version, "type.json"))


@cache
def type_schema(slug: str, version: int) -> dict[str, Any]:
    """Return the JSON Schema (2020-12, no references) of the complete claims.

    Raises:
        KeyError: the federation has no such type.
    """
    return _object(_type_file(slug, version, "schema.json"))


@cache
def type_context(slug: str, version: int) -> dict[str, Any]:
    """Return the JSON-LD context document of the W3C form.

    Raises:
        KeyError: the federation has no such type.
    """
    return _object(_type_file(slug, version, "context.jsonld"))


@cache
def registry_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a registry document: ``federation``, ``issuers``, ``verifiers``, ``recognition``.

    Raises:
        KeyError: there is no such document.
    """
    names = {
        each.name.removesuffix(_REGISTRY_SUFFIX): each
        for each in _ROOT.joinpath("registry").iterdir()
        if each.name.endswith(_REGISTRY_SUFFIX)
    }
    return _object(names[name])


@cache
def age_rules() -> dict[str, Any]:
    """Return the age table: ``places[<ca-xx>][<purpose>]`` is an age in years, with names, purposes and sources."""
    return _object(_ROOT.joinpath("rules", "age.json"))


@cache
def undo_minutes(slug: str) -> int:
    """Return for how long the law of a type lets a revocation be taken back, 0 for not at all.

    Kept apart from the type's own file, whose digest the registry holds: it binds the authority, not the world.
    """
    minutes: int = _object(_ROOT.joinpath("rules", "revocation.json"))["undo_minutes"].get(slug, 0)
    return minutes


@cache
def algorithms() -> dict[str, list[str]]:
    """Return the signature or encryption algorithms allowed in each context."""
    return _object(_ROOT.joinpath("algorithms.json"))


@cache
def digest(slug: str, version: int) -> str:
    """Return the SHA-256 of the bytes of ``type.json``, lower-case hexadecimal, as ``federation.json`` states it.

    Raises:
        KeyError: the federation has no such type.
    """
    return hashlib.sha256(_type_file(slug, version, "type.json").read_bytes()).hexdigest()


@cache
def context_urls() -> frozenset[str]:
    """Return the JSON-LD context URLs of every type (without the base context of VCDM 2.0)."""
    return frozenset(f"{type_metadata(slug, version)['vct']}/context" for slug, version in all_types())


def violations(slug: str, version: int, claims: Mapping[str, Any], *, partial: bool) -> tuple[str, ...]:
    """Return what is wrong with ``claims``, each as ``path: keyword``, sorted; empty when nothing is.

    Formats (dates) are asserted. No claim value is ever part of the answer; the name of a claim that the type does
    not have is told only when it looks like a claim name. Not checked: whether claims agree with one another
    (``birthdate`` with ``age_over_19``) or with the world.

    Args:
        slug: the type's slug.
        version: the type's version.
        claims: flat claims about the subject.
        partial: True for a disclosed subset, in which any claim may be absent.

    Raises:
        KeyError: the federation has no such type.
    """
    present = claims if isinstance(claims, dict) else dict(claims)
    validator = _validator(slug, version, partial)
    if validator.is_valid(present):
        return ()
    schema = type_schema(slug, version)
    return tuple(sorted({line for error in validator.iter_errors(present) for line in _lines(error, schema, present)}))


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Return a validator (JSON Schema 2020-12) that asserts formats; ``date`` is a day that Python can count."""
    return Draft202012Validator(dict(schema), validate_formats=True, formats={"date": _is_day})


def _is_day(text: str) -> bool:
    """RFC 3339 §5.6 full-date; its year 0000 is one that nobody's calendar here has."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@cache
def _validator(slug: str, version: int, partial: bool) -> Draft202012Validator:  # noqa: FBT001 - a cache key
    schema = dict(type_schema(slug, version))
    if partial:
        del schema["required"]
    return validator(schema)


def _lines(error: ValidationError, schema: Mapping[str, Any], claims: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines for one finding, naming claims and keywords but no values."""
    path = "/".join(str(part) for part in error.instance_path)
    keyword = error.kind.name
    if keyword == "required":
        yield from (f"{name}: required" for name in schema["required"] if name not in claims)
    elif keyword == "additionalProperties":
        unknown = (name for name in claims if name not in schema["properties"])
        yield from (f"{name if _CLAIM_NAME.fullmatch(name) else '$'}: additionalProperties" for name in unknown)
    else:
        yield f"{path}: {keyword}"


def _type_file(slug: str, version: int, name: str) -> Traversable:
    if (slug, version) not in all_types():
        raise KeyError(f"{slug}/{version}")
    return _ROOT.joinpath(slug, str(version), name)


def _object(file: Traversable) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return value
