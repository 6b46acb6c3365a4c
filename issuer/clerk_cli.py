"""``comity issuer clerk …``: the accounts at the console, for who runs the deployment."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from comity import strict_json
from comity.errors import Code, Conflict, Misconfigured
from comity.runtime.clock import SystemClock
from comity.web import i18n
from issuer.operators import Role

if TYPE_CHECKING:
    from issuer.deployment import Deployment
    from issuer.settings import IssuerSettings

cli = typer.Typer(no_args_is_help=True, help="Accounts at the console. / Comptes du bureau de délivrance.")

DEMO_PASSWORD = "a password for the demo only"
"""Of every account that ``clerk demo`` opens; everybody may know it, and production refuses it."""
ACTOR = "command_line"

_Language = Annotated[str, typer.Option("--lang", help="en | fr")]


def _settings() -> "IssuerSettings":
    from comity.runtime.settings import load
    from issuer.settings import IssuerSettings

    return load(IssuerSettings)


@contextlib.asynccontextmanager
async def _opened() -> "AsyncIterator[Deployment]":
    from issuer.app import open_deployment

    async with open_deployment(_settings(), SystemClock()) as deployment:
        yield deployment


def _do(act: "Callable[[Deployment], Awaitable[None]]") -> None:
    async def run() -> None:
        async with _opened() as deployment:
            await act(deployment)

    asyncio.run(run())


@cli.command()
def add(
    name: str,
    role: Role,
    authority: Annotated[str, typer.Option(help="ca-on/services …")],
    lang: _Language = "en",
) -> None:
    """Open an account and print its first password once. / Ouvrir un compte et afficher son mot de passe une fois."""
    from issuer import passwords, signing_in

    password = passwords.new()

    async def act(deployment: "Deployment") -> None:
        await signing_in.add(deployment, name=name, role=role, authority=authority, password=password, actor=ACTOR)

    _do(act)
    typer.echo(i18n.text("issuer.password_once", lang), err=True)
    typer.echo(password)


@cli.command("list")
def show() -> None:
    """List the accounts. / Lister les comptes."""
    from issuer.store import clerks

    async def act(deployment: "Deployment") -> None:
        for each in await deployment.database.read(lambda connection: clerks.of_authority(connection, None)):
            typer.echo(f"{each.name}  {each.role}  {each.authority}{'  –' if each.is_disabled else ''}")

    _do(act)


@cli.command()
def disable(name: str, lang: _Language = "en") -> None:
    """Close an account; its sessions end at once. / Fermer un compte; ses sessions prennent fin aussitôt."""
    from issuer import signing_in

    async def act(deployment: "Deployment") -> None:
        await signing_in.set_disabled(deployment, name, authority=None, disabled=True, actor=ACTOR)

    _do(act)
    typer.echo(i18n.text("issuer.clerk_closed", lang, name=name))


@cli.command()
def reset(name: str, lang: _Language = "en") -> None:
    """Give an account a new password and print it once. / Remettre un nouveau mot de passe, affiché une fois."""
    from issuer import passwords, signing_in

    password = passwords.new()

    async def act(deployment: "Deployment") -> None:
        await signing_in.reset(deployment, name, authority=None, password=password, actor=ACTOR)

    _do(act)
    typer.echo(i18n.text("issuer.password_once", lang), err=True)
    typer.echo(password)


@cli.command()
def demo() -> None:
    """Open an account of each role for each authority, with a known password; never in production. / Démo seulement."""
    from issuer import passwords, signing_in

    if _settings().is_production:
        raise Misconfigured(Code.MISCONFIGURED, "accounts with a known password are for demonstrations only")
    stored = passwords.hash_of(DEMO_PASSWORD)
    accounts: list[dict[str, str]] = []

    async def act(deployment: "Deployment") -> None:
        for path in deployment.authorities:
            for role in Role:
                name = demo_name(role, path)
                with contextlib.suppress(Conflict):  # it is there from an earlier run
                    await signing_in.add(
                        deployment,
                        name=name,
                        role=role,
                        authority=path,
                        password=DEMO_PASSWORD,
                        actor=ACTOR,
                        stored=stored,
                    )
                accounts.append({"name": name, "role": role.value, "authority": path})

    _do(act)
    typer.echo(strict_json.serialise({"password": DEMO_PASSWORD, "accounts": accounts}).decode())


def demo_name(role: Role, authority: str) -> str:
    """Return the name of a demo account, such as ``clerk.ca-on`` or ``clerk.ca-on.toronto``."""
    jurisdiction, _, agency = authority.rpartition("/")
    place = jurisdiction.replace("/", ".")
    return f"{role.value}.{place}" if agency == "services" else f"{role.value}.{place}.{agency}"
