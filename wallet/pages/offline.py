"""Cards readable without network: what an open wallet hands to its own browser, which seals it before keeping it.

The service worker keeps static files and one page without anybody's data (:mod:`wallet.pages.installing`). What is
kept besides is sealed by ``offline.js`` with a passphrase that never comes here (decision 0034). A copy is for
reading: it holds no holder key, and nothing signed unless the person wants codes for a counter
(:mod:`wallet.pages.offline_codes`).
"""

import asyncio
import hashlib
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from msgspec.structs import asdict
from starlette.responses import JSONResponse, Response

from comity.errors import Code, Malformed
from comity.trust.snapshot import RegistrySnapshot
from comity.web import i18n, shown_text
from wallet import holdings
from wallet.holdings import Held
from wallet.pages import cards, offline_codes
from wallet.pages.face import Face
from wallet.pages.offline_codes import Tells

_OWNER_LENGTH = 22


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.get("/offline")
    async def offline(request: Request) -> Response:
        return pages.render(request, "offline.html")

    @routes.get("/settings/offline")
    async def settings(request: Request) -> Response:
        await face.wallet(request)
        return pages.render(request, "offline_copy.html")

    @routes.get("/offline/copy")
    async def copy(request: Request) -> Response:
        """Answer everything that is readable without network, for the page's script to seal."""
        wallet, tells = await face.wallet(request), _tells(request)
        held = list(reversed(await holdings.all_held(wallet)))
        now, snapshot = face.deployment.clock.now(), face.snapshot()
        drawn = {each: [_readable(one, each, now, snapshot) for one in held] for each in sorted(i18n.LANGUAGES)}
        told = {"owner": owner(wallet.citizen), "taken_at": now.isoformat(), "cards": drawn}
        if tells is not Tells.NOTHING:
            told["codes"] = await _codes(held, tells, request.query_params.get("drawn", ""))
        return JSONResponse(told)

    return routes


def _tells(request: Request) -> Tells:
    try:
        return Tells(request.query_params.get("tells", Tells.NOTHING))
    except ValueError:
        raise Malformed(Code.MALFORMED, "codes tell nothing, the least or the most") from None


async def _codes(held: list[Held], tells: Tells, drawn: str) -> dict[str, Any]:
    """Return the codes in the order of the cards, and their mark; ``codes`` is None when the browser has drawn them."""
    mark = offline_codes.mark(held, tells)
    codes = None if mark == drawn else await asyncio.to_thread(offline_codes.draw, held, tells)
    return {"mark": mark, "codes": codes}


def owner(citizen: str) -> str:
    """Return the mark that tells copies of different people in one browser apart; it names nobody."""
    return hashlib.sha256(b"comity wallet offline copy\0" + citizen.encode()).hexdigest()[:_OWNER_LENGTH]


def _readable(held: Held, language: str, now: datetime, snapshot: RegistrySnapshot | None) -> dict[str, Any]:
    """Return one card with what its own page shows of it, in texts as harmless as those that templates write."""
    shown = asdict(cards.card(held, language, now, snapshot))
    told = [held.described(name, value, language) for name, value in cards.in_order(held)]
    until = held.processed.valid_until
    return {
        **{
            name: shown_text.harmless(shown[name])
            for name in ("css", "title", "issuer", "initials", "holder", "meaning")
        },
        "badge": shown["badge"],
        "checked_at": held.about["checked_at"],
        "valid_until": until.isoformat() if until else None,
        "claims": [_texts(each["label"], each["words"]) for each in told if not cards.is_picture(each["value"])],
        "pictures": [_texts(each["label"], each["value"]) for each in told if cards.is_picture(each["value"])],
    }


def _texts(*texts: str) -> list[str]:
    return [shown_text.harmless(each) for each in texts]
