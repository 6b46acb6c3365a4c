"""What a process may have loaded, and what it must not: a start is paid by everybody who waits for it.

Each case is a fresh interpreter that does one thing and then says which modules it has.
"""

import inspect
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from comity import cli, strict_json
from comity.commands.registry import registry
from comity.demo.processes import environment
from comity.runtime import migrations
from comity.runtime.clock import SystemClock
from issuer import operators
from tests.services.issuer.deployed import AUTHORITIES
from verifier import identity, relying_parties
from verifier.keyring import keys_of
from verifier.settings import VerifierSettings

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
        "pypdfium2",
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


SELDOM = frozenset(
    {
        "PIL",
        "alembic",
        "comity.demo",
        "comity.runtime.backup",
        "jinja2",
        "joserfc",
        "mako",
        "pydantic.v1",
        "pypdfium2",
        "qrcode",
        "sqlalchemy.dialects.postgresql",
        "sqlalchemy.ext.asyncio",
        "sqlalchemy.orm",
        "zxingcpp",
    }
)
"""What a service over an SQLite file that is up to date does not need until somebody asks for it."""
NOT_OF = {
    "issuer": {"asyncpg", "httpcore", "httpx", "issuer.reissuing", "tuf", "wallet", "webauthn"},
    "wallet": {"asyncpg", "issuer", "verifier", "wallet.local", "webauthn"},
    "verifier": {"argon2", "asyncpg", "issuer", "wallet", "webauthn"},
}
SERVING = HEAVY & {
    "alembic",
    "fastapi",
    "httpx",
    "jinja2",
    "prometheus_client",
    "sqlalchemy",
    "starlette",
    "tuf",
    "uvicorn",
}
"""What commands that neither serve nor open a database do without."""
START = """
import asyncio
from comity.cli import main
from {service}.cli import worker
async def first_answer(app):
    said = []
    async def receive():
        return {{"type": "http.request", "body": b"", "more_body": False}}
    async def send(message):
        said.append(message.get("status"))
    scope = {{
        "type": "http", "asgi": {{"version": "3.0"}}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/healthz", "raw_path": b"/healthz", "query_string": b"", "root_path": "", "headers": [],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
    }}
    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    assert said[0] == 200, said
asyncio.run(first_answer(worker()))
"""


def loaded_by(code: str, settings: Mapping[str, str] | None = None) -> set[str]:
    """Run ``code`` in an interpreter of its own; return the modules that it has afterwards."""
    said = "\nimport sys\nprint(' '.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(  # our own lines
        [sys.executable, "-c", code + said],
        cwd=ROOT,
        env=environment(settings or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stderr.splitlines()[-1].split())


def code_of(arguments: tuple[str, ...]) -> str:
    """Return code that runs a command as ``comity`` does."""
    return (
        f"import sys\nfrom comity.cli import main\nsys.argv = {['comity', *arguments]!r}\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )


def help_of(*arguments: str) -> str:
    """Return code that prints a help page as ``comity`` does."""
    return code_of((*arguments, "--help"))


def test_the_command_line_itself_is_light() -> None:
    assert sorted(loaded_by("import comity.cli") & HEAVY) == []


@pytest.mark.parametrize("called", ["", *SERVICES])
def test_a_list_of_commands_loads_none_of_them(called: str) -> None:
    loaded = loaded_by(help_of(*filter(None, [called])))
    assert sorted(loaded & HEAVY) == []
    assert not {name for name in loaded if name.startswith("comity.commands.")} - MOUNTED


MOUNTED = {"comity.commands.backup", "comity.commands.refusals", "comity.commands.webhook"}
"""What every service mounts among its own commands."""


@pytest.mark.parametrize("name", cli.OWN)
def test_the_list_says_of_a_command_what_the_command_says(name: str) -> None:
    command = typer.main.get_command(cli.build([name])).commands[name]  # type: ignore[attr-defined]
    assert inspect.cleandoc(command.help).partition("\n")[0] == cli.OWN[name]


def test_commands_about_keys_load_nothing_that_serves(tmp_path: Path) -> None:
    keys_init, identifiers = ("issuer", "keys", "init"), ("issuer", "identifiers", "--json")
    loaded = loaded_by("\n".join(map(code_of, (keys_init, identifiers))), of_issuer(tmp_path))
    assert {"cryptography", "issuer.keyring"} <= loaded
    assert sorted(loaded & SERVING) == []
    assert (tmp_path / "data" / "keys" / AUTHORITIES[1]["authority"]).is_dir()


def test_the_verifiers_commands_about_keys_load_nothing_that_serves(tmp_path: Path) -> None:
    called = (("keys", "init"), ("keys", "public"), ("identifiers", "--name-en", "A", "--name-fr", "B"))
    code = "\n".join(code_of(("verifier", *each)) for each in called)
    loaded = loaded_by(code, named("verifier", tmp_path, of_a_registry(tmp_path) | FOR_A_VERIFIER))
    assert {"cryptography", "verifier.keyring"} <= loaded
    assert sorted(loaded & SERVING) == []
    assert (tmp_path / "data" / "keys").is_dir()


def test_an_option_before_a_command_runs_nothing() -> None:
    with pytest.raises(typer.exceptions.TyperException, match="No such option"):
        cli.build(["--loud", "demo"])(["--loud", "demo"], standalone_mode=False)
    listed = typer.main.get_command(cli.build(["--help"])).commands  # type: ignore[attr-defined]
    assert set(listed) == {*cli.OWN, *SERVICES}


def test_two_dashes_before_a_command_change_nothing() -> None:
    application = typer.main.get_command(cli.build(["--", "doctor"]))
    assert set(application.commands) == {"doctor"}  # type: ignore[attr-defined]


def of_issuer(folder: Path) -> dict[str, str]:
    """Write what the operator of an issuer writes; return the environment of its commands."""
    operators.add(folder / "people.json", name="A desk", role=operators.Role.CLERK, authorities=("*",))
    (folder / "authorities.json").write_bytes(strict_json.serialise(AUTHORITIES[1:]))
    files = {"AUTHORITIES_FILE": "authorities.json", "OPERATORS_FILE": "people.json", "STATUS_DIRECTORY": "lists"}
    values = {each: str(folder / file) for each, file in files.items()}
    return named("issuer", folder, values | {"STATUS_PUBLIC_URL": "http://localhost:8105"})


def named(service: str, folder: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a service as its environment has them."""
    own = {"PUBLIC_URL": "http://localhost:8101", "DATA_DIR": str(folder / "data"), "ALLOW_LOOPBACK_HTTP": "true"}
    return {f"{service.upper()}_{each}": value for each, value in {**own, **values}.items()}


def prepared(service: str, folder: Path) -> dict[str, str]:
    """Make what a service needs, its database at the version of this software; return its environment."""
    made = of_issuer(folder) if service == "issuer" else of_reader(service, folder)
    migrations.upgrade(f"sqlite:///{folder / 'data' / service}.sqlite3", service)
    return made


FOR_A_VERIFIER = {"PLACE": "ca-on", "RELYING_PARTIES_FILE": "parties.json"}


def of_a_registry(folder: Path) -> dict[str, str]:
    """Return where nothing listens: the registry is down, and who reads it starts all the same."""
    return {"REGISTRY_URL": "http://localhost:1", "REGISTRY_ROOT_FILE": str(folder / "registry" / "root.json")}


def of_reader(service: str, folder: Path) -> dict[str, str]:
    """Make what the wallet or the verifier needs: a registry, which both read; return the environment."""
    done = CliRunner().invoke(registry, ["init", str(folder / "registry"), "--name-en", "A", "--name-fr", "B"])
    assert done.exit_code == 0, done.output
    values = of_a_registry(folder)
    if service == "verifier":
        values |= FOR_A_VERIFIER | {"RELYING_PARTIES_FILE": str(folder / "parties.json")}
        said = named("", folder, values)
        settings = VerifierSettings(**{each.lower().strip("_"): value for each, value in said.items()})  # type: ignore[arg-type]
        identity.create(keys_of(settings), settings.public_url, SystemClock())
        relying_parties.add(settings.relying_parties_file, "bar")
    return named(service, folder, values)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_answers_without_what_it_does_not_need_yet(service: str, tmp_path: Path) -> None:
    loaded = loaded_by(START.format(service=service), prepared(service, tmp_path))
    assert {"fastapi", "sqlalchemy", f"{service}.app"} <= loaded
    assert sorted(loaded & (SELDOM | NOT_OF[service])) == []
