"""What every page of the wallet works with."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from msgspec import Struct

from comity.errors import Unreachable
from comity.trust.snapshot import RegistrySnapshot
from comity.web import csrf
from comity.web.pages import Pages
from wallet.api.session import COOKIE, wallet_of
from wallet.deployment import Deployment
from wallet.passkeys import Passkeys
from wallet.records import DOOR, OpenWallet
from wallet.settings_shown import Shown

DOOR_OPEN = timedelta(hours=1)
"""How long what was scanned waits for an answer."""
SIGN_IN = "/sign-in"


class Face(Struct, frozen=True, kw_only=True):
    """The pages with the deployment behind them."""

    deployment: Deployment
    pages: Pages
    passkeys: Passkeys
    shown: Shown

    @classmethod
    def of(cls, deployment: Deployment, shown: Shown) -> "Face":
        """Return the face of a deployment."""
        pages = Pages(
            "wallet.pages",
            "wallet",
            public_url=shown.public_url,
            form_key=csrf.key_in(shown.folder),
            session_cookie=COOKIE,
            sign_in=SIGN_IN,
            extra=lambda request: _of_the_wallet(request, shown),
        )
        passkeys = Passkeys.of(deployment.database, deployment.clock, deployment.custody, shown.public_url)
        return cls(deployment=deployment, pages=pages, passkeys=passkeys, shown=shown)

    def routes(self) -> APIRouter:
        """Return a router for some of the pages."""
        return self.pages.router()

    def language(self, request: Request) -> str:
        """Return the language of the page."""
        return self.pages.language(request)

    async def wallet(self, request: Request) -> OpenWallet:
        """Return the wallet that is open in this browser; raises ``Denied(vault_locked)``, which leads to the sign-in.

        A handler that takes a form reads it *before* this, so that what was typed is kept.
        """
        return await wallet_of(request, self.deployment.custody)

    def snapshot(self) -> RegistrySnapshot | None:
        """Return the registry; None while there is none to be had: what is held is shown all the same."""
        try:
            return self.deployment.registry.snapshot()
        except Unreachable:
            return None

    async def sweep(self, wallet: OpenWallet) -> None:
        """Forget what was scanned and not answered in time."""
        ends = self.deployment.clock.now() - DOOR_OPEN
        for each in await wallet.all(DOOR):
            if each.created_at <= ends:
                await wallet.delete(DOOR, each.id)


def _of_the_wallet(request: Request, shown: Shown) -> Mapping[str, Any]:
    """Return what every template of the wallet has besides: whether a wallet is open, and when it locks itself."""
    session = request.scope.get("state", {}).get("session", request.cookies.get(COOKIE))
    return {"is_open": bool(session), "lock_seconds": shown.lock_seconds}
