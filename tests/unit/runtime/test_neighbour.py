"""The one further host that a demonstration may reach: exactly it, over https only, never by asking a name server."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from comity import x509
from comity.errors import Code, Misconfigured, Unreachable
from comity.keys import KeySigner
from comity.ports import FetchRequest
from comity.runtime.address_guard import AddressGuard
from comity.runtime.clock import FixedClock
from comity.runtime.http import GuardedFetcher
from comity.runtime.neighbour import Neighbour, neighbour
from comity.runtime.urls import require_allowed

HOST = "laptop.local"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    signer = KeySigner.generate()
    anchor = x509.issue_host_anchor(HOST, name="demo", signer=signer, not_before=NOW, not_after=NOW + timedelta(days=1))
    path = tmp_path / "ca.crt"
    path.write_bytes(x509.to_pem(anchor))
    return path


@pytest.mark.parametrize("url", [f"https://{HOST}/x", f"https://{HOST}:8101/x", "https://LAPTOP.local:8101/x"])
def test_the_neighbour_passes_by_https(url: str) -> None:
    assert require_allowed(url, neighbour=HOST).host == HOST
    with pytest.raises(Unreachable) as refused:
        require_allowed(url)
    assert refused.value.code is Code.ADDRESS_NOT_PUBLIC


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/x",
        f"http://{HOST}:8101/x",
        f"https://{HOST}./x",
        f"https://a.{HOST}/x",
        "https://other.local/x",
        f"https://{HOST}@evil.example/x#",
        "https://192.168.0.7/x",
        "https://localhost/x",
    ],
)
def test_nothing_else_passes_with_it(url: str) -> None:
    with pytest.raises(Unreachable):
        asyncio.run(_reached(url))


async def _reached(url: str) -> tuple[str, ...]:
    guarded = require_allowed(url, neighbour=HOST)
    return await AddressGuard(neighbour=HOST, resolve=_private).addresses(guarded.host, guarded.port)


async def _private(_host: str, _port: int) -> list[str]:
    return ["192.168.0.7"]


async def test_it_is_this_machine_whatever_name_servers_say() -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["192.168.0.66"]

    guard = AddressGuard(resolve=resolve, neighbour=HOST)
    assert await guard.addresses("Laptop.local", 8101) == ("127.0.0.1",)
    assert asked == []
    with pytest.raises(Unreachable):
        await guard.addresses("other.local", 8101)
    with pytest.raises(Unreachable):
        await AddressGuard(resolve=resolve).addresses(HOST, 8101)


async def test_its_certificate_must_be_the_demonstrations_own(ca_file: Path, tmp_path: Path) -> None:
    """A good answer under the own authority; none under another one of the same name."""
    found = neighbour(HOST, ca_file)
    assert isinstance(found, Neighbour)
    from comity.demo.certificate import certificate
    from comity.demo.processes import free_ports
    from comity.demo.tls import forwarding
    from tests.unit.runtime.loopback import answering, serving

    made = certificate(tmp_path / "ca", HOST, FixedClock(NOW))
    (port,) = free_ports(1)
    async with serving(answering()) as server, forwarding({port: server.port}, made.server_side()):
        own = neighbour(HOST, made.authority_file)
        async with GuardedFetcher(FixedClock(NOW), neighbour=own) as fetcher:
            answer = await fetcher.fetch(FetchRequest(url=f"https://{HOST}:{port}/x"))
            assert (answer.status, answer.body) == (200, b"hello")
        async with GuardedFetcher(FixedClock(NOW), neighbour=found) as fetcher:
            with pytest.raises(Unreachable):
                await fetcher.fetch(FetchRequest(url=f"https://{HOST}:{port}/x"))


def test_a_name_without_its_authority_is_a_mistake(tmp_path: Path) -> None:
    assert neighbour("", None) is None
    (tmp_path / "empty.crt").write_bytes(b"")
    for path in (None, tmp_path / "absent.crt", tmp_path / "empty.crt"):
        with pytest.raises(Misconfigured):
            neighbour(HOST, path)
