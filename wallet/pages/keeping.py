"""Settings: passphrase, passkeys, backup, restore, another device, help, and the end of a wallet."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from comity.errors import Code, ComityError
from comity.web.forms import Form
from wallet import portable
from wallet.api.read import MAX_IMPORT_BYTES
from wallet.api.session import clear_cookie, set_cookie
from wallet.pages.entering import beside
from wallet.pages.face import SIGN_IN, Face
from wallet.records import OpenWallet
from wallet.vault import PASSPHRASE, RECOVERY

_FILE = "wallet-backup.json"
_QUESTIONS = {
    "/settings/passphrase": "passphrase.html",
    "/settings/backup": "backup.html",
    "/settings/delete": "wallet_delete.html",
}
"""Pages of an open wallet that hold one form and nothing else."""


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.get("/settings")
    async def settings(request: Request) -> Response:
        wallet = await face.wallet(request)
        return pages.render(request, "settings.html", passkeys=await face.passkeys.all(wallet))

    @routes.get("/help")
    async def help_page(request: Request) -> Response:
        return pages.render(request, "help.html", contact=face.shown.contact)

    for path, template in _QUESTIONS.items():
        _add_question(routes, face, path, template)
    _add_passphrase(routes, face)
    _add_backup(routes, face)
    _add_restore(routes, face)
    _add_end(routes, face)
    return routes


def _add_question(routes: APIRouter, face: Face, path: str, template: str) -> None:
    @routes.get(path)
    async def ask(request: Request) -> Response:
        wallet = await face.wallet(request)
        has_passphrase = await face.deployment.custody.has_passphrase(wallet)
        return face.pages.render(request, template, has_passphrase=has_passphrase)


def _add_passphrase(routes: APIRouter, face: Face) -> None:
    pages, custody = face.pages, face.deployment.custody

    @routes.post("/settings/passphrase")
    async def change(request: Request) -> Response:
        """Change it; every session ends, and this browser gets a new one."""
        form = await pages.form(request)
        wallet = await face.wallet(request)
        current, passphrase = form.secret("current"), form.secret("passphrase")
        if form.is_ok and await _confirmed(face, wallet, form, current):
            try:
                await custody.change_passphrase(wallet, passphrase)
            except ComityError as error:
                beside(form, error)
            else:
                response: Response = pages.to(request, "/settings")
                set_cookie(response, await custody.begin_session(wallet), face.shown.public_url)
                return response
        has_passphrase = await custody.has_passphrase(wallet)
        return pages.render(request, "passphrase.html", status=422, form=form, has_passphrase=has_passphrase)


async def _confirmed(face: Face, wallet: OpenWallet, form: Form, passphrase: str) -> bool:
    """Ask once more: an open wallet on an unattended phone is not enough for what cannot be taken back.

    Where there is no passphrase the recovery code is asked for.
    """
    custody = face.deployment.custody
    by = PASSPHRASE if await custody.has_passphrase(wallet) else RECOVERY
    try:
        await custody.confirm(wallet, passphrase, by=by)
    except ComityError as error:
        if error.code not in {Code.PASSPHRASE_WRONG, Code.TOO_MANY_ATTEMPTS}:
            raise
        wrong = "wallet.enter.wrong" if by == PASSPHRASE else "wallet.enter.code_wrong"
        form.fail("current", wrong if error.code is Code.PASSPHRASE_WRONG else "wallet.enter.too_many")
        return False
    return True


def _add_backup(routes: APIRouter, face: Face) -> None:
    pages, custody = face.pages, face.deployment.custody

    @routes.post("/settings/backup")
    async def make(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        passphrase = form.secret("passphrase")
        if form.is_ok:
            try:
                exported = await portable.export(custody, wallet, passphrase)
            except ComityError as error:
                beside(form, error)
            else:
                headers = {"content-disposition": f'attachment; filename="{_FILE}"'}
                return Response(exported, media_type="application/json", headers=headers)
        return pages.render(request, "backup.html", status=422, form=form)


def _add_restore(routes: APIRouter, face: Face) -> None:
    pages, custody = face.pages, face.deployment.custody

    @routes.get("/settings/restore")
    async def ask(request: Request) -> Response:
        await face.wallet(request)
        return pages.render(request, "restore.html", restored=None)

    @routes.post("/settings/restore")
    async def restore(request: Request) -> Response:
        form = await pages.form(request, max_bytes=MAX_IMPORT_BYTES)
        wallet = await face.wallet(request)
        passphrase, backup = form.secret("passphrase"), form.file("backup")
        if not backup:
            form.fail("backup", "pages.field_needed")
        if form.is_ok:
            try:
                restored = await portable.restore(custody, wallet, backup, passphrase)
            except ComityError as error:
                _explain(form, error)
            else:
                return pages.render(request, "restore.html", restored=restored)
        return pages.render(request, "restore.html", status=422, form=form, restored=None)


def _explain(form: Form, error: ComityError) -> None:
    if error.code is Code.PASSPHRASE_WRONG:
        form.fail("passphrase", "wallet.restore.wrong")
    else:
        form.fail("backup", "wallet.restore.not_a_backup")


def _add_end(routes: APIRouter, face: Face) -> None:
    pages, custody = face.pages, face.deployment.custody

    @routes.post("/settings/delete")
    async def delete(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        current = form.secret("current")
        if not form.is_ok or not await _confirmed(face, wallet, form, current):
            has_passphrase = await custody.has_passphrase(wallet)
            return pages.render(request, "wallet_delete.html", status=422, form=form, has_passphrase=has_passphrase)
        await custody.delete(wallet)
        response = pages.to(request, f"{SIGN_IN}?locked=gone")
        response.headers["clear-site-data"] = '"cache", "storage"'  # also the copy for reading without network
        clear_cookie(response)
        return response
