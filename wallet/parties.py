"""Whoever asks, in words: what it is called, and what it says itself that it asks for."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from comity.openid.presentation.stated_purpose import UNTAGGED
from comity.web import i18n


def party(who: Mapping[str, Any], language: str) -> str:
    """Return what whoever asks is called: as the registry or an attester names it, else the host that gets the answer.

    That host is a fact; a name that a stranger gives itself would not be. An address that is not plain ASCII could look
    like another one: then the identifier itself is told.
    """
    if who["name"]:
        return i18n.pick(who["name"], language)
    host = urlsplit(who.get("origin") or who.get("response_uri") or "").hostname or ""
    return host if host and host.isascii() else str(who["client_id"])


def stated(content: Mapping[str, Any], language: str) -> list[dict[str, str]]:
    """Return what whoever asks says it is for, each ``{words, lang}``: the page's language first, else any there is.

    ``lang`` is empty where nobody says which language the words are in. They are quoted, never vouched for.
    """
    return [_in(each, language) for each in content.get("stated", ())]


def _in(words: Mapping[str, str], language: str) -> dict[str, str]:
    tags = sorted(words, key=lambda tag: (tag.partition("-")[0] != language, tag != UNTAGGED))
    return {"words": words[tags[0]], "lang": tags[0]}
