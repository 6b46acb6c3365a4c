"""The hosted wallet's web application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI

from comity.errors import Code, ComityError, Unreachable
from comity.ports import Clock, Fetcher
from comity.runtime import migrations
from comity.runtime.clock import SystemClock
from comity.runtime.periodic import SHORTEST, periodic
from comity.web.app import create_base
from comity.web.routes import take_over
from wallet import pages
from wallet.api import accounts, authorization, openid, read
from wallet.deployment import Deployment, of_settings, open_deployment
from wallet.settings import WalletSettings
from wallet.settings_shown import Shown

PURGE_EVERY_SECONDS = 60.0


def create_app(settings: WalletSettings, *, clock: Clock | None = None, fetcher: Fetcher | None = None) -> FastAPI:
    """Return the application of one wallet installation. Clock and fetcher are given in tests only.

    Raises:
        Misconfigured: it cannot work as it is set up.
    """
    deployment = open_deployment(of_settings(settings), clock or SystemClock(), fetcher=fetcher)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        step = migrations.check if settings.is_production else migrations.upgrade
        await asyncio.to_thread(step, settings.database, "wallet")
        with suppress(ComityError):  # tried again on a timer; /readyz says so until then
            await deployment.registry.refresh()
        refresh, purge = deployment.registry.refresh, deployment.custody.purge
        renew = partial(deployment.documents.renew, int(settings.status_refresh_seconds * SHORTEST))
        try:
            async with (
                periodic(settings.registry_refresh_seconds, "registry", refresh),
                periodic(PURGE_EVERY_SECONDS, "sessions", purge),
                periodic(settings.status_refresh_seconds, "status lists", renew),
            ):
                yield
        finally:
            await deployment.close()

    ready: dict[str, Callable[[], Awaitable[object]]] = {
        "database": lambda: deployment.database.read(
            lambda connection: connection.exec_driver_sql("SELECT 1").scalar()
        ),
        "registry": lambda: _registry_is_current(deployment),
    }
    app = create_base(
        settings,
        title="comity wallet",
        version=version("comity"),
        lifespan=lifespan,
        ready=ready,
        max_body_bytes=read.MAX_IMPORT_BYTES,
        max_page_bytes=read.MAX_IMPORT_BYTES,
        later=("webauthn",),
    )
    app.state.deployment = deployment
    shown = Shown(
        public_url=settings.public_url,
        folder=settings.data_folder,
        lock_seconds=settings.session_seconds,
        contact=settings.contact,
    )
    take_over(app, accounts.router(deployment, settings.public_url))
    take_over(app, openid.router(deployment, settings.public_url))
    take_over(app, authorization.router(deployment, settings.public_url))
    pages.add(app, deployment, shown)
    return app


async def _registry_is_current(deployment: Deployment) -> None:
    snapshot = deployment.registry.snapshot()
    if snapshot.is_expired_at(deployment.clock.now()):
        raise Unreachable(Code.REGISTRY_EXPIRED, "the trust registry's statements have ended")
    if not snapshot.issuers():
        raise Unreachable(Code.REGISTRY_INVALID, "the trust registry names no issuer")
