"""The issuer as one application: opened by its lifespan, closed with everything it opened."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI
from msgspec import Struct

from comity.openid.refusal import OAuthError
from comity.ports import ClaimsSource, Clock, Fetcher
from comity.runtime import migrations
from comity.runtime.clock import SystemClock
from comity.runtime.database import Database, open_database
from comity.runtime.fetching import FetcherAtFirstUse
from comity.runtime.logging import without_message
from comity.runtime.periodic import periodic
from comity.runtime.refusals import Refusals
from comity.runtime.status_cache import StatusCache
from comity.runtime.webhooks.delivery import LOOK_SECONDS, Webhooks
from comity.web import api_docs, counted, webhook_docs
from comity.web.app import ReadyCheck, create_base
from comity.web.endings import Endings
from comity.web.routes import take_over
from issuer import approving, authorities, bulk, catalog, client_trust, identity, issuing, signing_in, sources
from issuer.api import access, authorization, described, described_protocol, openid, operators, public, sign_in
from issuer.attestation_status import RENEW_SECONDS, AttestationStatus
from issuer.authorities import Description
from issuer.client_trust import ClientTrust
from issuer.console import pages as console
from issuer.console import photos
from issuer.deployment import Deployment, Limits
from issuer.encryption import RequestKeys
from issuer.identity import IdentityProvider, Registration
from issuer.keyring import create_missing_keys, open_authorities, open_keys
from issuer.operators import Operators
from issuer.secrecy import Secrecy
from issuer.settings import IssuerSettings
from issuer.status_lists import ListRules, Publisher
from issuer.store import offers, refused, restoring, webhooks

if TYPE_CHECKING:
    from comity.runtime.http import GuardedFetcher

_log = structlog.get_logger("issuer")


def create_app(settings: IssuerSettings, *, clock: Clock | None = None) -> FastAPI:
    """Return the application; files are read and the database opened when it starts.

    Raises:
        Misconfigured: at start: a file, a key or a certificate is missing or wrong, or the database is not at the
            version of this software.
    """
    clock = clock or SystemClock()
    ready: dict[str, ReadyCheck] = {}

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _opened(settings, clock) as opened:
            app.state.deployment, app.state.operators = opened.deployment, opened.operators
            app.state.bulk = opened.bulk
            ready.update(_ready_checks(opened))
            yield

    app = create_base(
        settings,
        title="comity issuer",
        version=version("comity"),
        lifespan=lifespan,
        ready=ready,
        max_page_bytes=photos.MAX_FORM_BYTES,
    )
    app.exception_handler(OAuthError)(openid.answer_refusal)
    # First, since routes are looked at in turn and this is what wallets ask for: no other route ends as these do.
    app.router.routes.insert(0, Endings(openid.router.routes))
    take_over(app, openid.router)
    console.install(app, public_url=settings.public_url, data_folder=settings.data_folder)
    api_docs.require_bearer(app, described.SECURITY | described_protocol.SECURITY)
    webhook_docs.describe(app, described.WEBHOOKS)
    # In this order: the path of an authority may stand at the start of the routes of the last ones.
    others = (operators.router, sign_in.router, authorization.router, public.router)
    for router in others:
        take_over(app, router)
    routes = [route for router in (openid.router, *others) for route in router.routes]
    counted.install(app, access.count_refusal, routes)
    return app


class _Opened(Struct, frozen=True, kw_only=True):
    deployment: Deployment
    operators: Operators
    bulk: bulk.Runner


@contextlib.asynccontextmanager
async def _opened(settings: IssuerSettings, clock: Clock) -> AsyncIterator[_Opened]:
    """Open everything, run the timers, and close everything again, also when opening fails half-way."""
    async with contextlib.AsyncExitStack() as stack:
        deployment = await stack.enter_async_context(open_deployment(settings, clock))
        runner = bulk.Runner(deployment)
        opened = _Opened(deployment=deployment, operators=Operators(settings.operators_file), bulk=runner)
        await deployment.publisher.start()
        await stack.enter_async_context(deployment.refusals.storing())
        renew = deployment.attestation_status.renew
        await stack.enter_async_context(periodic(RENEW_SECONDS, "status lists of attestations", renew))
        every = settings.erase_every_seconds
        for timer in (deployment.publisher.run(), _erase_on_time(deployment, every), runner.run()):
            task = asyncio.create_task(timer)
            stack.push_async_callback(_stop, task)
        sends = deployment.webhooks.deliver_due
        await stack.enter_async_context(periodic(LOOK_SECONDS, "webhooks", sends))
        yield opened


@contextlib.asynccontextmanager
async def open_deployment(settings: IssuerSettings, clock: Clock) -> AsyncIterator[Deployment]:
    """Open the deployment, for the service or for one command: no timer runs, nothing is published."""
    await asyncio.to_thread(_prepare, settings, clock.now())
    async with contextlib.AsyncExitStack() as stack:
        database = open_database(settings.database)
        stack.push_async_callback(database.close)
        fetcher = _fetcher(settings, clock)
        stack.push_async_callback(fetcher.close)
        epoch = await database.read(restoring.epoch)
        yield _deployment(settings, clock, database, fetcher, epoch)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _prepare(settings: IssuerSettings, at: datetime) -> None:
    """Bring keys and database up to date in development; in production only look whether they are."""
    if settings.is_production:
        migrations.check(settings.database, "issuer")
        return
    create_missing_keys(settings, at)
    migrations.upgrade(settings.database, "issuer")


def _deployment(settings: IssuerSettings, clock: Clock, database: Database, fetcher: Fetcher, epoch: str) -> Deployment:
    opened, trust = open_authorities(settings, clock.now()), _client_trust(settings)
    secrecy = Secrecy(open_keys(settings).secret(authorities.SECRET), epoch=epoch)
    rules = ListRules(
        directory=settings.status_directory,
        ttl_seconds=settings.status_ttl_seconds,
        valid_seconds=settings.status_valid_seconds,
        size=settings.status_list_size,
        open_lists=settings.status_lists_open,
        publish_seconds=settings.publish_seconds,
    )
    return Deployment(
        public_url=settings.public_url,
        authorities=opened,
        catalogs={
            path: catalog.entries(authority, is_attestable=bool(trust.attesters)) for path, authority in opened.items()
        },
        sources=_sources(settings, [authority.description for authority in opened.values()], fetcher),
        database=database,
        clock=clock,
        secrecy=secrecy,
        publisher=Publisher(authorities=opened, database=database, clock=clock, rules=rules),
        limits=_limits(settings),
        request_keys=RequestKeys(database, clock, secrecy, period_seconds=settings.encryption_key_seconds),
        refusals=Refusals(database=database, tables=refused.REFUSALS, clock=clock),
        attestation_status=AttestationStatus(
            cache=StatusCache(settings.data_folder / "attestation-status", fetcher, clock), clock=clock
        ),
        require_dpop=settings.require_dpop,
        encryption_required=settings.encryption_required,
        identity_provider=_identity_provider(settings, fetcher, clock),
        demo_sign_in=settings.is_demo_sign_in,
        client_trust=trust,
        wallet_url=settings.wallet_url,
        webhooks=_webhooks(settings, clock, database, fetcher, secrecy),
    )


def _webhooks(
    settings: IssuerSettings, clock: Clock, database: Database, fetcher: Fetcher, secrecy: Secrecy
) -> Webhooks:
    return Webhooks(
        outbox=webhooks.OUTBOX,
        database=database,
        clock=clock,
        fetcher=fetcher,
        key=secrecy.webhook_key(),
        allow_loopback_http=settings.allow_loopback_http,
    )


def _fetcher(settings: IssuerSettings, clock: Clock) -> FetcherAtFirstUse:
    """Return what fetches; many issuers never do."""
    neighbour = settings.neighbour()

    def make() -> "GuardedFetcher":
        from comity.runtime.http import GuardedFetcher  # noqa: PLC0415  (comity.runtime.fetching says why)

        return GuardedFetcher(clock, allow_loopback_http=settings.allow_loopback_http, neighbour=neighbour)

    return FetcherAtFirstUse(make)


def _limits(settings: IssuerSettings) -> Limits:
    return Limits(
        offer_seconds=settings.offer_seconds,
        long_offer_seconds=settings.long_offer_seconds,
        token_seconds=settings.token_seconds,
        nonce_seconds=settings.nonce_seconds,
        retry_seconds=settings.retry_seconds,
        transaction_code_attempts=settings.transaction_code_attempts,
        batch_size=settings.batch_size,
        pushed_seconds=settings.pushed_seconds,
        sign_in_seconds=settings.sign_in_seconds,
        code_seconds=settings.code_seconds,
        refresh_seconds=settings.refresh_seconds,
        deferred_interval_seconds=settings.deferred_interval_seconds,
        deferred_seconds=settings.deferred_seconds,
    )


def _client_trust(settings: IssuerSettings) -> ClientTrust:
    return client_trust.load(
        settings.wallet_providers_file,
        settings.clients_file,
        is_required=settings.client_authentication == "required",
        gives_challenges=settings.attestation_challenges,
        attestation_age=timedelta(seconds=settings.attestation_seconds),
    )


def _identity_provider(settings: IssuerSettings, fetcher: Fetcher, clock: Clock) -> IdentityProvider | None:
    """Return where people sign in; None without one.

    Raises:
        NotFound: ``key_not_found``: the key that is registered there is missing.
    """
    if settings.identity_provider_issuer is None:
        return None
    secret = settings.identity_provider_client_secret
    registration = Registration(
        issuer=settings.identity_provider_issuer,
        client_id=settings.identity_provider_client_id,
        redirect_uri=settings.sign_in_redirect_uri,
        secret=None if secret is None else secret.get_secret_value(),
        signer=open_keys(settings).signer(identity.KEY) if secret is None else None,
        scope=settings.identity_provider_scope,
        subject_claim=settings.identity_provider_subject_claim,
    )
    return IdentityProvider(registration, fetcher, clock)


def _sources(settings: IssuerSettings, descriptions: list[Description], fetcher: Fetcher) -> dict[str, ClaimsSource]:
    folder = settings.authorities_file.parent
    return {
        each.path: sources.of_description(each.source, folder=folder, fetcher=fetcher)
        for each in descriptions
        if each.source is not None
    }


async def _erase_on_time(deployment: Deployment, every_seconds: float) -> None:
    """Erase what is due, and revoke for good what can no longer be undone; until cancelled."""
    while True:
        for act in (issuing.erase_due, bulk.erase_due, signing_in.erase_due, approving.finish_due, _forget_webhooks):
            try:
                done = await act(deployment)
                if done:
                    _log.info("done in time", what=f"{act.__module__}.{act.__name__}", count=done)
            except Exception as error:  # noqa: BLE001 - the next act and the next round must come
                _log.error("timer failed", what=f"{act.__module__}.{act.__name__}", **without_message(error))
        await asyncio.sleep(every_seconds)


async def _forget_webhooks(deployment: Deployment) -> int:
    return await deployment.webhooks.erase()


def _ready_checks(opened: _Opened) -> dict[str, ReadyCheck]:
    deployment = opened.deployment

    async def check_database() -> None:
        await deployment.database.read(lambda connection: offers.find(connection, "", now=0))

    async def check_keys() -> None:
        at = deployment.clock.now()
        for authority in deployment.authorities.values():
            authority.require_valid_certificates(at)

    async def check_operators() -> None:
        opened.operators.refresh()

    return {
        "database": check_database,
        "keys": check_keys,
        "operators": check_operators,
        "status_lists": deployment.publisher.check,
    }
