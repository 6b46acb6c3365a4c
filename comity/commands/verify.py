"""``comity verify`` and ``comity inspect``: one credential from a file or standard input."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from comity import base64url, formats, strict_json
from comity.credential import Format
from comity.errors import Code, ComityError, Malformed
from comity.ports import Clock
from comity.runtime import held, installation
from comity.runtime.clock import SystemClock
from comity.terminal import EXIT_OF_VERDICT, Exit, Worded, is_unreadable, print_report, stop
from comity.verification import report
from comity.verification.credential import Demand, HolderDemand
from comity.web import i18n

MAX_BYTES = 1 << 20
_UNDECIDED = frozenset(
    {Code.REGISTRY_UNAVAILABLE, Code.REGISTRY_INVALID, Code.REGISTRY_ROLLBACK, Code.REGISTRY_EXPIRED}
)
"""Without a registry there is no verdict: undetermined, not a mistake of the one who asked."""

FileArgument = Annotated[
    str, typer.Argument(help="File with the credential, - for standard input. / Fichier de l’attestation.")
]
LanguageOption = Annotated[str, typer.Option("--lang", help="en | fr")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document. / Produire un document JSON.")]


def verify(
    file: FileArgument,
    registry: Annotated[str, typer.Option(help="URL of the trust registry. / Adresse du registre.")] = "",
    root: Annotated[Path | None, typer.Option(help="Its pinned root file. / Son fichier racine.")] = None,
    place: Annotated[str, typer.Option(help="Place of use, such as ca-on. / Lieu d’utilisation.")] = "",
    at: Annotated[
        str, typer.Option(help="As of this instant, RFC 3339; status of a past day is not known. / À cet instant.")
    ] = "",
    nonce: Annotated[str, typer.Option(help="Nonce in the holder's proof. / Nonce de la preuve.")] = "",
    audience: Annotated[str, typer.Option(help="Audience of the holder's proof. / Destinataire de la preuve.")] = "",
    lang: LanguageOption = "en",
    json: JsonOption = False,
) -> None:
    """Verify one credential: a verdict and the checks behind it. / Vérifier une attestation.

    Exit code: 0 accepted, 3 rejected, 4 undetermined, 2 no credential, or wrong use.

    Without --registry and --root: what the last `comity demo` or `comity serve` left in .comity, even when stopped.
    """
    encoded, expected = read(file)
    if bool(nonce) != bool(audience):
        raise Worded(Code.MISCONFIGURED, "nonce_without_audience")
    against = installation.chosen(registry, root, place)
    clock: Clock = SystemClock()
    demand = Demand(
        at=_instant(at) if at else clock.now(),
        place=against.place or None,
        holder=HolderDemand(audience=audience, nonce=nonce) if nonce else None,
    )
    try:
        result = asyncio.run(held.judge(encoded, expected, demand=demand, against=against, clock=clock))
    except ComityError as error:
        if error.code not in _UNDECIDED:
            raise
        _undetermined(error, lang, as_json=json)
    document = report.document(result)
    if json:
        _print_json(document)
    else:
        console = Console(highlight=False)
        print_report(document, language=lang, console=console)
        if demand.holder is None and not any(is_unreadable(each) for each in document["credentials"]):
            console.print(i18n.text("cli.held", lang), style="dim")
    raise SystemExit(EXIT_OF_VERDICT[result.verdict])


def _undetermined(error: ComityError, language: str, *, as_json: bool) -> NoReturn:
    """Say that nothing can be said, in the shape in which a verdict is said."""
    if as_json:
        codes = [error.code.value]
        _print_json({"verdict": "undetermined", "codes": codes, "credentials": [], "checks": []})
        raise SystemExit(Exit.UNDETERMINED)
    stop(error, language, status=Exit.UNDETERMINED)


def inspect(file: FileArgument, lang: LanguageOption = "en", json: JsonOption = False) -> None:
    """Show what a credential says, without verifying any of it. / Afficher le contenu, sans rien vérifier."""
    encoded, name = read(file)
    presentation = formats.FORMATS[name].open(encoded)
    document = {
        "verified": False,
        "credentials": [
            {
                "format": each.format,
                "issuer": each.issuer,
                "type": each.type_name,
                "header": dict(each.jws.header),
                "payload": dict(each.payload),
                "disclosures": [_disclosure(text) for text in each.disclosures],
            }
            for each in presentation.credentials
        ],
        "holder_proof": dict(presentation.proof.payload) if presentation.proof else None,
    }
    if json:
        _print_json(document)
        return
    console = Console(highlight=False)
    console.print(i18n.text("cli.not_verified", lang), style="yellow")
    console.print_json(strict_json.serialise(document).decode())


def _print_json(document: Mapping[str, Any]) -> None:
    sys.stdout.write(strict_json.serialise(dict(document)).decode() + "\n")


def _disclosure(text: str) -> Any:
    """Return a Disclosure as the array that it encodes; the text itself when it cannot be read."""
    try:
        return strict_json.parse(base64url.decode(text))
    except Malformed:
        return text


def read(file: str) -> tuple[str, Format]:
    """Return the text of ``file`` or of standard input, without white space around it, and its format.

    Raises:
        Worded: there is no such file, it is empty, larger than 1 MiB, or not a credential in a format known here.
    """
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if file == "-" else _read_file(Path(file))
    except FileNotFoundError:
        raise Worded(Code.NOT_FOUND, "file_missing", file=file) from None
    except (OSError, ValueError):  # ValueError: a NUL in the name
        raise Worded(Code.NOT_FOUND, "file_unreadable", file=file) from None
    if len(data) > MAX_BYTES:
        raise Worded(Code.TOO_LARGE, "file_too_large")
    if not data.strip():
        raise Worded(Code.FORMAT_UNKNOWN, "file_empty")
    try:
        encoded = data.decode("ascii").strip()
        return encoded, formats.of(encoded)
    except (UnicodeDecodeError, Malformed):
        raise Worded(Code.FORMAT_UNKNOWN, _kind_of(data)) from None


def _kind_of(data: bytes) -> str:
    """Return the key of the sentence for a file that is no credential."""
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        return "file_binary"
    if text.startswith(("{", "[")):
        return "file_json"
    if text.startswith("ey"):
        return "file_not_whole"
    return "file_not_credential"


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _instant(text: str) -> datetime:
    """Return the instant that ``--at`` names.

    Raises:
        Worded: it is none, or it has no time zone.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Worded(Code.TIME_MALFORMED, "at_malformed") from None
    if instant.tzinfo is None or not MINYEAR + 1 < instant.year < MAXYEAR:
        raise Worded(Code.TIME_MALFORMED, "at_malformed")
    return instant
