"""DPoP at the issuer (RFC 9449; catalogue I08, I09, C01, C08): each defect changes nothing, the good twin passes."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select

from comity.keys import KeySigner
from comity.openid import dpop
from comity.openid.oauth import AuthorizationServerMetadata
from issuer.issuing import erase_due
from issuer.store.offers import CLOCK_SECONDS
from issuer.store.tables import credentials, dpop_proofs, nonces
from tests.services.issuer.deployed import BC, GRANT, ON, PUBLIC_URL, Deployed, Place, running

ALGORITHMS = 'algs="ES256 ES384 EdDSA"'
PERSON = "person.1.sdjwt"


@dataclass
class Wallet:
    """A wallet that proves its tokens, and can do each step wrong."""

    issuer: Deployed
    key: KeySigner = field(default_factory=KeySigner.generate)
    nonce: str | None = None
    token: str = ""

    async def learn(self, authority: str = ON) -> str:
        answer = await self.issuer.client.post(f"/{authority}/nonce")
        self.nonce = answer.headers["dpop-nonce"]
        return str(answer.json()["c_nonce"])

    def proof(self, endpoint: str, **changes: Any) -> str:
        said = {"method": "POST", "url": f"{PUBLIC_URL}/{ON}/{endpoint}", "at": self.issuer.clock.now()}
        token = None if endpoint == "token" else self.token
        return dpop.build(
            changes.pop("key", self.key), **{**said, "nonce": self.nonce, "access_token": token, **changes}
        )

    async def redeem(self, offer: dict[str, Any], *proofs: str, **fields: str) -> httpx.Response:
        grant = offer["credential_offer"]["grants"][GRANT]
        form = {"grant_type": GRANT, "pre-authorized_code": grant["pre-authorized_code"], **fields}
        headers = [("dpop", each) for each in proofs or (self.proof("token"),)]
        return await self.issuer.client.post(f"/{ON}/token", data=form, headers=headers)

    async def take(self, offer: dict[str, Any] | None = None) -> None:
        await self.learn()
        answer = await self.redeem(offer or await self.issuer.offer())
        assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP"), answer.text
        self.token = answer.json()["access_token"]

    async def ask(self, *proofs: str, scheme: str = "DPoP", holder: KeySigner | None = None) -> httpx.Response:
        c_nonce = await self.issuer.nonce()
        body = {
            "credential_configuration_id": PERSON,
            "proofs": {"jwt": [self.issuer.proof(holder or KeySigner.generate(), c_nonce)]},
        }
        headers = [("authorization", f"{scheme} {self.token}"), *(("dpop", each) for each in proofs)]
        return await self.issuer.client.post(f"/{ON}/credential", json=body, headers=headers)


@pytest.fixture
async def wallet(issuer: Deployed) -> Wallet:
    return Wallet(issuer)


async def rows(issuer: Deployed) -> tuple[int, ...]:
    def count(connection: Connection) -> tuple[int, ...]:
        counts = [select(func.count()).select_from(each) for each in (credentials, nonces, dpop_proofs)]
        return tuple(connection.execute(each).scalar_one() for each in counts)

    return await issuer.deployment.database.read(count)


def refused(answer: httpx.Response, error: str, *, scheme: str = "DPoP") -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, error), answer.text
    expected = f'DPoP error="{error}", {ALGORITHMS}' if scheme == "DPoP" else f'Bearer error="{error}"'
    assert answer.headers["www-authenticate"] == expected
    assert answer.headers["cache-control"] == "no-store"
    assert ("dpop-nonce" in answer.headers) == (error != "invalid_token")


# --- the way through


async def test_the_metadata_list_the_algorithms(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")
    found = AuthorizationServerMetadata.parse(answer.content, issuer=f"{PUBLIC_URL}/{ON}")
    assert found.dpop_algorithms == ("ES256", "ES384", "EdDSA")


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
async def test_a_bound_token_gets_its_credential_and_tells_what_became_of_it(issuer: Deployed, algorithm: str) -> None:
    wallet = Wallet(issuer, key=KeySigner.generate(algorithm))
    await wallet.take()
    issued = await wallet.ask(wallet.proof("credential"))
    assert issued.status_code == 200, issued.text
    assert "dpop-nonce" in issued.headers
    told = {"notification_id": issued.json()["notification_id"], "event": "credential_accepted"}
    proof, headers = wallet.proof("notification"), {"authorization": f"DPoP {wallet.token}"}
    headers["dpop"] = proof
    assert (await issuer.client.post(f"/{ON}/notification", json=told, headers=headers)).status_code == 204
    replayed = await issuer.client.post(f"/{ON}/notification", json=told, headers=headers)
    refused(replayed, "invalid_dpop_proof")


async def test_token_and_credential_take_three_durable_commits(wallet: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    offer, database = await wallet.issuer.offer(), wallet.issuer.deployment.database
    written: list[object] = []
    real = database.write

    async def write(unit: Any) -> Any:
        written.append(unit)
        return await real(unit)

    monkeypatch.setattr(database, "write", write)
    await wallet.take(offer)
    assert (await wallet.ask(wallet.proof("credential"))).status_code == 200
    assert len([unit for unit in written if "erase_due" not in getattr(unit, "__qualname__", "")]) == 3


async def test_a_lost_answer_is_asked_for_again_with_a_new_proof(wallet: Wallet) -> None:
    holder = KeySigner.generate()
    await wallet.take()
    first = await wallet.ask(wallet.proof("credential"), holder=holder)
    again = await wallet.ask(wallet.proof("credential"), holder=holder)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["notification_id"] == again.json()["notification_id"]


# --- nonces


async def test_the_token_endpoint_asks_for_its_nonce_and_burns_nothing(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer(transaction_code=True)
    code = offer["transaction_code"]
    for nonce in (None, "guess", await wallet.issuer.nonce()):  # a nonce for key proofs is none for DPoP
        answer = await wallet.redeem(offer, wallet.proof("token", nonce=nonce), tx_code=code)
        assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
        assert "www-authenticate" not in answer.headers
        wallet.nonce = answer.headers["dpop-nonce"]
    good = await wallet.redeem(offer, tx_code=code)
    assert good.status_code == 200, good.text
    assert "dpop-nonce" in good.headers


async def test_a_nonce_for_dpop_is_none_for_key_proofs(wallet: Wallet) -> None:
    await wallet.take()
    answer = await wallet.issuer.request(
        await wallet.issuer.token(await wallet.issuer.offer()),
        PERSON,
        [wallet.issuer.proof(KeySigner.generate(), wallet.nonce)],
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_nonce")


@pytest.mark.clause("VCI-24")
async def test_a_resource_asks_for_the_nonce_and_any_answer_gives_it(wallet: Wallet) -> None:
    await wallet.take()
    for nonce in (None, "guess"):
        answer = await wallet.ask(wallet.proof("credential", nonce=nonce))
        refused(answer, "use_dpop_nonce")
        wallet.nonce = answer.headers["dpop-nonce"]
    assert (await wallet.ask(wallet.proof("credential"))).status_code == 200


@pytest.mark.attack("I06")
@pytest.mark.good_twin("I06")
async def test_a_nonce_is_of_one_authority_and_ends(place: Place) -> None:
    async with running(place, nonce_seconds=60) as issuer:
        wallet = Wallet(issuer)
        await wallet.take()
        await wallet.learn(BC)
        refused(await wallet.ask(wallet.proof("credential")), "use_dpop_nonce")
        await wallet.learn()
        issuer.clock.advance(timedelta(seconds=60))
        refused(await wallet.ask(wallet.proof("credential")), "use_dpop_nonce")
        issuer.clock.advance(timedelta(seconds=-1))
        assert (await wallet.ask(wallet.proof("credential"))).status_code == 200


@pytest.mark.parametrize("off", [timedelta(minutes=-10), timedelta(minutes=10), timedelta(days=-1), timedelta(days=1)])
@pytest.mark.attack("C01")
@pytest.mark.good_twin("C01")
async def test_the_nonce_and_not_the_wallets_clock_decides(wallet: Wallet, off: timedelta) -> None:  # C01
    there = wallet.issuer.clock.now() + off
    await wallet.learn()
    answer = await wallet.redeem(await wallet.issuer.offer(), wallet.proof("token", at=there))
    wallet.token = answer.json()["access_token"]
    assert (await wallet.ask(wallet.proof("credential", at=there))).status_code == 200


# --- I08


@pytest.mark.parametrize(
    "change",
    [
        {"key": KeySigner.generate()},
        {"access_token": "another"},
        {"access_token": None},
        {"method": "GET"},
        {"method": "post"},
        {"url": f"{PUBLIC_URL}/{ON}/token"},
        {"url": f"{PUBLIC_URL}/{BC}/credential"},
        {"url": f"{PUBLIC_URL}/{ON}/Credential"},
        {"url": f"{PUBLIC_URL}/{ON}/credential/"},
        {"url": f"{PUBLIC_URL}.evil.example/{ON}/credential"},
        {"url": f"https://localhost:8101/{ON}/credential"},
    ],
    ids=lambda change: "-".join(f"{name}-{str(value)[-20:]}" for name, value in change.items() if name != "key"),
)
@pytest.mark.attack("I08")
@pytest.mark.good_twin("I08")
async def test_a_proof_of_something_else_changes_nothing(wallet: Wallet, change: dict[str, Any]) -> None:
    await wallet.take()
    before = await rows(wallet.issuer)
    refused(await wallet.ask(wallet.proof("credential", **change)), "invalid_dpop_proof")
    assert await rows(wallet.issuer) == before
    assert (await wallet.ask(wallet.proof("credential"))).status_code == 200


@pytest.mark.attack("I08")
@pytest.mark.good_twin("I08")
async def test_no_proof_and_two_proofs_change_nothing(wallet: Wallet) -> None:
    await wallet.take()
    before = await rows(wallet.issuer)
    refused(await wallet.ask(), "invalid_dpop_proof")
    refused(await wallet.ask(wallet.proof("credential"), wallet.proof("credential")), "invalid_dpop_proof")
    refused(await wallet.ask("garbage"), "invalid_dpop_proof")
    assert await rows(wallet.issuer) == before
    url = f"HTTP://LOCALHOST:8101/{ON}/credential?a=b#c"
    assert (await wallet.ask(wallet.proof("credential", url=url))).status_code == 200


@pytest.mark.attack("I08")
@pytest.mark.good_twin("I08")
async def test_a_bad_proof_at_the_token_endpoint_burns_nothing(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer()
    await wallet.learn()
    good = wallet.proof("token")
    bad = [
        (wallet.proof("token", method="GET"),),
        (wallet.proof("token", url=f"{PUBLIC_URL}/{ON}/credential"),),
        ("garbage",),
        ("",),
        (good, good),
    ]
    for proofs in bad:
        answer = await wallet.redeem(offer, *proofs)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
        assert "www-authenticate" not in answer.headers
    assert (await wallet.redeem(offer, good)).json()["token_type"] == "DPoP"


@pytest.mark.clause("VCI-24")
@pytest.mark.attack("I08")
@pytest.mark.good_twin("I08")
async def test_a_proof_is_used_once_at_the_token_endpoint(wallet: Wallet) -> None:
    first, second = await wallet.issuer.offer(), await wallet.issuer.offer()
    await wallet.learn()
    proof = wallet.proof("token")
    assert (await wallet.redeem(first, proof)).status_code == 200
    before = await rows(wallet.issuer)
    replayed = await wallet.redeem(second, proof)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_dpop_proof")
    assert await rows(wallet.issuer) == before
    assert (await wallet.redeem(second)).status_code == 200


@pytest.mark.attack("I03")
@pytest.mark.good_twin("I03")
async def test_a_replayed_proof_does_not_guess_transaction_codes(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer(transaction_code=True)
    wrong = f"{(int(offer['transaction_code']) + 1) % 1_000_000:06d}"
    await wallet.learn()
    proof = wallet.proof("token")
    errors = [(await wallet.redeem(offer, proof, tx_code=wrong)).json()["error"] for _ in range(7)]
    assert errors == ["invalid_grant", *["invalid_dpop_proof"] * 6]
    assert (await wallet.redeem(offer, tx_code=offer["transaction_code"])).status_code == 200


@pytest.mark.attack("I08")
@pytest.mark.good_twin("I08")
async def test_of_twenty_requests_with_one_proof_one_has_an_effect(wallet: Wallet) -> None:
    await wallet.take()
    proof, holder = wallet.proof("credential"), KeySigner.generate()
    answers = await asyncio.gather(*(wallet.ask(proof, holder=holder) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 19]
    for answer in answers:
        if answer.status_code == 401:
            refused(answer, "invalid_dpop_proof")
    assert (await rows(wallet.issuer))[0] == 1
    assert (await wallet.ask(wallet.proof("credential"), holder=holder)).status_code == 200


async def test_another_wallet_may_choose_the_same_name_for_its_proof(
    wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallets = wallet, Wallet(wallet.issuer)
    proofs = []
    for each in wallets:
        await each.learn()
        with monkeypatch.context() as patched:
            patched.setattr("comity.openid.dpop.secrets.token_bytes", bytes)
            proofs.append(each.proof("token"))
    offers = [await wallet.issuer.offer() for _ in range(2)]
    answers = [await each.redeem(offers.pop(), proof) for each, proof in zip(wallets, proofs, strict=True)]
    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.attack("C08", "Q06")
@pytest.mark.good_twin("C08")
async def test_used_proofs_survive_a_restart_and_are_forgotten_after_their_nonce(place: Place) -> None:  # C08
    async with running(place) as issuer:
        wallet = Wallet(issuer)
        await wallet.take()
        proof, holder, clock = wallet.proof("credential"), KeySigner.generate(), issuer.clock
        assert (await wallet.ask(proof, holder=holder)).status_code == 200
    async with running(place, clock) as issuer:
        wallet.issuer = issuer
        for seconds, error in ((0, "invalid_dpop_proof"), (298, "invalid_dpop_proof")):
            clock.advance(timedelta(seconds=seconds))
            refused(await wallet.ask(proof, holder=holder), error)
        clock.advance(timedelta(seconds=121 + CLOCK_SECONDS))
        await erase_due(issuer.deployment)
        assert (await rows(issuer))[2] == 2
        clock.advance(timedelta(seconds=1))
        await erase_due(issuer.deployment)
        assert (await rows(issuer))[2] == 0


# --- I09


@pytest.mark.clause("VCI-24")
@pytest.mark.attack("I09")
@pytest.mark.good_twin("I09")
async def test_a_bound_token_is_no_bearer_token(wallet: Wallet) -> None:
    await wallet.take()
    before = await rows(wallet.issuer)
    for proofs in ((), (wallet.proof("credential"),)):
        refused(await wallet.ask(*proofs, scheme="Bearer"), "invalid_token", scheme="Bearer")
    answer = await wallet.issuer.client.post(
        f"/{ON}/notification",
        json={"notification_id": "x", "event": "credential_accepted"},
        headers={"authorization": f"Bearer {wallet.token}"},
    )
    refused(answer, "invalid_token", scheme="Bearer")
    assert await rows(wallet.issuer) == before
    assert (await wallet.ask(wallet.proof("credential"), scheme="dpop")).status_code == 200


@pytest.mark.attack("I09")
@pytest.mark.good_twin("I09")
async def test_a_bearer_token_is_no_bound_token(wallet: Wallet) -> None:
    wallet.token = await wallet.issuer.token(await wallet.issuer.offer())
    await wallet.learn()
    refused(await wallet.ask(wallet.proof("credential")), "invalid_token")
    assert (await wallet.ask(scheme="Bearer")).status_code == 200


@pytest.mark.attack("I09")
async def test_two_tokens_in_one_request_are_none(wallet: Wallet) -> None:
    await wallet.take()
    headers = [("authorization", f"{scheme} {wallet.token}") for scheme in ("DPoP", "Bearer")]
    headers.append(("dpop", wallet.proof("credential")))
    answer = await wallet.issuer.client.post(f"/{ON}/credential", json={}, headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["www-authenticate"] == f"Bearer, DPoP {ALGORITHMS}"


async def test_a_deployment_can_refuse_bearer_tokens(place: Place) -> None:
    async with running(place) as issuer:
        before = await issuer.token(await issuer.offer())
    async with running(place, require_dpop=True) as issuer:
        wallet, offer = Wallet(issuer, token=before), await issuer.offer()
        refused(await wallet.ask(scheme="Bearer"), "invalid_token")
        answer = await issuer.redeem(offer)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
        missing = await issuer.client.post(f"/{ON}/credential", json={})
        assert missing.headers["www-authenticate"] == f"DPoP {ALGORITHMS}"
        await wallet.take(offer)
        assert (await wallet.ask(wallet.proof("credential"))).status_code == 200
