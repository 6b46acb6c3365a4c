"""Our wallet answers a verifier made of ``@openid4vc/openid4vp`` that no registry lists, and refuses what is forged."""

from datetime import timedelta
from typing import Any

import pytest

from comity import x509
from comity.demo.clients import Citizen, Refused
from comity.demo.play import Play
from comity.keys import KeySigner
from comity.openid.presentation import transaction_data
from comity.runtime.clock import SystemClock
from tests.interop.peers import Peers
from tests.interop.taking import BC, ELISE, payload
from tests.support.world import Authority
from tests.unit.schemas.test_transactions import FEE, PAID

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


def named(host: str) -> dict[str, Any]:
    """Return a certificate for a host name, and its key."""
    anchor_key, key, now = KeySigner.generate(), KeySigner.generate(), SystemClock().now()
    window: dict[str, Any] = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=1)}
    anchor = x509.issue_anchor(name="Names DEMO", signer=anchor_key, **window)
    leaf = x509.issue_leaf(
        name="Shop DEMO",
        uri_san=None,
        dns_san=host,
        public_jwk=key.public_jwk,
        anchor=anchor,
        anchor_signer=anchor_key,
        **window,
    )
    pair = {"publicJwk": dict(key.public_jwk), "privateJwk": dict(key.private_jwk())}
    return {"x5c": [x509.to_base64(leaf)], "key": pair}


@pytest.mark.parametrize(("host", "code"), [("localhost", None), ("shop.example", "client_mismatch")])
async def test_our_wallet_knows_it_by_its_host_name(play: Play, peers: Peers, host: str, code: str | None) -> None:
    """``x509_san_dns``: the answer goes to the host of the certificate, or nowhere (P15)."""
    citizen = await holder(play)
    asked = {"query": QUERY, "clientId": f"x509_san_dns:{host}", **named(host)}
    async with peers.serving("asking", **asked) as said:
        link = (await said())["link"]
        if code is not None:
            with pytest.raises(Refused) as refused:
                await citizen.consent(link)
            assert refused.value.code == code
            return
        await citizen.agree(await citizen.consent(link))
        judged = await said()
    assert judged.get("failed") is None, judged
    assert judged["shown"][0]["aud"] == "x509_san_dns:localhost"


async def test_it_believes_what_our_wallet_confirms(play: Play, peers: Peers, who: dict[str, Any]) -> None:
    citizen = await holder(play)
    text = transaction_data.encode(FEE, PAID, credential_ids=["person"])
    async with peers.serving("asking", query=QUERY, transactions=[text], **who) as said:
        consent = await citizen.consent((await said())["link"])
        assert "25.00" in consent["transactions"][0]["words"]
        await citizen.agree(consent)
        judged = await said()
    assert judged.get("failed") is None, judged
    assert judged["confirmed"] == 1


@pytest.mark.parametrize("signed", [True, False])
async def test_our_wallet_answers_its_website(play: Play, peers: Peers, who: dict[str, Any], signed: bool) -> None:
    citizen, site = await holder(play), "https://shop.example"
    asked = await peers("website", act="ask", query=QUERY, origin=site, signed=signed, **who)
    assert asked.get("failed") is None, asked
    message = {"protocol": asked["protocol"], "data": asked["data"]}
    if signed:
        other = await citizen.post("/api/v1/digital-credentials", {**message, "origin": "https://attacker.example"})
        assert other.json()["code"] == "origin_mismatch"
    opened = await citizen.post("/api/v1/digital-credentials", {**message, "origin": site})
    assert opened.status_code == 201, opened.text
    data = (await citizen.agree(opened.json()))["data"]
    judged = await peers(
        "website", act="judge", payload=asked["payload"], encryption=asked["encryption"], data=data, origin=site
    )
    assert judged.get("failed") is None, judged
    (presentation,) = judged["presentations"]["person"]
    assert payload(f"{presentation.rpartition('~')[2]}")["aud"] == f"origin:{site}"
