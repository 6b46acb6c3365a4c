"""The verifier's web application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import structlog
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.requests import Request

from comity.errors import Code, ComityError, Unreachable
from comity.ports import Clock, Fetcher
from comity.runtime import migrations
from comity.runtime.clock import SystemClock
from comity.runtime.periodic import SHORTEST, periodic
from comity.runtime.webhooks.delivery import LOOK_SECONDS
from comity.web import counted, i18n, problems
from comity.web.app import ReadyCheck, create_base
from comity.web.routes import take_over
from verifier import counter, identity, store
from verifier.api import bridge, browser, described, openid, relying_party
from verifier.counter import face
from verifier.deployment import Deployment, open_deployment
from verifier.settings import VerifierSettings

VERSION = "0.1.0"

_log = structlog.get_logger("verifier")


def create_app(settings: VerifierSettings, *, clock: Clock | None = None, fetcher: Fetcher | None = None) -> FastAPI:
    """Return the application of one verifier installation.

    Args:
        settings: what the installation sets.
        clock: the time; the machine's when absent.
        fetcher: sends all outbound requests; a guarded one when absent.

    Raises:
        Misconfigured: it cannot work as it is set up.
    """
    deployment = open_deployment(settings, clock or SystemClock(), fetcher)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(deployment.close)
            await _prepare(deployment)
            refresh = deployment.registry.refresh
            await stack.enter_async_context(periodic(settings.registry_refresh_seconds, "registry", refresh))
            for name, job in _erasures(deployment).items():
                await stack.enter_async_context(periodic(settings.erase_every_seconds, name, job))
            await stack.enter_async_context(deployment.refusals.storing())
            renew = partial(deployment.documents.renew, int(settings.status_refresh_seconds * SHORTEST))
            await stack.enter_async_context(periodic(settings.status_refresh_seconds, "status lists", renew))
            await stack.enter_async_context(periodic(LOOK_SECONDS, "webhooks", deployment.webhooks.deliver_due))
            yield

    app = create_base(
        settings,
        title="comity verifier",
        version=VERSION,
        lifespan=lifespan,
        ready=_ready_checks(deployment),
        max_page_bytes=face.MAX_FORM_BYTES,
    )
    app.state.deployment = deployment
    routers = [each.router(deployment) for each in (openid, relying_party, browser, bridge)]
    routers += [relying_party.answers(deployment), bridge.authorization(deployment)]
    for router in routers:
        take_over(app, router)
    routes = [route for router in routers for route in router.routes]
    counted.install(app, partial(_count, deployment), [*routes, *counter.install(app, deployment)])
    described.complete(app)

    @app.get("/complete", include_in_schema=False)
    async def complete(request: Request) -> PlainTextResponse:
        """Where a wallet sends a person whose relying party named no address of its own."""
        return PlainTextResponse(i18n.text("verifier.complete", problems.language_of(request)))

    return app


def _count(deployment: Deployment, request: Request, error: ComityError) -> None:
    deployment.refusals.note(error, endpoint=counted.endpoint_of(request))


def _erasures(deployment: Deployment) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return what is looked after on the timer of erasure; a counter's verdict is noted before its report goes."""
    journal = deployment.journal
    return {
        "counters": journal.look_after,
        "counter history": journal.erase,
        "erasure": deployment.verifying.erase,
        "webhook log": deployment.webhooks.erase,
        "sign-ins": deployment.signing_in.erase,
    }


async def _prepare(deployment: Deployment) -> None:
    """Bring the database up to date (never by itself in production) and read the registry once."""
    settings = deployment.settings
    step = migrations.check if settings.is_production else migrations.upgrade
    await asyncio.to_thread(step, settings.database, "verifier")
    with suppress(ComityError):  # it is tried again on a timer; until then nothing is accepted and /readyz says so
        await deployment.registry.refresh()


def _ready_checks(deployment: Deployment) -> dict[str, ReadyCheck]:
    settings = deployment.settings

    async def check_database() -> None:
        await deployment.database.read(store.check)

    async def check_keys() -> None:
        now = deployment.requesting.clock.now()
        own = identity.load(deployment.keys, settings.public_url, settings.client_id_prefix, settings.attestation_file)
        identity.require_usable(deployment.keys, own, now)

    async def check_registry() -> None:
        snapshot = deployment.registry.snapshot()
        if snapshot.is_expired_at(deployment.requesting.clock.now()):
            raise Unreachable(Code.REGISTRY_EXPIRED, "the trust registry's statements have ended")
        if not snapshot.issuers():
            raise Unreachable(Code.REGISTRY_INVALID, "the trust registry names no issuer")

    return {"database": check_database, "keys": check_keys, "registry": check_registry}
