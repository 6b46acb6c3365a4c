"""``@openid4vc/openid4vci`` with DPoP: encrypted answers by ``jose``, what is decided later, and batches of copies."""

import pytest

from comity import formats
from comity.demo.clients import Offered
from comity.demo.play import Play
from tests.interop.peers import Peers
from tests.interop.taking import BC, ELISE, offered, payload

pytestmark = pytest.mark.xdist_group("interop")


async def promised(play: Play) -> Offered:
    return await play.desk.offer(BC, "person/1", ELISE, decide_later=True)


@pytest.mark.clause("VCI-52")
async def test_it_asks_encrypted_and_reads_the_encrypted_answer(play: Play, peers: Peers) -> None:
    offer = await offered(play, batch=3)
    took = await peers("promised", offer=offer.link, txCode=offer.transaction_code, count=3, encrypted=True)
    assert took.get("failed") is None, took
    assert took["encryptedAnswer"] == "application/jwt"
    assert [formats.of(each) for each in took["credentials"]] == ["dc+sd-jwt"] * 3
    bound = [payload(each)["cnf"]["jwk"] for each in took["credentials"]]
    assert bound == [key["publicJwk"] for key in took["keys"]]
    places = [payload(each)["status"]["status_list"]["idx"] for each in took["credentials"]]
    assert len(set(places)) == 3


@pytest.mark.parametrize("encrypted", [False, True])
async def test_it_waits_and_gets_what_was_approved(play: Play, peers: Peers, *, encrypted: bool) -> None:
    offer = await promised(play)
    first = await peers("promised", offer=offer.link, txCode=offer.transaction_code, encrypted=encrypted)
    assert first.get("failed") is None, first
    assert (first["credentials"], first["interval"]) == (None, 60)
    pending = await peers("promised", kept=first["kept"], encrypted=encrypted)
    assert (pending["credentials"], pending["transactionId"]) == (None, first["transactionId"])
    assert await play.desk.issued(offer.offer_id) == []
    await play.desk.decide(offer.offer_id, "approve")
    came = await peers("promised", kept=first["kept"], encrypted=encrypted)
    [credential] = came["credentials"]
    assert payload(credential)["cnf"]["jwk"] == first["keys"][0]["publicJwk"]
    assert came["notificationId"]
    over = await peers("promised", kept=first["kept"], encrypted=encrypted)
    assert (over["status"], over["refusal"]["error"]) == (400, "invalid_transaction_id")


async def test_it_hears_the_final_no(play: Play, peers: Peers) -> None:
    offer = await promised(play)
    first = await peers("promised", offer=offer.link, txCode=offer.transaction_code)
    await play.desk.decide(offer.offer_id, "deny")
    refused = await peers("promised", kept=first["kept"])
    assert (refused["status"], refused["refusal"]["error"]) == (400, "credential_request_denied")
    assert await play.desk.issued(offer.offer_id) == []


async def test_without_dpop_nothing_is_promised(play: Play, peers: Peers) -> None:
    """A token that waits for days is bound to a key; the code is not burnt by asking without one."""
    offer = await promised(play)
    refused = await peers("receive", offer=offer.link, txCode=offer.transaction_code)
    assert (refused["status"], refused["refusal"]["error"]) == (400, "invalid_dpop_proof")
    first = await peers("promised", offer=offer.link, txCode=offer.transaction_code)
    assert first["transactionId"]
