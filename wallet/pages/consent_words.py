"""What a consent is about, in the language of the page: transactions, warnings, and what vouches for who asks."""

from collections.abc import Mapping
from typing import Any

from comity import dcql
from comity.trust.snapshot import RegistrySnapshot
from comity.web import i18n
from wallet import transactions
from wallet.pages import cards
from wallet.presenting import SCANNED, Consent
from wallet.unanswered import asked_types

_PASSED = "passed"


def confirmed(consent: Consent, language: str) -> list[dict[str, Any]]:
    """Return each transaction that agreeing confirms, with every member of it (OpenID4VP 1.0 §14.6; VP-30).

    The words are made anew from the request that the digest covers: toggling the language changes nothing else.
    """
    return transactions.shown(consent.request.transactions, language)


def lacking(consent: Consent, language: str) -> list[str]:
    """Return the titles of what is asked for without obligation and is not here, by the favourite of each set."""
    query, missing = consent.request.query, set(consent.content["missing"])
    wanted = [
        each.options[0]
        for each in dcql.sets_of(query)
        if not each.required and all(missing.intersection(option) for option in each.options)
    ]
    ids = {query_id for option in wanted for query_id in option if query_id in missing}
    names = dict(zip([each.id for each in query.credentials], asked_types(query), strict=True))
    return list(dict.fromkeys(cards.type_title(name, language) for each, (name, _) in names.items() if each in ids))


def warnings(content: Mapping[str, Any], language: str) -> list[str]:
    """Return what the person should think of before agreeing."""
    before_keys_were_kept = [SCANNED] if content["warnings"] else []
    return [i18n.text(each, language) for each in content.get("warned", before_keys_were_kept)]


def facts(who: Mapping[str, Any], snapshot: RegistrySnapshot | None, language: str) -> list[dict[str, str]]:
    """Return separate facts about who asks, each ``{kind, words}``: known? entitled to all of it? who attests it?"""
    said = [{"kind": "good" if who["known"] else "bad", "words": _known(who, language)}]
    if who["known"]:
        is_entitled = who["may_ask"] == _PASSED
        words = i18n.text(f"wallet.consent.{'entitled' if is_entitled else 'not_entitled'}", language)
        said.append({"kind": "good" if is_entitled else "bad", "words": words})
    if who.get("entitlement"):
        said.append(_attested(who["entitlement"], snapshot, language))
    return said


def _known(who: Mapping[str, Any], language: str) -> str:
    """Return how it is known who asks: listed, attested by somebody who is listed for that, or not at all."""
    if who.get("attested_by"):
        return i18n.text("wallet.consent.vouched", language, by=i18n.pick(who["attested_by"], language))
    return i18n.text(f"wallet.consent.{'known' if who['known'] else 'unknown'}", language)


def over_asking(who: Mapping[str, Any], language: str) -> str:
    """Return why the registry does not let a known verifier ask for all of this; empty when it does."""
    if not who["known"] or who["may_ask"] == _PASSED:
        return ""
    key = f"codes.{who['code']}.meaning"
    return i18n.text(key, language) if i18n.has(key, language) else i18n.text("wallet.over_asking", language)


def _attested(entitlement: Mapping[str, Any], snapshot: RegistrySnapshot | None, language: str) -> dict[str, str]:
    """Return the fact about an entitlement that was shown: who attests it, or why it counts for nothing."""
    if entitlement["answer"] == _PASSED:
        by = _jurisdiction(str(entitlement["jurisdiction"]), snapshot, language)
        return {"kind": "good", "words": i18n.text("wallet.consent.attested", language, by=by)}
    why = i18n.text(f"codes.{entitlement['code']}.title", language)
    return {"kind": "bad", "words": i18n.text("wallet.consent.not_attested", language, why=why)}


def _jurisdiction(name: str, snapshot: RegistrySnapshot | None, language: str) -> str:
    found = snapshot.federation.member(name) if snapshot is not None else None
    return i18n.pick(found.name, language) if found is not None else name
