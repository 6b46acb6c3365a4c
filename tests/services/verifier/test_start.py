"""Starting: what a verifier needs, what it says of itself, and what it never does without a registry."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from comity import strict_json
from comity.errors import Code, ComityError, Conflict, Malformed, Misconfigured
from comity.openid.presentation import response
from comity.runtime import migrations
from comity.runtime.clock import FixedClock
from comity.runtime.http import GuardedFetcher
from comity.runtime.registry_repository import RegistryRepository
from comity.trust.documents import parse_verifiers
from tests.services.verifier.deployed import PUBLIC_URL, Deployed, Place, running
from tests.services.verifier.federation import REGISTRY_URL
from tests.support.waiting import until
from tests.support.world import NOW
from verifier import identity, relying_parties
from verifier.app import create_app
from verifier.cli import cli
from verifier.keyring import keys_of
from verifier.store import requests


async def ready(verifier: Deployed) -> tuple[int, dict[str, str]]:
    answer = await verifier.client.get("/readyz")
    return answer.status_code, answer.json()["checks"]


def forget_registry(place: Place) -> None:
    for each in (place.folder / "data" / "registry").rglob("*"):
        if each.is_file():
            each.unlink()


async def test_ready(verifier: Deployed) -> None:
    assert await ready(verifier) == (200, {"database": "ok", "keys": "ok", "registry": "ok"})
    assert (await verifier.client.get("/healthz")).json() == {"status": "ok"}
    assert (await verifier.client.get("/version")).json()["service"] == "comity verifier"


async def test_without_the_registry_nothing_is_accepted_and_nothing_is_lost(place: Place) -> None:
    forget_registry(place)
    network = place.network()
    network.registry_down = True
    async with running(place, network=network) as verifier:
        assert await ready(verifier) == (503, {"database": "ok", "keys": "ok", "registry": "registry_unavailable"})
        started = await verifier.start()
        asked = await verifier.fetch(started)
        body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
        answer = await verifier.post(started, body)
        assert (answer.status_code, answer.json()["code"]) == (503, "registry_unavailable")
        assert answer.json()["error"] == "temporarily_unavailable"
        assert (await verifier.outcome(started))["state"] == "fetched"
        network.registry_down = False
        await verifier.deployment.registry.refresh()
        assert (await ready(verifier))[0] == 200
        assert (await verifier.post(started, body)).status_code == 200
        assert (await verifier.result(started))["verdict"] == "accepted"


async def test_a_registry_seen_before_is_enough(place: Place) -> None:
    network = place.network()
    network.registry_down = True
    async with running(place, network=network) as verifier:
        assert (await ready(verifier))[0] == 200
        started = await verifier.start()
        assert (await verifier.answer(started)).status_code == 200
        assert (await verifier.result(started))["verdict"] == "accepted"


async def test_a_registry_whose_statements_have_ended_accepts_nothing(place: Place) -> None:
    network = place.network()
    network.registry_down = True
    async with running(place, network=network, at=NOW + timedelta(days=8)) as verifier:
        assert (await ready(verifier))[1]["registry"] == "registry_expired"
        started = await verifier.start("residency", place="ca-on")
        answer = await verifier.answer(started, verifier.person("region"))
        assert answer.status_code == 200
        result = await verifier.result(started)
        assert result["verdict"] != "accepted"
        assert "registry_expired" in result["codes"]
        assert "claims" not in result


@pytest.mark.fault("F42")
async def test_a_registry_without_issuers_is_not_ready(place: Place) -> None:
    forget_registry(place)
    registry = RegistryRepository(place.folder / "registry", FixedClock(NOW))
    registry.apply([{"edit": "remove_issuer", "authority": each} for each in ("ca-on/services", "ca-bc/services")])
    async with running(place) as verifier:
        assert (await ready(verifier))[1]["registry"] == "registry_invalid"


async def test_the_registry_is_read_again_on_a_timer(place: Place) -> None:
    registry = RegistryRepository(place.folder / "registry", FixedClock(NOW))
    async with running(place, registry_refresh_seconds=0.02) as verifier:
        started = await verifier.start()
        assert (await verifier.answer(started)).status_code == 200
        assert (await verifier.result(started))["verdict"] == "accepted"
        registry.apply([{"edit": "remove_issuer", "authority": "ca-on/services"}])
        issuer = verifier.federation.on.issuer_id

        async def is_gone() -> bool:
            return all(issuer not in str(each) for each in verifier.deployment.registry.snapshot().issuers())

        await until(is_gone, "the registry without the issuer", every_seconds=0.02)
        started = await verifier.start()
        assert (await verifier.answer(started)).status_code == 200
        assert (await verifier.result(started))["codes"] == ["issuer_unknown"]


@pytest.mark.parametrize("failure", [ValueError("surprise"), Misconfigured(Code.MISCONFIGURED, "surprise")])
async def test_a_failing_timer_goes_on(place: Place, failure: Exception) -> None:
    app = create_app(place.settings(erase_every_seconds=0.01), clock=FixedClock(NOW), fetcher=place.network())
    calls = 0

    async def failing(*_: Any) -> None:
        nonlocal calls
        calls += 1
        raise failure

    async def comes_again() -> bool:
        return calls > 2

    async with app.router.lifespan_context(app):
        app.state.deployment.database.write = failing
        await until(comes_again, "further rounds of the timer")


@pytest.mark.fault("F42")
async def test_an_expired_certificate_is_not_ready(place: Place) -> None:
    async with running(place, at=NOW + timedelta(days=identity.LEAF_DAYS + 1)) as verifier:
        assert (await ready(verifier))[1]["keys"] == "certificate_expired"
    later = NOW + timedelta(days=identity.LEAF_DAYS + 1)
    async with running(place, at=later, client_id_prefix="decentralized_identifier") as verifier:
        assert (await ready(verifier))[1]["keys"] == "ok"


@pytest.mark.fault("F42")
async def test_a_broken_database_is_not_ready(verifier: Deployed) -> None:
    def drop(connection: Connection) -> None:
        requests.drop(connection)

    await verifier.deployment.database.write(drop)
    assert (await ready(verifier))[1]["database"] == "internal"


@pytest.mark.sqlite_files
async def test_production_never_migrates_by_itself(place: Place) -> None:
    settings = place.settings(environment="production", data_dir=place.folder / "data", database_url=None)
    (place.folder / "data" / "verifier.sqlite3").unlink()
    app = create_app(settings, clock=FixedClock(NOW), fetcher=place.network())
    with pytest.raises(ComityError, match="migrate"):
        async with app.router.lifespan_context(app):
            raise AssertionError("it started")
    await asyncio.to_thread(migrations.upgrade, settings.database, "verifier")
    again = create_app(settings, clock=FixedClock(NOW), fetcher=place.network())
    async with again.router.lifespan_context(again):
        assert again.state.deployment.registry.snapshot().issuers()


@pytest.mark.sqlite_files
async def test_the_migrations_make_the_table_that_the_store_uses(verifier: Deployed) -> None:
    def columns(connection: Connection) -> dict[str, bool]:
        found = connection.exec_driver_sql("PRAGMA table_info(requests)").mappings()
        return {row["name"]: bool(row["notnull"]) for row in found}

    wanted = {column.name: not column.nullable for column in requests.columns}
    assert await verifier.deployment.database.read(columns) == wanted


async def test_what_is_missing_is_said_at_start(place: Place) -> None:
    for changes, words in (
        ({"data_dir": place.folder / "elsewhere"}, "keys init"),
        ({"relying_parties_file": place.folder / "none.json"}, "relying-party add"),
        ({"registry_root_file": place.folder / "none.json"}, "root file"),
    ):
        with pytest.raises(Misconfigured, match=words):
            create_app(place.settings(**changes))


async def test_it_fetches_through_the_guard_when_nobody_says_otherwise(place: Place) -> None:
    app = create_app(place.settings(registry_url="https://localhost"), clock=FixedClock(NOW))
    async with app.router.lifespan_context(app):
        assert isinstance(app.state.deployment.fetcher, GuardedFetcher)
        assert app.state.deployment.registry.last_error is not None  # this machine itself is asked nothing
        assert app.state.deployment.registry.snapshot().issuers()


# --- the command line


@pytest.fixture
def environment(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new installation, set up by environment variables."""
    for name, value in {
        "PUBLIC_URL": PUBLIC_URL,
        "REGISTRY_URL": REGISTRY_URL,
        "REGISTRY_ROOT_FILE": str(place.settings().registry_root_file),
        "RELYING_PARTIES_FILE": str(tmp_path / "new" / "parties.json"),
        "DATA_DIR": str(tmp_path / "new" / "data"),
    }.items():
        monkeypatch.setenv(f"VERIFIER_{name}", value)
    return tmp_path / "new"


def run(*arguments: str) -> str:
    outcome = CliRunner().invoke(cli, list(arguments))
    if outcome.exception is not None:
        raise outcome.exception
    return outcome.stdout


def test_a_new_installation(environment: Path) -> None:
    with pytest.raises(Misconfigured, match="keys init"):
        run("identifiers", "--name-en", "Bar (DEMO)", "--name-fr", "Bar (DÉMO)")
    english, french = run("keys", "init"), run("keys", "init", "--lang", "fr")
    assert str(environment / "data" / "keys") in english
    assert english != french
    printed = [run("identifiers", "--name-en", "Bar (DEMO)", "--name-fr", "Bar (DÉMO)") for _ in range(2)]
    assert printed[0] == printed[1]
    entry = strict_json.parse_object(printed[0])
    (parsed,) = parse_verifiers({"verifiers": [entry]})
    assert [each.partition(":")[0] for each in entry["client_ids"]] == ["x509_hash", "decentralized_identifier"]
    assert parsed is not None
    with pytest.raises(ComityError, match="migrate"):
        run("check")
    run("migrate")
    run("check")
    token = run("relying-party", "add", "bar").strip()
    found = relying_parties.RelyingParties.load(environment / "parties.json")
    assert found.authenticate(f"Bearer {token}").name == "bar"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert token not in (environment / "parties.json").read_text()
    with pytest.raises(Conflict):
        run("relying-party", "add", "bar")
    with pytest.raises(Malformed):
        run("relying-party", "add", "")
    other = run("relying-party", "add", "bank", "--file", str(environment / "others.json")).strip()
    assert (
        relying_parties.RelyingParties.load(environment / "others.json").authenticate(f"bearer {other}").name == "bank"
    )


def test_serve(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        "comity.web.serving.serve", lambda app, host, port, name: served.append((app, host, port, name))
    )
    monkeypatch.setattr("comity.runtime.logging.configure", lambda service, kind: served.append((service, kind)))
    run("keys", "init")
    run("relying-party", "add", "bar")
    run("serve", "--port", "0")
    assert served[0] == ("verifier", "development")
    assert served[1][1:] == ("localhost", 0, "comity verifier")
    asyncio.run(served[1][0].state.deployment.close())


def test_back_up_and_restore(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.mkdir(parents=True, exist_ok=True)
    secret, file = environment / "passphrase", str(environment / "night.backup")
    secret.write_text("a passphrase of the night shift\n")
    run("migrate")
    told = run("backup", file, "--passphrase-file", str(secret))
    assert "requests: 0" in told
    with pytest.raises(Conflict):
        run("backup", file, "--passphrase-file", str(secret))
    monkeypatch.setenv("VERIFIER_DATABASE_URL", f"sqlite:///{environment}/another.sqlite3")
    with pytest.raises(Misconfigured, match="migrate"):
        run("restore", file, "--passphrase-file", str(secret))
    run("migrate")
    assert "Base de données restaurée" in run("restore", file, "--passphrase-file", str(secret), "--lang", "fr")
    with pytest.raises(Misconfigured):
        run("restore", file, "--passphrase-file", str(environment / "absent"))


def test_several_workers(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Any, ...]] = []
    monkeypatch.setattr("comity.web.serving.serve_workers", lambda *given, **options: served.append((*given, options)))
    with pytest.raises(Misconfigured, match="PostgreSQL"):
        run("serve", "--workers", "2")
    monkeypatch.setenv("VERIFIER_DATABASE_URL", "postgresql://db.example/verifier")
    run("serve", "--workers", "2")
    assert served == [("verifier.cli:worker", "localhost", 8103, {"workers": 2, "name": "comity verifier"})]


def test_keys_of_this_place_are_kept(place: Place) -> None:
    before = identity.load(keys_of(place.settings()), PUBLIC_URL, "x509_hash").client.text
    identity.create(keys_of(place.settings()), PUBLIC_URL, FixedClock(NOW + timedelta(days=1)))
    assert identity.load(keys_of(place.settings()), PUBLIC_URL, "x509_hash").client.text == before
