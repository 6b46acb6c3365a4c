"""The ``comity`` command: what every jurisdiction, citizen and relying party starts with.

Services are mounted by entry point, so that this module never imports one; and only the one that is called, so that
``comity verify`` does not pay for a web framework. A list of the commands loads none of them, and a command loads what
it needs when it runs (``tests/house/test_loaded.py`` says what must not be there before).
"""

import logging
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import EntryPoint, distribution, entry_points
from pathlib import Path

import structlog
import typer
from typer.exceptions import TyperException

from comity.errors import ComityError
from comity.runtime.loading import loading
from comity.terminal import Exit, stop, stop_usage
from comity.web import i18n

SERVICES = "comity.services"
"""Entry point group under which services register their typer application."""
_PACKAGES = {"comity", "issuer", "verifier", "wallet"}


def build(arguments: Sequence[str]) -> typer.Typer:
    """Return the application with the commands that ``arguments`` may call; the list of all when it asks for help."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Credentials of one jurisdiction count in the next. / Une attestation d’ici vaut aussi chez le voisin.",
        epilog="Begin with `comity demo`. / Commencez par `comity demo --lang fr`.",
    )
    app.callback()(lambda: None)  # without it a single command would take the place of the group
    first = next((each for each in arguments if each != "--"), "-")
    called = None if first.startswith("-") else first
    known = _list_own_commands(app) if called is None else _add_own_command(app, called)
    for service in () if called in OWN else _services(called):
        app.add_typer(service.load(), name=service.name)
        known = True
    return app if known else build([])


def _services(called: str | None) -> list[EntryPoint]:
    """Return the services that ``called`` names, all when it is None.

    Those of this very distribution are looked for first: to look through every distribution that is installed takes as
    long as to load a small one.
    """
    ours = [each for each in distribution("comity").entry_points if (each.group, each.name) == (SERVICES, called)]
    everywhere = () if ours else entry_points(group=SERVICES)
    return ours or sorted((each for each in everywhere if called in {None, each.name}), key=lambda each: each.name)


OWN = {
    "demo": "Issue, hold, present, verify, revoke, across eight jurisdictions. / Démonstration complète.",
    "serve": (
        "Start registry, status host, issuer, wallet and verifier, and leave them up. / Démarrer tous les services."
    ),
    "verify": "Verify one credential: a verdict and the checks behind it. / Vérifier une attestation.",
    "inspect": "Show what a credential says, without verifying any of it. / Afficher le contenu, sans rien vérifier.",
    "doctor": (
        "Look at this installation, or explain a code or a scan. / Examiner cette installation ou expliquer un code."
    ),
    "registry": "The trust registry. / Le registre de confiance.",
    "entitlement": "What verifiers may ask, attested. / Ce que les vérificateurs peuvent demander.",
    "verifier-attestation": "Who verifiers are, attested. / L’identité des vérificateurs, attestée.",
}
"""The library's own commands with the first line of their help, so that a list of them loads none."""


def _list_own_commands(app: typer.Typer) -> bool:
    """Add the names, with nothing behind them: after an option of ``comity`` itself no command is ever run."""
    for name, words in OWN.items():
        app.command(name, help=words)(lambda: None)
    return True


def _add_own_command(app: typer.Typer, called: str) -> bool:
    """Add what ``called`` names; say whether it names a command of the library."""
    if called in {"demo", "serve"}:
        from comity.commands.demo import demo, serve

        app.command(called)(demo if called == "demo" else serve)
    if called in {"verify", "inspect"}:
        from comity.commands.verify import inspect, verify

        app.command(called)(verify if called == "verify" else inspect)
    if called == "doctor":
        from comity.commands.doctor import doctor

        app.command()(doctor)
    if called == "registry":
        from comity.commands.registry import registry

        app.add_typer(registry, name="registry")
    if called == "entitlement":
        from comity.commands.entitlement import entitlement

        app.add_typer(entitlement, name="entitlement")
    if called == "verifier-attestation":
        from comity.commands.attestation import attestation

        app.add_typer(attestation, name="verifier-attestation")
    return called in OWN


def language_of(arguments: Sequence[str]) -> str:
    """Return the language that ``--lang`` names among ``arguments``, English otherwise."""
    for position, argument in enumerate(arguments):
        value = argument.removeprefix("--lang=") if argument.startswith("--lang=") else None
        if argument == "--lang" and position + 1 < len(arguments):
            value = arguments[position + 1]
        if value in i18n.LANGUAGES:
            return value
    return i18n.DEFAULT_LANGUAGE


def main() -> None:
    """Run the command line; an error of ours becomes one sentence, a bug becomes one line and exit code 70."""
    arguments = sys.argv[1:]
    language = language_of(arguments)
    _keep_quiet()
    try:
        with loading():
            app = build(arguments)
        code = app(prog_name="comity", standalone_mode=False)
    except ComityError as error:
        stop(error, language, as_json="--json" in arguments)
    except TyperException as error:
        stop_usage(error, language)
    except typer.Exit as end:
        code = end.exit_code
    except (KeyboardInterrupt, BrokenPipeError, typer.Abort):
        raise SystemExit(130) from None
    except Exception as error:  # noqa: BLE001  # the last line of defence: never a traceback for a person
        sys.stderr.write(i18n.text("cli.bug", language, kind=type(error).__name__, place=place_of(error)) + "\n")
        raise SystemExit(Exit.BUG) from None
    raise SystemExit(code if isinstance(code, int) else Exit.OK)


def place_of(error: BaseException) -> str:
    """Return the last place of ours that ``error`` came through, as ``file:line``.

    The words of the error itself are not told: they may hold what somebody's credential says.
    """
    here = Path(__file__).parents[1]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(here) and file.relative_to(here).parts[0] in _PACKAGES:
            return f"{file.relative_to(here)}:{frame.lineno}"
    return "?"


def _keep_quiet() -> None:
    """Let no log line stand between a person and the answer; services configure their own log when they start."""
    logging.getLogger().addHandler(logging.NullHandler())
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[_drop])


def _drop(_logger: object, _method: str, _event: structlog.typing.EventDict) -> str:
    raise structlog.DropEvent
