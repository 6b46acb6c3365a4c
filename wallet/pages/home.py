"""What the wallet holds: the cards, one card, its deletion, and what changed."""

from contextlib import suppress
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.responses import Response

from comity.errors import NotFound
from wallet import holdings, parties, shown
from wallet.api.session import COOKIE
from wallet.pages import cards, renewing, waiting
from wallet.pages.face import Face
from wallet.records import HISTORY, MESSAGE, OpenWallet
from wallet.watching import state_of

MANY = 8
"""From this number of cards on there is a field to find one."""


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes = face.routes()
    _add_home(routes, face)
    _add_card(routes, face)
    _add_deletion(routes, face)
    return routes


def _add_home(routes: APIRouter, face: Face) -> None:
    pages, deployment = face.pages, face.deployment

    @routes.get("/")
    async def home(request: Request) -> Response:
        if not request.cookies.get(COOKIE):
            return pages.render(request, "welcome.html")
        wallet, language = await face.wallet(request), face.language(request)
        await deployment.watching.look_if_due(wallet)
        # What was promised is asked after (§9.2: no sooner than the issuer says), and the page does not wait long.
        asked = await deployment.patience.ask(wallet, deployment.receiving.collect)
        on_the_way = await waiting.shown(face, wallet, language)
        held, damaged = await holdings.survey(wallet)
        now, snapshot = deployment.clock.now(), face.snapshot()
        drawn = [
            cards.card(each, language, now, snapshot, href=f"/{language}/cards/{each.id}") for each in reversed(held)
        ]
        answer = pages.render(
            request,
            "home.html",
            cards=drawn,
            has_many=len(drawn) >= MANY,
            damaged=len(damaged),
            messages=await _messages(wallet, language),
            on_the_way=on_the_way,
            is_gone="gone" in request.query_params,
        )
        # Afterwards: an issuer that is down must not hold the page for what nobody waits for.
        answer.background = BackgroundTasks(
            [BackgroundTask(asked), BackgroundTask(deployment.refilling.refill, wallet)]
        )
        return answer

    @routes.post("/messages/{message_id}/seen")
    async def seen(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        if form.is_genuine:
            await wallet.delete(MESSAGE, request.path_params["message_id"])
        return pages.to(request, "/")

    @routes.post("/look")
    async def look(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        if form.is_genuine:
            await deployment.watching.look(wallet)
        return pages.to(request, "/")


async def _messages(wallet: OpenWallet, language: str) -> list[dict[str, str]]:
    """Return what the wallet has to tell, the newest first; what it is about may be gone."""
    told = []
    titles = {each.id: each.title(language) for each in await holdings.all_held(wallet)}
    for each in reversed(await wallet.all(MESSAGE)):
        credential, now = str(each.content["credential"]), str(each.content["now"])
        if credential in titles:
            kind = "good" if now == "ok" else "warn"
            words = shown.words(now, language)
            told.append({"id": each.id, "kind": kind, "title": titles[credential], "words": words})
    return told


def _add_card(routes: APIRouter, face: Face) -> None:
    pages, deployment = face.pages, face.deployment

    @routes.get("/cards/{credential_id}")
    async def show(request: Request) -> Response:
        wallet, language = await face.wallet(request), face.language(request)
        held = await holdings.find_held(wallet, request.path_params["credential_id"])
        now, snapshot = deployment.clock.now(), face.snapshot()
        drawn = cards.card(held, language, now, snapshot)
        claims = [held.described(name, value, language) for name, value in cards.in_order(held)]
        pictures = [each for each in claims if cards.is_picture(each["value"])]
        return pages.render(
            request,
            "card.html",
            card=drawn,
            held=held,
            claims=[each for each in claims if not cards.is_picture(each["value"])],
            pictures=pictures,
            state=state_of(held.about),
            issuer=held.about["issuer"],
            recognised=held.about["recognised"],
            checked_at=datetime.fromisoformat(held.about["checked_at"]),
            shared=await _shared(wallet, held.id, language),
            is_new="new" in request.query_params,
            is_renewed=request.query_params.get("new") == "renewed",
            can_renew=await renewing.can_renew(wallet, held),
        )


async def _shared(wallet: OpenWallet, credential_id: str, language: str) -> list[dict[str, object]]:
    """Return with whom a credential was shared, the newest first."""
    found = []
    for line in reversed(await wallet.all(HISTORY)):
        if any(each["credential"] == credential_id for each in line.content.get("shared", ())):
            who = line.content["who"]
            found.append({"at": line.created_at, "who": parties.party(who, language)})
    return found


def _add_deletion(routes: APIRouter, face: Face) -> None:
    pages, deployment = face.pages, face.deployment

    @routes.get("/cards/{credential_id}/delete")
    async def ask(request: Request) -> Response:
        wallet, language = await face.wallet(request), face.language(request)
        held = await holdings.find_held(wallet, request.path_params["credential_id"])
        drawn = cards.card(held, language, deployment.clock.now(), face.snapshot())
        return pages.render(request, "card_delete.html", card=drawn)

    @routes.post("/cards/{credential_id}/delete")
    async def delete(request: Request) -> Response:
        form = await pages.form(request)
        wallet, credential_id = await face.wallet(request), request.path_params["credential_id"]
        if not form.is_genuine:
            return pages.to(request, f"/cards/{credential_id}/delete")
        with suppress(NotFound):  # the form was sent twice: it is gone already
            await holdings.forget(wallet, credential_id)
        return pages.to(request, "/?gone=yes")
