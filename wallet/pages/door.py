"""One door for everything: what is scanned, photographed, pasted or followed is looked at here and led on."""

from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from comity.errors import Code, NotFound
from comity.web import scan, scanning
from comity.web.forms import Form
from comity.web.scan import Kind, Scan
from wallet import holdings
from wallet.pages import telling
from wallet.pages.face import Face
from wallet.records import DOOR, OpenWallet
from wallet.unanswered import NothingAnswers

_LINKS = {"credential_offer": "openid-credential-offer", "credential_offer_uri": "openid-credential-offer"}
_REQUEST_LINK = "openid4vp"


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.get("/door")
    async def ask(request: Request) -> Response:
        await face.wallet(request)
        return pages.render(request, "door.html")

    @routes.post("/door")
    async def take(request: Request) -> Response:
        form = await pages.form(request, max_bytes=scanning.MAX_FRAME_BYTES * 4)
        wallet = await face.wallet(request)
        text = await _text(form)
        if not form.is_ok:
            return pages.render(request, "door.html", status=422, form=form)
        return await lead_on(face, request, wallet, text, is_scanned=_is_scanned(form))

    @routes.post("/door/frame")
    async def frame(request: Request) -> Response:
        await face.wallet(request)
        return await scanning.frame(request, pages)

    @routes.get("/open")
    async def arrive(request: Request) -> Response:
        """A link of an issuer or a verifier: nothing happens before the person says so, on a page of ours."""
        text = _link(request)
        if text is None:
            raise NotFound(Code.NOT_FOUND)
        return pages.render(request, "open.html", text=text, found=scan.read(text))

    return routes


def add_link(face: Face, app: FastAPI) -> None:
    """Answer links that issuers and verifiers make: they know no language, and lead to the page in the person's."""

    async def arrive(request: Request) -> Response:
        return face.pages.to(request, f"/open?{request.url.query}")

    app.add_route("/open", arrive, methods=["GET"], include_in_schema=False)


async def _text(form: Form) -> str:
    """Return what was brought: the text, else the code in the image."""
    text = form.text("text", is_needed=False, most=scan.MAX_CHARACTERS)
    if text or not form.is_ok:
        return text
    if not form.file(scanning.IMAGE):
        form.fail("text", "wallet.door.nothing")
        return ""
    return await scanning.uploaded(form)


def _is_scanned(form: Form) -> bool:
    """Say whether a camera or a picture read it: then nothing tells who showed the code (VP-23)."""
    return form.flag("scanned") or not form.values.get("text", "").strip()


async def lead_on(face: Face, request: Request, wallet: OpenWallet, text: str, *, is_scanned: bool = False) -> Response:
    """Keep what was brought, an offer or a request, and lead to its page."""
    found = scan.read(text)
    if not found.is_usable or found.kind not in {Kind.OFFER, Kind.REQUEST}:
        return _not_ours(face, request, found)
    await face.sweep(wallet)
    if found.kind is Kind.OFFER:
        offer_id = holdings.new_id()
        await wallet.put(DOOR, offer_id, {"what": "offer", "link": text.strip(), "state": "open", "tries": 0})
        return face.pages.to(request, f"/offers/{offer_id}")
    language, link, presenting = face.language(request), text.strip(), face.deployment.presenting
    try:
        consent = await presenting.open_request(wallet, link, language=language, is_scanned=is_scanned)
    except NothingAnswers as nothing:
        return face.pages.to(request, f"/unanswered/{await telling.keep(wallet, link, nothing)}")
    return face.pages.to(request, f"/requests/{consent.id}")


def _not_ours(face: Face, request: Request, found: Scan) -> Response:
    """Say what it is instead, and why it cannot be used; people scan every code they meet."""
    problem = found.problem.code.value if found.problem is not None else ""
    return face.pages.render(
        request, "not_ours.html", status=422, words=f"cli.scan_{found.kind.value}", problem=problem
    )


def _link(request: Request) -> str | None:
    """Return the link in our own address as the scheme that it would have had, or None (OpenID4VCI §4.1.2)."""
    parameters = dict(request.query_params)
    scheme = next((_LINKS[each] for each in _LINKS if each in parameters), None)
    if scheme is None and "client_id" in parameters:
        scheme = _REQUEST_LINK
    return f"{scheme}://?{urlencode(parameters)}" if scheme else None
