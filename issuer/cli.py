"""``comity issuer …``: serve, migrate, check, keys, identifiers, operators, and the static status host."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comity import strict_json
from comity.commands import backup, refusals, webhook
from comity.runtime.clock import SystemClock
from comity.runtime.loading import loading
from comity.web import i18n
from issuer import clerk_cli, reissue_cli
from issuer.operators import Role

if TYPE_CHECKING:
    from fastapi import FastAPI

    from comity.runtime.backup import Scheme
    from comity.runtime.refusals import Tables
    from issuer.settings import IssuerSettings

cli = typer.Typer(no_args_is_help=True, help="Issue credentials. / Délivrer des attestations.")
_keys = typer.Typer(no_args_is_help=True, help="Keys of the authorities. / Clés des autorités.")
_operators = typer.Typer(no_args_is_help=True, help="Who may use the operators' API. / Qui peut utiliser l’API.")
cli.add_typer(_keys, name="keys")
cli.add_typer(_operators, name="operators")
cli.add_typer(clerk_cli.cli, name="clerk")
reissue_cli.mount(cli)


def _settings() -> "IssuerSettings":
    from comity.runtime.settings import load
    from issuer.settings import IssuerSettings

    return load(IssuerSettings)


def _backup() -> "Scheme":
    from issuer.authorities import SECRET
    from issuer.backup import scheme
    from issuer.keyring import open_authorities, open_keys

    settings = _settings()
    return scheme(
        url=settings.database,
        secret=open_keys(settings).secret(SECRET),
        authorities=open_authorities(settings, SystemClock().now()),
        directory=settings.status_directory,
    )


backup.mount(cli, _backup)


def _refusals() -> "tuple[str, Tables]":
    from issuer.store import refused

    return _settings().database, refused.REFUSALS


refusals.mount(cli, "issuer", _refusals, by_authority=True)


@asynccontextmanager
async def _webhooks() -> AsyncIterator[webhook.Desk]:
    from issuer.app import open_deployment

    settings = _settings()
    async with open_deployment(settings, SystemClock()) as deployment:
        yield webhook.Desk(
            webhooks=deployment.webhooks,
            scopes=deployment.authorities.keys(),
            allow_loopback_http=settings.allow_loopback_http,
        )


def _events() -> tuple[str, ...]:
    from issuer.store import webhooks

    return webhooks.TYPES


webhook.mount(cli, _webhooks, _events, scope_option="--authority")

_Language = Annotated[str, typer.Option("--lang", help="en | fr")]
_Workers = Annotated[int, typer.Option(min=1, max=64, help="Processes; several need PostgreSQL. / Processus.")]
_Host = Annotated[str, typer.Option(help="Address to listen on. / Adresse d’écoute.")]


@cli.command()
def serve(host: _Host = "localhost", port: int = 8101, workers: _Workers = 1) -> None:
    """Run the issuer. / Lancer le service de délivrance."""
    from comity.web import serving

    if workers > 1:
        from comity.runtime.database import require_shared

        require_shared(_settings().database, workers)
        serving.serve_workers("issuer.cli:worker", host, port, workers=workers, name="issuer")
    else:
        serving.serve(worker(), host, port, name="issuer")


def worker() -> "FastAPI":
    """Return the application of one process, as its environment sets it."""
    with loading():
        from comity.runtime.logging import configure
        from issuer.app import create_app

        settings = _settings()
        configure("issuer", settings.environment)
        return create_app(settings)


@cli.command("status-host")
def status_host(
    directory: Annotated[Path, typer.Option(help="Folder of the published lists. / Dossier des listes publiées.")],
    host: _Host = "localhost",
    port: int = 8105,
    max_age: Annotated[int, typer.Option(min=0, help="Cache-Control max-age in seconds. / en secondes.")] = 60,
) -> None:
    """Serve published status lists, and nothing else. / Servir les listes d’état publiées, et rien d’autre."""
    from comity.runtime.logging import configure
    from comity.web import serving
    from issuer.status_host import StatusHost

    configure("status", "production")
    serving.serve(StatusHost(directory, max_age=max_age), host, port, name="status")


@cli.command()
def migrate(lang: _Language = "en") -> None:
    """Bring the database to this version. / Mettre la base de données à jour."""
    from comity.runtime import migrations

    migrations.upgrade(_settings().database, "issuer")
    typer.echo(i18n.text("issuer.migrated", lang))


@cli.command()
def check() -> None:
    """Say whether the database is at this version; exit code 2 when not. / Dire si la base de données est à jour."""
    from comity.runtime import migrations

    migrations.check(_settings().database, "issuer")


@_keys.command("init")
def keys_init(lang: _Language = "en") -> None:
    """Make the keys that are missing; never replaces one. / Créer les clés manquantes, sans en remplacer aucune."""
    from issuer.keyring import create_missing_keys

    made = create_missing_keys(_settings(), SystemClock().now())
    for name in made:
        typer.echo(i18n.text("issuer.key_made", lang, name=name))
    if not made:
        typer.echo(i18n.text("issuer.no_key_missing", lang))


@_keys.command("show")
def keys_show(lang: _Language = "en") -> None:
    """Show public facts about the keys. / Afficher les données publiques des clés."""
    from issuer.keyring import open_authorities

    for authority in open_authorities(_settings(), SystemClock().now()).values():
        typer.echo(f"{authority.path}  {authority.description.name[lang]}")
        ends_at = i18n.date(authority.anchor.not_valid_after_utc.date(), lang)
        typer.echo(f"  {i18n.text('issuer.anchor_until', lang, date=ends_at)}")
        for name, signer in (
            ("credential", authority.credential_signer),
            ("did", authority.did_signer),
            ("status", authority.status_signer),
        ):
            typer.echo(f"  {name:<10}  {signer.algorithm}  {signer.thumbprint}")


@cli.command()
def identifiers(
    *,
    json: Annotated[bool, typer.Option("--json", help="As JSON for `comity registry add`.")] = False,
    lang: _Language = "en",
) -> None:
    """Print what the registry should say of each authority. / Afficher les entrées destinées au registre."""
    from issuer.keyring import open_authorities

    opened = open_authorities(_settings(), SystemClock().now()).values()
    if json:
        typer.echo(strict_json.serialise([authority.registry_entry() for authority in opened]).decode())
        return
    for authority in opened:
        typer.echo(f"{authority.path}  {authority.description.name[lang]}")
        typer.echo(f"  dc+sd-jwt  {authority.issuer_id}")
        typer.echo(f"  vc+jwt     {authority.did}")
        typer.echo(f"  {i18n.text('issuer.status_below', lang, url=authority.status_base)}")


@_operators.command("add")
def operators_add(
    name: str,
    role: Role,
    authority: Annotated[list[str] | None, typer.Option(help="ca-on/services …")] = None,
    lang: _Language = "en",
) -> None:
    """Add an operator and print the token once. / Ajouter une personne et afficher son jeton une seule fois."""
    from issuer import operators

    file = _settings().operators_file
    token = operators.add(file, name=name, role=role, authorities=tuple(authority or [operators.EVERY_AUTHORITY]))
    typer.echo(i18n.text("issuer.token_once", lang), err=True)
    typer.echo(token)
