"""A person at the hosted wallet: cards that come at once, later and in copies, one that is shown, one that goes."""

import asyncio
import itertools
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
from sqlalchemy import Connection, func, select

from comity.demo import cast
from comity.demo.clients import Desk, Refused
from comity.demo.founding import Stage
from comity.errors import Unreachable
from comity.runtime.database import open_database
from tests.faults import federation
from tests.faults.harness import Flow, both, client
from tests.faults.issuing import status_place
from tests.support.waiting import until
from wallet import store

PASSPHRASE = "a passphrase for the faults only"
POLICY, PLACE = "drivers-licence-valid", "ca-on"
ACCOUNT = both("store.add_citizen", "store.begin_attempt", "store.forget_attempts", "store.save_session")
COLLECTING = (
    *both("records.keep.key.pending", "records.change.pending"),
    *both("records.keep.credential.history.notice.drop.pending"),
    *both("records.keep.credential.history.notice.drop.pending.key", "store.delete_record"),
    *both("records.keep.key.notice.change.credential"),
)
"""Offer → token → credential → stored → notification, with a card that comes later and one that comes in copies."""
PRESENTING = both("records.keep.consent", "records.keep.history.drop.consent", "records.change.history")
LETTING_GO = (*both("records.keep.history.drop.credential.key"), "deletions.noted")
FAILPOINTS = (*ACCOUNT, *COLLECTING, *PRESENTING, *LETTING_GO)
_numbers = itertools.count(1)


@dataclass
class Card:
    """One card that somebody is to get."""

    type_id: str
    authority: str
    claims: dict[str, Any]
    members: dict[str, Any] = field(default_factory=dict)
    offer: dict[str, Any] | None = None
    held: str | None = None
    is_deleted: bool = False


@dataclass
class Shown:
    """A request that was answered; ``is_acknowledged`` when the person was told so."""

    started: dict[str, Any]
    is_acknowledged: bool = False


@dataclass
class Person:
    """Somebody, and what they were told."""

    cards: list[Card]
    name: str = ""
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    shown: list[Shown] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether every card came, the licence was shown, and the health card is gone."""
        return bool(self.shown) and self.shown[-1].is_acknowledged and self.cards[1].is_deleted


def _cards() -> list[Card]:
    number = f"{next(_numbers):06}"
    licence = cast.drivers_licence(cast.ELISE, 38, number)
    health: dict[str, Any] = {
        "family_name": "Chen",
        "coverage_number": f"DEMO-{number}",
        "eligible_since": "2026-01-05",
    }
    health |= {"resident_region": "PE", "address_verified": True}
    fare = {"record_reference": federation.FARE_FILE, "batch": 1}
    return [
        Card("drivers-licence/1", "ca-on/services", licence),
        Card("health-card/1", "ca-pe/services", health, {"decide_later": True}),
        Card("fare-subsidy/1", federation.FARE_AUTHORITY, dict(federation.FARE), fare),
    ]


class Holding(Flow[Person]):
    """The flow of a person; the service under test is the wallet, or whatever else of the federation breaks."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def begin(self) -> Person:
        return Person(_cards())

    async def step(self, walk: Person) -> None:
        async with client(self.stage.urls["wallet"], cookies=walk.cookies) as connection:
            try:
                await self._next(walk, connection)
            except Unreachable:
                await asyncio.sleep(0.05)  # 5xx: later
            finally:
                walk.cookies = connection.cookies

    async def _next(self, walk: Person, wallet: httpx.AsyncClient) -> None:
        if not walk.name:
            await self._arrive(walk, wallet)
            return
        coming = next((each for each in walk.cards if each.held is None), None)
        if coming is not None:
            await self._collect(walk, coming, wallet)
        elif not walk.cards[1].is_deleted:
            await self._delete(walk.cards[1], wallet)
        else:
            await self._show(walk, wallet)

    # --- the account

    async def _arrive(self, walk: Person, wallet: httpx.AsyncClient) -> None:
        name = f"person-{next(_numbers)}"
        answer = await self._post(wallet, "accounts", name=name, passphrase=PASSPHRASE)
        if answer.status_code == 201:
            walk.name = name

    async def unlock(self, walk: Person, wallet: httpx.AsyncClient) -> bool:
        answer = await self._post(wallet, "session", name=walk.name, passphrase=PASSPHRASE)
        assert answer.status_code in {200, 503} or answer.status_code >= 500, f"locked out (C): {answer.text}"
        return answer.status_code == 200

    async def _post(self, wallet: httpx.AsyncClient, path: str, **members: Any) -> httpx.Response:
        return await wallet.post(f"/api/v1/{path}", json=members, headers={"origin": self.stage.urls["wallet"]})

    # --- cards

    async def _collect(self, walk: Person, card: Card, wallet: httpx.AsyncClient) -> None:
        """Take the offer; whatever comes of it, look whether the card is there."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as connection:
            desk = federation.desk(self.stage, connection)
            if card.offer is None:
                card.offer = await self._offered(desk, card)
                taken = {"offer": card.offer["link"]}
                answer = await self._post(wallet, "credentials", **taken)
                if answer.status_code == 201 and card.members.get("decide_later"):
                    assert answer.json()["on_the_way"], "what was promised is not told"
                return
            if not await self.unlock(walk, wallet):
                return
            if card.members.get("decide_later"):
                with suppress(Refused):  # decided already, or never asked for
                    await desk.decide(card.offer["offer_id"], "approve")
                await asyncio.sleep(0.2)  # the issuer is asked once a second
            card.held = (await self.held(wallet)).get(card.type_id)
            if card.held is None and not await self._is_coming(desk, card, walk.name):
                card.offer = None  # the token was lost before anything was asked with it: a new offer (E)

    async def _offered(self, desk: Desk, card: Card) -> dict[str, Any]:
        body = {"authority": card.authority, "type": card.type_id, "claims": card.claims, "formats": ["dc+sd-jwt"]}
        more = {"record_reference": "DEMO-FAULTS", "transaction_code": False, **card.members}
        answer = await desk.client.post(
            f"{desk.url}/api/v1/offers", json={**body, **more}, headers={"authorization": f"Bearer {desk.token}"}
        )
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def _is_coming(self, desk: Desk, card: Card, name: str) -> bool:
        """Say whether the card may still come; C: what was issued must come, and so must what stands in the journal."""
        assert card.offer is not None
        issued = await desk.issued(card.offer["offer_id"])
        return bool(issued or await self._left("pending", of=name))

    async def held(self, wallet: httpx.AsyncClient) -> dict[str, str]:
        """Return the wallet's names of the cards by type; each type is there once."""
        answer = await wallet.get("/api/v1/credentials")
        if answer.status_code != 200:
            return {}
        found = answer.json()
        assert found["damaged"] == [], "a record does not open any more (C)"
        names = [each["type"].removeprefix("https://types.comity.example/") for each in found["credentials"]]
        assert len(set(names)) == len(names), "one offer gave a card twice (A)"
        return dict(zip(names, (each["id"] for each in found["credentials"]), strict=True))

    async def _delete(self, card: Card, wallet: httpx.AsyncClient) -> None:
        headers = {"origin": self.stage.urls["wallet"]}
        answer = await wallet.delete(f"/api/v1/credentials/{card.held}", headers=headers)
        card.is_deleted = answer.status_code in {200, 404}

    # --- showing

    async def _show(self, walk: Person, wallet: httpx.AsyncClient) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as connection:
            counter = federation.counter(self.stage, connection)
            if not walk.shown or await self._is_answered(walk.shown[-1]):
                walk.shown.append(Shown(await counter.ask(POLICY, place=PLACE)))
        now = walk.shown[-1]
        opened = await self._post(wallet, "presentations", request=now.started["link"])
        if opened.status_code != 201:
            assert opened.status_code >= 400
            return
        consent = opened.json()
        answer = await self._post(wallet, f"presentations/{consent['id']}/answer", digest=consent["digest"])
        now.is_acknowledged = answer.status_code == 200

    async def _is_answered(self, shown: Shown) -> bool:
        return await self._verdict(shown) is not None

    async def _verdict(self, shown: Shown) -> str | None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as connection:
            try:
                found = await federation.counter(self.stage, connection).result(shown.started)
            except Refused:
                return None
        return str(found["verdict"])

    # --- the judgement

    async def judge(self) -> None:
        for walk in self.walks:
            async with client(self.stage.urls["wallet"], cookies=walk.cookies) as wallet:
                assert await self.unlock(walk, wallet), "the wallet does not open any more (C)"
                held = await self.held(wallet)
                assert set(held) == {"drivers-licence/1", "fare-subsidy/1"}, "a card was lost, or came back (B, C)"
                await self._judge_licence(walk, held, wallet)
                history = (await wallet.get("/api/v1/history")).json()["history"]
            await self._judge_shown(walk, [each for each in history if each["what"] == "presented"])
        await self._settled()

    async def _judge_licence(self, walk: Person, held: dict[str, str], wallet: httpx.AsyncClient) -> None:
        """A, C: what the issuer has on record is what the person holds."""
        raw = await wallet.get(f"/api/v1/credentials/{held['drivers-licence/1']}/raw")
        licence = walk.cards[0]
        assert licence.offer is not None
        async with httpx.AsyncClient(trust_env=False, timeout=30) as connection:
            (record,) = await federation.desk(self.stage, connection).issued(licence.offer["offer_id"])
        assert status_place(raw.text) == (record["status_list"], record["status_index"])

    async def _judge_shown(self, walk: Person, lines: list[dict[str, Any]]) -> None:
        """B, D: what arrived is in the history, and nothing is there as sent that did not arrive."""
        verdicts = [await self._verdict(each) for each in walk.shown]
        arrived = [each for each in verdicts if each is not None]
        assert set(arrived) <= {"accepted"}
        for each, verdict in zip(walk.shown, verdicts, strict=True):
            assert verdict == "accepted" or not each.is_acknowledged, "an acknowledged answer was lost (B)"
        outcomes = [each["outcome"] for each in lines]
        assert len(lines) >= len(arrived), "something was shown that the history does not tell (B)"
        assert outcomes.count("sent") <= len(arrived), "the history says that something arrived which did not"
        assert outcomes.count("sent") >= sum(each.is_acknowledged for each in walk.shown)

    async def _settled(self) -> None:
        """F07, F10: nothing waits any more: no journal line, no notice that the issuer has not heard."""

        async def is_settled() -> bool:
            return not await self._left("pending", "notice")

        await until(is_settled, "the end of each step of the wallet (C)", every_seconds=0.05)

    async def _left(self, *kinds: str, of: str | None = None) -> int:
        """Return how many sealed records of these kinds there are, of everybody or of one person."""
        database = open_database(self.stage.databases.get("wallet") or f"sqlite:///{self.stage.folder}/{_FILE}")
        try:
            return await database.read(partial(_count, kinds=kinds, of=of))
        finally:
            await database.close()


def _count(connection: Connection, kinds: tuple[str, ...], of: str | None) -> int:
    wanted = select(func.count()).where(store.records.c.kind.in_(kinds))
    if of is not None:
        whose = select(store.citizens.c.id).where(store.citizens.c.name == of).scalar_subquery()
        wanted = wanted.where(store.records.c.citizen == whose)
    return int(connection.execute(wanted).scalar_one())


_FILE = "wallet/wallet.sqlite3"
