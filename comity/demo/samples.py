"""What the demo leaves behind: credentials of fictional people, as files, to try ``comity verify`` on.

Each is judged once while everything runs, so that the caches hold the registry and the status lists it needs and the
same verdict comes when all services are stopped, for as long as those lists hold (a day).
"""

import asyncio
from pathlib import Path

import httpx

from comity import formats
from comity.demo import cast
from comity.demo.clients import Desk
from comity.demo.founding import Stage
from comity.demo.pocket import Pocket, tampered
from comity.errors import Code, Unreachable
from comity.keys import KeySigner
from comity.runtime import held, installation
from comity.runtime.clock import SystemClock
from comity.verification.checks import Result, Verdict
from comity.verification.credential import Demand
from comity.verification.status import StatusDemand

FOLDER = "samples"
PERSON = "person.sdjwt"
ATTEMPTS = 50
_CLIENT_SECONDS = 30.0


async def leave(stage: Stage) -> Path:
    """Write the samples of ``stage``, whose services run, and return the one to begin with.

    Raises:
        Unreachable: a service did not answer.
        Refused: a service refused what the demo asked.
    """
    folder = stage.folder / FOLDER
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    async with httpx.AsyncClient(trust_env=False, timeout=_CLIENT_SECONDS) as client:
        desk = Desk(client=client, url=stage.urls["issuer"], token=stage.operator_token)
        licence = cast.drivers_licence(cast.ELISE, 38, "9001")
        person, _ = await _issue(desk, "ca-bc/services", "person/1", cast.person(cast.ELISE, 38))
        revoked, offer_id = await _issue(desk, "ca-on/services", "drivers-licence/1", licence)
        for issued in await desk.issued(offer_id):
            await desk.change(issued["id"], "revoke", "lost_or_stolen")
        w3c, _ = await _issue(desk, "ca-on/services", "drivers-licence/1", licence, wanted="vc+jwt")
        city, _ = await _issue(desk, "ca-on/toronto/services", "drivers-licence/1", licence)
    samples = {
        PERSON: person,
        "licence.vcjwt": w3c,
        "licence-revoked.sdjwt": revoked,
        "licence-of-a-city.sdjwt": city,
        "tampered.sdjwt": tampered(person, "family_name", "Somebody Else"),
    }
    for name, encoded in samples.items():
        await asyncio.to_thread((folder / name).write_text, encoded + "\n", encoding="ascii")
    await _warm(stage, samples)
    return folder / PERSON


async def _issue(
    desk: Desk, authority: str, type_id: str, claims: dict[str, object], *, wanted: str = "dc+sd-jwt"
) -> tuple[str, str]:
    """Return a credential as its holder gets it, and the offer it came from."""
    offered = await desk.offer(authority, type_id, claims, formats=[wanted])
    pocket = Pocket(client=desk.client, key=KeySigner.generate())
    await pocket.take(offered)
    if pocket.held is None:
        raise AssertionError("what was offered was taken")
    return pocket.held.encoded, offered.offer_id


async def _warm(stage: Stage, samples: dict[str, str]) -> None:
    """Judge every sample, the revoked one until the lists say so."""
    for encoded in samples.values():
        await _judge(stage, encoded)
    for _ in range(ATTEMPTS):
        if (await _judge(stage, samples["licence-revoked.sdjwt"])).verdict is Verdict.REJECTED:
            return
        await asyncio.sleep(0.2)
    raise Unreachable(Code.STATUS_UNAVAILABLE, "the sample's revocation was not published in time")


async def _judge(stage: Stage, encoded: str) -> Result:
    against = await asyncio.to_thread(installation.load, stage.folder.parent)
    clock = SystemClock()
    demand = Demand(at=clock.now(), place=against.place, holder=None)
    fresh = StatusDemand(max_age_seconds=0)
    return await held.judge(encoded, formats.of(encoded), demand=demand, against=against, clock=clock, status=fresh)
