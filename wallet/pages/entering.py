"""Getting in and out: a new wallet, sign-in, recovery, lock. Passkeys have their own module."""

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from comity.errors import Code, ComityError
from comity.web.forms import Form
from comity.web.pages import next_path
from wallet.api.session import COOKIE, KNOWN, end_session, make_known, set_cookie
from wallet.custody import MAX_NAME
from wallet.pages.face import SIGN_IN, Face
from wallet.records import OpenWallet
from wallet.vault import RECOVERY

_KEPT = "kept."
_BESIDE: dict[Code, tuple[str, str]] = {
    Code.PASSPHRASE_WRONG: ("passphrase", "wallet.enter.wrong"),
    Code.TOO_MANY_ATTEMPTS: ("", "wallet.enter.too_many"),
    Code.ACCOUNT_EXISTS: ("name", "wallet.enter.name_taken"),
    Code.PASSPHRASE_TOO_SHORT: ("passphrase", "wallet.enter.too_short"),
    Code.MALFORMED: ("name", "wallet.enter.name_wrong"),
}
"""Errors that belong beside a field, where the person can do something about them."""


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes = face.routes()
    _add_new(routes, face)
    _add_sign_in(routes, face)
    _add_recovery(routes, face)
    return routes


def _add_new(routes: APIRouter, face: Face) -> None:
    custody, pages = face.deployment.custody, face.pages

    @routes.get("/sign-up")
    async def ask(request: Request) -> Response:
        return pages.render(request, "sign_up.html")

    @routes.post("/sign-up")
    async def create(request: Request) -> Response:
        form = await pages.form(request)
        name, passphrase = form.text("name", most=MAX_NAME), form.secret("passphrase")
        if form.is_ok:
            try:
                wallet, code = await custody.create(name, passphrase)
            except ComityError as error:
                beside(form, error)
            else:
                return await first_steps(face, request, wallet, code)
        return pages.render(request, "sign_up.html", status=422, form=form)


async def first_steps(face: Face, request: Request, wallet: OpenWallet, code: str) -> Response:
    """Show the recovery code, this once: no page leads here a second time."""
    cookie = await face.deployment.custody.begin_session(wallet)
    face.pages.belongs_to(request, cookie)
    response = face.pages.render(request, "recovery_code.html", code=code)
    set_cookie(response, cookie, face.shown.public_url)
    await make_known(response, face.deployment.custody, wallet, face.shown.public_url)
    return response


def _add_sign_in(routes: APIRouter, face: Face) -> None:
    custody, pages = face.deployment.custody, face.pages

    @routes.get(SIGN_IN)
    async def ask(request: Request) -> Response:
        where = request.query_params.get("next", "")
        kept = {"next": where} if next_path(where, "") else {}
        is_locked = "locked" in request.query_params
        return pages.render(request, "sign_in.html", kept=kept, is_locked=is_locked)

    @routes.post(SIGN_IN)
    async def unlock(request: Request) -> Response:
        form = await pages.form(request)
        kept = kept_in(form)
        if form.values.get("only_ask") and form.is_genuine:
            return pages.render(request, "sign_in.html", kept=kept, is_locked=False)
        name, passphrase = form.text("name", most=MAX_NAME), form.secret("passphrase")
        if form.is_ok:
            try:
                wallet = await custody.unlock(name, passphrase, browser=request.cookies.get(KNOWN))
            except ComityError as error:
                beside(form, error)
            else:
                return await let_in(face, request, wallet, form)
        return pages.render(request, "sign_in.html", status=422, form=form, kept=kept, is_locked=False)

    @routes.post("/lock")
    async def lock(request: Request) -> Response:
        await pages.form(request)  # also a form of before is heard: locking is always right
        await end_session(request, custody)
        response = pages.to(request, f"{SIGN_IN}?locked=yes")
        response.delete_cookie(COOKIE, path="/")
        response.headers["clear-site-data"] = '"cache"'  # the shell that works without network stays
        return response


def _add_recovery(routes: APIRouter, face: Face) -> None:
    custody, pages = face.deployment.custody, face.pages

    @routes.get("/recover")
    async def ask(request: Request) -> Response:
        return pages.render(request, "recover.html")

    @routes.post("/recover")
    async def recover(request: Request) -> Response:
        """Unlock with the recovery code and set a new passphrase in one step."""
        form = await pages.form(request)
        name, code = form.text("name", most=MAX_NAME), form.text("recovery_code", most=100)
        passphrase = form.secret("passphrase")
        if form.is_ok:
            try:
                wallet = await custody.unlock(name, code, by=RECOVERY, browser=request.cookies.get(KNOWN))
                await custody.change_passphrase(wallet, passphrase)
            except ComityError as error:
                if error.code is Code.PASSPHRASE_WRONG:
                    form.fail("recovery_code", "wallet.enter.code_wrong")
                else:
                    beside(form, error)
            else:
                return await let_in(face, request, wallet, form)
        return pages.render(request, "recover.html", status=422, form=form)


async def let_in(face: Face, request: Request, wallet: OpenWallet, form: Form) -> Response:
    """Begin a new session, whatever session the browser brought along, and go on where the person was."""
    custody, pages = face.deployment.custody, face.pages
    await end_session(request, custody)
    asked = await face.deployment.patience.ask(wallet, face.deployment.receiving.recover)
    cookie = await custody.begin_session(wallet)
    target = next_path(form.values.get("next", ""), f"/{face.language(request)}/")
    typed = {name.removeprefix(_KEPT): value for name, value in form.typed().items() if name.startswith(_KEPT)}
    response: Response
    if typed:
        pages.belongs_to(request, cookie)
        response = pages.render(request, "resume.html", target=target, kept=typed)
    else:
        response = pages.to(request, target[3:])
    set_cookie(response, cookie, face.shown.public_url)
    await make_known(response, face.deployment.custody, wallet, face.shown.public_url)
    response.background = BackgroundTask(asked)
    return response


def kept_in(form: Form) -> dict[str, str]:
    """Return what goes along with the sign-in: where the person was, and what was typed there."""
    return {name: value for name, value in form.typed().items() if name == "next" or name.startswith(_KEPT)}


def beside(form: Form, error: ComityError) -> None:
    """Put an error beside the field that it is about; raises it again when it is about none."""
    if error.code not in _BESIDE:
        raise error
    form.fail(*_BESIDE[error.code])
