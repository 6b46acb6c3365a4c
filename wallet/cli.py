"""``comity wallet …``: serve the hosted wallet, or keep credentials in one encrypted file on this machine.

Passphrases come from a prompt or a file, never from an argument: arguments are read by everybody on a machine.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from comity import strict_json
from comity.commands import backup
from comity.errors import Code, Malformed, Misconfigured
from comity.runtime import installation
from comity.runtime.clock import SystemClock
from comity.runtime.loading import loading
from comity.terminal import print_report
from comity.web import i18n
from wallet import printed, provider_cli

if TYPE_CHECKING:
    from fastapi import FastAPI

    from comity.runtime.backup import Scheme
    from wallet.local import Opened
    from wallet.settings import WalletSettings

cli = typer.Typer(no_args_is_help=True, help="The wallet: receive, keep, present. / Le portefeuille.")
cli.command("provider")(provider_cli.show_provider)


def _settings() -> "WalletSettings":
    from comity.runtime.settings import load
    from wallet.settings import WalletSettings

    return load(WalletSettings)


def _backup() -> "Scheme":
    from wallet.backup import scheme
    from wallet.deployment import pepper_of

    settings = _settings()
    return scheme(url=settings.database, pepper=pepper_of(settings.pepper_file), journal=settings.deletions_file)


backup.mount(cli, _backup)

FileOption = Annotated[Path, typer.Option("--file", help="The wallet file.")]
PassphraseOption = Annotated[Path | None, typer.Option(help="File with the passphrase; absent: it is asked for.")]
LanguageOption = Annotated[str, typer.Option("--lang", help="en | fr")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Agree without being asked; for scripts.")]
WALLET_FILE = installation.FOLDER / "wallet.sqlite3"


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "localhost",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8102,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; several need PostgreSQL.")] = 1,
) -> None:
    """Serve the hosted wallet until it is told to stop."""
    from comity.web import serving

    if workers > 1:
        from comity.runtime.database import require_shared

        require_shared(_settings().database, workers)
        serving.serve_workers("wallet.cli:worker", host, port, workers=workers, name="comity wallet")
    else:
        serving.serve(worker(), host, port, name="comity wallet")


def worker() -> "FastAPI":
    """Return the application of one process, as its environment sets it."""
    with loading():
        from comity.runtime.logging import configure
        from wallet.app import create_app

        settings = _settings()
        configure("wallet", settings.environment)
        return create_app(settings)


@cli.command()
def migrate() -> None:
    """Bring the database of the hosted wallet to the version of this software."""
    from comity.runtime import migrations

    migrations.upgrade(_settings().database, "wallet")


@cli.command()
def check() -> None:
    """Say whether the database is at the version of this software; exit code 2 when it is not."""
    from comity.runtime import migrations

    migrations.check(_settings().database, "wallet")


@cli.command()
def create(
    file: FileOption = WALLET_FILE, passphrase_file: PassphraseOption = None, lang: LanguageOption = "en"
) -> None:
    """Make a wallet file; the recovery code is printed this once."""
    if file.exists():
        raise Misconfigured(Code.ACCOUNT_EXISTS, f"{file} exists")

    async def work(wallet: "Opened") -> None:
        print_words(lang, "wallet.created", file=file, code=wallet.recovery_code or "")

    _with_wallet(file, passphrase_file, lang, work, create=True)


@cli.command()
def receive(
    offer: Annotated[str, typer.Argument(help="The offer's link, as scanned or pasted.")],
    file: FileOption = WALLET_FILE,
    passphrase_file: PassphraseOption = None,
    transaction_code: Annotated[str | None, typer.Option(help="The code told apart from the offer.")] = None,
    same_key_as: Annotated[str | None, typer.Option(help="Bind it to the key of this held credential.")] = None,
    keep_unrecognised: Annotated[bool, typer.Option(help="Keep it although no registry vouches for it.")] = False,
    yes: YesOption = False,
    lang: LanguageOption = "en",
) -> None:
    """Take an offered credential: shown first, verified before it is kept."""
    from wallet.receiving import Terms

    async def work(opened: "Opened") -> None:
        receiving = opened.deployment.receiving
        preview = (await receiving.preview(offer)).document(lang)
        printed.preview(preview, lang)
        _agree(i18n.text("wallet.take_question", lang), lang, yes=yes)
        code = transaction_code
        if preview["transaction_code"] is not None and code is None:
            code = typer.prompt(i18n.text("wallet.transaction_code", lang))
        terms = Terms(transaction_code=code, same_key_as=same_key_as, keep_unrecognised=keep_unrecognised)
        for each in await receiving.receive(opened.wallet, offer, terms):
            print_words(lang, "wallet.kept", id=each.credential_id)
            print_report(each.report, language=lang, console=Console(highlight=False))
        await _print_on_the_way(opened, lang)

    _with_wallet(file, passphrase_file, lang, work)


@cli.command("list")
def list_credentials(
    file: FileOption = WALLET_FILE,
    passphrase_file: PassphraseOption = None,
    lang: LanguageOption = "en",
    json: JsonOption = False,
) -> None:
    """List what is held, and say what changed since last time."""
    from wallet import holdings, shown

    async def work(opened: "Opened") -> None:
        await opened.deployment.refilling.refill(opened.wallet)
        changes = [shown.change(each, lang) for each in await opened.deployment.watching.look(opened.wallet)]
        held = [shown.credential(each, lang, with_claims=False) for each in await holdings.all_held(opened.wallet)]
        if json:
            _print_json({"credentials": held, "changes": changes})
            return
        console = Console(highlight=False)
        for each in changes:
            console.print(escape(f"! {each['words']} [{each['credential']}]"), style="yellow")
        for each in held:
            console.print(escape(f"{each['id']}  {each['title']}  {each['issuer_name'] or each['issuer']}"))
            console.print(escape(f"    {each['state_in_words']}"), style="dim")
        await _print_on_the_way(opened, lang)

    _with_wallet(file, passphrase_file, lang, work)


@cli.command()
def show(
    credential_id: Annotated[str, typer.Argument(help="Which credential.")],
    file: FileOption = WALLET_FILE,
    passphrase_file: PassphraseOption = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the credential's own bytes.")] = False,
    lang: LanguageOption = "en",
    json: JsonOption = False,
) -> None:
    """Show one credential with its claims."""
    from wallet import holdings, shown

    async def work(opened: "Opened") -> None:
        held = await holdings.find_held(opened.wallet, credential_id)
        if raw:
            sys.stdout.write(held.signed.encoded + "\n")
            return
        document = shown.credential(held, lang, with_claims=True)
        if json:
            _print_json(document)
            return
        console = Console(highlight=False)
        console.print(escape(f"{document['title']} · {document['issuer_name'] or document['issuer']}"), style="bold")
        for claim in document["claims"]:
            console.print(escape("  " + i18n.text("wallet.claim", lang, label=claim["label"], value=claim["words"])))

    _with_wallet(file, passphrase_file, lang, work)


@cli.command()
def present(
    request: Annotated[str, typer.Argument(help="The request's link, as scanned or pasted.")],
    file: FileOption = WALLET_FILE,
    passphrase_file: PassphraseOption = None,
    credential: Annotated[list[str] | None, typer.Option(help="Share this one where several would do.")] = None,
    yes: YesOption = False,
    lang: LanguageOption = "en",
) -> None:
    """Answer a request: who asks, what would leave and what stays are shown first."""
    from wallet.choosing import alternatives

    async def work(opened: "Opened") -> None:
        presenting = opened.deployment.presenting
        consent = await presenting.open_request(opened.wallet, request, language=lang)
        document = consent.document()
        one_of = alternatives(consent.request.query, {each["query_id"] for each in document["credentials"]})
        chosen = _chosen(document, credential or [], one_of)
        printed.consent(document, chosen, lang)
        _agree(i18n.text("wallet.share_question", lang), lang, yes=yes)
        selection = {each["query_id"]: (each["credential_id"],) for each in chosen}
        presented = await presenting.answer(opened.wallet, consent.id, digest=consent.digest, selection=selection)
        print_words(lang, "wallet.shared", count=len(presented.credentials))

    _with_wallet(file, passphrase_file, lang, work)


@cli.command()
def history(
    file: FileOption = WALLET_FILE,
    passphrase_file: PassphraseOption = None,
    lang: LanguageOption = "en",
    json: JsonOption = False,
) -> None:
    """List what was received, shared with whom, declined and deleted."""
    from wallet.records import HISTORY

    async def work(opened: "Opened") -> None:
        lines = await opened.wallet.all(HISTORY)
        if json:
            _print_json({"history": [{"at": each.created_at.isoformat(), **each.content} for each in lines]})
            return
        for each in lines:
            what = i18n.text(f"wallet.history.{each.content['what']}", lang)
            other = printed.other_side(each.content, lang)
            typer.echo(f"{i18n.instant(each.created_at, lang)}  {what}  {other}")

    _with_wallet(file, passphrase_file, lang, work)


@cli.command()
def delete(
    credential_id: Annotated[str, typer.Argument(help="Which credential.")],
    file: FileOption = WALLET_FILE,
    passphrase_file: PassphraseOption = None,
    yes: YesOption = False,
    lang: LanguageOption = "en",
) -> None:
    """Delete one credential; it can only be had again from its issuer."""
    from wallet import holdings

    async def work(opened: "Opened") -> None:
        held = await holdings.find_held(opened.wallet, credential_id)
        _agree(i18n.text("wallet.delete_question", lang, title=held.title(lang)), lang, yes=yes)
        await holdings.forget(opened.wallet, credential_id)

    _with_wallet(file, passphrase_file, lang, work)


@cli.command("export")
def export(
    to: Annotated[Path, typer.Argument(help="Where to write it.")],
    file: FileOption = WALLET_FILE,
    passphrase_file: PassphraseOption = None,
    lang: LanguageOption = "en",
) -> None:
    """Write everything, encrypted under the same passphrase, to be kept or taken elsewhere."""
    from wallet import portable

    passphrase = _passphrase(passphrase_file, lang)

    async def work(opened: "Opened") -> None:
        exported = await portable.export(opened.deployment.custody, opened.wallet, passphrase)
        await asyncio.to_thread(to.write_bytes, exported)
        print_words(lang, "wallet.exported", file=to)

    _run(file, passphrase, work)


@cli.command("import")
def restore(
    source: Annotated[Path, typer.Argument(help="The export.")],
    export_passphrase_file: Annotated[Path | None, typer.Option(help="File with the export's passphrase.")] = None,
    file: FileOption = WALLET_FILE,
    passphrase_file: PassphraseOption = None,
    lang: LanguageOption = "en",
) -> None:
    """Bring an export in; what is there already stays. Makes the wallet file when there is none."""
    from wallet import portable

    passphrase = _passphrase(passphrase_file, lang)
    theirs = _passphrase(export_passphrase_file, lang) if export_passphrase_file else passphrase

    async def work(opened: "Opened") -> None:
        exported = await asyncio.to_thread(source.read_bytes)
        came = await portable.restore(opened.deployment.custody, opened.wallet, exported, theirs)
        print_words(lang, "wallet.imported", count=came)
        if opened.recovery_code:
            print_words(lang, "wallet.created", file=file, code=opened.recovery_code)

    _run(file, passphrase, work, create=True)


async def _print_on_the_way(opened: "Opened", language: str) -> None:
    """Say what issuers have promised and not sent yet."""
    from wallet import deferred

    for each in await deferred.on_the_way(opened.wallet):
        waiting = deferred.document(each, language)
        print_words(language, "wallet.on_the_way", title=waiting["title"], issuer=waiting["issuer"])


def print_words(language: str, key: str, **values: object) -> None:
    """Print one sentence."""
    typer.echo(i18n.text(key, language, **values))


def _with_wallet(
    file: Path,
    passphrase_file: Path | None,
    language: str,
    work: "Callable[[Opened], Awaitable[None]]",
    *,
    create: bool = False,
) -> None:
    _run(file, _passphrase(passphrase_file, language), work, create=create)


def _run(file: Path, passphrase: str, work: "Callable[[Opened], Awaitable[None]]", *, create: bool = False) -> None:
    from wallet import local

    async def run() -> None:
        async with local.opened(file, passphrase, SystemClock(), create=create) as opened:
            await work(opened)

    asyncio.run(run())


def _passphrase(file: Path | None, language: str) -> str:
    if file is None:
        return str(typer.prompt(i18n.text("wallet.passphrase", language), hide_input=True))
    try:
        return file.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError):
        raise Malformed(Code.MALFORMED, "the passphrase file cannot be read") from None


def _agree(question: str, language: str, *, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        typer.echo(i18n.text("wallet.nothing_done", language))
        raise SystemExit(0)


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(strict_json.serialise(document).decode() + "\n")


def _chosen(consent: dict[str, Any], wanted: list[str], one_of: tuple[tuple[str, ...], ...]) -> list[dict[str, Any]]:
    """Return one candidate for each query that is needed, or for another that is enough: the one named, else the first.

    Raises:
        Malformed: ``no_matching_credential``: a credential that was named answers nothing here.
    """
    chosen = []
    for query_id in consent["needed"]:
        instead = next((ids for ids in one_of if query_id in ids), (query_id,))
        candidates = [each for each in consent["credentials"] if each["query_id"] in instead]
        own = [each for each in candidates if each["query_id"] == query_id]
        chosen.append(next((each for each in candidates if each["credential_id"] in wanted), own[0]))
    if not {each["credential_id"] for each in chosen}.issuperset(wanted):
        raise Malformed(Code.NO_MATCHING_CREDENTIAL, "a credential that was named does not answer this request")
    return chosen
