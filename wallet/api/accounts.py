"""Accounts and sessions: open, unlock, lock, change the passphrase, take everything along, delete."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from comity import base64url
from comity.web import body
from comity.web.routes import LateRoute
from wallet import portable
from wallet.api import read
from wallet.api.session import (
    KNOWN,
    check_origin,
    clear_cookie,
    end_session,
    make_known,
    members,
    set_cookie,
    wallet_of,
)
from wallet.deployment import Deployment
from wallet.vault import PASSPHRASE, RECOVERY


def router(deployment: Deployment, public_url: str) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1", route_class=LateRoute)
    _add_unlocking(routes, deployment, public_url)
    _add_keeping(routes, deployment, public_url)
    return routes


def _add_unlocking(routes: APIRouter, deployment: Deployment, public_url: str) -> None:
    custody = deployment.custody

    @routes.post("/accounts", status_code=201)
    async def create(request: Request) -> Response:
        """Open an account: ``{name, passphrase}``; the recovery code is shown this once."""
        sent = await members(request, public_url)
        wallet, code = await custody.create(read.text(sent, "name"), read.text(sent, "passphrase"))
        response = JSONResponse({"recovery_code": code}, 201)
        set_cookie(response, await custody.begin_session(wallet), public_url)
        await make_known(response, custody, wallet, public_url)
        return response

    @routes.post("/session")
    async def unlock(request: Request) -> Response:
        """Unlock: ``{name, passphrase}`` or ``{name, recovery_code}``. A new session replaces the one sent along."""
        sent = await members(request, public_url)
        secret, by = _secret(sent, "passphrase")
        browser = request.cookies.get(KNOWN)
        wallet = await custody.unlock(read.text(sent, "name"), secret, by=by, browser=browser)
        await end_session(request, custody)
        await deployment.receiving.recover(wallet)
        response = JSONResponse({"unlocked": True})
        set_cookie(response, await custody.begin_session(wallet), public_url)
        await make_known(response, custody, wallet, public_url)
        return response

    @routes.delete("/session")
    async def lock(request: Request) -> Response:
        """Lock the wallet."""
        check_origin(request, public_url)
        await end_session(request, custody)
        response = JSONResponse({"unlocked": False})
        clear_cookie(response)
        return response

    @routes.post("/passphrase")
    async def change_passphrase(request: Request) -> Response:
        """Replace the passphrase: ``{passphrase, current_passphrase | recovery_code}``. Every session ends.

        An open session alone is not enough: whoever finds a wallet unlocked must not be able to lock its owner out.
        """
        sent = await members(request, public_url)
        wallet = await wallet_of(request, custody)
        secret, by = _secret(sent, "current_passphrase")
        await custody.confirm(wallet, secret, by=by)
        await custody.change_passphrase(wallet, read.text(sent, "passphrase"))
        response = JSONResponse({"unlocked": False})
        clear_cookie(response)
        return response


def _add_keeping(routes: APIRouter, deployment: Deployment, public_url: str) -> None:
    custody = deployment.custody

    @routes.post("/export")
    async def export(request: Request) -> Response:
        """Return everything, encrypted under ``{passphrase}``."""
        sent = await members(request, public_url)
        exported = await portable.export(custody, await wallet_of(request, custody), read.text(sent, "passphrase"))
        return Response(exported, media_type="application/json", headers={"cache-control": "no-store"})

    @routes.post("/import")
    async def restore(request: Request) -> dict[str, int]:
        """Bring an export in: ``{export: base64url, passphrase}``; what is there already stays."""
        check_origin(request, public_url)
        wallet = await wallet_of(request, custody)
        sent = await body.json_object(request, max_bytes=read.MAX_IMPORT_BYTES)
        exported = base64url.decode(read.text(sent, "export"))
        return {"records": await portable.restore(custody, wallet, exported, read.text(sent, "passphrase"))}

    @routes.delete("/account")
    async def delete(request: Request) -> Response:
        """Delete the account and everything in it."""
        check_origin(request, public_url)
        await custody.delete(await wallet_of(request, custody))
        response = JSONResponse({"deleted": True})
        clear_cookie(response)
        return response


def _secret(sent: Mapping[str, object], name: str) -> tuple[str, str]:
    """Return what is to unlock, and how: the recovery code when there is one, else the passphrase in ``name``."""
    code = read.optional_text(sent, "recovery_code")
    return (code, RECOVERY) if code is not None else (read.text(sent, name), PASSPHRASE)
