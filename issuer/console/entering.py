"""Signing in and out."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.errors import Code, Denied
from comity.web.forms import Form
from comity.web.pages import next_path
from issuer import signing_in
from issuer.api.access import deployment_of
from issuer.console.desk import Desk

_KEPT = "kept."


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the page where nobody is signed in yet, and the way out."""

    @routes.get("/sign-in")
    async def show(request: Request) -> Response:
        return desk.render(request, "sign_in.html", target=request.query_params.get("next", ""), kept={})

    @routes.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        form = await desk.pages.form(request)
        target, kept = form.values.get("next", ""), _kept(form)
        if form.values.get("only_ask"):
            form.errors.clear()
            return desk.render(request, "sign_in.html", target=target, kept=kept, form=form)
        name, password = form.text("name", most=60), form.secret("password")
        if form.is_ok:
            try:
                found = await signing_in.sign_in(deployment_of(request), name, password)
            except Denied as error:
                is_locked = error.code is Code.TOO_MANY_ATTEMPTS
                form.fail("", "console.sign_in_locked" if is_locked else "console.sign_in_wrong")
            else:
                return _enter(request, desk, found.token, target, kept)
        return desk.render(request, "sign_in.html", status=422, target=target, kept=kept, form=form)

    add_leaving(routes, desk)


def add_leaving(routes: APIRouter, desk: Desk) -> None:
    """Add the way out."""

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        form = await desk.pages.form(request)
        if not form.is_ok:
            return desk.to(request, "/")
        await signing_in.sign_out(deployment_of(request), request.cookies.get(desk.cookie))
        response = desk.to(request, "/sign-in")
        response.delete_cookie(desk.cookie, path="/", secure=desk.is_secure, httponly=True, samesite="lax")
        return response


def _kept(form: Form) -> dict[str, str]:
    """Return what was typed before the session ended."""
    return {name.removeprefix(_KEPT): value for name, value in form.values.items() if name.startswith(_KEPT)}


def _enter(request: Request, desk: Desk, token: str, target: str, kept: dict[str, str]) -> Response:
    """Hand out the session, and lead on: to the page that was wanted, or to the form that could not be sent."""
    language = desk.pages.language(request)
    wanted = next_path(target, f"/{language}/")
    # The form on the next page belongs to the new session, whose cookie this very answer brings.
    request.cookies[desk.cookie] = token
    response = (
        desk.render(request, "resume.html", target=wanted, kept=kept)
        if kept
        else desk.to(request, wanted.removeprefix(f"/{wanted[1:3]}") or "/")
    )
    response.set_cookie(desk.cookie, token, httponly=True, samesite="lax", secure=desk.is_secure, path="/")
    return response
