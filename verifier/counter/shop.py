"""A made-up shop that uses the button: a same-device request, and its result for the browser that asked and no other.

What keeps an answer from another browser is :mod:`verifier.same_device` and nothing of the shop's own: the wallet leads
to ``/complete/{id}``, which goes on to the shop only in the browser that began. The shop's own cookie says which
transaction is this customer's, as any shop's session does. Where the browser itself finds wallets (Digital Credentials
API), the answer comes back to the very page that asked, bound to its origin.
"""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from comity.errors import Code, Conflict, Denied, Malformed, NotFound
from comity.openid.presentation.digital_credentials import Protocol
from comity.web import body, i18n
from comity.web.csrf import check_origin
from verifier.counter.developers import button
from verifier.counter.face import Face, wallet_links
from verifier.requesting import Flow, Started, Terms
from verifier.same_device import cookie

COOKIE = "comity_shop"
POLICY, PLACE = "age-alcohol", "ca-on"


def router(face: Face) -> APIRouter:
    """Return the shop's pages; without a demonstration's relying party there is no shop."""
    routes, pages = face.pages.router("/shop"), face.pages

    @routes.get("")
    async def show(request: Request) -> Response:
        face.demo_party()
        return pages.render(request, "shop.html", code=button(pages.public_url, pages.language(request)))

    @routes.get("/prove")
    async def prove(request: Request) -> Response:
        return await _prove(face, request)

    @routes.post("/digital")
    async def begin_digital(request: Request) -> Response:
        return await _begin_digital(face, request)

    @routes.post("/digital/answer")
    async def take_digital(request: Request) -> Response:
        return await _take_digital(face, request)

    @routes.get("/done")
    async def done(request: Request) -> Response:
        found = await _result(face, request)
        words = i18n.text(_key(found), pages.language(request))
        status = 403 if found is None else 200
        return pages.render(request, "shop_done.html", status=status, verdict=_verdict(found), words=words)

    return routes


async def _prove(face: Face, request: Request) -> Response:
    """Start a request for this browser; what a shop's own server does when the button is pressed."""
    name, pages, settings = face.demo_party(), face.pages, face.deployment.settings
    check_origin(request, pages.public_url)
    language = pages.language(request)
    back = f"{pages.public_url}/{language}/shop/done"
    terms = Terms(policy=POLICY, place=PLACE, flow=Flow.SAME_DEVICE, redirect_uri=back)
    started = await face.deployment.requesting.start(terms, relying_party=name)
    begun = await face.deployment.same_device.begin(started.request_id)
    response = pages.render(request, "shop_prove.html", links=wallet_links(face, begun.link, language))
    seconds = settings.request_seconds + settings.result_seconds
    response.set_cookie(**cookie(begun, started.request_id, public_url=pages.public_url, seconds=seconds))
    _remember(face, response, started)
    return response


def _remember(face: Face, response: Response, started: Started) -> None:
    """Keep in the shop's session which transaction is this customer's."""
    settings, public_url = face.deployment.settings, face.pages.public_url
    response.set_cookie(
        COOKIE,
        started.transaction_id,
        max_age=settings.request_seconds + settings.result_seconds,
        httponly=True,
        samesite="lax",  # the wallet's page leads back here from another site
        secure=public_url.startswith("https://"),
        path="/",
    )


async def _begin_digital(face: Face, request: Request) -> Response:
    """Start a request for the browser's own dialogue with wallets (OpenID4VP 1.0 Appendix A); only the signed one."""
    name, pages = face.demo_party(), face.pages
    if not (await pages.form(request)).is_genuine:
        raise Conflict(Code.CONFLICT, "the page is older than the session; load it again")
    terms = Terms(policy=POLICY, place=PLACE, flow=Flow.DIGITAL_CREDENTIALS, origins=(pages.public_url,))
    started = await face.deployment.requesting.start(terms, relying_party=name)
    signed = [dict(each) for each in started.messages if each["protocol"] == Protocol.SIGNED]
    response = JSONResponse({"requests": signed})
    _remember(face, response, started)
    return response


async def _take_digital(face: Face, request: Request) -> Response:
    """Take what the browser got from a wallet for this customer's own request, and say where it goes on."""
    name, pages = face.demo_party(), face.pages
    check_origin(request, pages.public_url)
    data = (await body.json_object(request)).get("data")
    if not isinstance(data, dict):
        raise Malformed(Code.RESPONSE_INVALID, "data is the object that the browser returned")
    transaction = request.cookies.get(COOKIE, "")
    await face.deployment.verifying.receive_digital(transaction, data, relying_party=name, origin=pages.public_url)
    return JSONResponse({"go": f"/{pages.language(request)}/shop/done"})


async def _result(face: Face, request: Request) -> dict[str, Any] | None:
    """Return the report for this very browser, or None: no cookie, no code, or they do not belong together."""
    name, code = face.demo_party(), request.query_params.get("response_code")
    transaction = request.cookies.get(COOKIE, "")
    if not transaction:
        return None
    try:
        read = await face.deployment.verifying.outcome(transaction, relying_party=name, response_code=code)
    except (Denied, NotFound):
        return None
    report: dict[str, Any] | None = read.get("result")
    is_lost = report is not None and Code.SESSION_MISMATCH.value in report["codes"]
    return None if is_lost else report


def _verdict(report: dict[str, Any] | None) -> str:
    return "stranger" if report is None else str(report["verdict"])


def _key(report: dict[str, Any] | None) -> str:
    return {
        "accepted": "counter.shop_accepted",
        "rejected": "counter.shop_rejected",
        "undetermined": "counter.shop_undetermined",
    }.get(_verdict(report), "counter.shop_stranger")
