"""Transactions as the person sees them before agreeing (OpenID4VP 1.0 §5.1, §14.6; VP-30)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from comity import dcql
from comity.openid.presentation import transaction_data
from comity.openid.presentation.transaction_data import Transaction
from comity.web import i18n
from schemas import transactions


def require_possible(asked: Sequence[Transaction], match: dcql.Match) -> None:
    """Refuse a request with a transaction that nothing held could authorise.

    Raises:
        OAuthError: ``invalid_transaction_data``.
    """
    transaction_data.carriers(asked, list(match.candidates))


def shown(asked: Sequence[Transaction], language: str) -> list[dict[str, Any]]:
    """Return each transaction in words, with every member of it under its label: nothing is signed unseen."""
    return [_shown(each, language) for each in asked]


def claims_of(asked: Sequence[Transaction], answered: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return, by query id, what the holder's proof says of the transactions that it authorises.

    Raises:
        OAuthError: ``invalid_transaction_data``: a transaction none of whose credentials is among ``answered``.
    """
    chosen = transaction_data.carriers(asked, answered)
    return {query_id: transaction_data.proof_claims(each) for query_id, each in chosen.items()}


def _shown(asked: Transaction, language: str) -> dict[str, Any]:
    kind = transactions.type_of(asked.type)
    worded = {name: _in_words(kind, asked.fields, name, language) for name in asked.fields}
    return {
        "type": asked.type,
        "title": i18n.pick(kind["title"], language),
        "words": i18n.pick(kind["words"], language).format_map(worded),
        "members": [
            {"member": name, "label": i18n.pick(kind["labels"][name], language), "words": worded[name]}
            for name in kind["labels"]
            if name in worded
        ],
        "credential_ids": list(asked.credential_ids),
    }


def _in_words(kind: Mapping[str, Any], fields: Mapping[str, Any], name: str, language: str) -> str:
    value = str(fields[name])
    if name in kind.get("money", {}):
        return i18n.money(value, str(fields[kind["money"][name]]), language)
    return i18n.date(date.fromisoformat(value), language) if name in kind.get("days", ()) else value
