"""How the wallet shows what it holds: credentials, history and messages as JSON values in the citizen's language."""

from collections.abc import Mapping
from typing import Any

from comity.web import i18n
from wallet.holdings import Held
from wallet.records import Kept
from wallet.watching import Change, state_of


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
