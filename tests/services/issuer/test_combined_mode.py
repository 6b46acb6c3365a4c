"""A DPoP proof that is the proof of possession of a client attestation too (ABCA -09, "DPoP Combined Mode"; WA-3)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from comity.keys import KeySigner
from comity.openid import client_attestation, dpop
from tests.services.issuer.deployed import BC, ON, PUBLIC_URL, Deployed, Place, running
from tests.services.issuer.signing_in import Wallet as SigningIn
from tests.services.issuer.test_clients import PROVIDER, STRANGER, Wallet, refused, trusting
from tests.support.attesting import CLIENT_ID

Headers = list[tuple[str, str]]


@pytest.fixture
async def wallet(place: Place) -> AsyncIterator[Wallet]:
    async with running(place, **trusting(place, client_authentication="required", require_dpop=True)) as issuer:
        yield Wallet(issuer)


async def nonce(issuer: Deployed, authority: str = ON) -> str:
    return str((await issuer.client.post(f"/{authority}/nonce")).headers["dpop-nonce"])


async def shown(wallet: Wallet, **changes: Any) -> Headers:
    """Return what a wallet sends: an attestation of its key, and one DPoP proof by that key."""
    issuer, key = wallet.issuer, changes.pop("key", wallet.instance)
    attestation = changes.pop("attestation", PROVIDER.attestation(wallet.instance, issuer.clock.now()))
    said: dict[str, Any] = {"method": "POST", "url": f"{PUBLIC_URL}/{ON}/token", "at": issuer.clock.now(), **changes}
    if "nonce" not in said:
        said["nonce"] = await nonce(issuer)
    return [(client_attestation.HEADER, attestation), (dpop.HEADER, dpop.build(key, **said))]


async def redeem(wallet: Wallet, headers: Headers, **form: str) -> httpx.Response:
    return await wallet.redeem(await wallet.issuer.offer(), headers, **form)


@pytest.mark.clause("WA-1", "WA-3")
async def test_one_proof_authenticates_the_client_and_binds_the_token(wallet: Wallet) -> None:
    for given in (await nonce(wallet.issuer), await wallet.challenge()):
        answer = await redeem(wallet, await shown(wallet, nonce=given), client_id=CLIENT_ID)
        assert answer.status_code == 200, answer.text
        assert answer.json()["token_type"] == "DPoP"


@pytest.mark.clause("WA-3")
async def test_the_key_of_the_proof_is_the_attested_one(wallet: Wallet) -> None:
    thief = KeySigner.generate()
    refused(await redeem(wallet, await shown(wallet, key=thief)))
    # The attested key is only named in the header; the signature is somebody else's.
    headers = await shown(wallet)
    head, body, _ = headers[1][1].split(".")
    other = dpop.build(thief, method="POST", url=PUBLIC_URL, at=wallet.issuer.clock.now(), nonce=None)
    forged = f"{head}.{body}.{other.rpartition('.')[2]}"
    answer = await redeem(wallet, [headers[0], (dpop.HEADER, forged)])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    assert (await redeem(wallet, headers)).status_code == 200, "the good twin"


@pytest.mark.clause("WA-3")
async def test_the_nonce_must_be_this_servers(wallet: Wallet) -> None:
    foreign = await wallet.challenge(BC), await nonce(wallet.issuer, BC), "guess", None
    told = ""
    for given in foreign:
        answer = await redeem(wallet, await shown(wallet, nonce=given))
        assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
        told = answer.headers["dpop-nonce"]
    again = await redeem(wallet, await shown(wallet, nonce=told))
    assert again.status_code == 200, again.text


async def test_a_challenge_is_no_nonce_of_a_wallet_that_shows_no_attestation(place: Place) -> None:
    async with running(place, **trusting(place)) as issuer:
        wallet = Wallet(issuer)
        proof = (await shown(wallet, nonce=await wallet.challenge()))[1:]
        answer = await redeem(wallet, proof)
        assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")


async def test_a_proof_works_once(wallet: Wallet) -> None:
    headers = await shown(wallet)
    assert (await redeem(wallet, headers)).status_code == 200
    answer = await redeem(wallet, headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


@pytest.mark.clause("WA-3")
async def test_with_a_proof_of_its_own_that_one_is_judged(wallet: Wallet) -> None:
    """And the DPoP proof may then be by any key."""
    attested = await wallet.headers()
    by_another = (await shown(wallet, key=KeySigner.generate()))[1:]
    assert (await redeem(wallet, [*attested, *by_another])).status_code == 200
    pop = client_attestation.POP_HEADER
    broken = [(name, value[:-4] + "AAAA" if name == pop else value) for name, value in attested]
    refused(await redeem(wallet, [*broken, *(await shown(wallet))[1:]]))


async def test_each_other_defect_is_refused(wallet: Wallet) -> None:
    good = await shown(wallet)
    now = wallet.issuer.clock.now()
    for headers, form in (
        ([*good, good[1]], {}),  # two proofs
        ([good[0], *good], {}),  # two attestations
        (good[:1], {}),  # none
        ([good[0], (dpop.HEADER, "a.b.c")], {}),
        (await shown(wallet, attestation=STRANGER.attestation(wallet.instance, now)), {}),
        (good, {"client_id": "https://other.example"}),
    ):
        refused(await redeem(wallet, headers, **form))
    elsewhere = await redeem(wallet, await shown(wallet, url=f"{PUBLIC_URL}/{ON}/par"))
    assert elsewhere.json()["error"] == "invalid_dpop_proof"
    assert (await redeem(wallet, good, client_id=CLIENT_ID)).status_code == 200


async def test_pushed_requests_take_it_too(wallet: Wallet) -> None:
    fields = SigningIn(wallet.issuer).fields(client_id=CLIENT_ID)
    headers = await shown(wallet, url=f"{PUBLIC_URL}/{ON}/par")
    pushed = await wallet.issuer.client.post(f"/{ON}/par", data=fields, headers=headers)
    assert pushed.status_code == 201, pushed.text
    wrong = await shown(wallet, url=f"{PUBLIC_URL}/{ON}/par", key=KeySigner.generate())
    refused(await wallet.issuer.client.post(f"/{ON}/par", data=fields, headers=wrong))
