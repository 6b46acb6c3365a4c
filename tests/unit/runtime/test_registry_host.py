"""The static registry host."""

import asyncio
import logging
from typing import Any

import httpx
import pytest

from comity.errors import Code, Conflict
from comity.runtime.registry_host import RegistryHost
from tests.unit.runtime.registry_world import World


def client(host: RegistryHost) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(host), base_url="http://localhost")


@pytest.mark.good_twin("W15", "Q03")
@pytest.mark.attack("Q03")
async def test_every_published_file_is_served(world: World) -> None:
    public = world.repository.public_folder
    async with client(RegistryHost(public)) as http:
        files = [path for path in public.rglob("*") if path.is_file()]
        assert len(files) > 10
        for path in files:
            name = path.relative_to(public).as_posix()
            answer = await http.get(f"/{name}", headers={"range": "bytes=" + "0-," * 5000 + "0-"})  # is passed over
            assert answer.status_code == 200
            assert answer.content == path.read_bytes()
            assert answer.headers["content-type"] == "application/json"
            lasting = answer.headers["cache-control"]
            assert lasting == (
                "no-cache" if name == "metadata/timestamp.json" else "public, max-age=31536000, immutable"
            )


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metadata/",
        "/metadata/99.root.json",
        "/metadata/root.json",
        "/metadata/0.root.json",
        "/metadata/../../keys/root/x.pem",
        "/metadata/%2e%2e/%2e%2e/settings.json",
        "/..%2fsettings.json",
        "/settings.json",
        "/targets/federation.json",
        "/targets/ca-on/toronto/x/" + "0" * 64 + ".issuers.json",
        "/metadata/timestamp.json%00",
        "/metadata/timestamp.json/",
    ],
)
@pytest.mark.attack("W15")
async def test_nothing_else_is_served(world: World, path: str) -> None:
    async with client(RegistryHost(world.repository.public_folder)) as http:
        answer = await http.get(httpx.URL("http://localhost", raw_path=path.encode()))
        assert answer.status_code == 404
        assert answer.headers["cache-control"] == "no-store"


async def test_methods_and_health(world: World) -> None:
    async with client(RegistryHost(world.repository.public_folder)) as http:
        assert (await http.post("/metadata/timestamp.json")).status_code == 405
        head = await http.head("/metadata/timestamp.json")
        assert head.status_code == 200
        assert (await http.get("/healthz")).json() == {"status": "ok"}


async def live(host: RegistryHost, seconds: float) -> list[str]:
    """Run the host's life for ``seconds`` as a server does."""
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await messages.put({"type": "lifespan.startup"})
    task = asyncio.create_task(host({"type": "lifespan"}, messages.get, send))
    await asyncio.sleep(seconds)
    await messages.put({"type": "lifespan.shutdown"})
    await task
    return sent


async def test_it_signs_anew_on_a_timer_when_told_to(world: World) -> None:
    before = world.files.versions()["snapshot"]
    host = RegistryHost(world.repository.public_folder, refresh=world.repository.refresh, every_seconds=0.05)
    assert await live(host, 0.5) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert world.files.versions()["snapshot"] > before + 1


async def test_it_lives_on_when_signing_fails(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise Conflict(Code.CONFLICT, "the keys are not here")

    with caplog.at_level(logging.WARNING):
        sent = await live(RegistryHost(world.repository.public_folder, refresh=fail, every_seconds=0.05), 0.2)
    assert sent[-1] == "lifespan.shutdown.complete"
    assert caplog.text.count("the keys are not here") > 1


async def test_without_a_timer_it_only_serves(world: World) -> None:
    before = world.files.versions()
    assert await live(RegistryHost(world.repository.public_folder), 0.05) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert world.files.versions() == before


async def test_other_kinds_of_connection_are_ignored(world: World) -> None:
    async def never() -> Any:
        raise AssertionError

    async def refuse(message: Any) -> None:
        raise AssertionError(message)

    await RegistryHost(world.repository.public_folder)({"type": "websocket"}, never, refuse)
