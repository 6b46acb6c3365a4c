"""History: what was received, shared with whom, declined, refused, deleted. Names of claims, never their values."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from comity.errors import Code
from comity.web import i18n
from wallet import holdings, parties
from wallet.holdings import Held
from wallet.pages import cards
from wallet.pages.face import Face
from wallet.records import ALWAYS_NOTED, HISTORY, Kept

_SIGNS = {
    "received": ("good", "card"),
    "presented": ("info", "arrow"),
    "unanswerable": ("quiet", "cross"),
    "declined": ("quiet", "cross"),
    "offer_declined": ("quiet", "cross"),
    "refused": ("bad", "warn"),
    "not_received": ("bad", "warn"),
    "given_up": ("quiet", "cross"),
    "deleted": ("quiet", "bin"),
    "recovery_code_used": ("warn", "lock"),
}

_NOTHING_KNOWN = frozenset({Code.OK.value, Code.NOT_NEEDED.value})
"""Codes of a status at the time of sharing that need no words."""


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.get("/history")
    async def history(request: Request) -> Response:
        wallet, language = await face.wallet(request), face.language(request)
        held = {each.id: each for each in await holdings.all_held(wallet)}
        lines = [_line(each, held, language) for each in reversed(await wallet.all(HISTORY))]
        is_kept, is_gone = await wallet.keeps_history(), "gone" in request.query_params
        return pages.render(request, "history.html", lines=lines, is_kept=is_kept, is_gone=is_gone)

    @routes.post("/history/switch")
    async def switch(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        wish = form.choice("wish", ("on", "off"))
        if form.is_ok:
            await wallet.keep_history(on=wish == "on")
        return pages.to(request, "/history")

    @routes.post("/history/{line_id}/delete")
    async def delete(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        line = await wallet.find(HISTORY, request.path_params["line_id"])
        if form.is_genuine and line is not None and _may_go(line):
            await wallet.delete(HISTORY, line.id)
            return pages.to(request, "/history?gone=yes")
        return pages.to(request, "/history")

    return routes


def _may_go(line: Kept) -> bool:
    """Say whether a line can be taken away: not the one by which an owner sees that somebody used the recovery code."""
    return line.content["what"] not in ALWAYS_NOTED


def _line(line: Kept, held: dict[str, Held], language: str) -> dict[str, Any]:
    content = line.content
    what = str(content["what"])
    kind, sign = _SIGNS.get(what, ("quiet", "info"))
    who = content.get("who")
    credential = held.get(str(content.get("credential", "")))
    return {
        "id": line.id,
        "at": line.created_at,
        "may_go": _may_go(line),
        "kind": kind,
        "sign": sign,
        "what": f"wallet.did.{what}",
        "outcome": f"wallet.did_outcome.{content['outcome']}" if content.get("outcome") not in {None, "sent"} else "",
        "title": credential.title(language) if credential else "",
        "who": parties.party(who, language) if who else _issuer(content, credential, language),
        "authorised": content.get("authorised", ()),
        "shared": [_shared(each, held, language) for each in content.get("shared", ())],
        "codes": [f"codes.{each}.title" for each in content.get("codes", ())],
    }


def _shared(each: dict[str, Any], held: dict[str, Held], language: str) -> dict[str, Any]:
    credential = held.get(each["credential"])
    type_name = credential.processed.type_name if credential else str(each.get("type_name", ""))
    return {
        "title": cards.type_title(type_name, language) if type_name else each["title"],
        "claims": cards.labels(type_name, list(each["claims"]), language),
        "stood": f"codes.{each['status']}.title" if each.get("status", "ok") not in _NOTHING_KNOWN else "",
    }


def _issuer(content: Any, credential: Held | None, language: str) -> str:
    if credential is not None and credential.about["issuer_name"]:
        return i18n.pick(credential.about["issuer_name"], language)
    return str(content.get("issuer", ""))
