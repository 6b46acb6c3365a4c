"""``@openid4vc/openid4vp`` as a wallet answers our verifier, with presentations of ``@sd-jwt/sd-jwt-vc``."""

from typing import Any

import pytest

from comity.demo import cast
from comity.demo.play import Play
from tests.interop.peers import Peers
from tests.interop.taking import header, taken

pytestmark = pytest.mark.xdist_group("interop")


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
@pytest.mark.parametrize("method", [None, "post"])
async def test_it_is_accepted(play: Play, peers: Peers, method: str | None, enc: str) -> None:
    held = await taken(play, peers)
    started = await play.counter.ask("age-alcohol", place="ca-on")
    said = await peers(
        "present", link=started["link"], method=method, enc=enc, credential=held.credential, key=held.key
    )
    assert said.get("failed") is None, said
    assert (said["client"], said["responseMode"], said["status"]) == ("x509_hash", "direct_post.jwt", 200)
    assert header(said["jwe"])["enc"] == enc
    report = await play.counter.result(started)
    assert (report["verdict"], report["codes"]) == ("accepted", [])


@pytest.mark.parametrize("wanted", ["dc+sd-jwt", "vc+jwt"])
async def test_a_licence_is_accepted_in_either_format(play: Play, peers: Peers, wanted: str) -> None:
    licence = cast.drivers_licence(cast.ELISE, 38, "interop")
    offer = await play.desk.offer("ca-on/services", "drivers-licence/1", licence, formats=[wanted])
    took = await peers("receive", offer=offer.link, txCode=offer.transaction_code)
    started = await play.counter.ask("drivers-licence-valid", place="ca-pe")
    said = await peers("present", link=started["link"], credential=took["credentials"][0], key=took["keys"][0])
    assert said.get("failed") is None, said
    report = await play.counter.result(started)
    assert (report["verdict"], report["codes"]) == ("accepted", [])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"nonce": "of-another-request"}, "nonce_mismatch"), ({"audience": "x509_hash:other"}, "audience_mismatch")],
    ids=["nonce", "audience"],
)
async def test_a_presentation_for_another_request_is_rejected(
    play: Play, peers: Peers, wrong: dict[str, Any], code: str
) -> None:
    held = await taken(play, peers)
    started = await play.counter.ask("age-alcohol", place="ca-on")
    said = await peers("present", link=started["link"], credential=held.credential, key=held.key, **wrong)
    assert said.get("failed") is None, said
    report = await play.counter.result(started)
    assert report["verdict"] == "rejected"
    assert code in report["codes"]


async def test_a_presentation_with_another_key_is_rejected(play: Play, peers: Peers) -> None:
    mine, other = await taken(play, peers), await taken(play, peers)
    started = await play.counter.ask("age-alcohol", place="ca-on")
    said = await peers("present", link=started["link"], credential=mine.credential, key=other.key)
    assert said.get("failed") is None, said
    report = await play.counter.result(started)
    assert report["verdict"] == "rejected"
    assert "holder_signature_invalid" in report["codes"]


async def test_a_request_is_answered_once(play: Play, peers: Peers) -> None:
    held = await taken(play, peers)
    started = await play.counter.ask("age-alcohol", place="ca-on")
    first = await peers("present", link=started["link"], credential=held.credential, key=held.key)
    assert first["status"] == 200
    again = await peers("present", link=started["link"], credential=held.credential, key=held.key)
    assert (again.get("failed"), again["status"]) != (None, 200)


TRANSACTION = {
    "type": "https://types.comity.example/transactions/fee-payment/1",
    "payee": "Ville de Toronto (DÉMO)",
    "amount": "25.00",
    "currency": "CAD",
    "reference": "DEMO-1",
}
SITE = "https://shop.example"


@pytest.mark.parametrize("confirm", [True, False])
async def test_what_it_confirms_is_what_we_asked(play: Play, peers: Peers, confirm: bool) -> None:
    """``transaction_data``: hashed by foreign software as it was received, checked by ours; without it, refused."""
    held = await taken(play, peers)
    started = await play.counter.ask("age-alcohol", place="ca-on", transactions=[TRANSACTION])
    said = await peers("present", link=started["link"], credential=held.credential, key=held.key, confirm=confirm)
    assert said.get("failed") is None, said
    (read,) = said["transactions"]
    assert {name: read[name] for name in TRANSACTION} == TRANSACTION
    report = await play.counter.result(started)
    codes = [] if confirm else ["transaction_not_confirmed"]
    assert (report["verdict"], report["codes"]) == ("accepted" if confirm else "rejected", codes)


@pytest.mark.parametrize("number", [0, 1], ids=["signed", "unsigned"])
async def test_it_answers_what_our_verifier_asks_by_the_browser(play: Play, peers: Peers, number: int) -> None:
    held = await taken(play, peers)
    started = await play.counter.ask("age-alcohol", place="ca-on", flow="digital_credentials", origins=[SITE])
    data = started["digital"]["requests"][number]["data"]
    elsewhere = {"credential": held.credential, "key": held.key, "origin": "https://attacker.example"}
    if number == 0:
        assert "origin" in (await peers("present", data=data, **elsewhere))["message"]
    said = await peers("present", data=data, **{**elsewhere, "origin": SITE})
    assert said.get("failed") is None, said
    report = await play.counter.digital(started, said["data"])
    assert (report["verdict"], report["codes"]) == ("accepted", [])
