"""What people read in a terminal: verdicts and checks as tables, errors as one sentence, exit codes as documented.

Exit codes: 0 accepted or done · 2 bad input or set-up · 3 rejected · 4 undetermined · 70 a bug of ours.
"""

import sys
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from comity.errors import ComityError
from comity.verification.checks import Outcome, Verdict
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


def stop(error: ComityError, language: str) -> NoReturn:
    """Say in one sentence what was wrong and what to do next, on standard error, and exit with 2."""
    title = i18n.text(f"codes.{error.code}.title", language)
    step = i18n.text(f"codes.{error.code}.next_step", language)
    detail = f" ({error.detail})" if error.detail else ""
    sys.stderr.write(f"{title}{detail}. {step}\n")
    raise SystemExit(Exit.BAD_INPUT)


def print_report(report: Mapping[str, Any], *, language: str, console: Console) -> None:
    """Print a result document (``comity.verification.report``): the checks as a table, then the verdict."""
    for credential in report["credentials"]:
        console.print(checks_table(_title(credential, language), credential["checks"], language))
    if report["checks"]:
        console.print(checks_table(i18n.text("cli.over_all", language), report["checks"], language))
    console.print(verdict_line(report, language))


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
    title = i18n.text(f"codes.{check['code']}.title", language)
    return escape(f"{title} [{check['code']}]")


def _title(credential: Mapping[str, Any], language: str) -> str:
    about = credential["about"]
    issuer = i18n.pick(about["issuer_name"], language) if about.get("issuer_name") else credential["issuer"]
    parts = [credential["type"], credential["format"], issuer]
    return " · ".join(part for part in parts if part) or i18n.text("cli.unreadable", language)
