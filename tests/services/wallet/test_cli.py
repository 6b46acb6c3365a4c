"""The wallet in a local file, through the command line."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import wallet.deployment
import wallet.local
from comity import strict_json
from comity.errors import ComityError
from comity.runtime.clock import FixedClock
from comity.runtime.installation import Installation
from tests.services.wallet.town import CANARY, NOW, PASSPHRASE, REGISTRY, Ground, Town, running
from wallet import cli as commands


class Machine:
    """A citizen's own machine: a folder, a passphrase in a file, and a town that runs beside it."""

    def __init__(self, folder: Path, town: Town, loop: asyncio.AbstractEventLoop) -> None:
        self.folder, self.town, self.loop = folder, town, loop
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(PASSPHRASE + "\n", "utf-8")

    def run(self, *arguments: str, typed: str = "", passphrase: bool = True) -> Result:
        known = ["--passphrase-file", str(self.passphrase)] if passphrase else []
        return CliRunner().invoke(commands.cli, [*arguments, *known], input=typed)

    def ok(self, *arguments: str, typed: str = "", passphrase: bool = True) -> str:
        found = self.run(*arguments, typed=typed, passphrase=passphrase)
        assert found.exit_code == 0, (found.output, found.exception)
        return found.output

    def refused(self, *arguments: str, typed: str = "") -> str:
        found = self.run(*arguments, typed=typed)
        assert isinstance(found.exception, ComityError), found.output
        return found.exception.code.value

    def there(self, work: Any) -> Any:
        """Do something in the town."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def held(self) -> list[dict[str, Any]]:
        return list(strict_json.parse_object(self.ok("list", "--json"))["credentials"])


@pytest.fixture
def machine(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.chdir(tmp_path)
    ready: list[Any] = []
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def live() -> None:
        async with running(ground) as town:
            ready.append(town)
            await stop.wait()

    with ThreadPoolExecutor(1) as thread:
        alive = thread.submit(loop.run_until_complete, live())
        while not ready and not alive.done():
            pass
        town: Town = ready[0]
        monkeypatch.setattr(wallet.deployment, "GuardedFetcher", lambda *_a, **_k: _Bridge(town, loop))
        monkeypatch.setattr(commands, "SystemClock", lambda: FixedClock(NOW))
        Installation(
            registry_url=REGISTRY,
            registry_root_file=str(ground.folder / "registry" / "root.json"),
            registry_cache="",
            status_cache="",
            allow_loopback_http=True,
        ).save()
        yield Machine(tmp_path, town, loop)
        loop.call_soon_threadsafe(stop.set)
        alive.result(30)
    loop.close()


class _Bridge:
    """Reaches the town, which lives on another loop."""

    def __init__(self, town: Town, loop: asyncio.AbstractEventLoop) -> None:
        self._town, self._loop = town, loop

    async def fetch(self, request: Any) -> Any:
        future = asyncio.run_coroutine_threadsafe(self._town.net.fetch(request), self._loop)
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """Nothing is held open."""


def test_a_citizens_day(machine: Machine) -> None:
    """Create, receive, list, show, present, history, export, import, delete."""
    assert "recovery code" in machine.ok("create")
    offer = machine.there(machine.town.offer(transaction_code=True))
    code = offer["transaction_code"]
    said = machine.ok("receive", offer["link"], "--yes", "--transaction-code", code)
    assert "The trust registry knows this issuer. It may issue this." in said
    (held,) = machine.held()
    listed = machine.ok("list", "--lang", "fr")
    assert held["id"] in listed
    assert "ServiceOntario (DÉMO)" in listed
    assert CANARY in machine.ok("show", held["id"])
    assert machine.ok("show", held["id"], "--raw").startswith("eyJ")
    assert strict_json.parse_object(machine.ok("show", held["id"], "--json"))["claims"]

    started = machine.there(machine.town.ask())
    unfit = machine.refused("present", started["link"], "--yes", "--credential", "another")
    assert unfit == "no_matching_credential"
    said = machine.ok("present", started["link"], "--yes", "--credential", held["id"])
    assert "Corner store (DEMO) asks:" in said
    assert "Shared 1 credential." in said
    result = machine.there(machine.town.result(started))["result"]
    assert result["verdict"] == "accepted"

    lines = strict_json.parse_object(machine.ok("history", "--json"))["history"]
    assert sorted(each["what"] for each in lines) == ["presented", "received"]  # both in one second
    assert "Dépanneur" in machine.ok("history", "--lang", "fr")

    machine.ok("export", "everything.json")
    assert CANARY.encode() not in Path("everything.json").read_bytes()
    said = machine.ok("import", "everything.json", "--file", "other.sqlite3")
    assert "came in" in said
    assert "recovery code" in said
    assert held["id"] in machine.ok("list", "--file", "other.sqlite3")

    machine.ok("delete", held["id"], "--yes")
    assert machine.held() == []
    assert machine.refused("show", held["id"]) == "credential_unknown"


def test_nothing_is_done_without_a_yes(machine: Machine) -> None:
    machine.ok("create")
    offer = machine.there(machine.town.offer(transaction_code=True))
    assert "Nothing was done." in machine.ok("receive", offer["link"], typed="n\n")
    assert machine.held() == []
    machine.ok("receive", offer["link"], typed=f"y\n{offer['transaction_code']}\n")
    (held,) = machine.held()
    started = machine.there(machine.town.ask())
    assert "Rien n’a été fait." in machine.ok("present", started["link"], "--lang", "fr", typed="n\n")
    assert "Nothing was done." in machine.ok("delete", held["id"], typed="n\n")
    assert len(machine.held()) == 1
    assert machine.there(machine.town.result(started))["state"] == "fetched"


def test_a_change_of_status_is_said(machine: Machine) -> None:
    machine.ok("create")
    offer = machine.there(machine.town.offer("drivers-licence/1"))
    machine.ok("receive", offer["link"], "--yes")
    machine.there(machine.town.change_status(offer, "suspend"))
    assert "! The issuer has suspended your credential." in machine.ok("list").replace("\n", " ")


def test_who_is_unknown_is_said(machine: Machine) -> None:
    machine.ok("create")
    offer = machine.there(machine.town.offer("person/1", "ca-pe/nobody"))
    said = machine.ok("receive", offer["link"], "--yes", "--keep-unrecognised")
    assert "No trust registry knows this issuer. Nobody says that it may issue this." in said
    good = machine.there(machine.town.offer())
    machine.ok("receive", good["link"], "--yes")
    entry = machine.town.ground.verifier_entry(
        may_ask=[{"type": "person/1", "claims": ["age_over_19"], "purpose": "age-alcohol"}]
    )
    client = next(each for each in entry["client_ids"] if each.startswith("x509_hash"))
    remove = {"edit": "remove_verifier", "jurisdiction": "ca-on", "client_id": client}
    machine.town.ground.apply([remove])
    started = machine.there(machine.town.ask())
    assert "No trust registry knows who is asking." in machine.ok("present", started["link"], "--yes")
    machine.town.ground.apply([{"edit": "verifier", "jurisdiction": "ca-on", "verifier": entry}])
    started = machine.there(machine.town.ask())
    assert "does not entitle them" in machine.ok("present", started["link"], "--yes").replace("\n", " ")


def test_what_cannot_be_opened_is_named(machine: Machine) -> None:
    assert machine.refused("list") == "not_found"
    machine.ok("create")
    assert machine.refused("create") == "account_exists"
    machine.passphrase.write_text("another long passphrase", "utf-8")
    assert machine.refused("list") == "passphrase_wrong"
    machine.passphrase.write_bytes(b"\xff")
    assert machine.refused("list") == "malformed"
    machine.passphrase.unlink()
    assert machine.refused("list") == "malformed"
    assert machine.ok("list", typed=PASSPHRASE + "\n", passphrase=False)


def test_a_wallet_that_could_not_be_made_leaves_nothing_in_the_way(machine: Machine) -> None:
    machine.passphrase.write_text("short", "utf-8")
    assert machine.refused("create") == "passphrase_too_short"
    machine.passphrase.write_text(PASSPHRASE, "utf-8")
    machine.ok("create")
    assert machine.held() == []


def test_the_registry_may_be_down_once_it_was_seen(machine: Machine) -> None:
    machine.ok("create")
    offer = machine.there(machine.town.offer())
    machine.ok("receive", offer["link"], "--yes")
    machine.town.net.hosts.pop(REGISTRY)
    assert len(machine.held()) == 1
    shutil.rmtree(Path(".comity/wallet.sqlite3.cache"))
    assert machine.refused("list") == "registry_unavailable"


def test_an_export_has_a_passphrase_of_its_own(machine: Machine) -> None:
    machine.ok("create")
    machine.ok("export", "all.json")
    theirs = machine.folder / "theirs"
    shutil.copy(machine.passphrase, theirs)
    machine.passphrase.write_text("another long passphrase", "utf-8")
    machine.ok("import", "all.json", "--file", "new.sqlite3", "--export-passphrase-file", str(theirs))


def test_the_hosted_wallets_database_is_migrated_and_checked(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("WALLET_")]:
        monkeypatch.delenv(name)
    values = {
        "PUBLIC_URL": "http://localhost:8102",
        "DATA_DIR": str(ground.folder / "fresh"),
        "REGISTRY_URL": REGISTRY,
        "REGISTRY_ROOT_FILE": str(ground.folder / "registry" / "root.json"),
        "ALLOW_LOOPBACK_HTTP": "true",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"WALLET_{name}", value)
    assert isinstance(CliRunner().invoke(commands.cli, ["check"]).exception, ComityError)
    assert CliRunner().invoke(commands.cli, ["migrate"]).exit_code == 0
    assert CliRunner().invoke(commands.cli, ["check"]).exit_code == 0
    served: list[Any] = []
    monkeypatch.setattr(
        "comity.web.serving.serve", lambda app, host, port, name: served.append((app.title, host, port))
    )
    monkeypatch.setattr("comity.runtime.logging.configure", lambda *_arguments: None)
    assert CliRunner().invoke(commands.cli, ["serve", "--port", "0"]).exit_code == 0
    assert served == [("comity wallet", "localhost", 0)]
    assert wallet.local.ACCOUNT
