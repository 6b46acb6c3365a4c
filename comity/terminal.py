"""What people read in a terminal: verdicts and checks as tables, errors as one sentence, exit codes as documented.

Exit codes: 0 accepted or done · 2 bad input or set-up · 3 rejected · 4 undetermined · 70 a bug of ours.
"""

import sys
from collections.abc import Mapping
from datetime import timedelta
from enum import IntEnum
from typing import Any, NoReturn

from babel.dates import format_timedelta
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.exceptions import TyperException

from comity import strict_json
from comity.errors import Code, ComityError, Misconfigured
from comity.runtime.installation import NoInstallation
from comity.verification.checks import CheckName, Outcome, Verdict
from comity.web import i18n


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    BAD_INPUT = 2
    REJECTED = 3
    UNDETERMINED = 4
    BUG = 70


EXIT_OF_VERDICT = {
    Verdict.ACCEPTED: Exit.OK,
    Verdict.REJECTED: Exit.REJECTED,
    Verdict.UNDETERMINED: Exit.UNDETERMINED,
}

_SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.UNKNOWN: "?", Outcome.NOT_RUN: "–"}
_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.UNKNOWN: "yellow", Outcome.NOT_RUN: "dim"}
_VERDICT_STYLES = {Verdict.ACCEPTED: "green", Verdict.REJECTED: "red", Verdict.UNDETERMINED: "yellow"}


class Worded(Misconfigured):
    """An error of a command line that has its own sentence in both languages: ``cli.<key>``."""

    def __init__(self, code: Code, key: str, **values: str) -> None:
        super().__init__(code, i18n.text(f"cli.{key}", i18n.DEFAULT_LANGUAGE, **values))
        self.key = key
        self.values = values


def stop(error: ComityError, language: str, *, as_json: bool = False, status: Exit = Exit.BAD_INPUT) -> NoReturn:
    """Say what was wrong, and what to do next, and exit with ``status``.

    For people one line on standard error; ``as_json`` one document on standard output, for scripts.
    """
    said = sentence(error, language)
    if as_json:
        document = {"error": error.code.value, "sentence": said, "detail": error.detail}
        sys.stdout.write(strict_json.serialise(document).decode() + "\n")
    else:
        sys.stderr.write(said + "\n")
    raise SystemExit(status)


def stop_usage(error: TyperException, language: str) -> NoReturn:
    """Say that a command was not written as it must be, and how to see how it is."""
    command = getattr(getattr(error, "ctx", None), "command_path", "comity")
    said = i18n.text("cli.usage", language, problem=error.format_message(), command=command)
    sys.stderr.write(said + "\n")
    raise SystemExit(Exit.BAD_INPUT)


def sentence(error: ComityError, language: str) -> str:
    """Return what an error says to a person. Details are English; in French they are marked as such."""
    if isinstance(error, Worded):
        return i18n.text(f"cli.{error.key}", language, **error.values)
    if isinstance(error, NoInstallation):
        return i18n.text("cli.no_installation", language)
    title = i18n.text(f"codes.{error.code}.title", language)
    step = i18n.text(f"codes.{error.code}.next_step", language)
    if error.detail:
        title = i18n.text("cli.with_detail", language, title=title, detail=error.detail)
    return f"{title}. {step}"


def ago(age: timedelta, language: str) -> str:
    """Return how long ago something was, in words: ``3 minutes ago``."""
    return format_timedelta(-age, add_direction=True, locale=f"{language}_CA")


def print_report(report: Mapping[str, Any], *, language: str, console: Console) -> None:
    """Print a result document (``comity.verification.report``): the checks as a table, then the verdict.

    Something unreadable gets the verdict alone, one sentence.
    """
    for credential in report["credentials"]:
        if not is_unreadable(credential):
            console.print(checks_table(_title(credential, language), credential["checks"], language))
    if report["checks"]:
        console.print(checks_table(i18n.text("cli.over_all", language), report["checks"], language))
    console.print(verdict_line(report, language))


def is_unreadable(credential: Mapping[str, Any]) -> bool:
    """Say whether nothing but the first check ran: then the verdict says it all."""
    first = credential["checks"][0]
    return bool(first["name"] == CheckName.WELL_FORMED and first["outcome"] == Outcome.FAILED)


def verdict_line(report: Mapping[str, Any], language: str) -> str:
    """Return the verdict in words, with its reasons, as console markup."""
    verdict = Verdict(report["verdict"])
    word = i18n.text(f"codes.verdict.{verdict}", language)
    reasons = "; ".join(i18n.text(f"codes.{code}.title", language) for code in report["codes"])
    tail = escape(f": {reasons} [{', '.join(report['codes'])}]") if reasons else ""
    return f"[bold {_VERDICT_STYLES[verdict]}]{escape(word)}[/]{tail}"


def checks_table(title: str, checks: list[Mapping[str, Any]], language: str) -> Table:
    """Return checks as a table: sign, name, outcome in words, code and what it rests on."""
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in ("", "cli.column_check", "cli.column_outcome", "cli.column_reason"):
        table.add_column(i18n.text(heading, language) if heading else "", overflow="fold")
    for check in checks:
        outcome = Outcome(check["outcome"])
        table.add_row(
            f"[{_STYLES[outcome]}]{_SIGNS[outcome]}[/]",
            i18n.text(f"codes.check.{check['name']}", language),
            i18n.text(f"codes.outcome.{outcome}", language),
            _reason(check, language),
        )
    return table


def _reason(check: Mapping[str, Any], language: str) -> str:
    if check["code"] == "ok":
        return ""
    remark = f"cli.remark_{check['code']}"  # a title says what went wrong, which does not fit what passed all the same
    is_remark = check["outcome"] == Outcome.PASSED and i18n.has(remark, language)
    title = i18n.text(remark if is_remark else f"codes.{check['code']}.title", language)
    return escape(f"{title} [{check['code']}]")


def _title(credential: Mapping[str, Any], language: str) -> str:
    about = credential["about"]
    issuer = i18n.pick(about["issuer_name"], language) if about.get("issuer_name") else credential["issuer"]
    parts = [credential["type"], credential["format"], issuer]
    return " · ".join(part for part in parts if part) or i18n.text("cli.unreadable", language)
