"""The ``comity`` command: what every jurisdiction, citizen and relying party starts with.

Services are mounted by entry point, so that this module never imports one; and only the one that is called, so that
``comity verify`` does not pay for a web framework.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

import typer

from comity.errors import ComityError
from comity.terminal import Exit, stop
from comity.web import i18n

SERVICES = "comity.services"
"""Entry point group under which services register their typer application."""


def build(arguments: Sequence[str]) -> typer.Typer:
    """Return the application with the commands that ``arguments`` may call; all of them when it asks for help."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Credentials of one jurisdiction count in the next. / Une attestation d’ici vaut aussi chez le voisin.",
    )
    called = arguments[0] if arguments and not arguments[0].startswith("-") else None
    _add_own_commands(app, called)
    for service in sorted(entry_points(group=SERVICES), key=lambda each: each.name):
        if called in {None, service.name}:
            app.add_typer(service.load(), name=service.name)
    return app


def _add_own_commands(app: typer.Typer, called: str | None) -> None:
    if called in {None, "verify", "inspect"}:
        from comity.verify_cli import inspect, verify

        app.command()(verify)
        app.command()(inspect)
    if called in {None, "doctor"}:
        from comity.doctor_cli import doctor

        app.command()(doctor)
    if called in {None, "demo", "serve"}:
        from comity.demo_cli import demo, serve

        app.command()(demo)
        app.command()(serve)
    if called in {None, "registry"}:
        from comity.registry_cli import registry

        app.add_typer(registry, name="registry")


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
    try:
        build(arguments)(prog_name="comity")
    except ComityError as error:
        stop(error, language)
    except (KeyboardInterrupt, BrokenPipeError):
        raise SystemExit(130) from None
    except Exception as error:  # noqa: BLE001  # the last line of defence: never a traceback for a person
        sys.stderr.write(i18n.text("cli.bug", language, kind=type(error).__name__) + "\n")
        raise SystemExit(Exit.BUG) from None
