"""What two verifiers, an issuer and a host of lists could put together of one person (catalogue X01 to X03)."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from comity import base64url
from tests.services.wallet.town import (
    ON,
    STATUS,
    VERIFIER,
    Ground,
    Person,
    Town,
    running,
)
from wallet import copies

SUBSIDY: dict[str, Any] = {"eligible": True, "tier": "half", "valid_until": "2027-06-30"}
TYPE = "fare-subsidy/1"
POLICY = {
    "name": "fares",
    "query": {
        "credentials": [
            {
                "id": "subsidy",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [f"https://types.comity.example/{TYPE}"]},
                "claims": [{"path": ["eligible"]}],
            }
        ]
    },
}
DAY = 86_400
LISTS_OPEN = 2
"""Status lists in which an authority gives places at one time."""
LEAST_COMMON = 16
"""Bytes in a row that no two presentations share by chance."""
KNOWN = 8
"""Bytes in a row that count as everybody's when somebody else's presentation has them as well."""


@pytest.fixture
def ground(ground: Ground) -> Ground:
    """An authority that may issue a card which comes in copies, and somebody who asks for it."""
    authorities = json.loads((ground.folder / "authorities.json").read_text("utf-8"))
    authorities[0]["types"].append(TYPE)
    (ground.folder / "authorities.json").write_text(json.dumps(authorities), "utf-8")
    (ground.folder / "policies.json").write_text(json.dumps([POLICY]), "utf-8")
    ground.apply(
        [
            {"edit": "delegation", "to": "ca-on", "types": [TYPE]},
            {"edit": "accreditation", "authority": ON, "type": TYPE, "since": "2026-01-01"},
        ]
    )
    return ground


async def take(town: Town, person: Person) -> None:
    body = {"authority": ON, "type": TYPE, "claims": SUBSIDY, "transaction_code": False}
    made = await town.desk.post("/api/v1/offers", json=body)
    assert made.status_code == 201, made.text
    await person.receive(made.json())


async def show(town: Town, person: Person) -> str:
    """Show the card; return the presentation as the verifier sees it."""
    started = await town.ask("fares")
    assert (await person.agree(await person.consent(started["link"]))).status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"
    sent = next(each for each in reversed(town.net.asked) if "/openid/responses/" in each.url)
    (presentation,) = json.loads(parse_qs((sent.body or b"").decode())["vp_token"][0])["subsidy"]
    return str(presentation)


def said(presentation: str) -> list[bytes]:
    """Return what each part of a presentation says: headers, payloads, signatures, disclosures."""
    return [base64url.decode(part) for part in presentation.replace("~", ".").split(".")]


def rows(pieces: Iterable[bytes], length: int) -> set[bytes]:
    """Return every row of ``length`` bytes that stands in them."""
    return {each[start : start + length] for each in pieces for start in range(len(each) - length + 1)}


def own(presentation: str, others: Sequence[str]) -> list[bytes]:
    """Return the runs of bytes in a presentation that do not stand in presentations of other people."""
    known = rows((piece for other in others for piece in said(other)), KNOWN)
    found = []
    for piece in said(presentation):
        starts = [start for start in range(len(piece)) if piece[start : start + KNOWN] in known]
        covered = {place for start in starts for place in range(start, start + KNOWN)}
        marked = bytes(0 if place in covered else 1 for place in range(len(piece)))
        found += [piece[run.start() : run.end()] for run in re.finditer(b"\x01+", marked)]
    return found


def linking(shown: Sequence[str], strangers: Sequence[str]) -> set[bytes]:
    """Return what two presentations have in common that those of strangers do not have."""
    one, other = (rows(own(each, strangers), LEAST_COMMON) for each in shown)
    return one & other


@pytest.mark.attack("X01")
@pytest.mark.good_twin("X01")
async def test_two_presentations_of_one_card_share_nothing_that_others_do_not_have(ground: Ground) -> None:
    """Signature, key, salts, digests, place, second: what only one person's presentations share would link them.

    What everybody's presentations of the type share (issuer, certificate, lists, day, what was disclosed) does not. The
    last copy shown twice is the control: there the same comparison finds what links.
    """
    async with running(
        ground, verifier_response_mode="direct_post", verifier_policies_file=ground.folder / "policies.json"
    ) as town:
        maya, noah = await town.arrive("maya"), await town.arrive("noah")
        await take(town, maya)
        town.clock.advance(timedelta(minutes=8, seconds=7))
        await take(town, noah)
        strangers, hers = [], []
        for _ in range(2):
            strangers.append(await show(town, noah))
            hers.append(await show(town, maya))
            town.clock.advance(timedelta(seconds=5))
        assert linking(hers, strangers) == set()
        bodies = [json.loads(said(each)[1]) for each in hers]
        assert len({tuple(each["status"]["status_list"].values()) for each in bodies}) == 2
        assert {(each["iat"] % DAY, (each["exp"] + 1) % DAY) for each in bodies} == {(0, 0)}
        last = [await show(town, maya) for _ in range(copies.COPIES - 1)][-2:]
        assert linking(last, strangers) != set()


@pytest.mark.attack("X02", "X03")
@pytest.mark.good_twin("X02", "X03")
async def test_nobody_is_asked_anything_because_one_persons_card_is_shown(ground: Ground) -> None:
    """Issuer, status host and registry hear nothing of a presentation; their lists are everybody's, read on a timer."""
    async with running(
        ground, verifier_response_mode="direct_post", verifier_policies_file=ground.folder / "policies.json"
    ) as town:
        maya, noah = await town.arrive("maya"), await town.arrive("noah")
        for person in (maya, noah):
            await take(town, person)
        shown = {person.name: [await show(town, person) for _ in range(copies.COPIES)] for person in (maya, noah)}
        named = {name: {url for each in ones for url in addresses(each)} for name, ones in shown.items()}
        lists = {url for urls in named.values() for url in urls if url.startswith(STATUS)}
        assert 0 < len(lists) <= LISTS_OPEN
        assert named["maya"] - lists == named["noah"] - lists, "nobody has an address of their own"
        documents = town.net.hosts[VERIFIER].state.deployment.documents  # type: ignore[attr-defined]
        for minutes in (0, 9):
            town.clock.advance(timedelta(minutes=minutes))
            await documents.renew(60)  # as the timer does; past the lists' own ttl
            town.net.asked.clear()
            await show(town, maya)
            assert {each.url for each in town.net.asked if not each.url.startswith(VERIFIER)} == set()


def addresses(presentation: str) -> set[str]:
    """Return every address that a presentation names."""
    return {found.decode() for piece in said(presentation) for found in re.findall(rb"https?://[^\"\\]+", piece)}
