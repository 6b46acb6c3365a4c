"""How the wallet shows what it holds: credentials, history and messages as JSON values in the citizen's language."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from comity.openid.presentation.stated_purpose import UNTAGGED
from comity.web import i18n
from wallet.holdings import Held
from wallet.records import Kept
from wallet.watching import Change, state_of


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


def credential(held: Held, language: str, *, with_claims: bool) -> dict[str, Any]:
    """Return one credential for people; its claims only on its own page."""
    about, processed = held.about, held.processed
    state = state_of(about)
    shown: dict[str, Any] = {
        "id": held.id,
        "title": held.title(language),
        "format": held.signed.format.value,
        "type": processed.type_name,
        "issuer": about["issuer"],
        "issuer_name": i18n.pick(about["issuer_name"], language) if about["issuer_name"] else None,
        "recognised": about["recognised"],
        "state": state,
        "state_in_words": i18n.text(f"codes.{state}.title", language),
        "status": about["status"],
        "status_checked_at": about["checked_at"],
        "valid_until": processed.valid_until.isoformat() if processed.valid_until else None,
        "received_at": held.received_at.isoformat(),
    }
    if with_claims:
        shown["claims"] = [held.described(name, value, language) for name, value in processed.claims.items()]
    return shown


def change(each: Change, language: str) -> dict[str, Any]:
    """Return one change of a credential's state in plain words."""
    return {
        "credential": each.credential_id,
        "before": each.before,
        "now": each.now,
        "words": words(each.now, language),
    }


def message(kept: Kept, language: str) -> dict[str, Any]:
    """Return one message in plain words."""
    told: Mapping[str, Any] = kept.content
    return {"id": kept.id, "at": kept.created_at.isoformat(), **told, "words": words(str(told["now"]), language)}


def words(code: str, language: str) -> str:
    """Return what a new state means for the citizen, in plain words."""
    key = f"wallet.changed.{code}"
    return i18n.text(key, language) if i18n.has(key, language) else i18n.text(f"codes.{code}.meaning", language)
