"""Foreign software and the services that it meets: real processes on loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from comity.demo import founding
from comity.demo.founding import Stage
from comity.demo.play import Play
from tests.interop import peers as node
from tests.interop.peers import Peers


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Peers:
    try:
        return node.install(tmp_path_factory.mktemp("interop") / "node")
    except node.NotInstalled as reason:
        pytest.skip(f"foreign software: {reason}")


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("interop-stage") / "demo"
    made = asyncio.run(founding.found(folder))
    yield made
    made.stop()


@pytest.fixture
async def play(stage: Stage) -> AsyncIterator[Play]:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        play = Play(stage=stage, client=client, language="en", tell=lambda _: None)
        yield play
        await play.close()
