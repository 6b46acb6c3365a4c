"""Starting, being ready, and being set up wrongly."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

import wallet.app
from comity.errors import Misconfigured
from comity.runtime import migrations
from comity.runtime.clock import FixedClock, SystemClock
from comity.runtime.http import GuardedFetcher
from comity.trust.snapshot import RegistrySnapshot
from tests.services.wallet.town import NOW, REGISTRY, WALLET, Ground, Town, running
from tests.support.waiting import until
from wallet.deployment import of_settings, open_deployment
from wallet.settings import WalletSettings


async def readiness(app: Any) -> tuple[int, dict[str, str]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=WALLET) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["checks"]


@pytest.mark.good_twin("T15")
async def test_it_is_ready_when_it_can_open_wallets_and_knows_whom_to_trust(town: Town) -> None:
    assert await readiness(town.wallet_app) == (200, {"database": "ok", "registry": "ok"})


@pytest.mark.fault("F42")
@pytest.mark.attack("T15")
async def test_an_expired_registry_is_not_ready(ground: Ground) -> None:
    async with running(ground) as town:
        town.clock.advance(NOW.replace(year=2027) - NOW)
        assert await readiness(town.wallet_app) == (503, {"database": "ok", "registry": "registry_expired"})


@pytest.mark.fault("F42")
async def test_a_registry_without_issuers_is_not_ready(town: Town) -> None:
    empty = {"federation.json": b'{"version":1,"members":[],"types":[],"delegations":[]}'}
    end = NOW.replace(year=2027)
    town.wallet.registry._snapshot = RegistrySnapshot.from_targets(empty, fetched_at=NOW, expires_at=end)
    assert await readiness(town.wallet_app) == (503, {"database": "ok", "registry": "registry_invalid"})


async def test_it_starts_without_its_registry_and_finds_it_later(ground: Ground, monkeypatch: Any) -> None:
    monkeypatch.setattr(wallet.app, "PURGE_EVERY_SECONDS", 0.01)
    settings = ground.wallet_settings(data_dir=ground.folder / "fresh", registry_refresh_seconds=0.05)
    async with running(ground) as town:
        host = town.net.hosts.pop(REGISTRY)
        app = wallet.app.create_app(settings, clock=town.clock, fetcher=town.net)
        async with app.router.lifespan_context(app):
            assert (await readiness(app))[1]["registry"] == "registry_unavailable"
            town.net.hosts[REGISTRY] = host

            async def is_ready() -> bool:
                return (await readiness(app))[0] == 200

            await until(is_ready, "the registry that came late", every_seconds=0.02)
            assert await readiness(app) == (200, {"database": "ok", "registry": "ok"})


@pytest.mark.parametrize("content", [None, b"", b"x" * 31, b"x" * 33])
def test_a_pepper_is_32_bytes(ground: Ground, content: bytes | None) -> None:
    path = ground.folder / "another-pepper"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured):
        of_settings(ground.wallet_settings(pepper_file=path))
    path.write_bytes(b"x" * 32)
    assert of_settings(ground.wallet_settings(pepper_file=path)).pepper == b"x" * 32
    assert of_settings(ground.wallet_settings(pepper_file=None)).pepper is None


def test_production_wants_a_pepper(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "environment": "production",
        "public_url": "https://wallet.example",
        "data_dir": tmp_path,
        "registry_url": "https://registry.example",
        "registry_root_file": tmp_path / "root.json",
    }
    assert list(WalletSettings(**values).refuse_in_production()) == ["PEPPER_FILE must be set"]
    assert list(WalletSettings(**values, pepper_file=tmp_path / "pepper").refuse_in_production()) == []


@pytest.mark.sqlite_files
async def test_production_does_not_migrate_by_itself(ground: Ground) -> None:
    settings = ground.wallet_settings(data_dir=ground.folder / "fresh", environment="production")
    app = wallet.app.create_app(settings, clock=FixedClock(NOW))
    with pytest.raises(Misconfigured):
        async with app.router.lifespan_context(app):
            pass
    await asyncio.to_thread(migrations.upgrade, settings.database, "wallet")


@pytest.mark.good_twin("R18")
async def test_without_another_door_requests_leave_through_the_guarded_one(ground: Ground) -> None:
    opened = open_deployment(of_settings(ground.wallet_settings()), SystemClock())
    assert isinstance(opened.presenting.outbound.fetcher, GuardedFetcher)
    assert opened.presenting.outbound.fetcher is opened.guarded
    await opened.close()
