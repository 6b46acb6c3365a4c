"""Nothing in the wallet answers: what was asked for, and telling the verifier so, if the person wants that (DQ-5)."""

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from comity.errors import Code, ComityError, Conflict, NotFound
from wallet import holdings
from wallet.pages import cards
from wallet.pages.face import Face
from wallet.parties import party
from wallet.records import DOOR, Kept, OpenWallet
from wallet.unanswered import NothingAnswers


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.get("/unanswered/{door_id}")
    async def show(request: Request) -> Response:
        wallet, language = await face.wallet(request), face.language(request)
        found = await _find(wallet, request)
        return pages.render(
            request,
            "nothing_answers.html",
            who=found.content["who"],
            asker=party(found.content["who"], language),
            asked=_asked(found, language),
            is_told=found.content["told"],
        )

    @routes.post("/unanswered/{door_id}")
    async def tell(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        found = await _find(wallet, request)
        here = f"/unanswered/{found.id}"
        if not form.is_genuine or found.content["told"]:
            return pages.to(request, here)
        with suppress(_Twice):
            await _tell(face, wallet, found)
        return pages.to(request, here)

    return routes


class _Twice(Exception):
    """The same form was sent twice: the verifier is told once."""


async def _tell(face: Face, wallet: OpenWallet, found: Kept) -> None:
    """Note that the verifier is told, and tell it; the note goes again when it cannot be told."""
    try:
        await wallet.put(DOOR, found.id, {**found.content, "told": True}, version=found.version + 1)
    except Conflict:
        raise _Twice from None
    try:
        await face.deployment.presenting.refuse(wallet, found.content["link"])
    except ComityError:
        await wallet.put(DOOR, found.id, found.content, version=found.version + 2)
        raise


async def keep(wallet: OpenWallet, link: str, nothing: NothingAnswers) -> str:
    """Keep a request that nothing answers for its page; returns the name under which it is kept."""
    door_id = holdings.new_id()
    content = {
        "what": "unanswered",
        "link": link,
        "who": dict(nothing.who),
        "asked": [[name, claims] for name, claims in nothing.asked],
        "told": False,
    }
    await wallet.put(DOOR, door_id, content)
    return door_id


async def _find(wallet: OpenWallet, request: Request) -> Kept:
    found = await wallet.find(DOOR, request.path_params["door_id"])
    if found is None or found.content.get("what") != "unanswered":
        raise NotFound(Code.REQUEST_UNKNOWN, "this request is not open here any more; scan it again")
    return found


def _asked(found: Kept, language: str) -> list[dict[str, Any]]:
    """Return what is asked for in words, once: a verifier asks for each format of a type."""
    asked = [
        {"title": cards.type_title(name, language), "claims": cards.labels(name, claims, language)}
        for name, claims in found.content["asked"]
    ]
    return [each for number, each in enumerate(asked) if each not in asked[:number]]
