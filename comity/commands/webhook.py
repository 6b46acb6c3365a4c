"""``comity issuer|verifier webhook …``: who is told what happens, and what came of each telling."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from msgspec import Struct

from comity import strict_json
from comity.errors import Code, Malformed, NotFound
from comity.runtime.webhooks.state import EVERYONE, State
from comity.web import i18n

if TYPE_CHECKING:
    from comity.runtime.webhooks.delivery import Webhooks
    from comity.runtime.webhooks.outbox import Delivery, Endpoint

T = TypeVar("T")
_MOST = 1000


class Desk(Struct, frozen=True, kw_only=True):
    """One service's webhooks, as its commands work with them.

    Attributes:
        webhooks: of the service.
        scopes: whose records there are: authorities, or relying parties.
        allow_loopback_http: whether this machine may be told; development only.
    """

    webhooks: "Webhooks"
    scopes: Collection[str]
    allow_loopback_http: bool


Open = Callable[[], AbstractAsyncContextManager[Desk]]

_Language = Annotated[str, typer.Option("--lang", help="en | fr")]
_Json = Annotated[bool, typer.Option("--json", help="For programs. / Pour les programmes.")]
_Id = Annotated[str, typer.Argument(help="The id that `list` prints. / L’identifiant que `list` affiche.")]
_Types = Annotated[list[str] | None, typer.Option("--event", help="Absent: every type. / Absent : tous les types.")]


def mount(cli: typer.Typer, opened: Open, types: Callable[[], Sequence[str]], *, scope_option: str) -> None:
    """Add ``webhook`` to the commands of one service; ``opened`` reads its settings when called.

    Args:
        cli: the service's commands.
        opened: opens the database for one command.
        types: returns every type of event; asked when a command needs them.
        scope_option: what the option is called that names whose records: ``--authority``, ``--relying-party``.
    """
    webhook = typer.Typer(no_args_is_help=True, help="Who is told what happens. / Qui est averti de ce qui se passe.")
    cli.add_typer(webhook, name="webhook")
    _mount_changes(webhook, opened, types, scope_option)
    _mount_sending(webhook, opened)
    _mount_reading(webhook, opened)


def _mount_changes(webhook: typer.Typer, opened: Open, types: Callable[[], Sequence[str]], scope_option: str) -> None:
    @webhook.command("add")
    def add(
        url: Annotated[str, typer.Argument(help="https://…")],
        event: _Types = None,
        scope: Annotated[str, typer.Option(scope_option, help="Absent: all. / Absent : tout.")] = EVERYONE,
        lang: _Language = "en",
    ) -> None:
        """Add an address and print its secret once. / Ajouter une adresse et afficher son secret une seule fois."""

        async def act(desk: Desk) -> "tuple[Endpoint, str]":
            wanted = _wanted(desk, url, event or (), types(), scope)
            return await desk.webhooks.add(url, scope=scope, types=wanted)

        endpoint, secret = _do(opened, act)
        typer.echo(i18n.text("cli.webhook_added", i18n.choose(lang), id=endpoint.id), err=True)
        typer.echo(secret)

    @webhook.command("remove")
    def remove(endpoint: _Id) -> None:
        """Remove an address, with all that waits for it. / Retirer une adresse et tout ce qui l’attend."""
        if not _do(opened, lambda desk: desk.webhooks.remove(endpoint)):
            raise _unknown()


def _mount_sending(webhook: typer.Typer, opened: Open) -> None:
    @webhook.command("renew")
    def renew(endpoint: _Id, lang: _Language = "en") -> None:
        """Give an address another secret and print it once. / Donner un nouveau secret à une adresse."""
        secret = _do(opened, lambda desk: desk.webhooks.renew(endpoint))
        typer.echo(i18n.text("cli.webhook_renewed", i18n.choose(lang)), err=True)
        typer.echo(secret)

    @webhook.command("test")
    def test(endpoint: _Id, lang: _Language = "en") -> None:
        """Send an address an event that tells of nothing. / Envoyer à une adresse un événement d’essai."""
        if not _do(opened, lambda desk: desk.webhooks.test(endpoint)):
            raise _unknown()
        typer.echo(i18n.text("cli.webhook_tested", i18n.choose(lang)))

    @webhook.command("retry")
    def retry(endpoint: _Id, lang: _Language = "en") -> None:
        """Send once more what was given up. / Envoyer de nouveau ce qui a été abandonné."""
        count = _do(opened, lambda desk: _known(desk, endpoint, desk.webhooks.retry(endpoint)))
        typer.echo(i18n.text("cli.webhook_retried", i18n.choose(lang), count=count))


def _mount_reading(webhook: typer.Typer, opened: Open) -> None:
    @webhook.command("list")
    def show(*, json: _Json = False) -> None:
        """List the addresses. / Lister les adresses."""
        found = [_endpoint(each) for each in _do(opened, lambda desk: desk.webhooks.all())]
        _print(found, as_json=json)

    @webhook.command("deliveries")
    def deliveries(
        endpoint: _Id,
        state: Annotated[State | None, typer.Option(help="Only these. / Seulement ceux-ci.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=_MOST)] = 50,
        *,
        json: _Json = False,
    ) -> None:
        """Show what came of each telling, newest first. / Afficher le résultat de chaque envoi."""
        found = _do(opened, lambda desk: _known(desk, endpoint, desk.webhooks.log(endpoint, state=state, limit=limit)))
        _print([_delivery(each) for each in found], as_json=json)


def _do(opened: Open, act: Callable[[Desk], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened() as desk:
            return await act(desk)

    return asyncio.run(run())


async def _known(desk: Desk, endpoint_id: str, act: Awaitable[T]) -> T:
    """Do something with an endpoint, once it is known that there is one."""
    done = await act
    if endpoint_id not in {each.id for each in await desk.webhooks.all()}:
        raise _unknown()
    return done


def _wanted(desk: Desk, url: str, given: Sequence[str], types: Sequence[str], scope: str) -> Sequence[str]:
    """Check what an endpoint is added with; return of which types it is told."""
    from comity.runtime.urls import require_allowed

    require_allowed(url, allow_loopback_http=desk.allow_loopback_http)
    unknown = sorted(set(given) - set(types))
    if unknown:
        raise Malformed(Code.REQUEST_INVALID, f"there are these events: {', '.join(types)}")
    if scope != EVERYONE and scope not in desk.scopes:
        raise NotFound(Code.NOT_FOUND, f"whose records: one of {', '.join(sorted(desk.scopes))}")
    return given


def _endpoint(endpoint: "Endpoint") -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "scope": endpoint.scope,
        "events": list(endpoint.types),
        "created_at": _time(endpoint.created_at),
    }


def _delivery(delivery: "Delivery") -> dict[str, Any]:
    return {
        "event": delivery.event_id,
        "type": delivery.type,
        "created_at": _time(delivery.created_at),
        "state": delivery.state.value,
        "attempts": [{"at": _time(at), "outcome": outcome} for at, outcome in delivery.log],
        "next_at": _time(delivery.next_at) if delivery.state is State.WAITING else None,
    }


def _print(found: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(strict_json.serialise(list(found)).decode())
        return
    for each in found:
        typer.echo("\t".join(_cell(value) for value in each.values()))


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(each["outcome"]) if isinstance(each, dict) else str(each) for each in value) or "-"
    return "-" if value is None else str(value)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat().replace("+00:00", "Z")


def _unknown() -> NotFound:
    return NotFound(Code.NOT_FOUND, "there is no such webhook; see 'webhook list'")
