"""The issuer's half of RFC 9901: put digests in the place of claims."""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comity import base64url, strict_json
from comity.errors import Code, Malformed
from comity.formats.opened import Path
from comity.formats.sd_jwt import RESERVED, digest

SALT_BYTES = 16
"""Bytes of each salt: 128 bits (RFC 9901 §9.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concealed:
    """A payload ready to be signed, and the Disclosures that go with it."""

    payload: dict[str, Any]
    disclosures: tuple[str, ...]


def conceal(
    claims: Mapping[str, Any], paths: Collection[Path], *, decoys: int = 0, hash_name: str = "sha-256"
) -> Concealed:
    """Replace the values at ``paths`` by digests (RFC 9901 §4.2 and §6).

    Each value gets its own 128-bit salt; digests stand sorted, so that their order says nothing of the claims'.
    Nested paths make recursive Disclosures. ``decoys`` digests that belong to nothing are added at the top level, but
    none where nothing is concealed: then neither ``_sd`` nor ``_sd_alg`` appears.

    Raises:
        Malformed: ``claims_invalid`` when a path leads nowhere or a member is called ``_sd``, ``_sd_alg`` or ``...``.
    """
    salts = _salts(len(paths) + decoys)
    concealment = _Concealment(hash_name, salts)
    payload = concealment.members(claims, _plan(paths))
    if concealment.disclosures:
        if decoys:
            added = [digest(next(salts), hash_name) for _ in range(decoys)]
            payload["_sd"] = sorted([*payload.get("_sd", ()), *added])
        payload["_sd_alg"] = hash_name
    return Concealed(payload=payload, disclosures=tuple(concealment.disclosures))


class _Node:
    """One step of the paths to conceal."""

    __slots__ = ("below", "is_concealed")

    def __init__(self) -> None:
        self.is_concealed = False
        self.below: dict[str | int, _Node] = {}


def _plan(paths: Collection[Path]) -> _Node:
    root = _Node()
    for path in paths:
        node = root
        for step in path:
            node = node.below.setdefault(step, _Node())
        if node is root:
            raise Malformed(Code.CLAIMS_INVALID, "the claims as a whole cannot be concealed")
        node.is_concealed = True
    return root


_NOTHING = _Node()


class _Concealment:
    """One pass over claims that builds the payload and its Disclosures, inner before outer."""

    __slots__ = ("_hash", "_salts", "disclosures")

    def __init__(self, name: str, salts: Iterator[str]) -> None:
        self._hash = name
        self._salts = salts
        self.disclosures: list[str] = []

    def members(self, members: Mapping[str, Any], node: _Node) -> dict[str, Any]:
        if not node.below.keys() <= members.keys() or not RESERVED.isdisjoint(members):
            raise Malformed(Code.CLAIMS_INVALID, "a claim to conceal is missing, or a claim has a reserved name")
        shown: dict[str, Any] = {}
        digests = []
        for name, child in members.items():
            below = node.below.get(name, _NOTHING)
            value = self._value(child, below)
            if below.is_concealed:
                digests.append(self._hide(name, value))
            else:
                shown[name] = value
        if digests:
            shown["_sd"] = sorted(digests)
        return shown

    def _value(self, value: object, node: _Node) -> object:
        if isinstance(value, dict):
            return self.members(value, node)
        if isinstance(value, list | tuple):
            return self._array(value, node)
        if node.below:
            raise Malformed(Code.CLAIMS_INVALID, "a claim to conceal is missing")
        return value

    def _array(self, elements: Sequence[Any], node: _Node) -> list[Any]:
        if not node.below.keys() <= set(range(len(elements))):
            raise Malformed(Code.CLAIMS_INVALID, "an array element to conceal is missing")
        shown: list[Any] = []
        for index, element in enumerate(elements):
            below = node.below.get(index, _NOTHING)
            value = self._value(element, below)
            shown.append({"...": self._hide(value)} if below.is_concealed else value)
        return shown

    def _hide(self, *parts: object) -> str:
        encoded = base64url.encode(strict_json.serialise((next(self._salts), *parts)))
        self.disclosures.append(encoded)
        return digest(encoded, self._hash)


def _salts(count: int) -> Iterator[str]:
    """Return ``count`` independent salts, taken from the system's generator in one reading."""
    drawn = secrets.token_bytes(SALT_BYTES * count)
    starts = range(0, len(drawn), SALT_BYTES)
    return iter([base64url.encode(drawn[start : start + SALT_BYTES]) for start in starts])
