"""What issuers have promised and not delivered yet: shown among the cards, and given up when the person says so."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from comity.errors import NotFound
from comity.web import i18n
from wallet import deferred
from wallet.pages.face import Face
from wallet.records import OpenWallet


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.post("/on-the-way/{line_id}/give-up")
    async def give_up(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        if form.is_genuine:
            with suppress(NotFound):  # the form was sent twice, or it came meanwhile
                await face.deployment.receiving.give_up(wallet, request.path_params["line_id"])
        return pages.to(request, "/")

    return routes


async def shown(face: Face, wallet: OpenWallet, language: str) -> list[dict[str, Any]]:
    """Return what is still on its way."""
    return [_line(face, deferred.document(each, language), language) for each in await deferred.on_the_way(wallet)]


def _line(face: Face, told: dict[str, Any], language: str) -> dict[str, Any]:
    snapshot = face.snapshot()
    entries = snapshot.issuers() if snapshot is not None else ()
    entry = next((each for each in entries if each.identifier.id == told["issuer"]), None)
    name = i18n.pick(entry.name, language) if entry is not None else told["issuer"]
    return {**told, "issuer": name, "since": datetime.fromisoformat(told["since"])}
