"""The verifier's web application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.requests import Request

from comity.errors import Code, ComityError, Unreachable
from comity.ports import Clock
from comity.runtime import migrations
from comity.runtime.clock import SystemClock
from comity.web import i18n, problems
from comity.web.app import create_base
from verifier import identity
from verifier.api import openid, relying_party
from verifier.deployment import Deployment, open_deployment
from verifier.settings import VerifierSettings

VERSION = "0.1.0"
ERASE_EVERY_SECONDS = 30.0

_log = structlog.get_logger("verifier")


def create_app(settings: VerifierSettings, *, clock: Clock | None = None) -> FastAPI:
    """Return the application of one verifier installation.

    Raises:
        Misconfigured: it cannot work as it is set up.
    """
    deployment = open_deployment(settings, clock or SystemClock())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await _prepare(deployment)
        tasks = [
            asyncio.create_task(_every(settings.registry_refresh_seconds, deployment.registry.refresh)),
            asyncio.create_task(_every(ERASE_EVERY_SECONDS, lambda: _erase(deployment))),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await deployment.fetcher.close()
            await deployment.database.close()

    ready = {
        "database": lambda: deployment.database.read(
            lambda connection: connection.exec_driver_sql("SELECT 1").scalar()
        ),
        "keys": lambda: _keys_work(deployment),
        "registry": lambda: _registry_is_current(deployment),
    }
    app = create_base(settings, title="comity verifier", version=VERSION, lifespan=lifespan, ready=ready)
    app.include_router(openid.router(deployment))
    app.include_router(relying_party.router(deployment))

    @app.get("/complete", include_in_schema=False)
    async def complete(request: Request) -> PlainTextResponse:
        """Where a wallet sends a person whose relying party named no address of its own."""
        return PlainTextResponse(i18n.text("verifier.complete", problems.language_of(request)))

    return app


async def _prepare(deployment: Deployment) -> None:
    """Bring the database up to date (never by itself in production) and read the registry once."""
    settings = deployment.settings
    step = migrations.check if settings.is_production else migrations.upgrade
    await asyncio.to_thread(step, settings.database, "verifier")
    with suppress(ComityError):  # it is tried again on a timer; until then nothing is accepted and /readyz says so
        await deployment.registry.refresh()


async def _erase(deployment: Deployment) -> int:
    return await deployment.verifying.erase(keep=timedelta(seconds=deployment.settings.result_seconds))


async def _every(seconds: float, job: Callable[[], Awaitable[object]]) -> None:
    """Run ``job`` again and again; a failure is logged by its code and does not end the series."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await job()
        except ComityError as error:
            _log.warning("periodic work failed", job=job.__qualname__, code=error.code.value)


async def _keys_work(deployment: Deployment) -> None:
    """Sign something for nobody: a key that cannot sign is not ready."""
    identity.load(deployment.keys, deployment.settings.public_url, deployment.settings.client_id_prefix)
    deployment.requesting.identity.signer.sign(b"readiness")


async def _registry_is_current(deployment: Deployment) -> None:
    snapshot = deployment.registry.snapshot()
    if snapshot.is_expired_at(deployment.requesting.clock.now()):
        raise Unreachable(Code.REGISTRY_EXPIRED, "the trust registry's statements have ended")
    if not snapshot.issuers():
        raise Unreachable(Code.REGISTRY_INVALID, "the trust registry names no issuer")
