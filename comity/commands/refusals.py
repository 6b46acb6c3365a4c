"""``comity issuer|verifier refusals``: what wallets were refused, by the hour or one by one; nothing of who asked."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from comity.runtime.clock import SystemClock

if TYPE_CHECKING:
    from comity.runtime.refusals import Kind, Tables

_Each = Annotated[bool, typer.Option("--each", help="One line for each request. / Une ligne par demande.")]
_Authority = Annotated[str, typer.Option(help="Absent: at authorities that are not here. / Absent : les inconnues.")]


def mount(cli: typer.Typer, service: str, place: "Callable[[], tuple[str, Tables]]", *, by_authority: bool) -> None:
    """Add ``refusals`` to the commands of one service.

    Args:
        cli: the service's commands.
        service: its name, as that of its migrations.
        place: returns the address of its database, from its settings, and the tables in it; asked when called.
        by_authority: whether refusals are kept for each authority.
    """

    def show(scope: str, is_each: bool) -> None:
        from comity.runtime import migrations

        url, tables = place()
        migrations.check(url, service)
        for line in asyncio.run(_read(url, tables, scope, is_each)):
            typer.echo(line)

    def of_one(authority: _Authority = "", each: _Each = False) -> None:
        """Print what wallets were refused, the newest first: hour, endpoint, code, how often. / Les refus."""
        show(authority, each)

    def of_all(each: _Each = False) -> None:
        """Print what wallets were refused, the newest first: hour, endpoint, code, how often. / Les refus."""
        show("", each)

    cli.command("refusals")(of_one if by_authority else of_all)


async def _read(url: str, tables: "Tables", scope: str, is_each: bool) -> list[str]:
    from comity.runtime.database import open_database
    from comity.runtime.refusals import Refusals

    database = open_database(url)
    try:
        refusals = Refusals(database=database, tables=tables, clock=SystemClock())
        if is_each:
            return [_line(event.at, event.kind) for event in await refusals.events(scope)]
        return [f"{_line(each.hour, each.kind)}\t{each.times}" for each in await refusals.newest(scope)]
    finally:
        await database.close()


def _line(at: int, kind: "Kind") -> str:
    return f"{datetime.fromtimestamp(at, UTC).isoformat(timespec='seconds')}\t{kind.endpoint}\t{kind.code}"
