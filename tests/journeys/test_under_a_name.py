"""``comity serve --host``: the whole journey over https, under a name that no name server knows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from comity.demo import cast, founding, open_house
from comity.demo.certificate import certificate
from comity.demo.clients import PASSPHRASE, Citizen, Counter, Desk, answer_of
from comity.demo.founding import Https, Stage
from comity.demo.processes import free_ports
from comity.demo.tls import forwarding
from comity.runtime.clock import SystemClock
from comity.runtime.neighbour import trusting

NAME = "no-such-host.local"


class ThisMachine(httpx.AsyncHTTPTransport):
    """Reaches the name as a phone does whose name server knows it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        inner = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": NAME},
        )
        return await super().handle_async_request(inner)


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """Services on free ports, as `comity serve --host` has them on the fixed ones."""
    names = (*founding.NAMES, open_house.DOOR)
    made = certificate(tmp_path / "ca", NAME, SystemClock())
    outer, inner = (dict(zip(names, free_ports(len(names)), strict=True)) for _ in range(2))
    monkeypatch.setattr(founding, "FIXED_PORTS", {name: outer[name] for name in founding.NAMES})
    async with AsyncExitStack() as stack:
        ports = {outer[name]: inner[name] for name in founding.NAMES}
        await stack.enter_async_context(forwarding(ports, made.server_side()))
        stage = await founding.found(tmp_path / "demo", fixed_ports=True, https=Https(certificate=made, ports=inner))
        stack.push_async_callback(asyncio.to_thread, stage.stop)
        yield stage


def somebody(stage: Stage) -> httpx.AsyncClient:
    assert stage.certificate is not None
    trust = trusting(stage.certificate.authority_file)
    return httpx.AsyncClient(transport=ThisMachine(verify=trust), trust_env=False, timeout=30)


async def test_a_licence_is_issued_held_and_shown_over_https(stage: Stage) -> None:
    assert set(stage.urls) == set(founding.NAMES)
    assert all(url.startswith(f"https://{NAME}:") for url in stage.urls.values())
    async with somebody(stage) as client, somebody(stage) as browser:
        desk = Desk(client=client, url=stage.urls["issuer"], token=stage.operator_token)
        offered = await desk.offer("ca-on/services", "drivers-licence/1", cast.drivers_licence(cast.ELISE, 38, "8001"))
        assert offered.link.count(NAME)
        elise = Citizen(client=browser, url=stage.urls["wallet"], language="fr")
        answer_of(await elise.post("/api/v1/accounts", {"name": "elise-https", "passphrase": PASSPHRASE}))
        (kept, *_) = await elise.receive(offered)
        assert kept["recognised"]
        counter = Counter(client=client, url=stage.urls["verifier"], token=stage.relying_party_token)
        started = await counter.ask("age-alcohol", place="ca-on")
        await elise.agree(await elise.consent(started["link"]), {"drivers-licence_sdjwt": kept["id"]})
        assert (await counter.result(started))["verdict"] == "accepted"
        page = await client.get(f"{stage.urls['verifier']}/en/")
        assert "strict-transport-security" not in page.headers
    await _check_front_door(stage)


async def _check_front_door(stage: Stage) -> None:
    """Fail unless the front door names every service and knows whether it is up."""
    house = open_house.house_of(stage)
    assert house.plain_url == f"http://{NAME}:{open_house.PLAIN_PORT}"
    assert house.authority.startswith(b"-----BEGIN CERTIFICATE-----")
    assert set(house.probes) == set(founding.NAMES)
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in house.probes.values():
            assert (await client.get(url)).status_code == 200
