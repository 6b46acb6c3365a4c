"""What a process may have loaded, and what it must not: a start is paid by everybody who waits for it.

Each case is a fresh interpreter that does one thing and then says which modules it has.
"""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from comity import cli
from comity.demo.processes import environment

ROOT = Path(__file__).parents[2]
SERVICES = ("issuer", "wallet", "verifier")
HEAVY = frozenset(
    {
        "PIL",
        "alembic",
        "argon2",
        "asyncpg",
        "cryptography",
        "fastapi",
        "httpx",
        "jinja2",
        "joserfc",
        "jsonschema_rs",
        "jwt",
        "playwright",
        "prometheus_client",
        "pydantic_settings",
        "qrcode",
        "rich.progress",
        "sqlalchemy",
        "starlette",
        "tuf",
        "uvicorn",
        "webauthn",
        "zxingcpp",
    }
)
"""What no list of commands needs, and no command before it runs."""


def loaded_by(code: str) -> set[str]:
    """Run ``code`` in an interpreter of its own; return the modules that it has afterwards."""
    said = "\nimport sys\nprint(' '.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(  # our own lines
        [sys.executable, "-c", code + said],
        cwd=ROOT,
        env=environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


def help_of(*arguments: str) -> str:
    """Return code that prints a help page as ``comity`` does."""
    return (
        f"import sys\nfrom comity.cli import main\nsys.argv = {['comity', *arguments, '--help']!r}\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )


def test_the_command_line_itself_is_light() -> None:
    assert sorted(loaded_by("import comity.cli") & HEAVY) == []


@pytest.mark.parametrize("called", ["", *SERVICES])
def test_a_list_of_commands_loads_none_of_them(called: str) -> None:
    loaded = loaded_by(help_of(*filter(None, [called])))
    assert sorted(loaded & HEAVY) == []
    assert not {name for name in loaded if name.startswith("comity.") and name.endswith("_cli")} - MOUNTED


MOUNTED = {"comity.backup_cli", "comity.refusals_cli", "comity.webhook_cli"}
"""What every service mounts among its own commands."""


@pytest.mark.parametrize("name", cli.OWN)
def test_the_list_says_of_a_command_what_the_command_says(name: str) -> None:
    command = typer.main.get_command(cli.build([name])).commands[name]  # type: ignore[attr-defined]
    assert inspect.cleandoc(command.help).partition("\n")[0] == cli.OWN[name]


def test_an_option_before_a_command_runs_nothing() -> None:
    with pytest.raises(typer.exceptions.TyperException, match="No such option"):
        cli.build(["--loud", "demo"])(["--loud", "demo"], standalone_mode=False)
    listed = typer.main.get_command(cli.build(["--help"])).commands  # type: ignore[attr-defined]
    assert set(listed) == {*cli.OWN, *SERVICES}


def test_two_dashes_before_a_command_change_nothing() -> None:
    application = typer.main.get_command(cli.build(["--", "doctor"]))
    assert set(application.commands) == {"doctor"}  # type: ignore[attr-defined]
