"""Consent: who asks, why, what leaves with its value, what stays; the answer; and what came of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from comity.errors import Code, Malformed, Unreachable
from comity.web import i18n
from comity.web.forms import Form
from wallet import holdings
from wallet.choosing import Selection, alternatives
from wallet.holdings import Held
from wallet.pages import cards, consent_words
from wallet.pages.face import Face
from wallet.parties import party, stated
from wallet.presenting import Consent, Presented
from wallet.records import DOOR, HISTORY, OpenWallet

_CHOICE = "choice."
_OF = "/"
"""Between a query and a credential; neither's name holds it."""


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.get("/requests/{consent_id}")
    async def show(request: Request) -> Response:
        wallet = await face.wallet(request)
        consent = await _consent(face, wallet, request)
        if consent is None:
            return pages.to(request, f"/requests/{request.path_params['consent_id']}/done")
        return await _show(face, request, wallet, consent, Form())

    @routes.post("/requests/{consent_id}")
    async def decide(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        consent = await _consent(face, wallet, request)
        if consent is None:
            return pages.to(request, f"/requests/{request.path_params['consent_id']}/done")
        if not form.is_ok:
            return await _show(face, request, wallet, consent, form, status=422)
        return await _answer(face, request, wallet, consent, form)

    @routes.get("/requests/{consent_id}/done")
    async def done(request: Request) -> Response:
        answer = await _answer_of(await face.wallet(request), request.path_params["consent_id"])
        if answer is None:
            return pages.render(request, "answered.html", status=404, outcome="nothing", who="", shared=(), back=None)
        language = face.language(request)
        shared = [label for name, claims in answer["shared"] for label in cards.labels(name, claims, language)]
        who = party(answer["who"], language)
        return pages.render(request, "answered.html", **{**answer, "shared": shared, "who": who})

    return routes


async def _answer_of(wallet: OpenWallet, consent_id: str) -> dict[str, Any] | None:
    """Return what came of a question; None when that is not noted anywhere.

    Until the verifier has answered, as after a second press of the button, the line of the history says it.
    """
    found = await wallet.find(DOOR, consent_id)
    if found is not None and found.content.get("what") == "answer":
        return dict(found.content)
    lines = [each.content for each in await wallet.all(HISTORY) if each.content.get("consent") == consent_id]
    if not lines:
        return None
    shared = [[each.get("type_name", ""), each["claims"]] for each in lines[-1].get("shared", ())]
    outcome = lines[-1].get("outcome", "declined")
    return {"outcome": outcome, "who": lines[-1]["who"], "shared": shared, "back": None}


async def _consent(face: Face, wallet: OpenWallet, request: Request) -> Consent | None:
    """Return the question that is open; None too for a website's: only whoever passed it on can return the answer."""
    found = await face.deployment.presenting.find(wallet, request.path_params["consent_id"])
    return found if found is None or found.content["origin"] is None else None


async def _answer(face: Face, request: Request, wallet: OpenWallet, consent: Consent, form: Form) -> Response:
    """Send what the person agreed to, or the person's no."""
    presenting, digest = face.deployment.presenting, form.values.get("digest", "")
    outcome = "sent" if form.values.get("answer") == "agree" else "declined"
    selection = _selection(form, consent) if outcome == "sent" else {}
    if outcome == "sent" and not selection:  # an answer without one would choose for the person
        form.fail("", "wallet.consent.incomplete")
        return await _show(face, request, wallet, consent, form, status=422)
    try:
        if outcome == "sent":
            presented = await presenting.answer(wallet, consent.id, digest=digest, selection=selection)
        else:
            presented = await presenting.decline(wallet, consent.id, digest=digest)
    except Unreachable:
        form.fail("", "wallet.consent.not_reached")
        return await _show(face, request, wallet, consent, form, status=502)
    except Malformed as error:
        if error.code is not Code.NO_MATCHING_CREDENTIAL:
            raise
        form.fail("", "wallet.consent.incomplete")
        return await _show(face, request, wallet, consent, form, status=422)
    await _note(wallet, consent, presented, outcome, selection)
    return face.pages.to(request, f"/requests/{consent.id}/done")


async def _note(wallet: OpenWallet, consent: Consent, presented: Presented, outcome: str, selection: Selection) -> None:
    """Keep what came of it for the page that follows; the journal has its own line."""
    shared = [
        [each.get("type_name", ""), [claim["claim"] for claim in each["leaving"]]]
        for each in consent.content["credentials"]
        if each["credential_id"] in selection.get(each["query_id"], ())
    ]
    content = {
        "what": "answer",
        "outcome": outcome,
        "who": consent.content["who"],
        "back": presented.redirect_uri,
        "shared": shared,
    }
    await wallet.put(DOOR, consent.id, content)


def _selection(form: Form, consent: Consent) -> dict[str, tuple[str, ...]]:
    """Return what the person chose for each query that is answered; a choice names its query where a group has several.

    What is sent is judged by :func:`wallet.choosing.choose`.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    for group in dict.fromkeys(each["query_id"] for each in consent.content["credentials"]):
        for text in filter(None, form.texts(_CHOICE + group)):
            other, _, credential = text.rpartition(_OF)
            chosen[other or group] = (*chosen.get(other or group, ()), credential)
    return chosen


async def _show(
    face: Face, request: Request, wallet: OpenWallet, consent: Consent, form: Form, *, status: int = 200
) -> Response:
    language, content = face.language(request), consent.content
    who, snapshot = content["who"], face.snapshot()
    held = {each.id: each for each in await holdings.all_held(wallet)}
    return face.pages.render(
        request,
        "consent.html",
        status=status,
        form=form,
        consent=consent,
        asker=party(who, language),
        who=who,
        is_known=who["known"],
        facts=consent_words.facts(who, snapshot, language),
        over_asking=consent_words.over_asking(who, language),
        warnings=consent_words.warnings(content, language),
        confirmed=consent_words.confirmed(consent, language),
        purposes=[_purpose(each, language) for each in content["purposes"]],
        stated=stated(content, language),
        groups=_groups(face, consent, held, language),
        lacking=consent_words.lacking(consent, language),
        ends_at=datetime.fromisoformat(content["expires_at"]),
    )


def _purpose(purpose: str, language: str) -> str:
    key = f"wallet.purpose.{purpose.replace('-', '_')}"
    return i18n.text(key, language) if i18n.has(key, language) else purpose


def _groups(face: Face, consent: Consent, held: Mapping[str, Held], language: str) -> list[dict[str, Any]]:
    """Return one group for each question, with every credential that could answer it, in the page's language.

    Where a question takes several presentations (``multiple``, DQ-1), any number of its group can be chosen. Questions
    any one of which is enough are one group: of two cards that would do, one is chosen.

    What was noted when the request was opened says which claims leave; their words are made anew, so that the page
    reads the same in both languages.
    """
    content, query = consent.content, consent.request.query
    shown = [each for each in content["credentials"] if each["credential_id"] in held]
    one_of = alternatives(query, {each["query_id"] for each in shown})
    group_of = {query_id: ids[0] for ids in one_of for query_id in ids}
    needed = [*content["needed"], *(ids[0] for ids in one_of)]
    groups: dict[str, dict[str, Any]] = {}
    for each in sorted(shown, key=lambda each: bool(held[each["credential_id"]].about["codes"])):
        name = group_of.get(each["query_id"], each["query_id"])
        asked = query.credential(name)
        new = {"id": name, "needed": name in needed, "many": bool(asked and asked.multiple), "options": []}
        groups.setdefault(name, new)["options"].append(
            _option(face, each, held[each["credential_id"]], language, group=name)
        )
    order = dict.fromkeys([*content["needed"], *(each["query_id"] for each in content["credentials"])])
    return [groups[each] for each in order if each in groups]


def _option(face: Face, shown: Mapping[str, Any], held: Held, language: str, *, group: str) -> dict[str, Any]:
    drawn = cards.card(held, language, face.deployment.clock.now(), face.snapshot())
    leaving = [held.described(each["claim"], each["value"], language) for each in shown["leaving"]]
    is_own = shown["query_id"] == group
    return {
        "value": held.id if is_own else f"{shown['query_id']}{_OF}{held.id}",
        "card": drawn,
        "leaving": leaving,
        "staying": [held.label(each["claim"], language) for each in shown["staying"]],
    }
