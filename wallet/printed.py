"""What the commands of a wallet file print before a person agrees: an offer, and what a request would take along."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from comity.web import i18n
from comity.web.shown_text import harmless
from wallet.parties import stated


def preview(document: dict[str, Any], language: str) -> None:
    """Print who offers what, and whether the registry knows the issuer."""
    console = Console(highlight=False)
    console.print(escape(f"{document['issuer']['name'] or ''} {document['issuer']['id']}".lstrip()), style="bold")
    for each in document["credentials"]:
        trust = each["trust"]
        known = i18n.text("wallet.issuer_known" if trust["known"] else "wallet.issuer_unknown", language)
        may = i18n.text("wallet.may_issue" if trust["may_issue"] == "passed" else "wallet.may_not_issue", language)
        console.print(escape(f"  {each['name']} ({each['format']}): {', '.join(each['claims'])}"))
        console.print(escape(f"    {known} {may}"))


def consent(document: dict[str, Any], chosen: list[dict[str, Any]], language: str) -> None:
    """Print who asks, what they say it is for, what would leave and what would stay."""
    console = Console(highlight=False)
    who = document["who"]
    console.print(escape(i18n.text("wallet.asks", language, who=_asking(who, language))), style="bold")
    if not who["known"]:
        console.print(i18n.text("wallet.verifier_unknown", language), style="yellow")
    elif who["may_ask"] != "passed":
        console.print(i18n.text("wallet.over_asking", language), style="yellow")
    for each in (*document["warnings"], *(each["words"] for each in document["transactions"])):
        console.print(escape(each), style="yellow")
    for each in stated(document, language):
        console.print(escape(f"{i18n.text('wallet.consent.says', language)} {harmless(each['words'])}"))
    for each in chosen:
        leaving = "; ".join(
            i18n.text("wallet.claim", language, label=claim["label"], value=claim["words"]) for claim in each["leaving"]
        )
        staying = ", ".join(claim["label"] for claim in each["staying"])
        console.print(escape(f"  {each['title']}"))
        console.print(escape("    " + i18n.text("wallet.leaving", language, claims=leaving)))
        console.print(escape("    " + i18n.text("wallet.staying", language, claims=staying or "–")))


def other_side(content: Mapping[str, Any], language: str) -> str:
    """Return with whom a line of the history was: who asked, listed or not, or the issuer; empty for neither."""
    who = content.get("who")
    return _asking(who, language) if who else str(content.get("issuer", ""))


def _asking(who: Mapping[str, Any], language: str) -> str:
    return i18n.pick(who["name"], language) if who["name"] else str(who["client_id"])
