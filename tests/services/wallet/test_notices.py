"""Telling issuers what became of their credentials (OpenID4VCI §11): durable, tried again, never in anybody's way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from comity import strict_json
from comity.errors import Code, Unreachable
from tests.services.wallet.test_interrupted import unlock
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import Person, Town
from tests.support.in_process import InProcess, fetched
from wallet import notifying
from wallet.records import NOTICE

GONE = Unreachable(Code.UNREACHABLE, "nobody answers")
ENDPOINT = "/notification"


def told(town: Town) -> list[str]:
    bodies = [strict_json.parse_object(each.body or b"") for each in town.net.asked if each.url.endswith(ENDPOINT)]
    return [str(each["event"]) for each in bodies]


async def kept(town: Town) -> list[Any]:
    return list(await (await opened(town)).all(NOTICE))


async def heard(town: Town) -> list[str]:
    answer = await town.desk.get("/api/v1/audit", params={"authority": "ca-on/services"})
    return [each["action"] for each in answer.json()["events"] if each["action"].startswith("credential_")]


async def test_it_is_told_once_and_forgotten(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    assert told(town) == ["credential_accepted"]
    assert await kept(town) == []
    assert await heard(town) == ["credential_accepted", "credential_issued"]
    await unlock(maya)
    assert told(town) == ["credential_accepted"]


@pytest.mark.parametrize("status", [None, 500, 503])
@pytest.mark.fault("F10")
async def test_what_is_not_heard_is_told_again(town: Town, maya: Person, status: int | None) -> None:
    town.net.instead(ENDPOINT, GONE if status is None else fetched("", b"", town.clock, status=status))
    await maya.receive(await town.offer())
    assert len(await maya.credentials()) == 1  # the person has it all the same
    assert len(await kept(town)) == 1
    assert "credential_accepted" not in await heard(town)
    town.net.heal()
    await unlock(maya)
    assert await kept(town) == []
    assert (await heard(town)).count("credential_accepted") == 1


async def test_a_refusal_is_final(town: Town, maya: Person) -> None:
    refusal = fetched("", b'{"error":"invalid_notification_id"}', town.clock, status=400)
    town.net.instead(ENDPOINT, refusal)
    await maya.receive(await town.offer())
    assert await kept(town) == []
    await unlock(maya)
    assert told(town) == ["credential_accepted"]


async def test_what_is_too_old_is_let_go(town: Town, maya: Person) -> None:
    town.net.instead(ENDPOINT, GONE)
    await maya.receive(await town.offer())
    asked = len(told(town))
    town.clock.advance(timedelta(days=1))
    await unlock(maya)
    assert (len(told(town)), await kept(town)) == (asked, [])


async def test_an_issuer_that_hangs_keeps_nobody_waiting(
    town: Town, maya: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = InProcess.fetch

    async def fetch(self: InProcess, request: Any) -> Any:
        if request.url.endswith(ENDPOINT):
            await asyncio.sleep(3600)
        return await real(self, request)

    monkeypatch.setattr(InProcess, "fetch", fetch)
    monkeypatch.setattr(notifying, "PATIENCE_SECONDS", 0.05)
    async with asyncio.timeout(20):
        await maya.receive(await town.offer())
    assert len(await kept(town)) == 1


async def test_a_later_deletion_is_nobodys_business(town: Town, maya: Person) -> None:
    """VCI-51: credential_deleted is about a failed issuance."""
    await maya.receive(await town.offer())
    (shown,) = await maya.credentials()
    assert (await maya.remove(f"credentials/{shown['id']}")).status_code == 200
    assert told(town) == ["credential_accepted"]


@pytest.mark.attack("I16")
@pytest.mark.good_twin("I16")
@pytest.mark.fault("F10")
async def test_repeating_it_is_heard_once_and_another_wallets_id_never(town: Town, maya: Person) -> None:
    """I16, seen from the issuer: by token; the same again succeeds and changes nothing."""
    town.net.instead(ENDPOINT, GONE)
    await maya.receive(await town.offer())
    (notice,) = await kept(town)
    noah = await town.arrive("noah")
    await noah.receive(await town.offer())
    (other,) = await (await opened(town, "noah")).all(NOTICE)
    town.net.heal()
    wallet = await opened(town)
    stolen = {**notice.content, "notification_id": other.content["notification_id"]}
    await wallet.put(NOTICE, "stolen", stolen)
    await wallet.put(NOTICE, "again", dict(notice.content))
    await town.wallet.receiving.notifying.send_all(wallet)
    assert await kept(town) == []
    assert (await heard(town)).count("credential_accepted") == 1
