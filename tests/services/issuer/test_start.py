"""How a deployment starts, says that it is ready, refuses what is not fit, and what its commands print."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp
from typer.testing import CliRunner

from comity.errors import Misconfigured
from comity.runtime import migrations
from comity.runtime.clock import FixedClock
from issuer import operators
from issuer.app import create_app
from issuer.cli import cli
from issuer.keyring import create_missing_keys
from issuer.settings import IssuerSettings
from tests.services.issuer.deployed import BC, NOW, ON, PUBLIC_URL, STATUS_URL, Deployed, Place, running
from tests.support.waiting import until


async def test_a_first_start_makes_everything_and_is_ready(empty_place: Place) -> None:
    async with running(empty_place) as issuer:
        ready = await issuer.client.get("/readyz")
        assert ready.json() == {
            "status": "ready",
            "checks": {"database": "ok", "keys": "ok", "operators": "ok", "status_lists": "ok"},
        }
        assert (await issuer.receive(await issuer.offer())).status_code == 200
        assert (await issuer.client.get("/version")).json()["service"] == "comity issuer"


@pytest.mark.fault("F42")
async def test_it_is_not_ready_without_its_operators_file_or_with_ended_certificates(issuer: Deployed) -> None:
    issuer.settings.operators_file.unlink()
    assert (await issuer.client.get("/readyz")).json()["checks"]["operators"] == "misconfigured"
    issuer.clock.advance(timedelta(days=731))
    assert (await issuer.client.get("/readyz")).json()["checks"]["keys"] == "misconfigured"


async def test_a_failing_timer_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    async def fail_once(*_: object) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("disk")
        return 0

    monkeypatch.setattr("issuer.issuing.erase_due", fail_once)

    async def comes_again() -> bool:
        return len(calls) > 1

    async with running(place, erase_every_seconds=0.01):
        await until(comes_again, "another round of the timer")


def production(place: Place, **changes: Any) -> IssuerSettings:
    urls = {"public_url": "https://issuer.example", "status_public_url": "https://status.example"}
    return place.settings(environment="production", **{**urls, **changes})


async def test_production_makes_no_keys_and_migrates_nothing(empty_place: Place) -> None:
    settings = production(empty_place)

    async def start() -> None:
        app = create_app(settings, clock=FixedClock(NOW))
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(Misconfigured, match="comity issuer migrate"):
        await start()
    await asyncio.to_thread(migrations.upgrade, settings.database, "issuer")
    with pytest.raises(Misconfigured, match="lacks keys"):
        await start()
    create_missing_keys(settings, NOW)
    await start()


def test_production_refuses_http(place: Place) -> None:
    assert list(production(place).refuse_in_production()) == []
    reasons = list(production(place, public_url=PUBLIC_URL, status_public_url=STATUS_URL).refuse_in_production())
    assert [reason.partition(":")[0] for reason in reasons] == ["PUBLIC_URL", "STATUS_PUBLIC_URL"]


# --- commands


@pytest.fixture
def environment(empty_place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in {
        "PUBLIC_URL": PUBLIC_URL,
        "STATUS_PUBLIC_URL": STATUS_URL,
        "STATUS_DIRECTORY": empty_place.folder / "published",
        "AUTHORITIES_FILE": empty_place.folder / "authorities.json",
        "OPERATORS_FILE": empty_place.folder / "operators.json",
        "DATA_DIR": empty_place.folder / "data",
    }.items():
        monkeypatch.setenv(f"ISSUER_{name}", str(value))
    return empty_place


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_keys_are_made_shown_and_described_for_the_registry(environment: Place) -> None:
    assert run("keys", "init").splitlines()[0] == f"made: {ON}/anchor"
    assert "existent" in run("keys", "init", "--lang", "fr")
    shown = run("keys", "show", "--lang", "fr")
    assert "jusqu’au" in shown
    assert "ServiceOntario (DÉMO)" in shown
    entries = json.loads(run("identifiers", "--json"))
    assert [entry["authority"] for entry in entries] == [ON, BC]
    first = entries[0]
    assert {entry["format"]: entry["id"] for entry in first["identifiers"]} == {
        "dc+sd-jwt": f"{PUBLIC_URL}/{ON}",
        "vc+jwt": "did:web:localhost%3A8101:ca-on:services",
    }
    assert {signer["uri_prefix"] for signer in first["status_signers"]} == {f"{STATUS_URL}/{ON}/status"}
    assert first["identifiers"][1]["key_thumbprints"] != first["status_signers"][1]["key_thumbprints"]
    assert "PRIVATE" not in json.dumps(entries)
    assert f"{STATUS_URL}/{BC}/status" in run("identifiers")


def test_the_database_is_migrated_by_command(environment: Place) -> None:
    refused = CliRunner().invoke(cli, ["check"])
    assert isinstance(refused.exception, Misconfigured)
    assert "comity issuer migrate" in refused.exception.detail
    assert "version" in run("migrate")
    assert run("check") == ""


def test_an_operator_is_added_and_the_token_printed_once(environment: Place) -> None:
    token = run("operators", "add", "Zoé", "clerk", "--authority", ON).strip()
    known = operators.Operators(environment.folder / "operators.json").authenticate(token)
    assert (known.name, known.authorities) == ("Zoé", frozenset({ON}))
    everywhere = run("operators", "add", "Max", "auditor").strip()
    assert operators.Operators(environment.folder / "operators.json").authenticate(everywhere).authorities == {"*"}


def test_both_servers_are_started_on_their_ports(
    environment: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served: list[tuple[str, int, str]] = []

    def serve(_app: ASGIApp, host: str, port: int, *, name: str) -> None:
        served.append((host, port, name))

    monkeypatch.setattr("comity.web.serving.serve", serve)
    # A log that goes to this command's standard error outlives it, and other tests would write into a closed file.
    monkeypatch.setattr("comity.runtime.logging.configure", lambda *_arguments: None)
    run("serve")
    run("serve", "--host", "localhost", "--port", "9001")
    run("status-host", "--directory", str(tmp_path))
    assert served == [("localhost", 8101, "issuer"), ("localhost", 9001, "issuer"), ("localhost", 8105, "status")]
