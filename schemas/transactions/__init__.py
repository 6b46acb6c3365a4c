"""What a person can be asked to authorise, as data: ``<slug>/<n>/{schema.json, type.json}``, and the small loader.

A type says which members its transactions have (JSON Schema, nothing else allowed) and in which English and French
words a wallet shows them. Its name is never fetched. The files are part of the package and therefore trusted. Returned
dicts are shared and cached: callers read them and do not change them.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from jsonschema_rs import Draft202012Validator

import schemas

_ROOT = files(__name__)
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,3}")


@cache
def all_types() -> tuple[str, ...]:
    """Return the names of every transaction type, sorted."""
    return tuple(sorted(_folders()))


@cache
def type_of(name: str) -> dict[str, Any]:
    """Return the type called ``name``: its ``title``, ``words`` and ``labels`` in ``en`` and ``fr``.

    ``money`` maps members that hold an amount to the member that holds its currency; ``days`` lists dates.

    Raises:
        KeyError: there is no such type.
    """
    return _object(_folders()[name].joinpath("type.json"))


@cache
def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema of the members that are the type's own.

    Raises:
        KeyError: there is no such type.
    """
    return _object(_folders()[name].joinpath("schema.json"))


def violations(name: str, members: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with ``members`` as a transaction of the type, as ``path: keyword``; never a value.

    Raises:
        KeyError: there is no such type.
    """
    found = _validator(name).iter_errors(dict(members))
    return tuple(sorted({f"{'/'.join(map(str, each.instance_path)) or '$'}: {each.kind.name}" for each in found}))


@cache
def _validator(name: str) -> Draft202012Validator:
    return schemas.validator(schema_of(name))


@cache
def _folders() -> dict[str, Traversable]:
    found = [
        version
        for folder in _ROOT.iterdir()
        if _SLUG.fullmatch(folder.name) and folder.is_dir()
        for version in folder.iterdir()
        if _VERSION.fullmatch(version.name)
    ]
    return {str(_object(each.joinpath("type.json"))["type"]): each for each in found}


def _object(file: Traversable) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return value
