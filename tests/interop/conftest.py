"""Foreign software and the services that it meets: real processes on loopback."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from comity.demo.founding import Stage
from comity.demo.play import Play
from tests.interop import offices
from tests.interop import peers as node
from tests.interop.offices import Office
from tests.interop.peers import Peers
from tests.support import npm
from tests.support.stage import standing


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Peers:
    try:
        return node.install(tmp_path_factory.mktemp("interop") / "node")
    except npm.NotInstalled as reason:
        pytest.skip(f"foreign software: {reason}")


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with standing(tmp_path_factory.mktemp("interop-stage") / "demo") as stage:
        yield stage


@pytest.fixture
async def play(stage: Stage) -> AsyncIterator[Play]:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        play = Play(stage=stage, client=client, language="en", tell=lambda _: None, patience=60.0)
        yield play
        await play.close()


@pytest.fixture(scope="session")
def office(stage: Stage) -> Office:
    """A foreign office that the registry has admitted."""
    office = offices.founded()
    offices.admit(stage, office)
    return office
