"""``comity doctor``: how this installation is, and what a code or a scanned text means."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from comity import strict_json
from comity.errors import Code
from comity.runtime import health, installation
from comity.runtime.clock import SystemClock
from comity.runtime.health import Finding, State
from comity.runtime.http import GuardedFetcher
from comity.runtime.installation import NoInstallation
from comity.terminal import Exit, ago, sentence
from comity.web import i18n, scan

_SIGNS = {State.WELL: "[green]✓[/]", State.NOTE: "[yellow]•[/]", State.UNWELL: "[red]✗[/]"}
_PARTS = ("title", "meaning", "next_step")


def doctor(
    what: Annotated[
        str, typer.Argument(help="A code, such as suspended, or a scanned text. / Un code ou un texte capté.")
    ] = "",
    registry: Annotated[str, typer.Option(help="URL of the trust registry. / Adresse du registre.")] = "",
    root: Annotated[Path | None, typer.Option(help="Its pinned root file. / Son fichier racine.")] = None,
    lang: Annotated[str, typer.Option("--lang", help="en | fr")] = "en",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document. / Produire un document JSON.")] = False,
) -> None:
    """Look at this installation, or explain a code or a scan. / Examiner cette installation ou expliquer un code.

    Without an argument: settings, registry, status lists, clock, keys and services.

    With one: what that code means, or what that text is, and what to do.

    Exit code: 0 all is well, 4 something is not.
    """
    if what:
        explain(what, lang, as_json=json)
        return
    findings = [*health.of_settings(), *_of_installation(registry, root)]
    unwell = sum(each.state is State.UNWELL for each in findings)
    if json:
        listed = [
            {
                "finding": each.key,
                "state": each.state.value,
                "facts": {name: _plain(v) for name, v in each.facts.items()},
            }
            for each in findings
        ]
        _print_json({"well": unwell == 0, "findings": listed})
    else:
        _tell(findings, unwell, lang)
    raise SystemExit(Exit.UNDETERMINED if unwell else Exit.OK)


def _of_installation(registry: str, root: Path | None) -> list[Finding]:
    """Look at what the options name, else at what the last demo or serve left."""
    try:
        against = installation.chosen(registry, root, "")
    except NoInstallation:
        return [Finding(key="installation_none", state=State.UNWELL, facts={})]

    async def look() -> list[Finding]:
        clock = SystemClock()
        async with GuardedFetcher(clock, allow_loopback_http=against.allow_loopback_http) as fetcher:
            return await health.of_installation(against, fetcher, clock, ask=root is not None)

    return asyncio.run(look())


def _tell(findings: list[Finding], unwell: int, language: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for each in findings:
        facts = {name: _words(name, value, language) for name, value in each.facts.items()}
        facts["command"] = each.facts.get("service")
        console.print(f"{_SIGNS[each.state]} {escape(i18n.text(f'cli.doctor_{each.key}', language, **facts))}")
        for name, value in each.facts.get("settings", {}).items():
            console.print(escape(f"    {name} = {value}"), style="dim")
    said = i18n.text("cli.doctor_unwell", language, count=unwell) if unwell else i18n.text("cli.doctor_well", language)
    console.print(escape(said), style="bold")


def _words(name: str, value: Any, language: str) -> Any:
    if name == "service":
        return i18n.text(f"demo.service.{value}", language)
    if isinstance(value, timedelta):
        return ago(value, language)
    return i18n.instant(value, language) if isinstance(value, datetime) else value


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    return value.isoformat() if isinstance(value, datetime) else value


def explain(what: str, language: str, *, as_json: bool) -> None:
    """Say what a code means, or what a scanned text is, and what to do next.

    Raises:
        SystemExit: 4 for a text that cannot be used here.
    """
    code = code_of(what)
    if code is not None:
        _print_parts({"code": code.value}, f"codes.{code.value}", as_json=as_json, language=language)
        return
    found = scan.read(what)
    facts: dict[str, Any] = {"scan": found.kind.value, "host": found.host, "usable": found.is_usable}
    if found.problem is not None:
        facts["problem"] = found.problem.code.value
    _print_parts(facts, f"cli.scan_{found.kind.value}", as_json=as_json, language=language)
    if not as_json:
        if found.host:
            sys.stdout.write(i18n.text("cli.scan_host", language, host=found.host) + "\n")
        if found.problem is not None:
            said = sentence(found.problem, language)
            sys.stdout.write(i18n.text("cli.scan_problem", language, problem=said) + "\n")
    if not found.is_usable:
        raise SystemExit(Exit.UNDETERMINED)


def code_of(text: str) -> Code | None:
    """Return the code that ``text`` names: as it is printed, in brackets, or by its title in either language."""
    name = text.strip().strip("[]").strip().casefold()
    by_name = {code.value: code for code in Code}
    if (code := by_name.get(name.replace("-", "_").replace(" ", "_"))) is not None:
        return code
    titles = {i18n.text(f"codes.{code}.title", each).casefold(): code for each in i18n.LANGUAGES for code in Code}
    return titles.get(name)


def _print_parts(facts: Mapping[str, Any], key: str, *, as_json: bool, language: str) -> None:
    """Print title, meaning and next step of ``key``; as JSON in both languages."""
    if as_json:
        words = {part: {each: i18n.text(f"{key}.{part}", each) for each in i18n.LANGUAGES} for part in _PARTS}
        _print_json({**facts, **words})
        return
    title, meaning, step = (i18n.text(f"{key}.{part}", language) for part in _PARTS)
    console = Console(highlight=False, soft_wrap=True)
    named = f" [{facts['code']}]" if "code" in facts else ""
    console.print(escape(f"{title}{named}"), style="bold")
    console.print(escape(f"{meaning}\n→ {step}"))


def _print_json(document: Mapping[str, Any]) -> None:
    sys.stdout.write(strict_json.serialise(dict(document)).decode() + "\n")
