"""Lost replies, crashes and hosts that are down: nothing that was issued is lost (catalogue F06 to F08)."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from comity.errors import Code, Unreachable
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import PASSPHRASE, Person, Town
from tests.support.in_process import fetched
from wallet.keeping import Keeping
from wallet.notifying import Notifying
from wallet.receiving import Receiving
from wallet.records import CREDENTIAL, PENDING, OpenWallet

pytestmark = pytest.mark.both_databases

GONE = Unreachable(Code.UNREACHABLE, "the answer was lost")
ENDPOINT = "services/credential"


async def unlock(person: Person) -> None:
    answer = await person.post("session", name=person.name, passphrase=PASSPHRASE)
    assert answer.status_code == 200, answer.text


async def issued(town: Town) -> list[Any]:
    found = await town.desk.get("/api/v1/credentials", params={"authority": "ca-on/services", "name": "Maya"})
    return list(found.json().get("credentials", []))


async def take(town: Town, person: Person, status: int, **offered: Any) -> dict[str, Any]:
    """Take an offer that will not come through; returns the offer."""
    offer = await town.offer(**offered)
    answer = await person.post("credentials", offer=offer["link"])
    assert answer.status_code == status, answer.text
    return offer


@pytest.mark.fault("F06")
async def test_a_lost_reply_is_asked_for_again(town: Town, maya: Person) -> None:
    """F06: the same key, so the issuer gives the same place in its list; no second offer is needed."""
    town.net.afterwards(ENDPOINT, GONE)
    offer = await take(town, maya, 502)
    assert await maya.credentials() == []
    town.net.heal()
    await unlock(maya)
    assert len(await maya.credentials()) == 1
    found = (await town.desk.get(f"/api/v1/offers/{offer['offer_id']}")).json()
    assert len(found["credentials"]) == 1
    started = await town.ask()
    assert (await maya.agree(await maya.consent(started["link"]))).status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"


@pytest.mark.parametrize("body", [b"", b'{"credentials":[{"credential":"eyJ', b"\xff"])
async def test_a_reply_that_was_cut_is_asked_for_again(town: Town, maya: Person, body: bytes) -> None:
    town.net.afterwards(ENDPOINT, lambda request, _answer: fetched(request.url, body, town.clock))
    await take(town, maya, 400)
    town.net.heal()
    await unlock(maya)
    assert len(await maya.credentials()) == 1


async def test_an_issuer_that_is_down_is_asked_again_each_time(town: Town, maya: Person) -> None:
    town.net.instead("/nonce", GONE)
    await take(town, maya, 502)
    await unlock(maya)
    assert [each.kind for each in await journal(town)] == ["waiting"]
    town.net.heal()
    await unlock(maya)
    assert len(await maya.credentials()) == 1
    assert await journal(town) == []


class _Line:
    def __init__(self, kind: str) -> None:
        self.kind = kind


async def journal(town: Town) -> list[_Line]:
    wallet = await opened(town)
    return [_Line("came" if "encoded" in each.content else "waiting") for each in await wallet.all(PENDING)]


@pytest.mark.parametrize(
    ("of", "method"), [(Receiving, "_take"), (Keeping, "judge"), (Keeping, "_verify"), (Keeping, "_keep")]
)
@pytest.mark.fault("F07")
async def test_a_crash_at_any_step_loses_nothing(
    town: Town, maya: Person, monkeypatch: pytest.MonkeyPatch, of: type, method: str
) -> None:
    """F07: after the answer, after it is in the journal, after it was judged."""

    async def crash(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patched:
        patched.setattr(of, method, crash)
        await take(town, maya, 500)
    assert await maya.credentials() == []
    await unlock(maya)
    assert len(await maya.credentials()) == 1
    await unlock(maya)
    assert len(await maya.credentials()) == 1


@pytest.mark.fault("F07")
async def test_a_crash_after_storage_stores_nothing_twice(
    town: Town, maya: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patched:
        patched.setattr(Notifying, "send_all", crash)
        await take(town, maya, 500)
    await unlock(maya)
    assert len(await maya.credentials()) == 1


@pytest.mark.fault("F08")
async def test_a_full_disk_loses_nothing(town: Town, maya: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """F08: the credential stays in the journal until there is room."""
    real: Callable[..., Any] = OpenWallet.commit

    async def commit(self: OpenWallet, *, put: Any = (), delete: Any = ()) -> None:
        if any(sheet.kind == CREDENTIAL for sheet in put):
            raise OSError("no space left on device")
        await real(self, put=put, delete=delete)

    with monkeypatch.context() as patched:
        patched.setattr(OpenWallet, "commit", commit)
        await take(town, maya, 500)
    assert [each.kind for each in await journal(town)] == ["came"]
    await unlock(maya)
    assert len(await maya.credentials()) == 1


async def test_a_did_that_does_not_resolve_now_is_tried_later(town: Town, maya: Person) -> None:
    town.net.instead("did.json", GONE)
    offer = await town.offer(formats=["vc+jwt"])
    answer = await maya.post("credentials", offer=offer["link"])
    assert (answer.status_code, answer.json()["code"]) == (502, "did_unresolved")
    assert await maya.credentials() == []
    await unlock(maya)
    assert [each.kind for each in await journal(town)] == ["came"]
    town.net.heal()
    await unlock(maya)
    assert len(await maya.credentials()) == 1


async def test_what_the_issuer_will_not_give_any_more_is_dropped_and_told(town: Town, maya: Person) -> None:
    town.net.instead(ENDPOINT, GONE)
    await take(town, maya, 502)
    town.net.heal()
    town.clock.advance(timedelta(days=1))
    await unlock(maya)
    assert await maya.credentials() == []
    assert [each["what"] for each in await maya.history()] == ["not_received"]
    assert {kind for kind, _ in await (await opened(town)).names()} == {"history"}


async def test_garbage_in_the_journal_does_not_lock_anybody_out(town: Town, maya: Person) -> None:
    wallet = await opened(town)
    line = {"encoded": "garbage", "issuer": "https://x.example", "key": "none", "own_key": False}
    line |= {"keep_unrecognised": True, "notification_endpoint": None, "notification_id": None}
    await wallet.put(PENDING, "line", line)
    await unlock(maya)
    assert [each["codes"] for each in await maya.history()] == [["format_unknown"]]
    assert await journal(town) == []


async def test_unlocking_in_two_places_keeps_one(town: Town, maya: Person) -> None:
    town.net.afterwards(ENDPOINT, GONE)
    await take(town, maya, 502)
    town.net.heal()
    browsers = [await town.visit() for _ in range(4)]
    members = {"name": maya.name, "passphrase": PASSPHRASE}
    answers = await asyncio.gather(*(each.post("session", **members) for each in browsers))
    assert {each.status_code for each in answers} == {200}
    assert len(await maya.credentials()) == 1


async def test_the_first_of_two_stays_when_the_second_fails(town: Town, maya: Person) -> None:
    asked: list[FetchRequest] = []

    def second_fails(request: FetchRequest, _answer: Fetched | None) -> Unreachable | None:
        asked.append(request)
        return GONE if len(asked) == 2 else None

    town.net.afterwards(ENDPOINT, second_fails)
    await take(town, maya, 502, formats=["dc+sd-jwt", "vc+jwt"])
    assert len(await maya.credentials()) == 1
    await unlock(maya)
    assert {each["format"] for each in await maya.credentials()} == {"dc+sd-jwt", "vc+jwt"}


@pytest.mark.fault("F06")
async def test_a_reply_that_is_cut_at_any_hundred_bytes_is_had_again(town: Town, maya: Person) -> None:
    """One wallet, one answer cut further and further on: the credential comes in the end, once, from one offer."""
    cuts: list[int] = []

    def cut(request: FetchRequest, answer: Fetched | None) -> Fetched | None:
        assert answer is not None
        if len(cuts) * 100 >= len(answer.body):
            return None
        cuts.append(len(cuts) * 100)
        return fetched(request.url, answer.body[: cuts[-1]], town.clock)

    town.net.afterwards(ENDPOINT, cut)
    offer = await take(town, maya, 400)
    for _ in range(200):
        if await maya.credentials():
            break
        await unlock(maya)
    assert len(cuts) > 15
    assert len(await maya.credentials()) == 1
    found = (await town.desk.get(f"/api/v1/offers/{offer['offer_id']}")).json()
    assert len(found["credentials"]) == 1


async def test_an_issuer_that_sends_nothing_but_garbage_is_not_asked_for_ever(town: Town, maya: Person) -> None:
    town.net.afterwards(ENDPOINT, lambda request, _answer: fetched(request.url, b"garbage", town.clock))
    await take(town, maya, 400)
    await unlock(maya)
    assert [each.kind for each in await journal(town)] == ["waiting"]
    town.clock.advance(timedelta(days=1))
    await unlock(maya)
    assert await journal(town) == []
    assert [each["what"] for each in await maya.history()] == ["not_received"]
