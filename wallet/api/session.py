"""The cookie, and whose wallet a request may open. A foreign page cannot make a browser send JSON with our Origin."""

from contextlib import suppress

from fastapi import Request, Response

from comity.errors import Denied
from comity.web import body
from comity.web.csrf import check_origin
from wallet.custody import Custody
from wallet.records import OpenWallet

__all__ = ["COOKIE", "check_origin", "clear_cookie", "end_session", "members", "set_cookie", "wallet_of"]

COOKIE = "comity_wallet"


async def members(request: Request, public_url: str) -> dict[str, object]:
    """Return the JSON object of a request that changes something, after the origin check."""
    check_origin(request, public_url)
    return await body.json_object(request)


async def wallet_of(request: Request, custody: Custody) -> OpenWallet:
    """Return the wallet that the cookie opens; raises ``Denied(vault_locked)``."""
    return await custody.resume(request.cookies.get(COOKIE))


async def end_session(request: Request, custody: Custody) -> None:
    """End the session that the request carries, if it carries one that is still there."""
    with suppress(Denied):
        await custody.end_session(request.cookies.get(COOKIE))


def set_cookie(response: Response, cookie: str, public_url: str) -> None:
    """Hand out the session: readable by no script, sent by no foreign page."""
    response.set_cookie(
        COOKIE, cookie, httponly=True, samesite="strict", secure=public_url.startswith("https://"), path="/"
    )


def clear_cookie(response: Response) -> None:
    """Take the session back; whatever the browser kept of our pages goes with it."""
    response.delete_cookie(COOKIE, path="/")
    response.headers["clear-site-data"] = '"cache", "storage"'
