"""``comity issuer clerk …``: accounts opened, listed, closed and given a new password from the command line."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from comity.errors import Conflict, Denied, Malformed, Misconfigured, NotFound
from comity.runtime.clock import FixedClock, SystemClock
from issuer import signing_in
from issuer.cli import cli
from tests.services.issuer.deployed import ON, Place, running


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["clerk", *arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def error_of(*arguments: str) -> BaseException | None:
    return CliRunner().invoke(cli, ["clerk", *arguments]).exception


def sign_in(place: Place, name: str, password: str) -> str:
    """Sign in at a running deployment, and return the authority that the clerk acts for."""

    async def enter() -> str:
        async with running(place, FixedClock(SystemClock().now())) as issuer:  # the commands know no other time
            return (await signing_in.sign_in(issuer.deployment, name, password)).clerk.authority

    return asyncio.run(enter())


def test_an_account_is_opened_given_a_new_password_and_closed(environment: Place) -> None:
    first = run("add", "zoe", "clerk", "--authority", ON).strip()
    assert sign_in(environment, "zoe", first) == ON
    second = run("reset", "zoe", "--lang", "fr").strip()
    with pytest.raises(Denied):
        sign_in(environment, "zoe", first)
    assert sign_in(environment, "Zoe ", second) == ON
    assert run("list") == f"zoe  clerk  {ON}\n"
    assert "zoe ne peut plus" in run("disable", "zoe", "--lang", "fr")
    assert run("list") == f"zoe  clerk  {ON}  –\n"
    with pytest.raises(Denied):
        sign_in(environment, "zoe", second)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["add", "Zoé", "clerk", "--authority", ON], Malformed),
        (["add", "zoe", "clerk", "--authority", "ca-xx/services"], NotFound),
        (["disable", "nobody"], NotFound),
        (["reset", "nobody"], NotFound),
    ],
)
def test_what_cannot_be_done_is_said(environment: Place, arguments: list[str], kind: type[Exception]) -> None:
    assert isinstance(error_of(*arguments), kind)
    run("add", "zoe", "clerk", "--authority", ON)
    assert isinstance(error_of("add", "zoe", "auditor", "--authority", ON), Conflict)


def test_accounts_with_a_known_password_are_for_demonstrations_only(
    environment: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = json.loads(run("demo"))
    assert {"name": "clerk.ca-on", "role": "clerk", "authority": ON} in made["accounts"]
    assert len(made["accounts"]) == 8
    assert sign_in(environment, "supervisor.ca-on", made["password"]) == ON
    assert json.loads(run("demo")) == made  # doing it again changes nothing
    for name, value in (
        ("ENVIRONMENT", "production"),
        ("PUBLIC_URL", "https://issuer.example"),
        ("STATUS_PUBLIC_URL", "https://status.example"),
        ("ALLOW_LOOPBACK_HTTP", "false"),
    ):
        monkeypatch.setenv(f"ISSUER_{name}", value)
    assert isinstance(error_of("demo"), Misconfigured)
