"""A clerk's offer, the wallet that takes it, and its revocation: the issuer's pre-authorized flow."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
from fastapi import FastAPI

from comity import strict_json
from comity.base64url import decode
from comity.demo.processes import Process, free_ports
from comity.keys import KeySigner, thumbprint
from comity.runtime.clock import FixedClock, SystemClock
from comity.status import token_list
from tests.faults.harness import Flow, Service, both, client
from tests.services.issuer.deployed import ON, PERSON, Deployed, Place
from tests.services.issuer.test_workers import settings
from tests.support.nursery import Grown

FAILPOINTS = (
    *both("offering.create_offer.save", "redeeming.exchange_code.redeem", "issuing._reserve.reserve"),
    "credential.signed",
    *both("issuing._deliver.deliver", "issuing.notify.note", "revoking.change_status.apply"),
    *both("status_lists.Publisher._begin.begin"),
    "file.written",
    "file.replaced",
    *both("status_lists.mark_published"),
)
"""Every place between two durable steps, in the order in which one walk reaches them."""


def of_place(place: Place, **changes: str) -> Service:
    """Return the issuer of a deployment as a service under test, on a port of its own; ``changes`` are settings."""
    port = free_ports(1)[0]

    def make(more: dict[str, str]) -> Process:
        values = settings(place)
        if place.database is None:
            del values["ISSUER_DATABASE_URL"]
        return Grown(
            name="issuer",
            url=f"http://localhost:{port}",
            arguments=["issuer", "serve", "--port", str(port)],
            settings={**values, **changes, **more},
            log=place.folder / "log",
        )

    return Service(make, "ISSUER")


def deployed(place: Place, connection: httpx.AsyncClient) -> Deployed:
    """Return an issuer in another process as tests of the service know it."""
    clock = FixedClock(SystemClock().now())
    return Deployed(app=FastAPI(), client=connection, settings=place.settings(), clock=clock, tokens=place.tokens)


_NUMBERS = count(1)
"""Everybody has a name of their own, so that what is another's is seen."""


@dataclass
class Walk:
    """What one person and one clerk were told."""

    key: KeySigner = field(default_factory=KeySigner.generate)
    name: str = field(default_factory=lambda: f"Maya {next(_NUMBERS)}")
    offer: dict[str, Any] | None = None
    token: str | None = None
    is_lost: bool = False
    credential: str | None = None
    notification_id: str | None = None
    is_notified: bool = False
    record: dict[str, Any] | None = None
    is_revoked: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it was revoked, or its code was used by a request whose answer was lost."""
        return self.is_lost or self.is_revoked


class Issuing(Flow[Walk]):
    """The flow from offer to revocation."""

    def __init__(self, place: Place, service: Service) -> None:
        super().__init__()
        self.place = place
        self.service = service

    def begin(self) -> Walk:
        return Walk()

    async def step(self, walk: Walk) -> None:
        async with client(self._url) as connection:
            await _step(deployed(self.place, connection), walk)

    @property
    def _url(self) -> str:
        assert self.service.process is not None
        return self.service.process.url

    def look(self) -> None:
        """D, F12: at any moment a reader sees whole lists."""
        assert len(list(lists(self.place))) >= 2

    async def judge(self) -> None:
        records = await self._records()
        places = [(each["status_list"], each["status_index"]) for each in records]
        assert len(set(places)) == len(places), "an index was given twice (A)"
        by_id = {each["id"]: each for each in records}
        for walk in self.walks:
            if walk.credential is not None:
                assert walk.record is not None
                assert by_id[walk.record["id"]]["status"] == "revoked", "an acknowledged revocation was lost (B)"
                place = (walk.record["status_list"], walk.record["status_index"])
                assert status_place(walk.credential) == place, "a repeated request got another index (E)"
                assert _whose(walk.credential) == (walk.key.thumbprint, walk.name), "what is another's was given (G)"
        per_offer = [await self._issued(walk) for walk in self.walks if walk.offer is not None]
        assert max(per_offer) == 1, "more than one live credential for one grant and key (A)"
        await self._published([walk.record for walk in self.walks if walk.is_revoked and walk.record])

    async def _records(self) -> list[dict[str, Any]]:
        found = [walk.record for walk in self.walks if walk.record is not None]
        async with client(self._url) as connection:
            headers = {"authorization": f"Bearer {self.place.tokens['auditor']}"}
            answers = [await connection.get(f"/api/v1/credentials/{each['id']}", headers=headers) for each in found]
        assert {answer.status_code for answer in answers} == {200}, "an acknowledged credential has no record (B)"
        return [answer.json() for answer in answers]

    async def _issued(self, walk: Walk) -> int:
        assert walk.offer is not None
        async with client(self._url) as connection:
            headers = {"authorization": f"Bearer {self.place.tokens['clerk']}"}
            answer = await connection.get(f"/api/v1/offers/{walk.offer['offer_id']}", headers=headers)
        assert answer.status_code == 200, "an acknowledged offer was lost (B)"
        return len(answer.json()["credentials"])

    async def _published(self, revoked: list[dict[str, Any]]) -> None:
        """B, F11: what was acknowledged stands in the published lists soon after."""
        deadline = time.monotonic() + 60
        while True:
            found = dict(lists(self.place))
            missing = [each for each in revoked if found[each["status_list"]].value(each["status_index"]) != 1]
            if not missing:
                return
            assert time.monotonic() < deadline, f"{len(missing)} of {len(revoked)} revocations are not published (B)"
            await asyncio.sleep(0.05)


def lists(place: Place) -> Iterator[tuple[str, Any]]:
    """Return the published token lists, by URI; raises when one is not whole."""
    for file in sorted((place.folder / "published").glob("*/*/status/*/token")):
        opened = token_list.open(file.read_text("ascii"))
        yield opened.uri, token_list.decode(opened)


async def _step(issuer: Deployed, walk: Walk) -> None:
    """Do the next thing, or find out that it has been done."""
    if walk.offer is None:
        walk.offer = await _made(issuer, walk.name)
    elif walk.token is None:
        await _redeem(issuer, walk)
    elif walk.credential is None:
        await _receive(issuer, walk)
    elif not walk.is_notified:
        await _notify(issuer, walk)
    elif walk.record is None:
        walk.record = await _recorded(issuer, walk)
    else:
        answer = await issuer.client.post(
            f"/api/v1/credentials/{walk.record['id']}/revoke",
            json={"reason": "lost"},
            headers=issuer.as_role("supervisor"),
        )
        walk.is_revoked = answer.status_code == 200


async def _made(issuer: Deployed, name: str) -> dict[str, Any] | None:
    try:
        return await issuer.offer(formats=["dc+sd-jwt"], claims={**PERSON, "given_names": name})
    except AssertionError:
        return None


async def _redeem(issuer: Deployed, walk: Walk) -> None:
    assert walk.offer is not None
    answer = await issuer.redeem(walk.offer)
    if answer.status_code == 200:
        walk.token = answer.json()["access_token"]
    elif answer.status_code == 400:
        # The code was used by a request whose answer was lost: nobody else gets anything, a new offer is needed (E).
        assert answer.json()["error"] == "invalid_grant"
        walk.is_lost = True


async def _receive(issuer: Deployed, walk: Walk) -> None:
    assert walk.offer is not None
    answer = await issuer.client.post(f"/{ON}/nonce")
    if answer.status_code != 200:
        return
    proof = issuer.proof(walk.key, answer.json()["c_nonce"])
    answer = await issuer.request(str(walk.token), walk.offer["configuration_ids"][0], [proof])
    if answer.status_code == 200:
        walk.credential = answer.json()["credentials"][0]["credential"]
        walk.notification_id = answer.json()["notification_id"]
    else:
        assert answer.status_code >= 500, f"a repeated request was refused (E): {answer.text}"


async def _notify(issuer: Deployed, walk: Walk) -> None:
    """Tell the issuer that it was kept, as often as it takes (F10)."""
    answer = await issuer.client.post(
        f"/{ON}/notification",
        json={"notification_id": walk.notification_id, "event": "credential_accepted"},
        headers={"authorization": f"Bearer {walk.token}"},
    )
    walk.is_notified = answer.status_code == 204
    assert walk.is_notified or answer.status_code >= 500, f"a repeated notification was refused (E): {answer.text}"


async def _recorded(issuer: Deployed, walk: Walk) -> dict[str, Any] | None:
    assert walk.offer is not None
    headers = issuer.as_role("clerk")
    answer = await issuer.client.get(f"/api/v1/offers/{walk.offer['offer_id']}", headers=headers)
    if answer.status_code != 200:
        return None
    (record,) = answer.json()["credentials"]
    found: dict[str, Any] = record
    return found


def status_place(credential: str) -> tuple[str, int]:
    """Return the list and the index that a credential names."""
    payload = strict_json.parse_object(decode(credential.partition("~")[0].split(".")[1]))
    found = payload["status"]["status_list"]
    return found["uri"], found["idx"]


def _whose(credential: str) -> tuple[str, str]:
    """Return the thumbprint of the key that a credential is bound to, and the name that it gives."""
    jwt, *disclosures, _ = credential.split("~")
    bound = strict_json.parse_object(decode(jwt.split(".")[1]))["cnf"]["jwk"]
    disclosed = [strict_json.parse(decode(each)) for each in disclosures]
    (name,) = [value for _salt, claim, value in disclosed if claim == "given_names"]
    return thumbprint(bound), name
