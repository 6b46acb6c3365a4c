"""A made-up shop that uses the button: a same-device request, and its result for the browser that asked and no other.

Two things must come together for a result (OpenID4VP 1.0 §14.2): the transaction id, which lies in a cookie of the
browser that started, and the response code, which only the wallet's own browser brings back. Whoever sends somebody a
link of their own request, or catches an address, has one of them at most.
"""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.errors import Code, Denied, NotFound
from comity.web import i18n
from comity.web.csrf import check_origin
from verifier.counter.developers import button
from verifier.counter.face import Face, wallet_links
from verifier.requesting import Flow, Terms

COOKIE = "comity_shop"
POLICY, PLACE = "age-alcohol", "ca-on"


def router(face: Face) -> APIRouter:
    """Return the shop's pages; without a demonstration's relying party there is no shop."""
    routes, pages = face.pages.router("/shop"), face.pages

    @routes.get("")
    async def show(request: Request) -> Response:
        _party(face)
        return pages.render(request, "shop.html", code=button(pages.public_url, pages.language(request)))

    @routes.get("/prove")
    async def prove(request: Request) -> Response:
        return await _prove(face, request)

    @routes.get("/done")
    async def done(request: Request) -> Response:
        found = await _result(face, request)
        words = i18n.text(_key(found), pages.language(request))
        status = 403 if found is None else 200
        return pages.render(request, "shop_done.html", status=status, verdict=_verdict(found), words=words)

    return routes


def _party(face: Face) -> str:
    if not face.deployment.settings.demo_counter:
        raise NotFound(Code.NOT_FOUND, "there is no demonstration here")
    return face.deployment.settings.demo_counter


async def _prove(face: Face, request: Request) -> Response:
    """Start a request for this browser; what a shop's own server does when the button is pressed."""
    name, pages, settings = _party(face), face.pages, face.deployment.settings
    check_origin(request, pages.public_url)
    language = pages.language(request)
    back = f"{pages.public_url}/{language}/shop/done"
    terms = Terms(policy=POLICY, place=PLACE, flow=Flow.SAME_DEVICE, redirect_uri=back)
    started = await face.deployment.requesting.start(terms, relying_party=name)
    response = pages.render(request, "shop_prove.html", links=wallet_links(face, started.link, language))
    response.set_cookie(
        COOKIE,
        started.transaction_id,
        max_age=settings.request_seconds + settings.result_seconds,
        httponly=True,
        samesite="lax",  # the wallet's page leads back here from another site
        secure=pages.public_url.startswith("https://"),
        path="/",
    )
    return response


async def _result(face: Face, request: Request) -> dict[str, Any] | None:
    """Return the report for this very browser, or None: no cookie, no code, or they do not belong together."""
    name, code = _party(face), request.query_params.get("response_code")
    transaction = request.cookies.get(COOKIE, "")
    if not transaction:
        return None
    try:
        read = await face.deployment.verifying.outcome(transaction, relying_party=name, response_code=code)
    except (Denied, NotFound):
        return None
    report: dict[str, Any] | None = read.get("result")
    return report


def _verdict(report: dict[str, Any] | None) -> str:
    return "stranger" if report is None else str(report["verdict"])


def _key(report: dict[str, Any] | None) -> str:
    return {
        "accepted": "counter.shop_accepted",
        "rejected": "counter.shop_rejected",
        "undetermined": "counter.shop_undetermined",
    }.get(_verdict(report), "counter.shop_stranger")
