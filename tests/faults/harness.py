"""One real issuer that breaks at named places, a client that does not give up, and a ledger that neither can touch.

The client walks from offer to revocation again and again. Whatever it was told (2xx) goes into the ledger; whatever
fails it asks again, as a wallet or a clerk would. In the end the ledger is held against the database and the
published lists: promises A, B, D, E and F of the catalogue, section 2.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from comity import strict_json
from comity.base64url import decode
from comity.demo.processes import Process, free_ports
from comity.keys import KeySigner
from comity.runtime.clock import FixedClock, SystemClock
from comity.status import token_list
from tests.services.issuer.deployed import ON, STATUS_URL, Deployed, Place
from tests.services.issuer.test_workers import settings

FAILPOINTS = (
    "save.run",
    "save.committed",
    "redeem.run",
    "redeem.committed",
    "reserve.run",
    "reserve.committed",
    "credential.signed",
    "deliver.run",
    "deliver.committed",
    "apply.run",
    "apply.committed",
    "begin.run",
    "begin.committed",
    "file.written",
    "file.replaced",
    "mark_published.run",
    "mark_published.committed",
)
"""Every place between two durable steps of an issuer at work, in the order in which one walk reaches them."""
FATAL = {"kill", "term"}
TRIES = 40


@dataclass
class Walk:
    """What one person and one clerk were told."""

    key: KeySigner = field(default_factory=KeySigner.generate)
    offer: dict[str, Any] | None = None
    token: str | None = None
    is_lost: bool = False
    credential: str | None = None
    record: dict[str, Any] | None = None
    is_revoked: bool = False

    @property
    def is_over(self) -> bool:
        return self.is_lost or self.is_revoked


class Trial:
    """A deployment, the failpoints still to come, and the ledger."""

    def __init__(self, place: Place, failpoints: list[str]) -> None:
        self.place = place
        self._coming = failpoints
        self.armed: str | None = None
        self.walks: list[Walk] = []
        self.reached: list[str] = []
        self.process: Process | None = None
        self._log_from = 0
        self.port = free_ports(1)[0]

    # --- the process

    async def start(self, failpoint: str | None) -> None:
        """Start the issuer; it must come up by itself whatever was done to it before (promise F)."""
        values = settings(self.place)
        if self.place.database is None:
            del values["ISSUER_DATABASE_URL"]
        if failpoint is not None:
            values["ISSUER_FAILPOINT"] = failpoint
        self.armed = failpoint
        log = self.place.folder / "log"
        self._log_from = len(log.read_text("utf-8", "replace")) if log.exists() else 0
        self.process = Process(
            name="issuer",
            url=f"http://localhost:{self.port}",
            arguments=["issuer", "serve", "--port", str(self.port)],
            settings=values,
            log=log,
        )
        self.process.start()
        async with httpx.AsyncClient(trust_env=False) as client:
            await self.process.wait_ready(client)

    def is_dead(self) -> bool:
        assert self.process is not None
        running = self.process._process
        return running is None or running.poll() is not None

    def end(self) -> None:
        if self.process is not None:
            self.process.stop()

    # --- the trial

    async def run(self) -> None:
        """Walk until every failpoint was reached and every walk is over, then judge."""
        try:
            while self._coming:
                await self.start(self._coming.pop(0))
                await self._walk_until_reached()
            self.end()
            await self.start(None)
            await self._walk(Walk())
            for walk in self.walks:
                await self._finish(walk)
            await self._judge()
        finally:
            self.end()

    async def _walk_until_reached(self) -> None:
        assert self.armed is not None
        for _ in range(3):
            unfinished = [walk for walk in self.walks if not walk.is_over]
            for walk in (*unfinished, Walk()):
                await self._walk(walk)
            if await self._was_reached():
                self.reached.append(self.armed)
                self._read_every_list()
                self.end()
                return
        raise AssertionError(f"{self.armed} was never reached")

    async def _was_reached(self) -> bool:
        """Wait a little: a publication follows a moment after what was asked for."""
        assert self.armed is not None
        name, _, action = self.armed.partition("=")
        for _ in range(100):
            if self.is_dead() if action in FATAL else self._log_says(name):
                return True
            await asyncio.sleep(0.02)
        return False

    def _log_says(self, name: str) -> bool:
        text = self.place.folder.joinpath("log").read_text("utf-8", "replace")[self._log_from :]
        return any("failpoint reached" in line and f"name={name}" in line for line in text.splitlines())

    async def _walk(self, walk: Walk) -> None:
        if walk not in self.walks:
            self.walks.append(walk)
        async with httpx.AsyncClient(base_url=f"http://localhost:{self.port}", trust_env=False, timeout=30) as client:
            clock = FixedClock(SystemClock().now())
            issuer = Deployed(
                app=FastAPI(), client=client, settings=self.place.settings(), clock=clock, tokens=self.place.tokens
            )
            tried = 0
            while not walk.is_over and not self.is_dead() and tried < TRIES:
                tried += 1
                try:
                    await _step(issuer, walk)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    async def _finish(self, walk: Walk) -> None:
        await self._walk(walk)
        assert walk.is_over, walk

    # --- the judgement

    def _lists(self) -> Iterator[tuple[str, Any]]:
        folder = self.place.folder / "published"
        for file in sorted(folder.glob("*/*/status/*/token")):
            opened = token_list.open(file.read_text("ascii"))
            yield opened.uri, token_list.decode(opened)

    def _read_every_list(self) -> None:
        """D, F12: at any moment a reader sees whole lists."""
        assert len(list(self._lists())) >= 2

    async def _judge(self) -> None:
        records = await self._records()
        places = [(each["status_list"], each["status_index"]) for each in records]
        assert len(set(places)) == len(places), "an index was given twice (A)"
        by_id = {each["id"]: each for each in records}
        for walk in self.walks:
            if walk.credential is not None:
                assert walk.record is not None
                assert by_id[walk.record["id"]]["status"] == "revoked", "an acknowledged revocation was lost (B)"
                uri, index = _entry(walk.credential)
                assert (uri, index) == (walk.record["status_list"], walk.record["status_index"]), "E"
        per_offer = [await self._issued(walk) for walk in self.walks if walk.offer is not None]
        assert max(per_offer) == 1, "more than one live credential for one grant and key (A)"
        await self._published([walk.record for walk in self.walks if walk.is_revoked and walk.record])

    async def _records(self) -> list[dict[str, Any]]:
        found = [walk.record for walk in self.walks if walk.record is not None]
        async with httpx.AsyncClient(base_url=f"http://localhost:{self.port}", trust_env=False) as client:
            headers = {"authorization": f"Bearer {self.place.tokens['auditor']}"}
            answers = [await client.get(f"/api/v1/credentials/{each['id']}", headers=headers) for each in found]
        return [answer.json() for answer in answers if answer.status_code == 200]

    async def _issued(self, walk: Walk) -> int:
        assert walk.offer is not None
        async with httpx.AsyncClient(base_url=f"http://localhost:{self.port}", trust_env=False) as client:
            headers = {"authorization": f"Bearer {self.place.tokens['clerk']}"}
            answer = await client.get(f"/api/v1/offers/{walk.offer['offer_id']}", headers=headers)
        assert answer.status_code == 200, "an acknowledged offer was lost (B)"
        return len(answer.json()["credentials"])

    async def _published(self, revoked: list[dict[str, Any]]) -> None:
        """B, F11: what was acknowledged stands in the published lists soon after."""
        deadline = time.monotonic() + 20
        while True:
            lists = dict(self._lists())
            missing = [each for each in revoked if lists[each["status_list"]].value(each["status_index"]) != 1]
            if not missing:
                return
            assert time.monotonic() < deadline, f"{len(missing)} of {len(revoked)} revocations are not published (B)"
            await asyncio.sleep(0.05)


async def _step(issuer: Deployed, walk: Walk) -> None:
    """Do the next thing, or find out that it has been done."""
    if walk.offer is None:
        walk.offer = await _made(issuer)
    elif walk.token is None:
        await _redeem(issuer, walk)
    elif walk.credential is None:
        await _receive(issuer, walk)
    elif walk.record is None:
        walk.record = await _recorded(issuer, walk)
    else:
        answer = await issuer.client.post(
            f"/api/v1/credentials/{walk.record['id']}/revoke",
            json={"reason": "lost"},
            headers=issuer.as_role("supervisor"),
        )
        walk.is_revoked = answer.status_code == 200


async def _made(issuer: Deployed) -> dict[str, Any] | None:
    try:
        return await issuer.offer(formats=["dc+sd-jwt"])
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
    else:
        assert answer.status_code >= 500, f"a repeated request was refused (E): {answer.text}"


async def _recorded(issuer: Deployed, walk: Walk) -> dict[str, Any] | None:
    assert walk.offer is not None
    headers = issuer.as_role("clerk")
    answer = await issuer.client.get(f"/api/v1/offers/{walk.offer['offer_id']}", headers=headers)
    if answer.status_code != 200:
        return None
    (record,) = answer.json()["credentials"]
    found: dict[str, Any] = record
    return found


def _entry(credential: str) -> tuple[str, int]:
    payload = strict_json.parse_object(decode(credential.partition("~")[0].split(".")[1]))
    entry = payload["status"]["status_list"]
    assert str(entry["uri"]).startswith(STATUS_URL)
    return entry["uri"], entry["idx"]


__all__ = ["FAILPOINTS", "Trial"]
