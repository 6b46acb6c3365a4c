"""Our wallet takes credentials from an issuer made of ``@openid4vc`` and ``@sd-jwt``, and our verifier accepts them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from comity.demo.clients import Citizen, Offered, Refused
from comity.demo.play import PATIENCE_SECONDS, Play, told
from tests.interop import offices
from tests.interop.offices import Office
from tests.interop.peers import Peers

pytestmark = pytest.mark.xdist_group("interop")

Heard = Callable[[], Awaitable[dict[str, Any]]]
"""Returns the next thing that the office was told in a notification."""


@asynccontextmanager
async def standing(
    play: Play, peers: Peers, office: Office, ways: Mapping[str, Any] | None = None, **wrong: Any
) -> AsyncIterator[tuple[Citizen, dict[str, Any], Heard]]:
    """Open the office, and a wallet; yields what the office offers too. ``ways`` say what else it does than usual."""
    citizen = await play.citizen()
    async with peers.serving("issuing", wrong=wrong, **{**office.asked, **(ways or {})}) as heard:
        yield citizen, await heard(), heard


def offered(said: dict[str, Any], code: str | None = None) -> Offered:
    return Offered(offer_id="", link=said["link"], transaction_code=code or said["txCode"], qr=b"")


async def known(citizen: Citizen, link: str) -> dict[str, Any]:
    """Return the preview once the wallet has read the registry that admits the office."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        preview = await citizen.preview(link)
        if preview["credentials"][0]["trust"]["known"] or time.monotonic() > ends:
            return preview
        await asyncio.sleep(0.3)


async def shown(play: Play, citizen: Citizen, wanted: str) -> str:
    """Show the credential at our counter until the verdict is ``wanted``, or patience ends."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        verdict = told(await play.show(citizen, "age-alcohol", place="ca-on"))
        if verdict == wanted or time.monotonic() > ends:
            return verdict
        await asyncio.sleep(0.3)


async def test_its_credential_is_taken_shown_and_revoked(play: Play, peers: Peers, office: Office) -> None:
    async with standing(play, peers, office) as (citizen, said, heard):
        preview = await known(citizen, said["link"])
        assert preview["credentials"][0]["trust"] == {
            "known": True,
            "name": offices.NAME,
            "may_issue": "passed",
            "code": "ok",
        }
        [kept] = await citizen.receive(offered(said))
        assert (kept["issuer"], kept["recognised"], kept["state"]) == (office.issuer, True, "ok")
        assert (await heard())["event"] == "credential_accepted"
        assert await shown(play, citizen, "accepted") == "accepted"
        await desk(play, office, "1")
        [change] = await citizen.look()
        assert (change["before"], change["now"]) == ("ok", "revoked")
        assert await shown(play, citizen, "revoked") == "revoked"


async def test_what_an_office_that_nobody_admitted_issues_is_kept_on_request_only(play: Play, peers: Peers) -> None:
    """Its chain is nobody's to read: that it cannot be read must not keep the wallet from answering requests."""
    unknown = offices.founded()
    async with standing(play, peers, unknown, signing={"x5c": ["AAAA"]}) as (citizen, said, heard):
        preview = await citizen.preview(said["link"])
        assert preview["credentials"][0]["trust"]["code"] == "issuer_unknown"
        [kept] = await citizen.receive(offered(said), keep_unrecognised=True)
        assert (kept["recognised"], kept["state"]) == (False, "issuer_unknown")
        assert (await heard())["event"] == "credential_accepted"
        started = await play.counter.ask("age-alcohol", place="ca-on")
        assert (await citizen.consent(started["link"]))["id"]
    async with standing(play, peers, unknown) as (citizen, said, heard):
        with pytest.raises(Refused) as refused:
            await citizen.receive(offered(said))
        assert (refused.value.code, "issuer_unknown" in refused.value.detail) == ("credential_refused", True)
        assert (await heard())["event"] == "credential_failure"


async def test_its_suspension_ends(play: Play, peers: Peers, office: Office) -> None:
    async with standing(play, peers, office) as (citizen, said, _):
        await known(citizen, said["link"])
        await citizen.receive(offered(said))
        await desk(play, office, "2")
        assert [change["now"] for change in await citizen.look()] == ["suspended"]
        await desk(play, office, "0")
        assert [change["now"] for change in await citizen.look()] == ["ok"]


async def test_its_credential_is_taken_by_signing_in(play: Play, peers: Peers, office: Office) -> None:
    async with standing(play, peers, office) as (citizen, said, heard):
        await known(citizen, said["link"])
        begun = await citizen.post("/api/v1/authorizations", {"offer": said["signInLink"]})
        assert begun.status_code == 201, begun.text
        back = (await play.client.get(begun.json()["url"])).headers["location"]
        brought = dict(parse_qsl(urlsplit(back).query))
        with pytest.raises(Refused) as refused:
            await citizen.finish_sign_in({**brought, "iss": "http://localhost:1/office"})
        assert refused.value.code == "issuer_mismatch"
        again = (await citizen.post("/api/v1/authorizations", {"offer": said["signInLink"]})).json()["url"]
        back = (await play.client.get(again)).headers["location"]
        [kept] = await citizen.finish_sign_in(dict(parse_qsl(urlsplit(back).query)))
        assert (kept["issuer"], kept["recognised"]) == (office.issuer, True)
        assert (await heard())["event"] == "credential_accepted"
        assert await shown(play, citizen, "accepted") == "accepted"


async def test_a_wrong_transaction_code_is_told_and_the_right_one_still_does(
    play: Play, peers: Peers, office: Office
) -> None:
    async with standing(play, peers, office) as (citizen, said, _):
        await known(citizen, said["link"])
        with pytest.raises(Refused) as refused:
            await citizen.receive(offered(said, code="000000"))
        assert refused.value.code == "transaction_code_wrong"
        assert len(await citizen.receive(offered(said))) == 1


@pytest.mark.parametrize("part", ["metadata", "server"])
async def test_metadata_of_another_issuer_are_refused(play: Play, peers: Peers, office: Office, part: str) -> None:
    name = {"metadata": "credential_issuer", "server": "issuer"}[part]
    wrong = {part: {name: f"{office.issuer}/of-another"}}
    async with standing(play, peers, office, **wrong) as (citizen, said, _):
        with pytest.raises(Refused) as refused:
            await citizen.receive(offered(said))
        assert refused.value.code == "metadata_invalid"


async def test_a_nonce_is_fetched_once_more_and_no_more(play: Play, peers: Peers, office: Office) -> None:
    async with standing(play, peers, office, nonces=1) as (citizen, said, _):
        await known(citizen, said["link"])
        assert len(await citizen.receive(offered(said))) == 1
    async with standing(play, peers, office, nonces=2) as (citizen, said, _):
        with pytest.raises(Refused) as refused:
            await citizen.receive(offered(said))
        assert (refused.value.code, "invalid_nonce" in refused.value.detail) == ("issuer_refused", True)


WRONGS: dict[str, Callable[[Office], dict[str, Any]]] = {
    "signature_invalid": lambda office: {"key": office.stranger["key"]},
    "certificate_untrusted": lambda office: office.stranger,
    "certificate_root_included": lambda office: {"x5c": [*office.signing["x5c"], office.anchor]},
    "certificate_name_mismatch": lambda office: office.status,
    "issuer_mismatch": lambda _: {"payload": {"iss": "http://localhost:1/office"}},
    "credential_not_requested": lambda _: {"payload": {"vct": "https://types.comity.example/health-card/1"}},
    "holder_key_mismatch": lambda office: {"payload": {"cnf": {"jwk": office.stranger["key"]["publicJwk"]}}},
    "schema_violated": lambda _: {"payload": {"birthdate": "long ago"}},
    "status_list_untrusted": lambda office: {
        "payload": {"status": {"status_list": {"idx": 1, "uri": f"{office.issuer}/elsewhere/1"}}}
    },
}
"""What the office can do wrong in signing, by the code that it is refused with."""


@pytest.mark.parametrize("code", sorted(WRONGS))
async def test_what_is_wrongly_signed_is_refused_and_it_hears_so(
    play: Play, peers: Peers, office: Office, code: str
) -> None:
    async with standing(play, peers, office, signing=WRONGS[code](office)) as (citizen, said, heard):
        await known(citizen, said["link"])
        with pytest.raises(Refused) as refused:
            await citizen.receive(offered(said))
        assert refused.value.code == "credential_refused"
        assert code in refused.value.detail
        assert (await heard())["event"] == "credential_failure"
        held = await citizen.client.get(f"{citizen.url}/api/v1/credentials")
        assert held.json()["credentials"] == []


async def desk(play: Play, office: Office, value: str) -> None:
    """Let the office mark its credential in its list: 0 valid, 1 revoked, 2 suspended."""
    done = await play.client.put(f"http://localhost:{office.port}/desk/status", content=value)
    assert done.status_code == 204
