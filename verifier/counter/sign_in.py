"""Signing a device in, and out."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.errors import Denied
from comity.web import i18n
from comity.web.forms import Form
from comity.web.pages import next_path
from verifier.counter.face import COOKIE, Face


def router(face: Face) -> APIRouter:
    """Return the pages of signing in."""
    routes = face.pages.router("/counter")

    @routes.get("/sign-in")
    async def show(request: Request) -> Response:
        return _page(face, request)

    @routes.post("/sign-in")
    async def pair(request: Request) -> Response:
        return await _pair(face, request)

    @routes.post("/demo")
    async def demo(request: Request) -> Response:
        return await _demo(face, request)

    @routes.post("/leave")
    async def leave(request: Request) -> Response:
        return await _leave(face, request)

    return routes


async def _pair(face: Face, request: Request) -> Response:
    form = await face.pages.form(request)
    if form.flag("only_ask"):  # somebody's session ended under a form; nothing of it is secret
        return _page(face, request, form)
    code = form.text("code", most=40)
    if not form.is_ok:
        return _page(face, request, form, status=422)
    try:
        _, session = await face.deployment.pairing.pair(code)
    except Denied as error:
        form.fail("code", f"codes.{error.code.value}.meaning")
        return _page(face, request, form, status=422)
    return _signed_in(face, request, form, session)


async def _demo(face: Face, request: Request) -> Response:
    """Open a counter without a code, where the installation is a demonstration."""
    party = face.demo_party()
    form = await face.pages.form(request)
    if not form.is_ok:
        return _page(face, request, form, status=422)
    name = i18n.text("counter.demo_device", face.pages.language(request))
    _, session = await face.deployment.pairing.open_demo(name, relying_party=party)
    return _signed_in(face, request, form, session)


async def _leave(face: Face, request: Request) -> Response:
    device, form = await face.device(request), await face.pages.form(request)
    if not form.is_ok:
        return _page(face, request, form, status=422)
    await face.deployment.pairing.end(device.id)
    response = face.pages.to(request, "/counter/sign-in")
    response.delete_cookie(COOKIE, path="/")
    return response


def _page(face: Face, request: Request, form: Form | None = None, status: int = 200) -> Response:
    form = form or Form(values={"next": request.query_params.get("next", "")})
    return face.pages.render(request, "sign_in.html", status=status, form=form)


def _signed_in(face: Face, request: Request, form: Form, session: str) -> Response:
    target = next_path(form.values.get("next", ""), f"/{face.pages.language(request)}/counter")
    kept = {name.removeprefix("kept."): value for name, value in form.values.items() if name.startswith("kept.")}
    if kept:
        response: Response = face.pages.render(request, "resume.html", target=target, kept=kept)
    else:
        response = face.pages.to(request, target[3:])
    face.sign_in(response, session)
    return response
