"""``comity issuer|wallet|verifier backup FILE`` and ``restore FILE``: the same two commands for every service."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comity.errors import Code
from comity.runtime.clock import SystemClock
from comity.terminal import Worded
from comity.web import i18n

if TYPE_CHECKING:
    from comity.runtime.backup import Scheme

_File = Annotated[Path, typer.Argument(help="The backup. / La sauvegarde.")]
_Passphrase = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File with the passphrase; absent: it is asked for. / Phrase secrète."),
]
_Language = Annotated[str, typer.Option("--lang", help="en | fr")]


def mount(cli: typer.Typer, scheme: "Callable[[], Scheme]") -> None:
    """Add ``backup`` and ``restore`` to the commands of one service; ``scheme`` reads its settings when called."""

    @cli.command("backup")
    def create(file: _File, passphrase_file: _Passphrase = None, lang: _Language = "en") -> None:
        """Write an encrypted backup of the database while the service runs. / Sauvegarder la base de données."""
        from comity.runtime import backup

        secret = _passphrase(passphrase_file, lang, confirm=True)
        _tell("cli.backup_made", backup.create(scheme(), file, secret, SystemClock()), file, lang)

    @cli.command("restore")
    def restore(file: _File, passphrase_file: _Passphrase = None, lang: _Language = "en") -> None:
        """Fill a new, empty database from a backup; the service must not run. / Restaurer la base de données."""
        from comity.runtime import backup

        secret = _passphrase(passphrase_file, lang, confirm=False)
        _tell("cli.backup_restored", backup.restore(scheme(), file, secret, SystemClock()), file, lang)


def _tell(key: str, counts: Mapping[str, int], file: Path, language: str) -> None:
    typer.echo(i18n.text(key, language, file=file))
    for name, count in counts.items():
        typer.echo(f"  {name}: {count}")


def _passphrase(file: Path | None, language: str, *, confirm: bool) -> str:
    if file is None:
        asked: str = typer.prompt(i18n.text("cli.passphrase", language), hide_input=True, confirmation_prompt=confirm)
        return asked
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeError):
        raise Worded(Code.MISCONFIGURED, "file_unreadable", file=str(file)) from None
