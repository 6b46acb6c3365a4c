"""What a verifier itself says that its question is for, inside its request. Nobody has checked a word of it.

OpenID4VP 1.0 has no member for it; verifiers write it where drafts had it or where their profiles do: ``purpose`` of a
credential set (drafts of §6.2), of ``client_metadata`` (with the language tags of RFC 7591 §2.2), or of an entry of
``verifier_info`` that is an object. The purposes that an authority registered are another matter:
:mod:`comity.trust.entitlement`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from comity.openid.members import Members

MOST, LANGUAGES, LENGTH = 4, 16, 400
"""So many purposes of a request are kept, in so many languages each, of so many characters; the rest is left out."""

UNTAGGED = ""
"""Stands for the language of words whose language is not said."""

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\Z", re.ASCII)


class StatedPurpose(Struct, frozen=True, kw_only=True):
    """One purpose: pairs of a language tag in lower case, or :data:`UNTAGGED`, and the words. Never empty."""

    words: tuple[tuple[str, str], ...]


def read(members: Members) -> tuple[StatedPurpose, ...]:
    """Return what the parameters of a request state, each once, at most :data:`MOST`.

    Nothing is refused: whatever is of another shape states nothing, as any member that nobody knows (§5).
    """
    found = (_purpose(each) for each in _stated(members.value))
    return tuple(dict.fromkeys(each for each in found if each is not None))[:MOST]


def _stated(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield words by language for each place where a purpose may stand."""
    for each in _objects(_object(request.get("dcql_query")).get("credential_sets")):
        yield _by_language(each.get("purpose"))
    metadata = _object(request.get("client_metadata"))
    tagged = {name.partition("#")[2]: metadata[name] for name in metadata if name.startswith("purpose#")}
    yield {**_by_language(metadata.get("purpose")), **tagged}
    for each in _objects(request.get("verifier_info")):
        yield _by_language(_object(each.get("data")).get("purpose"))


def _by_language(value: object) -> dict[str, Any]:
    """Read ``"words"``, ``{"fr": "words"}`` or ``[{"lang": "fr", "value": "words"}]``."""
    if isinstance(value, list):
        return {str(each.get("lang", UNTAGGED)): each.get("value") for each in _objects(value)}
    return dict(value) if isinstance(value, Mapping) else {UNTAGGED: value}


def _purpose(by_language: Mapping[str, Any]) -> StatedPurpose | None:
    words = {
        tag.lower() if _TAG.match(tag) else UNTAGGED: _shortened(text)
        for tag, text in by_language.items()
        if isinstance(text, str) and text.strip()
    }
    return StatedPurpose(words=tuple(words.items())[:LANGUAGES]) if words else None


def _shortened(text: str) -> str:
    """Return one line of text that a page has room for."""
    line = " ".join(text[: 4 * LENGTH].split())
    return line if len(line) <= LENGTH else line[: LENGTH - 1] + "…"


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
