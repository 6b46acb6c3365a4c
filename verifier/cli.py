"""``comity verifier …``: run the verifier, make its keys, register relying parties."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from comity import strict_json
from comity.commands import backup, refusals, webhook
from comity.errors import Code, Malformed, NotFound
from comity.runtime.clock import SystemClock
from comity.runtime.loading import loading
from comity.web import i18n
from verifier.client_cli import clients

if TYPE_CHECKING:
    from fastapi import FastAPI

    from comity.runtime.backup import Scheme
    from comity.runtime.refusals import Tables
    from verifier.pairing import Pairing
    from verifier.settings import VerifierSettings

cli = typer.Typer(no_args_is_help=True, help="The verifier: ask, verify, answer. / Le vérificateur.")
keys = typer.Typer(no_args_is_help=True, help="The verifier's own keys. / Les clés du vérificateur.")
parties = typer.Typer(no_args_is_help=True, help="Who may start requests. / Qui peut lancer une demande.")
cli.add_typer(keys, name="keys")
counters = typer.Typer(no_args_is_help=True, help="Devices at counters. / Les appareils aux comptoirs.")
cli.add_typer(parties, name="relying-party")
cli.add_typer(counters, name="counter")
cli.add_typer(clients, name="client")

T = TypeVar("T")


def _settings() -> "VerifierSettings":
    from comity.runtime.settings import load
    from verifier.settings import VerifierSettings

    return load(VerifierSettings)


def _backup() -> "Scheme":
    from verifier.backup import scheme

    return scheme(url=_settings().database)


backup.mount(cli, _backup)


def _refusals() -> "tuple[str, Tables]":
    from verifier import store

    return _settings().database, store.REFUSALS


refusals.mount(cli, "verifier", _refusals, by_authority=False)


@asynccontextmanager
async def _webhooks() -> AsyncIterator[webhook.Desk]:
    from comity.runtime.database import open_database
    from comity.runtime.http import GuardedFetcher
    from comity.runtime.webhooks.delivery import Webhooks
    from verifier import identity, store
    from verifier.keyring import keys_of
    from verifier.relying_parties import RelyingParties

    settings, clock = _settings(), SystemClock()
    database = open_database(settings.database)
    try:
        async with GuardedFetcher(clock, allow_loopback_http=settings.allow_loopback_http) as fetcher:
            own = identity.load(
                keys_of(settings), settings.public_url, settings.client_id_prefix, settings.attestation_file
            )
            yield webhook.Desk(
                webhooks=Webhooks(outbox=store.OUTBOX, database=database, clock=clock, fetcher=fetcher, key=own.seal),
                scopes={each.name for each in RelyingParties.load(settings.relying_parties_file).parties},
                allow_loopback_http=settings.allow_loopback_http,
            )
    finally:
        await database.close()


def _events() -> tuple[str, ...]:
    from verifier import telling

    return telling.TYPES


webhook.mount(cli, _webhooks, _events, scope_option="--relying-party")

LanguageOption = Annotated[str, typer.Option("--lang", help="en | fr")]


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "localhost",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8103,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; several need PostgreSQL.")] = 1,
) -> None:
    """Serve the verifier until it is told to stop."""
    from comity.web import serving

    if workers > 1:
        from comity.runtime.database import require_shared

        require_shared(_settings().database, workers)
        serving.serve_workers("verifier.cli:worker", host, port, workers=workers, name="comity verifier")
    else:
        serving.serve(worker(), host, port, name="comity verifier")


def worker() -> "FastAPI":
    """Return the application of one process, as its environment sets it."""
    with loading():
        from comity.runtime.logging import configure
        from verifier.app import create_app

        settings = _settings()
        configure("verifier", settings.environment)
        return create_app(settings)


@cli.command()
def migrate() -> None:
    """Bring the database to the version of this software."""
    from comity.runtime import migrations

    migrations.upgrade(_settings().database, "verifier")


@cli.command()
def check() -> None:
    """Say whether the database is at the version of this software; exit code 2 when it is not."""
    from comity.runtime import migrations

    migrations.check(_settings().database, "verifier")


@keys.command("init")
def init(lang: LanguageOption = "en") -> None:
    """Make the keys and the certificate; what exists is kept."""
    from verifier import identity
    from verifier.keyring import keys_of

    settings = _settings()
    identity.create(keys_of(settings), settings.public_url, SystemClock())
    typer.echo(i18n.text("verifier.keys_ready", i18n.choose(lang), folder=settings.data_folder / "keys"))


@keys.command("public")
def public() -> None:
    """Print the public key that signs requests, as a JWK: whoever attests this verifier needs it."""
    from verifier import identity
    from verifier.keyring import keys_of

    signer = keys_of(_settings()).signer(identity.REQUEST)
    sys.stdout.write(strict_json.serialise(dict(signer.public_jwk)).decode() + "\n")


@cli.command()
def identifiers(
    name_en: Annotated[str, typer.Option(help="Name in English.")],
    name_fr: Annotated[str, typer.Option(help="Name in French.")],
) -> None:
    """Print this verifier's entry for the trust registry, as JSON."""
    from verifier import identity, policies, policy_file
    from verifier.keyring import keys_of

    settings = _settings()
    others = policy_file.load(settings.policies_file).values()
    entry = identity.registry_entry(
        keys_of(settings),
        settings.public_url,
        name={"en": name_en, "fr": name_fr},
        may_ask=[*policies.entitlements(), *(own for each in others for own in each.entitlements())],
        prefix=settings.client_id_prefix,
        attestation=settings.attestation_file,
    )
    sys.stdout.write(strict_json.serialise(entry).decode() + "\n")


@parties.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Who it is.")],
    file: Annotated[Path | None, typer.Option(help="The relying parties' file; absent: that of the settings.")] = None,
) -> None:
    """Register a relying party and print its token, once; a running verifier knows it from its next start."""
    from verifier import relying_parties

    path = file or _settings().relying_parties_file
    typer.echo(relying_parties.add(path, name))


@counters.command("add")
def add_counter(
    name: Annotated[str, typer.Argument(help="What people call the device, such as “Till 2”.")],
    party: Annotated[str, typer.Option("--relying-party", help="In whose name it asks.")],
    place: Annotated[str, typer.Option(help="Province or territory, such as ca-bc; absent: the installation's.")] = "",
    lang: LanguageOption = "en",
) -> None:
    """Make a pairing code for a device; it works once, within 30 minutes."""
    from comity.trust.places import PROVINCES_AND_TERRITORIES
    from verifier.relying_parties import RelyingParties

    settings = _settings()
    if place and place not in PROVINCES_AND_TERRITORIES:
        raise Malformed(Code.PLACE_UNKNOWN, "no province or territory has this code")
    if party not in {each.name for each in RelyingParties.load(settings.relying_parties_file).parties}:
        raise NotFound(Code.NOT_FOUND, "there is no relying party of this name; see 'comity verifier relying-party'")
    device, code = _with_pairing(settings, lambda pairing: pairing.add(name, relying_party=party, place=place))
    language, url = i18n.choose(lang), f"{settings.public_url}/{i18n.choose(lang)}/counter/sign-in"
    typer.echo(i18n.text("verifier.counter_added", language, device=device, url=url))
    typer.echo(code)


@counters.command("list")
def list_counters() -> None:
    """Print every device: id, name, relying party, and when it was last seen."""
    for each in _with_pairing(_settings(), lambda pairing: pairing.devices()):
        seen = each.seen_at.isoformat() if each.seen_at else "-"
        typer.echo(f"{each.id}\t{each.name}\t{each.relying_party}\t{seen}")


@counters.command("remove")
def remove_counter(device: Annotated[str, typer.Argument(help="The id that `list` prints.")]) -> None:
    """Sign a device out for good; its history stays with its relying party."""
    if not _with_pairing(_settings(), lambda pairing: pairing.end(device)):
        raise NotFound(Code.NOT_FOUND, "there is no such device")


def _with_pairing(settings: "VerifierSettings", job: "Callable[[Pairing], Awaitable[T]]") -> T:
    """Run one job on the devices of the installation and close its database."""
    from comity.runtime.database import open_database
    from verifier.pairing import Pairing

    async def run() -> T:
        database = open_database(settings.database)
        try:
            return await job(Pairing(database=database, clock=SystemClock()))
        finally:
            await database.close()

    return asyncio.run(run())
