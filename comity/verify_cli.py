"""``comity verify`` and ``comity inspect``: one credential from a file or standard input."""

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from comity import base64url, formats, strict_json
from comity.errors import Code, Malformed, Misconfigured
from comity.ports import Clock
from comity.runtime import installation
from comity.runtime.clock import FixedClock, SystemClock
from comity.runtime.evidence import EvidenceShell
from comity.runtime.http import GuardedFetcher
from comity.runtime.registry_client import RegistryClient
from comity.runtime.status_cache import StatusCache
from comity.terminal import EXIT_OF_VERDICT, print_report
from comity.verification import report
from comity.verification.checks import Result
from comity.verification.credential import Demand, HolderDemand
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from comity.web import i18n

MAX_BYTES = 1 << 20

FileArgument = Annotated[str, typer.Argument(help="File with the credential, or - for standard input.")]
LanguageOption = Annotated[str, typer.Option("--lang", help="en | fr")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a credential is verified against."""

    registry_url: str
    root_file: Path
    registry_cache: Path
    status_cache: Path
    allow_loopback_http: bool
    place: str | None


def verify(
    file: FileArgument,
    registry: Annotated[str, typer.Option(help="URL of the trust registry.")] = "",
    root: Annotated[Path | None, typer.Option(help="Its pinned root metadata.")] = None,
    place: Annotated[str, typer.Option(help="Place of use, such as ca-on.")] = "",
    at: Annotated[str, typer.Option(help="Verify as of this instant (RFC 3339), for replay of a past decision.")] = "",
    nonce: Annotated[str, typer.Option(help="Nonce that the holder's proof must carry.")] = "",
    audience: Annotated[str, typer.Option(help="Audience that the holder's proof must carry.")] = "",
    lang: LanguageOption = "en",
    json: JsonOption = False,
) -> None:
    """Verify one credential: twelve checks, a verdict, and why. Exit code 0 accepted, 3 rejected, 4 undetermined."""
    encoded = read(file)
    against = _against(registry, root, place)
    if bool(nonce) != bool(audience):
        raise Misconfigured(Code.MISCONFIGURED, "--nonce and --audience belong together")
    holder = HolderDemand(audience=audience, nonce=nonce) if nonce else None
    clock: Clock = FixedClock(_instant(at)) if at else SystemClock()
    expected = formats.of(encoded)
    demand = Demand(at=clock.now(), place=against.place, holder=holder)
    result = asyncio.run(_verify(encoded, expected, demand, against, clock))
    document = report.document(result)
    if json:
        sys.stdout.write(strict_json.serialise(document).decode() + "\n")
    else:
        console = Console(highlight=False)
        print_report(document, language=lang, console=console)
        if holder is None:
            console.print(i18n.text("cli.held", lang), style="dim")
    raise SystemExit(EXIT_OF_VERDICT[result.verdict])


async def _verify(encoded: str, expected: str, demand: Demand, against: Against, clock: Clock) -> Result:
    async with GuardedFetcher(clock, allow_loopback_http=against.allow_loopback_http) as fetcher:
        registry = RegistryClient(
            against.registry_url, against.root_file, against.registry_cache, fetcher=fetcher, clock=clock
        )
        snapshot = await registry.refresh()
        shell = EvidenceShell(StatusCache(against.status_cache, fetcher, clock))
        outcome = verify_held(
            encoded, demand=demand, status=StatusDemand(), snapshot=snapshot, expected_format=expected
        )
        return await shell.settle(outcome)


def inspect(file: FileArgument, lang: LanguageOption = "en", json: JsonOption = False) -> None:
    """Show what a credential says, without verifying any of it."""
    encoded = read(file)
    presentation = formats.FORMATS[formats.of(encoded)].open(encoded)
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
        sys.stdout.write(strict_json.serialise(document).decode() + "\n")
        return
    console = Console(highlight=False)
    console.print(i18n.text("cli.not_verified", lang), style="yellow")
    console.print_json(strict_json.serialise(document).decode())


def _disclosure(text: str) -> Any:
    """Return a Disclosure as the array that it encodes; the text itself when it cannot be read."""
    try:
        return strict_json.parse(base64url.decode(text))
    except Malformed:
        return text


def read(file: str) -> str:
    """Return the text of ``file`` or of standard input, without white space around it.

    Raises:
        Malformed: larger than 1 MiB, or not text.
        Misconfigured: there is no such file.
    """
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if file == "-" else _read_file(Path(file))
    except OSError:
        raise Misconfigured(Code.NOT_FOUND, "the file cannot be read") from None
    if len(data) > MAX_BYTES:
        raise Malformed(Code.TOO_LARGE, "the file is larger than 1 MiB")
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise Malformed(Code.FORMAT_UNKNOWN, "the file is not a credential in a format known here") from None


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(Code.TIME_MALFORMED, "--at is not an RFC 3339 instant") from None
    if instant.tzinfo is None:
        raise Malformed(Code.TIME_MALFORMED, "--at needs a time zone, such as 2026-11-23T12:00:00Z")
    return instant


def _against(registry: str, root: Path | None, place: str) -> Against:
    """Return what the options name; where they name no registry, what the last demo or serve left behind."""
    if bool(registry) != (root is not None):
        raise Misconfigured(Code.MISCONFIGURED, "--registry and --root belong together")
    if root is not None:
        cache = installation.FOLDER / "verify"
        return Against(
            registry_url=registry,
            root_file=root,
            registry_cache=cache / "registry",
            status_cache=cache / "status",
            allow_loopback_http=registry.startswith("http://localhost"),
            place=place or None,
        )
    left = installation.load()
    return Against(
        registry_url=left.registry_url,
        root_file=Path(left.registry_root_file),
        registry_cache=Path(left.registry_cache),
        status_cache=Path(left.status_cache),
        allow_loopback_http=left.allow_loopback_http,
        place=place or left.place or None,
    )
