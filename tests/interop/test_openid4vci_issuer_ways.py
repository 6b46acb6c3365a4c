"""What else a foreign issuer does with our wallet: W3C credentials, batches, promises kept later, and encryption."""

import asyncio
import time
from typing import Any

import pytest

from comity.demo import cast
from comity.demo.clients import Citizen
from comity.demo.play import PATIENCE_SECONDS, Play, told
from tests.interop.offices import Office
from tests.interop.peers import Peers
from tests.interop.taking import header, payload
from tests.interop.test_openid4vci_issuer import desk, known, offered, standing

pytestmark = pytest.mark.xdist_group("interop")

SUBSIDY = {"eligible": True, "tier": "half", "valid_until": "2027-06-30"}


async def verdict(play: Play, citizen: Citizen, wanted: str) -> str:
    """Show the credential to a policy that takes both formats until the verdict is ``wanted``, or patience ends."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        said = told(await play.show(citizen, "drivers-licence-valid"))
        if said == wanted or time.monotonic() > ends:
            return said
        await asyncio.sleep(0.3)


async def bound(play: Play, office: Office) -> list[str]:
    """Return the keys that the office has issued for; nobody came sooner than it had said."""
    seen: dict[str, Any] = (await play.client.get(f"http://localhost:{office.port}/desk/seen")).json()
    assert seen["tooEarly"] == 0
    return [each["x"] for each in seen["keys"]]


async def collected(citizen: Citizen) -> list[dict[str, Any]]:
    """Look at the wallet until what was promised is there, or patience ends."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = await citizen.client.get(f"{citizen.url}/api/v1/credentials")
        found: list[dict[str, Any]] = answer.json()["credentials"]
        if found or time.monotonic() > ends:
            return found
        await asyncio.sleep(0.2)


async def test_its_w3c_credential_is_taken_shown_and_revoked(play: Play, peers: Peers, office: Office) -> None:
    ways = {"w3c": office.w3c, "claims": cast.drivers_licence(cast.ELISE, 38, "interop")}
    async with standing(play, peers, office, ways) as (citizen, said, heard):
        await known(citizen, said["link"])
        [kept] = await citizen.receive(offered(said))
        assert (kept["format"], kept["recognised"], kept["state"]) == ("vc+jwt", True, "ok")
        assert (await heard())["event"] == "credential_accepted"
        raw = await citizen.raw(kept["id"])
        assert header(raw)["kid"] == f"{office.did}#credentials"
        [key] = await bound(play, office)
        assert payload(raw)["cnf"]["jwk"]["x"] == key
        assert await verdict(play, citizen, "accepted") == "accepted"
        for value, state in (("2", "suspended"), ("0", "ok"), ("1", "revoked")):
            await desk(play, office, value)
            assert [change["now"] for change in await citizen.look()] == [state]
        assert await verdict(play, citizen, "revoked") == "revoked"


@pytest.mark.clause("VCI-45")
async def test_it_gives_a_batch_with_a_key_for_each_copy(play: Play, peers: Peers, office: Office) -> None:
    """A fare subsidy is shown to many, each copy once: the wallet asks for as many as the issuer gives."""
    ways = {"batch": 3, "vct": "https://types.comity.example/fare-subsidy/1", "claims": SUBSIDY}
    async with standing(play, peers, office, ways) as (citizen, said, heard):
        await known(citizen, said["link"])
        [kept] = await citizen.receive(offered(said))
        assert (kept["recognised"], kept["state"]) == (True, "ok")
        assert (await heard())["event"] == "credential_accepted"
        keys = await bound(play, office)
        assert len(keys) == len(set(keys)) == 3
        assert payload(await citizen.raw(kept["id"]))["cnf"]["jwk"]["x"] in keys


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "encrypted"])
@pytest.mark.clause("VCI-50", "VCI-52")
async def test_it_keeps_its_promise_later(play: Play, peers: Peers, office: Office, *, sealed: bool) -> None:
    """It tells the wallet to come back after a second, twice, and sees who comes sooner.

    Where it encrypts, it takes nothing in the clear and gives nothing in the clear: question, promise and credential.
    """
    async with standing(play, peers, office, {"later": 2, "sealed": sealed}) as (citizen, said, heard):
        await known(citizen, said["link"])
        assert await citizen.receive(offered(said)) == []
        [kept] = await collected(citizen)
        assert (kept["issuer"], kept["recognised"], kept["state"]) == (office.issuer, True, "ok")
        assert (await heard())["event"] == "credential_accepted"
        [key] = await bound(play, office)
        assert payload(await citizen.raw(kept["id"]))["cnf"]["jwk"]["x"] == key
