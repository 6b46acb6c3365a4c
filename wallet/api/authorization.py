"""Signing in at an issuer: begin, finish with what :mod:`wallet.pages.returning` was brought, and renew."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from comity.openid.authorization import AuthorizationResponse
from comity.web.problems import language_of
from comity.web.routes import LateRoute
from wallet import deferred, holdings, shown
from wallet.api import read
from wallet.api.session import check_origin, members, wallet_of
from wallet.deployment import Deployment
from wallet.keeping import Received
from wallet.receiving import Terms
from wallet.records import OpenWallet

_BROUGHT = ("code", "state", "iss", "error", "error_description")


def router(deployment: Deployment, public_url: str) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(route_class=LateRoute)
    _add_beginning(routes, deployment, public_url)
    _add_finishing(routes, deployment, public_url)
    return routes


def _add_beginning(routes: APIRouter, deployment: Deployment, public_url: str) -> None:
    custody, authorizing = deployment.custody, deployment.authorizing

    @routes.post("/api/v1/issuers/preview")
    async def preview(request: Request) -> dict[str, Any]:
        """Show what an issuer has, without an offer: ``{issuer, configuration_ids?}``."""
        sent = await members(request, public_url)
        await wallet_of(request, custody)
        found = await authorizing.offers.of_issuer(read.text(sent, "issuer"), read.texts(sent, "configuration_ids"))
        return found.document(language_of(request))

    @routes.post("/api/v1/authorizations", status_code=201)
    async def start(request: Request) -> Response:
        """Begin: ``{offer | issuer, configuration_ids?, same_key_as?, keep_unrecognised?}``; answers where to go."""
        sent = await members(request, public_url)
        wallet = await wallet_of(request, custody)
        terms = Terms(
            configuration_ids=read.texts(sent, "configuration_ids"),
            same_key_as=read.optional_text(sent, "same_key_as"),
            keep_unrecognised=read.flag(sent, "keep_unrecognised"),
        )
        link = read.optional_text(sent, "offer")
        if link is not None:
            found = await deployment.receiving.preview(link)
        else:
            found = await authorizing.offers.of_issuer(read.text(sent, "issuer"), terms.configuration_ids)
        started = await authorizing.start(wallet, found, terms, ui_locales=f"{language_of(request)}-CA")
        return JSONResponse({"url": started.url, "issuer": started.issuer}, 201)


def _add_finishing(routes: APIRouter, deployment: Deployment, public_url: str) -> None:
    custody, authorizing = deployment.custody, deployment.authorizing

    @routes.post("/api/v1/authorizations/finish", status_code=201)
    async def finish(request: Request) -> Response:
        """Come back: ``{state, code | error, iss?}``, as the browser brought it."""
        sent = await members(request, public_url)
        wallet = await wallet_of(request, custody)
        brought = {name: value for name in _BROUGHT if (value := read.optional_text(sent, name)) is not None}
        kept = await authorizing.finish(wallet, AuthorizationResponse.parse(brought))
        waiting = await _on_the_way(wallet, request)
        return JSONResponse({"credentials": [await _shown(wallet, each, request) for each in kept], **waiting}, 201)

    @routes.post("/api/v1/credentials/{credential_id}/renew", status_code=201)
    async def renew(credential_id: str, request: Request) -> Response:
        """Have a credential anew from its issuer; the old copy goes when the new one is there (202: it comes later)."""
        check_origin(request, public_url)
        wallet = await wallet_of(request, custody)
        renewed = await authorizing.renew(wallet, credential_id)
        if renewed is None:
            return JSONResponse(await _on_the_way(wallet, request), 202)
        return JSONResponse(await _shown(wallet, renewed, request), 201)


async def _on_the_way(wallet: OpenWallet, request: Request) -> dict[str, Any]:
    waiting = await deferred.on_the_way(wallet)
    return {"on_the_way": [deferred.document(each, language_of(request)) for each in waiting]}


async def _shown(wallet: OpenWallet, received: Received, request: Request) -> dict[str, Any]:
    held = await holdings.find_held(wallet, received.credential_id)
    credential = shown.credential(held, language_of(request), with_claims=False)
    return {**credential, "result": dict(received.report)}
