"""``comity issuer reissue``: what a lost key signed, offered anew and revoked; first as a plan."""

import asyncio
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from comity import strict_json
from comity.credential import Format
from comity.errors import Code, Malformed, Misconfigured
from comity.runtime.clock import SystemClock
from comity.runtime.files import replace_file
from comity.web import i18n

if TYPE_CHECKING:
    from issuer.offering import CreatedOffer
    from issuer.reissuing import Reissuing
    from issuer.store.reissues import Item, PlanLine

ACTOR = "command_line"


class Revoke(StrEnum):
    """Which old credentials are revoked."""

    NOW = "now"
    COLLECTED = "collected"


_Key = Annotated[str, typer.Option("--key", help="Thumbprint, as `keys show` prints it. / Empreinte de la clé.")]
_Plan = Annotated[bool, typer.Option("--plan", help="Only say what would be done. / Dire seulement ce qui se ferait.")]
_Go = Annotated[bool, typer.Option("--go", help="Do it, or go on with it. / Le faire, ou poursuivre.")]
_Again = Annotated[bool, typer.Option("--again", help="Offer anew what nobody collected in time. / Offrir de nouveau.")]
_Revoke = Annotated[
    Revoke, typer.Option(help="Old ones: at once, or once the new one is collected. / Révoquer les anciennes.")
]
_Authority = Annotated[
    str | None, typer.Option(help="Whose key it was, if nothing tells. / À quelle autorité était la clé.")
]
_Format = Annotated[Format | None, typer.Option("--format", help="And of which format. / Et pour quel format.")]
_Known = Annotated[bool, typer.Option("--only-known", help="Without those of unknown key. / Sans les clés inconnues.")]
_Links = Annotated[Path | None, typer.Option(help="File for the links of the open offers. / Fichier des liens.")]
_Codes = Annotated[Path | None, typer.Option(help="File for their codes: send them apart. / Fichier des codes.")]
_Json = Annotated[bool, typer.Option("--json", help="For programs. / Pour les programmes.")]
_Language = Annotated[str, typer.Option("--lang", help="en | fr")]


def mount(cli: typer.Typer) -> None:
    """Add ``reissue`` to the issuer's commands."""

    @cli.command()
    def reissue(
        key: _Key,
        *,
        plan: _Plan = False,
        go: _Go = False,
        again: _Again = False,
        revoke: _Revoke = Revoke.NOW,
        only_known: _Known = False,
        authority: _Authority = None,
        credential_format: _Format = None,
        links: _Links = None,
        codes: _Codes = None,
        json: _Json = False,
        lang: _Language = "en",
    ) -> None:
        """Offer anew what a lost key signed, and revoke the old. / Délivrer de nouveau ce qu’une clé perdue a signé."""
        if plan == go:
            raise Malformed(Code.REQUEST_INVALID, "say either --plan or --go")
        if links is not None and links == codes:
            raise Malformed(Code.REQUEST_INVALID, "links and codes go into two files, which travel apart")
        if (authority is None) != (credential_format is None):
            raise Malformed(Code.REQUEST_INVALID, "--authority and --format go together")
        named = (authority, credential_format) if authority and credential_format else None
        wish = _Wish(
            key=key, go=go, again=again, revoke=revoke, only_known=only_known, named=named, links=links, codes=codes
        )
        told = asyncio.run(_run(wish))
        if json:
            typer.echo(strict_json.serialise(told).decode())
        else:
            _tell(told, i18n.choose(lang))


class _Wish(Struct, frozen=True, kw_only=True):
    key: str
    go: bool
    again: bool
    revoke: Revoke
    only_known: bool
    named: tuple[str, Format] | None
    links: Path | None
    codes: Path | None


async def _run(wish: _Wish) -> dict[str, Any]:
    from comity.runtime.settings import load
    from issuer.app import open_deployment
    from issuer.reissuing import Reissuing
    from issuer.settings import IssuerSettings
    from issuer.store.reissues import Scope

    named = () if wish.named is None else (Scope(authority=wish.named[0], format=wish.named[1]),)
    async with open_deployment(load(IssuerSettings), SystemClock()) as deployment:
        for each in named:
            deployment.authority(each.authority)
        reissuing = Reissuing(deployment=deployment, key=wish.key, only_known=wish.only_known, named=named, actor=ACTOR)
        lines = await reissuing.plan()
        told: dict[str, Any] = {
            "key": wish.key,
            "in_use": reissuing.is_in_use(),
            "plan": [_line(each) for each in lines],
            "revoked_now": 0,
        }
        if wish.go:
            told["revoked_now"] = await _go(reissuing, again=wish.again, revoke=wish.revoke)
            await _hand_over(reissuing, wish.links, wish.codes)
        refused = await reissuing.refused()
        return told | {
            "things": await reissuing.counts(),
            "refused": [_refused(each) for each in refused],
        }


async def _go(reissuing: "Reissuing", *, again: bool, revoke: Revoke) -> int:
    from rich.console import Console
    from rich.progress import Progress

    await reissuing.begin()
    if again:
        await reissuing.again()
    things = await reissuing.counts()
    with Progress(console=Console(stderr=True), transient=True) as shown:
        offering = shown.add_task("offers", total=things["ready"])
        await reissuing.offer_all(lambda count: shown.advance(offering, count))
        revoking = shown.add_task("revocations", total=None)
        only_collected = revoke is Revoke.COLLECTED
        return await reissuing.revoke(lambda count: shown.advance(revoking, count), only_collected=only_collected)


async def _hand_over(reissuing: "Reissuing", links: Path | None, codes: Path | None) -> None:
    """Write the links and the codes of what waits to be collected, each into a file of its own."""
    from issuer import spreadsheet

    if links is None and codes is None:
        return
    found = await reissuing.open_offers()
    for path, action in ((links, "file_links"), (codes, "file_codes")):
        if path is None:
            continue
        await reissuing.note(action, (item.authority for item, _ in found))
        header = ("authority", "type", "record_reference", "offer_id", action.removeprefix("file_")[:-1])
        rows = ((*_named(item, made), _secret(reissuing, made, action)) for item, made in found)
        try:
            await asyncio.to_thread(replace_file, path, spreadsheet.write(header, rows))
        except OSError as error:
            raise Misconfigured(Code.MISCONFIGURED, f"{path} cannot be written: {error.strerror}") from None


def _named(item: "Item", made: "CreatedOffer") -> tuple[str, str, str, str]:
    return item.authority, f"{item.type.slug}/{item.type.version}", item.record_reference or "", made.offer.id


def _secret(reissuing: "Reissuing", made: "CreatedOffer", action: str) -> str:
    return reissuing.link_of(made.offer) if action == "file_links" else made.transaction_code or ""


def _line(line: "PlanLine") -> dict[str, Any]:
    return {
        "authority": line.authority,
        "type": f"{line.type.slug}/{line.type.version}",
        "format": line.format.value,
        "things": line.things,
        "credentials": line.records,
        "of_unknown_key": line.unknown_key,
        "without_record_reference": line.without_reference,
        "suspended": line.suspended,
    }


def _refused(item: "Item") -> dict[str, Any]:
    return {
        "authority": item.authority,
        "type": f"{item.type.slug}/{item.type.version}",
        "record_reference": item.record_reference,
        "problem": item.problem,
    }


def _tell(told: dict[str, Any], language: str) -> None:
    if told["in_use"]:
        typer.echo(i18n.text("issuer.reissue_in_use", language))
    for line in told["plan"]:
        typer.echo(i18n.text("issuer.reissue_line", language, **line))
    typer.echo(i18n.text("issuer.reissue_standing", language, **told["things"]))
    for problem, count in sorted(Counter(each["problem"] for each in told["refused"]).items()):
        typer.echo(i18n.text("issuer.reissue_refused", language, problem=problem, count=count))
