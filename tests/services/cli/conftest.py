"""One installation for all tests of the command line; each test works on a copy of its own."""

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from comity.commands import doctor, verify
from comity.runtime.clock import FixedClock
from tests.services.cli.desk import Desk, Service, Told, furnish, say
from tests.support.world import NOW

Say = Callable[..., Told]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return furnish(tmp_path_factory.mktemp("desk") / "made")


@pytest.fixture
def desk(furnished: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The installation as the current folder, at ``NOW``, with no host to be found."""
    folder = tmp_path / "here"
    shutil.copytree(furnished.folder, folder)
    made = furnished.installation
    moved = structs.replace(
        made,
        registry_root_file=str(folder / "registry" / "root.json"),
        registry_cache=str(folder / "cache" / "registry"),
        status_cache=str(folder / "cache" / "status"),
        data_folders={"issuer": str(folder / "issuer")},
    )
    moved.save(folder / ".comity")
    monkeypatch.chdir(folder)
    for module in (verify, doctor):
        monkeypatch.setattr(module, "SystemClock", lambda: FixedClock(NOW))
    found = socket.getaddrinfo

    def local_only(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith(".example"):
            raise socket.gaierror(socket.EAI_NONAME, "no such host")
        return found(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", local_only)
    return replace(furnished, folder=folder, installation=moved)


@pytest.fixture
def comity(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run the command in this process: ``comity("verify", "person.sdjwt")``."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Told:
        return say(monkeypatch, capsys, *arguments)

    return run


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.shutdown()
    running.server_close()
