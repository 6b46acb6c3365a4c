"""Passkeys on the pages: the questions and answers of WebAuthn as JSON, for ``passkey.js``."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from comity import strict_json
from comity.errors import Code, Conflict, Denied, Malformed
from comity.web.forms import Form
from wallet.custody import MAX_NAME
from wallet.pages.entering import beside, first_steps, kept_in, let_in
from wallet.pages.face import Face
from wallet.passkeys import MAX_LABEL

_MAX_USER = 100


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes = face.routes()
    _add_keeping(routes, face)
    _add_sign_in(routes, face)
    _add_account(routes, face)
    return routes


def _add_keeping(routes: APIRouter, face: Face) -> None:
    pages, passkeys = face.pages, face.passkeys

    @routes.post("/passkeys/begin")
    async def begin(request: Request) -> Response:
        _genuine(await pages.form(request))
        return JSONResponse(await passkeys.begin(await face.wallet(request)))

    @routes.post("/passkeys")
    async def add(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        if not form.is_ok:
            return pages.to(request, "/settings")
        label = form.text("label", is_needed=False, most=MAX_LABEL)
        await passkeys.add(wallet, _answer(form), form.secret("secret"), label)
        return pages.to(request, "/settings")

    @routes.post("/passkeys/{name}/remove")
    async def remove(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        if form.is_genuine:
            await passkeys.remove(wallet, request.path_params["name"])
        return pages.to(request, "/settings")


def _add_sign_in(routes: APIRouter, face: Face) -> None:
    pages, passkeys = face.pages, face.passkeys

    @routes.post("/sign-in/passkey/begin")
    async def begin_sign_in(request: Request) -> Response:
        _genuine(await pages.form(request))
        return JSONResponse(await passkeys.begin_sign_in())

    @routes.post("/sign-in/passkey")
    async def sign_in(request: Request) -> Response:
        form = await pages.form(request)
        if form.is_ok:
            try:
                wallet = await passkeys.sign_in(_answer(form), form.secret("secret"))
            except (Denied, Malformed):
                form.fail("", "wallet.passkey.failed")
            else:
                return await let_in(face, request, wallet, form)
        return pages.render(request, "sign_in.html", status=422, form=form, kept=kept_in(form), is_locked=False)


def _add_account(routes: APIRouter, face: Face) -> None:
    pages, passkeys = face.pages, face.passkeys

    @routes.post("/sign-up/passkey/begin")
    async def begin_account(request: Request) -> Response:
        form = await pages.form(request)
        _genuine(form)
        return JSONResponse(await passkeys.begin_account(form.text("name", most=MAX_NAME)))

    @routes.post("/sign-up/passkey")
    async def open_account(request: Request) -> Response:
        form = await pages.form(request)
        name, user = form.text("name", most=MAX_NAME), form.text("user", most=_MAX_USER)
        if form.is_ok:
            try:
                wallet, code = await passkeys.open_account(name, user, _answer(form), form.secret("secret"))
            except (Denied, Malformed):
                form.fail("", "wallet.passkey.failed")
            except Conflict as error:
                beside(form, error)
            else:
                return await first_steps(face, request, wallet, code)
        return pages.render(request, "sign_up.html", status=422, form=form)


def _answer(form: Form) -> dict[str, Any]:
    return strict_json.parse_object(form.values.get("answer", ""))


def _genuine(form: Form) -> None:
    if not form.is_genuine:
        raise Conflict(Code.CONFLICT, "the page is older than the session; load it again")
