"""The issuer's half of RFC 9901: put digests in the place of claims."""

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from msgspec import Struct

from comity import base64url, strict_json
from comity.errors import Code, Malformed
from comity.formats.opened import Path
from comity.formats.sd_jwt import RESERVED, digests

SALT_BYTES = 18
"""Bytes of each salt: 144 bits, where RFC 9901 §9.3 asks for 128; a multiple of three, to be encoded all in one."""


class Concealed(Struct, frozen=True, kw_only=True):
    """A payload ready to be signed, and the Disclosures that go with it."""

    payload: dict[str, Any]
    disclosures: tuple[str, ...]


def conceal(
    claims: Mapping[str, Any], paths: Collection[Path], *, decoys: int = 0, hash_name: str = "sha-256"
) -> Concealed:
    """Replace the values at ``paths`` by digests (RFC 9901 §4.2 and §6).

    Each value gets its own random salt; digests stand sorted, so that their order says nothing of the claims'.
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
            payload["_sd"] = sorted([*payload.get("_sd", ()), *digests(islice(salts, decoys), hash_name)])
        payload["_sd_alg"] = hash_name
    return Concealed(payload=payload, disclosures=tuple(concealment.disclosures))


@dataclass(slots=True)
class _Node:
    """What is to be concealed in one object or array: of its members or elements, and further down."""

    concealed: set[str | int] = field(default_factory=set)
    below: dict[str | int, "_Node"] = field(default_factory=dict)

    @property
    def steps(self) -> set[str | int]:
        """Everything in it that a path names."""
        return self.concealed | self.below.keys()


def _plan(paths: Collection[Path]) -> _Node:
    root = _Node()
    for path in paths:
        if not path:
            raise Malformed(Code.CLAIMS_INVALID, "the claims as a whole cannot be concealed")
        node = root
        for step in path[:-1]:
            node = node.below.setdefault(step, _Node())
        node.concealed.add(path[-1])
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
        if not node.steps <= members.keys() or not RESERVED.isdisjoint(members):
            raise Malformed(Code.CLAIMS_INVALID, "a claim to conceal is missing, or a claim has a reserved name")
        shown: dict[str, Any] = {}
        hidden = []
        for name, child in members.items():
            value = self._value(child, node.below.get(name, _NOTHING))
            if name in node.concealed:
                hidden.append(f"{strict_json.text_of(name)},{strict_json.text_of(value)}")
            else:
                shown[name] = value
        if hidden:
            shown["_sd"] = sorted(self._hide(hidden))
        return shown

    def _value(self, value: object, node: _Node) -> object:
        if isinstance(value, dict):
            return self.members(value, node)
        if isinstance(value, (list, tuple)):
            return self._array(value, node)
        if node is not _NOTHING:
            raise Malformed(Code.CLAIMS_INVALID, "a claim to conceal is missing")
        return value

    def _array(self, elements: Sequence[Any], node: _Node) -> list[Any]:
        if not node.steps <= set(range(len(elements))):
            raise Malformed(Code.CLAIMS_INVALID, "an array element to conceal is missing")
        shown: list[Any] = []
        for index, element in enumerate(elements):
            value = self._value(element, node.below.get(index, _NOTHING))
            shown.append({"...": self._hide([strict_json.text_of(value)])[0]} if index in node.concealed else value)
        return shown

    def _hide(self, hidden: Iterable[str]) -> list[str]:
        """Make a Disclosure of each JSON text ``name,value`` or ``element``, and return their digests."""
        try:
            # RFC 9901 §4.2.1 and §4.2.2: an array that begins with the salt, in which nothing needs escaping.
            made = [
                base64url.encode(f'["{salt}",{text}]'.encode()) for text, salt in zip(hidden, self._salts, strict=False)
            ]
        except UnicodeEncodeError:
            raise Malformed(Code.MALFORMED_JSON, "a claim cannot be written as JSON") from None
        self.disclosures += made
        return digests(made, self._hash)


def _salts(count: int) -> Iterator[str]:
    """Return ``count`` independent salts, taken from the system's generator and encoded in one go."""
    drawn, each = base64url.encode(secrets.token_bytes(SALT_BYTES * count)), SALT_BYTES * 4 // 3
    return iter([drawn[start : start + each] for start in range(0, len(drawn), each)])
