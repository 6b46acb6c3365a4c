"""``comity issuer|verifier refusals``: what wallets were refused, by the hour or one by one; nothing of who asked."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from comity.runtime import migrations
from comity.runtime.clock import SystemClock
from comity.runtime.database import open_database
from comity.runtime.refusals import Kind, Refusals, Tables

_Each = Annotated[bool, typer.Option("--each", help="One line for each request. / Une ligne par demande.")]
_Authority = Annotated[str, typer.Option(help="Absent: at authorities that are not here. / Absent : les inconnues.")]


def mount(cli: typer.Typer, service: str, url: Callable[[], str], tables: Tables, *, by_authority: bool) -> None:
    """Add ``refusals`` to the commands of one service; ``url`` reads its settings when called."""

    async def read(scope: str, is_each: bool) -> list[str]:
        database = open_database(url())
        try:
            refusals = Refusals(database=database, tables=tables, clock=SystemClock())
            if is_each:
                return [_line(event.at, event.kind) for event in await refusals.events(scope)]
            return [f"{_line(each.hour, each.kind)}\t{each.times}" for each in await refusals.newest(scope)]
        finally:
            await database.close()

    def show(scope: str, is_each: bool) -> None:
        migrations.check(url(), service)
        for line in asyncio.run(read(scope, is_each)):
            typer.echo(line)

    def of_one(authority: _Authority = "", each: _Each = False) -> None:
        """Print what wallets were refused, the newest first: hour, endpoint, code, how often. / Les refus."""
        show(authority, each)

    def of_all(each: _Each = False) -> None:
        """Print what wallets were refused, the newest first: hour, endpoint, code, how often. / Les refus."""
        show("", each)

    cli.command("refusals")(of_one if by_authority else of_all)


def _line(at: int, kind: Kind) -> str:
    return f"{datetime.fromtimestamp(at, UTC).isoformat(timespec='seconds')}\t{kind.endpoint}\t{kind.code}"
