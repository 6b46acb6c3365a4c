"""The cookie, and whose wallet a request may open. A foreign page cannot make a browser send JSON with our Origin."""

from contextlib import suppress

from fastapi import Request, Response

from comity.errors import Denied
from comity.web import body
from comity.web.csrf import check_origin
from wallet.custody import Custody
from wallet.records import OpenWallet

__all__ = [
    "COOKIE",
    "KNOWN",
    "check_origin",
    "clear_cookie",
    "end_session",
    "make_known",
    "members",
    "set_cookie",
    "wallet_of",
]

COOKIE = "comity_wallet"
KNOWN = "comity_wallet_known"
"""Says that a wallet was opened in this browser before; it outlives the session and opens nothing (catalogue Q12)."""
KNOWN_SECONDS = 180 * 24 * 3600


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


async def make_known(response: Response, custody: Custody, wallet: OpenWallet, public_url: str) -> None:
    """Let the tries of this browser be counted for themselves from now on; each time under another mark."""
    response.set_cookie(
        KNOWN,
        await custody.known_browser(wallet),
        max_age=KNOWN_SECONDS,
        httponly=True,
        samesite="strict",
        secure=public_url.startswith("https://"),
        path="/",
    )


def clear_cookie(response: Response) -> None:
    """Take the session back; whatever the browser kept of our pages goes with it."""
    response.delete_cookie(COOKIE, path="/")
    response.headers["clear-site-data"] = '"cache", "storage"'
