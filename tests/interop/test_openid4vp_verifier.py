"""Our wallet answers a verifier made of ``@openid4vc/openid4vp`` that no registry lists, and refuses what is forged."""

from typing import Any

import pytest

from comity import x509
from comity.demo.clients import Citizen, Refused
from comity.demo.play import Play
from tests.interop.peers import Peers
from tests.interop.taking import BC, ELISE
from tests.support.world import Authority

pytestmark = pytest.mark.xdist_group("interop")

QUERY = {
    "credentials": [
        {
            "id": "person",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["https://types.comity.example/person/1"]},
            "claims": [{"path": ["age_over_21"]}, {"path": ["region"]}],
        }
    ]
}


@pytest.fixture(scope="module")
def who() -> dict[str, Any]:
    """Return a certificate that our registry does not know, and its key."""
    office = Authority("ca-on/nobody")
    private = dict(office.key.private_jwk())
    return {
        "x5c": [x509.to_base64(office.leaf)],
        "key": {"publicJwk": dict(office.key.public_jwk), "privateJwk": private},
    }


async def holder(play: Play) -> Citizen:
    citizen = await play.citizen()
    await play.issue(citizen, BC, "person/1", ELISE)
    return citizen


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
@pytest.mark.parametrize("method", ["", "&request_uri_method=post"], ids=["get", "post"])
async def test_our_wallet_answers_it(play: Play, peers: Peers, who: dict[str, Any], method: str, enc: str) -> None:
    citizen = await holder(play)
    async with peers.serving("asking", query=QUERY, enc=enc, **who) as said:
        consent = await citizen.consent((await said())["link"] + method)
        await citizen.agree(consent)
        judged = await said()
    assert judged.get("failed") is None, judged
    assert (judged["mode"], judged["header"]["enc"]) == ("Encrypted", enc)
    [shown] = judged["shown"]
    assert {name for name in ELISE if name in shown["claims"]} == {"age_over_21", "region"}
    assert shown["aud"] == judged["clientId"]


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        ({"client_id": "x509_hash:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, "client_mismatch"),
        ({"client_metadata": {"jwks": {"keys": []}}}, "request_invalid"),
    ],
    ids=["another-client", "no-key-to-encrypt-to"],
)
async def test_our_wallet_refuses_its_forged_request(
    play: Play, peers: Peers, who: dict[str, Any], tamper: dict[str, Any], code: str
) -> None:
    citizen = await holder(play)
    async with peers.serving("asking", query=QUERY, tamper=tamper, **who) as said:
        with pytest.raises(Refused) as refused:
            await citizen.consent((await said())["link"])
    assert refused.value.code == code
