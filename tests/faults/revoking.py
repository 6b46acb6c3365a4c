"""Many cards whose revocation two processes of one issuer are asked for, and the judgement over what became of them.

Every card has a fate of its own: copies of one card end together, so that a revocation which a killed process lost
would be made up for by the next copy's. They are laid straight into the database, for what is judged is their end.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import select

from comity import jose, keys
from comity.credential import CredentialType, Format
from comity.runtime.clock import SystemClock
from comity.runtime.database import open_database
from comity.status import bitstring_list, token_list
from comity.status.status_list import REVOCATION, StatusList
from issuer.authorities import CREDENTIAL, STATUS, key_name
from issuer.keyring import open_keys
from issuer.store import Connection, credentials, offers
from issuer.store.offers import ERASED, Offer, OfferState
from issuer.store.open_lists import OpenLists
from issuer.store.tables import audit
from issuer.store.tables import credentials as table
from tests.faults.harness import Service
from tests.services.issuer.deployed import ON, STATUS_URL, Deployed, Place

CONFIGURATION = "person.1.sdjwt"
PATIENCE_SECONDS = 120.0
PAGE = 200
TRIES = 3
"""How often a process that does not answer is asked."""
Card = dict[str, Any]


async def laid(place: Place, reference: str, count: int) -> tuple[str, ...]:
    """Lay cards into the database, each of an offer of its own, and return their ids."""
    now = int(SystemClock().now().timestamp())
    signed_by = open_keys(place.settings()).signer(key_name(ON, CREDENTIAL)).thumbprint

    def lay(connection: Connection) -> tuple[str, ...]:
        return tuple(_card(connection, reference, signed_by, now) for _ in range(count))

    database = open_database(place.settings().database)
    try:
        return await database.write(lay)
    finally:
        await database.close()


def _card(connection: Connection, reference: str, signed_by: str, now: int) -> str:
    offer = Offer(
        id=credentials.new_id(),
        authority=ON,
        type=CredentialType(slug="person", version=1),
        configuration_ids=(CONFIGURATION,),
        batch_size=1,
        state=OfferState.REDEEMED,
        code_hash=credentials.new_id(),
        transaction_code_hash=None,
        sealed_claims=None,
        erase_at=ERASED,
        record_reference=reference,
        number_index=None,
        name_index=None,
        credential_valid_until=now + 86_400,
        created_at=now,
        expires_at=now + 600,
    )
    offers.save(connection, offer)
    reserved = credentials.reserve(
        connection,
        offer,
        configuration_id=CONFIGURATION,
        credential_format=Format.DC_SD_JWT,
        holder_digests=[credentials.new_id()],
        nonce_digests={},
        signed_by=signed_by,
        open_lists=OpenLists(),
        now=now,
    )
    credentials.mark_delivered(connection, reserved.issuance_id, now=now)
    return reserved.slots[0].credential_id


@dataclass
class Storm:
    """Clerks at two processes of one deployment, of which the first is killed, and the ledger of what they were told.

    Attributes:
        place: the deployment.
        workers: how the two are reached.
        first: the one that dies.
        dies_after: as soon as it acknowledged so many.
        told: the ids that each of the two acknowledged.
    """

    place: Place
    workers: tuple[Deployed, Deployed]
    first: Service
    dies_after: int
    told: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))

    async def revoke(self, asked: Sequence[tuple[int, str]]) -> None:
        """Ask for all of it at the same moment: (which process, id of the card)."""
        await asyncio.gather(*(self._end(which, card) for which, card in asked))

    async def _end(self, which: int, card: str) -> None:
        if await self._is_revoked(which, card):
            self.told[which].add(card)
        if len(self.told[0]) >= self.dies_after and not self.first.is_dead():
            assert self.first.process is not None
            running: Any = self.first.process
            running._process.kill()

    async def _is_revoked(self, which: int, card: str) -> bool:
        """Say whether it was acknowledged; who is told *later* asks again, and of who is dead nothing is known."""
        worker, unanswered = self.workers[which], 0
        headers, path = worker.as_role("supervisor"), f"/api/v1/credentials/{card}/revoke"
        while unanswered < TRIES:
            try:
                answer = await worker.client.post(path, json={"reason": "lost"}, headers=headers)
            except httpx.TransportError:
                unanswered += 1
                continue
            assert answer.status_code in {200, 503}, answer.text
            if answer.status_code == 200:
                assert answer.json()["status"] == "revoked"
                return True
            await asyncio.sleep(0.05)
        return False

    async def judge(self, reference: str, cards: Collection[str], untouched: Collection[str]) -> None:
        """Hold the ledger against the records, the signed lists, and the audit log.

        What was acknowledged is revoked; what nobody asked for is not; and what was asked of a process that died before
        it answered is one or the other, in the lists as in the records.
        """
        stands = await _records(self.workers[1], reference)
        assert set(stands) == {*cards, *untouched}, "a record was lost, or one came"
        revoked = {card for card, record in stands.items() if record["status"] == "revoked"}
        assert not (self.told[0] | self.told[1]) - revoked, "an acknowledged revocation was lost (B)"
        assert not revoked & set(untouched), "what nobody asked for was revoked (G)"
        await self._published(stands, revoked)
        logged = await _logged(self.place, reference)
        assert logged == dict.fromkeys(revoked, 1), "not exactly one line of the audit log for each revocation (B)"

    async def _published(self, stands: Mapping[str, Card], revoked: Collection[str]) -> None:
        """B, F11: the lists that verifiers read soon say what the records say, of every card."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while wrong := [card for card, found in listed(self.place, stands).items() if found != {card in revoked}]:
            assert time.monotonic() < deadline, f"{len(wrong)} of {len(stands)} cards stand otherwise in the lists (B)"
            await asyncio.sleep(0.2)


async def _records(worker: Deployed, reference: str) -> dict[str, Card]:
    """Return all records of a reference, page by page."""
    found: dict[str, Card] = {}
    query: dict[str, Any] = {"authority": ON, "record_reference": reference, "limit": PAGE}
    while True:
        answer = await worker.client.post("/api/v1/credentials/search", json=query, headers=worker.as_role("auditor"))
        assert answer.status_code == 200, answer.text
        found.update({each["id"]: each for each in answer.json()["credentials"]})
        if "next_cursor" not in answer.json():
            return found
        query["cursor"] = answer.json()["next_cursor"]


async def _logged(place: Place, reference: str) -> dict[str, int]:
    """Return how often the audit log says of each card of a reference that it was revoked."""
    of_reference = select(table.c.id).where(table.c.record_reference == reference)
    statement = select(audit.c.subject).where(audit.c.action == "revoked", audit.c.subject.in_(of_reference))
    database = open_database(place.settings().database)
    try:
        return Counter(await database.read(lambda connection: list(connection.execute(statement).scalars())))
    finally:
        await database.close()


def listed(place: Place, records: Mapping[str, Card]) -> dict[str, set[bool]]:
    """Return what the published lists say of each card, both forms; each list is read and verified once."""
    lists = {uri: _lists(place, uri) for uri in {each["status_list"] for each in records.values()}}
    return {
        card: {bool(form.value(each["status_index"])) for form in lists[each["status_list"]]}
        for card, each in records.items()
    }


def _lists(place: Place, uri: str) -> tuple[StatusList, StatusList]:
    """Return the token list and the list credential under ``uri``; raises when one is not signed by its authority."""
    folder = place.folder / "published" / uri.removeprefix(f"{STATUS_URL}/")
    key = keys.public_key(open_keys(place.settings()).signer(key_name(ON, STATUS)).public_jwk)
    token = token_list.open((folder / "token").read_text("ascii"))
    credential = bitstring_list.open((folder / REVOCATION).read_text("ascii"))
    for opened in (token, credential):
        jose.verify(opened.jws, key)
    found = token_list.decode(token), bitstring_list.decode(credential)
    assert [each.uri for each in found] == [uri, f"{uri}/{REVOCATION}"]
    return found
