"""What people see of the demo: a heading for each journey, a line for each step, the checks where one verified."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from comity.demo.play import Step
from comity.verification.checks import ORDER, Outcome
from comity.web import i18n

_SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.UNKNOWN: "?", Outcome.NOT_RUN: "–"}
_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.UNKNOWN: "yellow", Outcome.NOT_RUN: "dim"}
_INDENT = "      "


class View:
    """Prints as things happen; says nothing at all when ``quiet`` (``--json``)."""

    def __init__(self, language: str, *, quiet: bool = False) -> None:
        self._language = language
        self._console = Console(highlight=False, quiet=quiet, soft_wrap=True)

    def say(self, key: str, **values: object) -> None:
        """Print one sentence."""
        self._console.print(escape(i18n.text(key, self._language, **values)))

    def settings(self, lines: Sequence[str]) -> None:
        """Print the settings that the demo chose; all of them ordinary."""
        for line in lines:
            self._console.print(escape(f"  {line}"), style="dim")

    def legend(self) -> None:
        """Print what the signs below each verification stand for: the twelve checks, in their order."""
        names = [f"{number} {self._text(f'codes.check.{name}')}" for number, name in enumerate(ORDER, start=1)]
        self._console.print(escape(self._text("demo.legend", checks=" · ".join(names))), style="dim")

    def journey(self, letter: str) -> None:
        """Print the heading of a journey."""
        self._console.print()
        self._console.print(escape(f"({letter}) {self._text(f'demo.{letter}.title')}"), style="bold")

    def step(self, step: Step) -> None:
        """Print one step: what happened, what came, and the checks where there were any."""
        sign = "[green]✓[/]" if step.is_as_expected else "[red]✗[/]"
        self._console.print(f"  {sign} {escape(self._text(step.words, **step.values))} {self._seen(step)}")
        if step.report is not None:
            for credential in step.report["credentials"]:
                self._console.print(_INDENT + self._strip([*credential["checks"], *step.report["checks"]]))

    def failed(self, letter: str, reason: str) -> None:
        """Print why a journey could not be played to its end."""
        self._console.print(f"  [red]✗[/] {escape(self._text('demo.broke_off', letter=letter, reason=reason))}")

    def summary(self, outcomes: Mapping[str, bool]) -> None:
        """Print one line for each journey."""
        self._console.print()
        for letter, is_passed in outcomes.items():
            word = "[bold green]PASS[/]" if is_passed else "[bold red]FAIL[/]"
            self._console.print(f"{word}  ({letter}) {escape(self._text(f'demo.{letter}.title'))}")

    def links(self, urls: Mapping[str, str]) -> None:
        """Print where the services are."""
        for name, url in urls.items():
            self._console.print(escape(f"  {self._text(f'demo.service.{name}'):<32} {url}"))

    def _seen(self, step: Step) -> str:
        style = "cyan" if step.is_as_expected else "red"
        seen = f"[{style}]→ {escape(self._word(step.seen))}[/]"
        return seen if step.is_as_expected else f"{seen} [dim]({escape(self._word(step.expected))})[/]"

    def _word(self, word: str) -> str:
        for key in (f"codes.verdict.{word}", f"codes.{word}.title", f"codes.outcome.{word}"):
            if " " not in word and i18n.has(key, self._language):
                title = i18n.text(key, self._language)
                return f"{title} [{word}]"
        return {"True": self._text("demo.yes"), "False": self._text("demo.no")}.get(word, word[:72])

    def _strip(self, checks: Sequence[Mapping[str, Any]]) -> str:
        """Return the checks in their order as signs, and by name those that did not pass."""
        ordered = sorted(checks, key=lambda check: [each.value for each in ORDER].index(check["name"]))
        signs = "".join(
            f"[{_STYLES[Outcome(each['outcome'])]}]{_SIGNS[Outcome(each['outcome'])]}[/]" for each in ordered
        )
        told = [each for each in ordered if each["outcome"] in {Outcome.FAILED, Outcome.UNKNOWN}]
        names = "; ".join(f"{_SIGNS[Outcome(each['outcome'])]} {self._name(each)} [{each['code']}]" for each in told)
        return f"{signs}  {escape(names)}"

    def _name(self, check: Mapping[str, Any]) -> str:
        return self._text(f"codes.check.{check['name']}")

    def _text(self, key: str, **values: object) -> str:
        return i18n.text(key, self._language, **values)


def document(outcomes: Mapping[str, bool], steps: Mapping[str, Sequence[Step]], language: str) -> dict[str, Any]:
    """Return the whole demo as JSON values."""
    return {
        "passed": all(outcomes.values()),
        "journeys": {
            letter: {
                "title": i18n.text(f"demo.{letter}.title", language),
                "passed": is_passed,
                "steps": [
                    {
                        "step": step.words,
                        "words": i18n.text(step.words, language, **step.values),
                        "expected": step.expected,
                        "seen": step.seen,
                        "report": step.report,
                    }
                    for step in steps[letter]
                ],
            }
            for letter, is_passed in outcomes.items()
        },
    }
