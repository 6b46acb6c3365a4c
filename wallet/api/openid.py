"""What a citizen does with credentials: receive, look, present, delete. The protocols run behind these routes."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import JSONResponse, Response

from comity.web.problems import language_of
from comity.web.routes import LateRoute
from wallet import deferred, holdings, shown
from wallet.api import read
from wallet.api.session import check_origin, members, wallet_of
from wallet.deployment import Deployment
from wallet.opening import DigitalRequest
from wallet.receiving import Terms
from wallet.records import HISTORY, MESSAGE


def router(deployment: Deployment, public_url: str) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1", route_class=LateRoute)
    _add_receiving(routes, deployment, public_url)
    _add_presenting(routes, deployment, public_url)
    _add_looking(routes, deployment, public_url)
    _add_remembering(routes, deployment, public_url)
    return routes


def _add_receiving(routes: APIRouter, deployment: Deployment, public_url: str) -> None:
    custody, receiving = deployment.custody, deployment.receiving

    @routes.post("/offers/preview")
    async def preview(request: Request) -> dict[str, Any]:
        """Show an offer before anything is taken: ``{offer}``, the scanned or pasted link."""
        sent = await members(request, public_url)
        await wallet_of(request, custody)
        return (await receiving.preview(read.text(sent, "offer"))).document(language_of(request))

    @routes.post("/credentials", status_code=201)
    async def receive(request: Request) -> Response:
        """Take an offer: ``{offer, transaction_code?, configuration_ids?, same_key_as?, keep_unrecognised?}``."""
        sent = await members(request, public_url)
        wallet = await wallet_of(request, custody)
        terms = Terms(
            transaction_code=read.optional_text(sent, "transaction_code"),
            configuration_ids=read.texts(sent, "configuration_ids"),
            same_key_as=read.optional_text(sent, "same_key_as"),
            keep_unrecognised=read.flag(sent, "keep_unrecognised"),
        )
        kept = await receiving.receive(wallet, read.text(sent, "offer"), terms)
        language = language_of(request)
        credentials = [
            {
                **shown.credential(await holdings.find_held(wallet, each.credential_id), language, with_claims=False),
                "result": dict(each.report),
            }
            for each in kept
        ]
        waiting = [deferred.document(each, language) for each in await deferred.on_the_way(wallet)]
        return JSONResponse({"credentials": credentials, "on_the_way": waiting}, 201)

    @routes.get("/on-the-way")
    async def on_the_way(request: Request, afterwards: BackgroundTasks) -> dict[str, Any]:
        """List what issuers have promised, after asking those whose interval is over; nobody waits long for them."""
        wallet, language = await wallet_of(request, custody), language_of(request)
        afterwards.add_task(await deployment.patience.ask(wallet, receiving.collect))
        return {"on_the_way": [deferred.document(each, language) for each in await deferred.on_the_way(wallet)]}

    @routes.delete("/on-the-way/{line_id}")
    async def give_up(line_id: str, request: Request) -> dict[str, Any]:
        """Let go of what is on its way; the issuer is told where it wants to know."""
        check_origin(request, public_url)
        await receiving.give_up(await wallet_of(request, custody), line_id)
        return {"given_up": line_id}


def _add_presenting(routes: APIRouter, deployment: Deployment, public_url: str) -> None:
    custody, presenting = deployment.custody, deployment.presenting

    @routes.post("/presentations", status_code=201)
    async def open_request(request: Request) -> Response:
        """Open a request: ``{request, scanned?}``, the scanned or pasted link. Nothing leaves yet."""
        sent = await members(request, public_url)
        wallet = await wallet_of(request, custody)
        link, is_scanned = read.text(sent, "request"), read.flag(sent, "scanned")
        consent = await presenting.open_request(wallet, link, language=language_of(request), is_scanned=is_scanned)
        return JSONResponse(consent.document(), 201)

    @routes.post("/presentations/refusal")
    async def refuse(request: Request) -> dict[str, Any]:
        """Tell a verifier that its request cannot be answered: ``{request}``, only because the person wants that."""
        sent = await members(request, public_url)
        wallet = await wallet_of(request, custody)
        return {"error": (await presenting.refuse(wallet, read.text(sent, "request"))).value}

    @routes.post("/digital-credentials", status_code=201)
    async def open_digital(request: Request) -> Response:
        """Open what a website asks by the browser's API: ``{origin, protocol, data}``, by the platform."""
        sent = await members(request, public_url)
        wallet = await wallet_of(request, custody)
        made = DigitalRequest(
            origin=read.text(sent, "origin"), protocol=read.text(sent, "protocol"), data=read.document(sent, "data")
        )
        consent = await presenting.open_request(wallet, made, language=language_of(request))
        return JSONResponse(consent.document(), 201)

    @routes.post("/presentations/{consent_id}/answer")
    async def answer(consent_id: str, request: Request) -> dict[str, Any]:
        """Agree with ``{digest, selection?}`` or refuse with ``{digest, decline: true}``."""
        sent = await members(request, public_url)
        wallet = await wallet_of(request, custody)
        digest = read.text(sent, "digest")
        if read.flag(sent, "decline"):
            presented = await presenting.decline(wallet, consent_id, digest=digest)
        else:
            selection = read.lists(sent, "selection")
            presented = await presenting.answer(wallet, consent_id, digest=digest, selection=selection)
        told = {"redirect_uri": presented.redirect_uri, "credentials": list(presented.credentials)}
        return told if presented.data is None else {**told, "data": dict(presented.data)}


def _add_looking(routes: APIRouter, deployment: Deployment, public_url: str) -> None:
    custody, watching = deployment.custody, deployment.watching

    @routes.get("/credentials")
    async def list_credentials(request: Request, afterwards: BackgroundTasks) -> dict[str, Any]:
        """List what is held, after looking again at what was not looked at for a while; copies are refilled later."""
        wallet, language = await wallet_of(request, custody), language_of(request)
        afterwards.add_task(await deployment.patience.ask(wallet, deployment.receiving.collect))
        afterwards.add_task(deployment.refilling.refill, wallet)
        await watching.look_if_due(wallet)
        held, damaged = await holdings.survey(wallet)
        credentials = [shown.credential(each, language, with_claims=False) for each in held]
        waiting = [deferred.document(each, language) for each in await deferred.on_the_way(wallet)]
        return {"credentials": credentials, "damaged": damaged, "on_the_way": waiting}

    @routes.get("/credentials/{credential_id}")
    async def show(credential_id: str, request: Request) -> dict[str, Any]:
        """Show one credential with its claims."""
        wallet = await wallet_of(request, custody)
        held = await holdings.find_held(wallet, credential_id)
        return shown.credential(held, language_of(request), with_claims=True)

    @routes.get("/credentials/{credential_id}/raw")
    async def raw(credential_id: str, request: Request) -> Response:
        """Return the credential's own bytes, for the person to keep or to have looked at."""
        held = await holdings.find_held(await wallet_of(request, custody), credential_id)
        return Response(held.signed.encoded, media_type=f"application/{held.signed.format}")

    @routes.delete("/credentials/{credential_id}")
    async def delete(credential_id: str, request: Request) -> dict[str, Any]:
        """Delete one credential; it can only be had again from its issuer."""
        check_origin(request, public_url)
        wallet = await wallet_of(request, custody)
        await holdings.forget(wallet, credential_id)
        return {"deleted": credential_id}


def _add_remembering(routes: APIRouter, deployment: Deployment, public_url: str) -> None:
    custody, watching = deployment.custody, deployment.watching

    @routes.get("/history")
    async def history(request: Request) -> dict[str, Any]:
        """List what was received, shared, declined and deleted; with whom, which claims, never their values."""
        lines = await (await wallet_of(request, custody)).all(HISTORY)
        return {"history": [{"id": each.id, "at": each.created_at.isoformat(), **each.content} for each in lines]}

    @routes.post("/status-refresh")
    async def refresh(request: Request) -> dict[str, Any]:
        """Look at every credential's status now; returns what changed."""
        await members(request, public_url)
        wallet, language = await wallet_of(request, custody), language_of(request)
        changes = await watching.look(wallet)
        return {"changes": [shown.change(each, language) for each in changes]}

    @routes.get("/messages")
    async def messages(request: Request) -> dict[str, Any]:
        """List what the wallet has to tell."""
        told = await (await wallet_of(request, custody)).all(MESSAGE)
        return {"messages": [shown.message(each, language_of(request)) for each in told]}
