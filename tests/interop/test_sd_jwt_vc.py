"""``@sd-jwt/sd-jwt-vc``: it verifies what we issue and present and reads our status list; we verify what it makes."""

import time
from datetime import timedelta
from typing import Any

import pytest

from comity import x509
from comity.demo import cast
from comity.demo.play import Play
from comity.errors import Code
from comity.keys import KeySigner
from comity.verification.checks import Verdict
from tests.interop.peers import Peers
from tests.interop.taking import ELISE, payload, taken
from tests.support.world import AUDIENCE, DEMO_CLAIMS, NONCE, NOW, PERSON, World

pytestmark = pytest.mark.xdist_group("interop")

VALID, REVOKED, SUSPENDED = 0, 1, 2


@pytest.fixture(scope="module")
def world() -> World:
    return World()


# --- what we make, in its hands


@pytest.mark.clause("HAIP-all")
async def test_it_verifies_what_we_issue_with_its_status(play: Play, peers: Peers) -> None:
    held = await taken(play, peers)
    read = await peers("sdjwt", act="verify", credential=held.credential)
    assert read.get("failed") is None, read
    assert {name: read["payload"][name] for name in ELISE} == ELISE


async def test_it_reads_from_our_list_that_a_credential_is_suspended_and_revoked(play: Play, peers: Peers) -> None:
    licence = cast.drivers_licence(cast.ELISE, 38, "interop")
    offer = await play.desk.offer("ca-on/services", "drivers-licence/1", licence)
    took = await peers("receive", offer=offer.link, txCode=offer.transaction_code)
    [credential], [issued] = took["credentials"], await play.desk.issued(offer.offer_id)
    assert (await peers("sdjwt", act="verify", credential=credential)).get("failed") is None
    for verb, status in (("suspend", SUSPENDED), ("reinstate", VALID), ("revoke", REVOKED)):
        await play.desk.change(issued["id"], verb, "a test")
        assert await listed(play, peers, credential, until=status) == status
    refused = await peers("sdjwt", act="verify", credential=credential)
    assert refused["message"] == "Status is not valid"


async def listed(play: Play, peers: Peers, credential: str, *, until: int) -> int:
    """Read a status from our list as it stands, waiting for its publication."""
    entry = payload(credential)["status"]["status_list"]
    ends, status = time.monotonic() + play.patience, -1
    while status != until and time.monotonic() < ends:
        token = (await play.client.get(entry["uri"])).text
        read = await peers("sdjwt", act="statuses", token=token, indices=[entry["idx"]])
        assert read["bits"] == 2
        status = read["statuses"][0]
    return status


async def test_it_refuses_what_we_did_not_sign(play: Play, peers: Peers) -> None:
    held = await taken(play, peers)
    jwt, *disclosures = held.credential.split("~")
    head, body, signature = jwt.split(".")
    forged = "~".join([f"{head}.{body}.{signature[:-4]}AAAA", *disclosures])
    refused = await peers("sdjwt", act="verify", credential=forged)
    assert "signature" in refused["message"].lower()
    # A Disclosure that no digest of ours names is not refused by this library as it is by us; but it says nothing.
    foreign = (await taken(play, peers)).credential.split("~")[1]
    read = await peers("sdjwt", act="verify", credential="~".join([jwt, foreign, *disclosures[1:]]))
    assert len({name for name in ELISE if name in read["payload"]}) == len(ELISE) - 1


async def test_it_verifies_what_our_holder_presents(play: Play, peers: Peers) -> None:
    offer = await play.desk.offer("ca-bc/services", "person/1", ELISE)
    pocket = play.pocket()
    await pocket.take(offer)
    started = await play.counter.ask("age-alcohol", place="ca-on")
    asked = await pocket.open(started["link"])
    shown = pocket.present(asked, ["age_over_19"])
    read = await peers("sdjwt", act="verify", credential=shown, nonce=asked.nonce)
    assert read.get("failed") is None, read
    assert {name for name in ELISE if name in read["payload"]} == {"age_over_19"}
    assert read["kb"]["aud"] == asked.client_id.text
    assert "failed" in await peers("sdjwt", act="verify", credential=shown, nonce="another")


# --- what it makes, in our hands


def of_bc(world: World, **changes: Any) -> dict[str, Any]:
    """Return what BC's own software would sign, for the library to sign."""
    bc = world.bc
    begins = NOW - timedelta(days=10)
    made: dict[str, Any] = {
        "iss": bc.issuer_id,
        "vct": PERSON.vct,
        "iat": int(begins.timestamp()),
        "exp": int((NOW + timedelta(days=300)).timestamp()),
        "cnf": {"jwk": world.holder.public_jwk},
        "status": {"status_list": {"uri": bc.list_uri(), "idx": 7}},
        **DEMO_CLAIMS[PERSON],
    }
    return {**made, **changes}


async def issued(peers: Peers, world: World, **changes: Any) -> str:
    made = await peers(
        "sdjwt",
        act="issue",
        payload=of_bc(world, **changes),
        frame=list(DEMO_CLAIMS[PERSON]),
        header={"x5c": [x509.to_base64(world.bc.leaf)]},
        privateJwk=world.bc.key.private_jwk(),
    )
    assert made.get("failed") is None, made
    return str(made["credential"])


async def presented(peers: Peers, credential: str, holder: KeySigner, **changes: Any) -> str:
    kb = {"iat": int(NOW.timestamp()), "aud": AUDIENCE, "nonce": NONCE, **changes}
    made = await peers(
        "sdjwt", act="present", credential=credential, disclose=["age_over_18"], kb=kb, privateJwk=holder.private_jwk()
    )
    assert made.get("failed") is None, made
    return str(made["presentation"])


async def test_we_accept_what_it_issues_and_presents(peers: Peers, world: World) -> None:
    shown = await presented(peers, await issued(peers, world), world.holder)
    result = world.verify(shown)
    assert (result.verdict, result.codes) == (Verdict.ACCEPTED, ())
    [claims] = result.claims()[""]
    assert claims["age_over_18"] is True
    assert "family_name" not in claims


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"nonce": "of-another-request"}, Code.NONCE_MISMATCH),
        ({"aud": "x509_hash:other"}, Code.AUDIENCE_MISMATCH),
        ({"iat": int((NOW - timedelta(days=365)).timestamp())}, Code.HOLDER_PROOF_EXPIRED),
    ],
    ids=["nonce", "audience", "a-year-old"],
)
async def test_we_reject_its_proof_for_another_request(
    peers: Peers, world: World, wrong: dict[str, Any], code: Code
) -> None:
    result = world.verify(await presented(peers, await issued(peers, world), world.holder, **wrong))
    assert result.verdict is Verdict.REJECTED
    assert code in result.codes


async def test_we_reject_its_proof_with_another_key(peers: Peers, world: World) -> None:
    result = world.verify(await presented(peers, await issued(peers, world), KeySigner.generate()))
    assert Code.HOLDER_SIGNATURE_INVALID in result.codes


async def test_we_reject_a_claim_that_it_did_not_sign(peers: Peers, world: World) -> None:
    credential = await issued(peers, world)
    other = (await issued(peers, world)).split("~")
    jwt, first, *rest = credential.split("~")
    assert first != other[1]
    result = world.verify("~".join([jwt, other[1], *rest]), demand=world.demand(holder=None))
    assert Code.DISCLOSURE_UNREFERENCED in result.codes
    good = world.verify(credential, demand=world.demand(holder=None))
    assert good.verdict is Verdict.ACCEPTED
