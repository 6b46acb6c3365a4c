"""``@openid4vc/openid4vci`` as a wallet takes credentials from our issuer, and understands why it is refused."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from comity import formats, strict_json
from comity.demo.play import Play
from tests.interop.peers import Peers
from tests.interop.taking import offered, payload

pytestmark = pytest.mark.xdist_group("interop")


@pytest.mark.parametrize("wanted", ["dc+sd-jwt", "vc+jwt"])
async def test_it_takes_a_credential(play: Play, peers: Peers, wanted: str) -> None:
    offer = await offered(play, wanted)
    took = await peers("receive", offer=offer.link, txCode=offer.transaction_code)
    assert took.get("failed") is None, took
    assert took["version"] == "V1"
    assert took["notificationStatus"] == 204
    [credential] = took["credentials"]
    assert formats.of(credential) == wanted
    assert payload(credential)["cnf"]["jwk"] == took["keys"][0]["publicJwk"]
    [issued] = await play.desk.issued(offer.offer_id)
    assert (issued["format"], issued["status"]) == (wanted, "valid")


async def test_it_takes_a_batch_with_a_key_for_each(play: Play, peers: Peers) -> None:
    offer = await offered(play, batch=3)
    took = await peers("receive", offer=offer.link, txCode=offer.transaction_code, count=3)
    assert took.get("failed") is None, took
    bound = [payload(each)["cnf"]["jwk"] for each in took["credentials"]]
    assert bound == [key["publicJwk"] for key in took["keys"]]


async def test_a_wrong_transaction_code_is_an_invalid_grant(play: Play, peers: Peers) -> None:
    offer = await offered(play)
    wrong = "000000" if offer.transaction_code != "000000" else "111111"
    refused = await peers("receive", offer=offer.link, txCode=wrong)
    assert (refused["status"], refused["refusal"]["error"]) == (400, "invalid_grant")
    took = await peers("receive", offer=offer.link, txCode=offer.transaction_code)  # a typing error is not the end
    assert len(took["credentials"]) == 1


async def test_it_reads_from_the_offer_that_a_transaction_code_is_needed(play: Play, peers: Peers) -> None:
    offer = await offered(play)
    said = await peers("receive", offer=offer.link)
    assert "tx_code" in said["message"]
    assert (said["failed"], said["status"]) == ("Error", None)  # it did not even ask


async def test_an_offer_is_gone_once_it_was_taken_and_so_is_its_code(play: Play, peers: Peers) -> None:
    offer = await offered(play)
    document = (await play.client.get(parse_qs(urlsplit(offer.link).query)["credential_offer_uri"][0])).json()
    by_value = f"openid-credential-offer://?{urlencode({'credential_offer': strict_json.serialise(document)})}"
    took = await peers("receive", offer=offer.link, txCode=offer.transaction_code)
    assert len(took["credentials"]) == 1
    gone = await peers("receive", offer=offer.link, txCode=offer.transaction_code)
    assert gone["status"] == 404
    refused = await peers("receive", offer=by_value, txCode=offer.transaction_code)
    assert (refused["status"], refused["refusal"]["error"]) == (400, "invalid_grant")
    assert len(await play.desk.issued(offer.offer_id)) == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"nonce": "of-nobody"}, "invalid_nonce"),
        ({"audience": "http://localhost:1/elsewhere"}, "invalid_proof"),
        ({"count": 2}, "invalid_proof"),
    ],
    ids=["nonce", "audience", "more-keys-than-offered"],
)
async def test_a_wrong_proof_is_refused(play: Play, peers: Peers, wrong: dict[str, Any], error: str) -> None:
    offer = await offered(play)
    refused = await peers("receive", offer=offer.link, txCode=offer.transaction_code, **wrong)
    assert (refused["status"], refused["refusal"]["error"]) == (400, error)
    assert await play.desk.issued(offer.offer_id) == []


async def test_it_tells_that_it_failed(play: Play, peers: Peers) -> None:
    offer = await offered(play)
    told = await peers("receive", offer=offer.link, txCode=offer.transaction_code, event="credential_failure")
    assert told["notificationStatus"] == 204
