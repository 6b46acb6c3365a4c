"""``comity verifier client …``: the websites that let people sign in by presenting a credential."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from comity import strict_json
from comity.errors import Code, Malformed
from comity.runtime.clock import SystemClock
from comity.web import i18n

if TYPE_CHECKING:
    from verifier.bridge_store import Client
    from verifier.clients import Clients
    from verifier.policies import Ask
    from verifier.settings import VerifierSettings

clients = typer.Typer(no_args_is_help=True, help="Websites that sign people in. / Les sites Web à session.")
T = TypeVar("T")

LanguageOption = Annotated[str, typer.Option("--lang", help="en | fr")]


def _settings() -> "VerifierSettings":
    from comity.runtime.settings import load
    from verifier.settings import VerifierSettings

    return load(VerifierSettings)


@clients.command("add")
def add(
    name_en: Annotated[str, typer.Option(help="Name in English.")],
    name_fr: Annotated[str, typer.Option(help="Name in French.")],
    redirect_uri: Annotated[list[str], typer.Option(help="Where answers may go, exactly; may be given again.")],
    preset: Annotated[list[str], typer.Option(help="What it may ask, such as age-alcohol; may be given again.")],
    place: Annotated[str, typer.Option(help="Province or territory, such as ca-bc; absent: the installation's.")] = "",
    public: Annotated[bool, typer.Option("--public", help="It can keep no secret: an app, a script.")] = False,
    jwks: Annotated[Path | None, typer.Option(help="File with its public keys: it signs instead of a secret.")] = None,
    subject_claim: Annotated[
        str, typer.Option(help="Claim that `sub` is made of; absent: a new one at each sign-in.")
    ] = "",
    lang: LanguageOption = "en",
) -> None:
    """Register a website; print its client_id and, once, its secret."""
    from verifier import identity
    from verifier.clients import Wish
    from verifier.deployment import bridge_of
    from verifier.keyring import keys_of

    settings = _settings()
    wish = Wish(
        name={"en": name_en, "fr": name_fr},
        redirect_uris=tuple(redirect_uri),
        policies=tuple(preset),
        place=place,
        method=_method(public=public, jwks=jwks),
        jwks=_read(jwks),
        subject_claim=subject_claim,
    )
    asks = asks_of(settings, place)
    client, secret = _with_clients(settings, lambda each: each.add(wish, asks))
    keys_of(settings).signer_or_create(identity.ID_TOKEN)
    typer.echo(i18n.text("verifier.client_added", i18n.choose(lang), name=name_en, issuer=bridge_of(settings)))
    typer.echo(client.id)
    if secret:
        typer.echo(secret)


@clients.command("list")
def list_clients() -> None:
    """Print every website: client_id, state, how it shows who it is, names, presets, addresses."""
    for each in _with_clients(_settings(), lambda found: found.every()):
        names = " / ".join(each.name[language] for language in ("en", "fr"))
        typer.echo("\t".join((each.id, _state(each), each.method, names, *each.policies, *each.redirect_uris)))


@clients.command("renew")
def renew(client_id: Annotated[str, typer.Argument(help="The client_id that `list` prints.")]) -> None:
    """Give a website a new secret, printed once, and let it in after a restore; the old one ends at once."""
    secret = _with_clients(_settings(), lambda each: each.renew(client_id))
    if secret:
        typer.echo(secret)


@clients.command("remove")
def remove(client_id: Annotated[str, typer.Argument(help="The client_id that `list` prints.")]) -> None:
    """End a website's rights for good, at once, with every sign-in that is under way."""
    _with_clients(_settings(), lambda each: each.remove(client_id))


def asks_of(settings: "VerifierSettings", place: str) -> "dict[str, Ask]":
    """Return every policy that can be asked in ``place``, made ready; those without a rule there are left out."""
    from verifier import policies, policy_file

    own = {name: each.prepare for name, each in policy_file.load(settings.policies_file).items()}
    where, today = place or settings.place, SystemClock().now().date()
    found: dict[str, Ask] = {}
    for name in (*policies.POLICIES, *own):
        try:
            found[name] = policies.prepare(name, place=where, today=today, own=own)
        except Malformed:
            continue
    return found


def _method(*, public: bool, jwks: Path | None) -> str:
    from verifier.clients import KEY, PUBLIC, SECRET

    if public and jwks is not None:
        raise Malformed(Code.MALFORMED, "a public website has no keys of its own")
    return KEY if jwks is not None else PUBLIC if public else SECRET


def _read(jwks: Path | None) -> dict[str, Any]:
    if jwks is None:
        return {}
    try:
        return strict_json.parse_object(jwks.read_bytes())
    except OSError:
        raise Malformed(Code.MALFORMED_KEY, "the file of keys cannot be read") from None


def _state(client: "Client") -> str:
    if client.is_removed:
        return "removed"
    return "enabled" if client.is_enabled else "to be renewed"


def _with_clients(settings: "VerifierSettings", job: "Callable[[Clients], Awaitable[T]]") -> T:
    """Run one job on the websites of the installation and close its database."""
    from comity.runtime.database import open_database
    from verifier import identity
    from verifier.clients import Clients
    from verifier.deployment import bridge_of
    from verifier.keyring import keys_of

    async def run() -> T:
        database = open_database(settings.database)
        try:
            own = identity.load(
                keys_of(settings), settings.public_url, settings.client_id_prefix, settings.attestation_file
            )
            found = Clients(database=database, clock=SystemClock(), seal=own.seal, issuer=bridge_of(settings))
            return await job(found)
        finally:
            await database.close()

    return asyncio.run(run())
