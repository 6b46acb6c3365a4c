"""Deferred issuance (OpenID4VCI §9; catalogue I14): nothing is signed before the decision, nor for others after it."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select

from comity import formats, keys
from comity.credential import Format
from comity.jwe import EncryptionKey
from comity.keys import KeySigner
from comity.openid.key_proof import CheckedProof
from comity.openid.refusal import OAuthError, OAuthErrorCode
from issuer.issuing import Checked, complete, erase_due
from issuer.secrecy import hashed
from issuer.store import offers as offer_store
from issuer.store.tables import credentials, deferrals, dpop_proofs, nonces, offers
from issuer.tokens import Access
from tests.services.issuer.deployed import ON, PERSON, Deployed, Place, running
from tests.services.issuer.sealing import Sealing, metadata, refused

Counts = tuple[int, ...]


async def counts(issuer: Deployed) -> Counts:
    def count(connection: Connection) -> Counts:
        tables = (credentials, deferrals, nonces, dpop_proofs)
        return tuple(connection.execute(select(func.count()).select_from(each)).scalar_one() for each in tables)

    return await issuer.deployment.database.read(count)


async def decide(issuer: Deployed, offer: dict[str, Any], verdict: str, role: str = "supervisor") -> httpx.Response:
    path = f"/api/v1/offers/{offer['offer_id']}/{verdict}"
    return await issuer.client.post(path, headers=issuer.as_role(role))


async def audited(issuer: Deployed) -> list[str]:
    answer = await issuer.client.get("/api/v1/audit", params={"authority": ON}, headers=issuer.as_role("auditor"))
    return [each["action"] for each in answer.json()["events"]]


class Waiting:
    """A wallet that took an offer which is decided later, and asked."""

    def __init__(self, issuer: Deployed) -> None:
        self.issuer, self.wallet = issuer, Sealing(issuer)
        self.offer: dict[str, Any] = {}
        self.transaction_id = ""

    async def begin(self, **offered: Any) -> "Waiting":
        self.offer = await self.issuer.offer(decide_later=True, **offered)
        await self.wallet.take(self.offer)
        answer = await self.ask()
        assert (answer.status_code, set(answer.json())) == (202, {"transaction_id", "interval"}), answer.text
        self.transaction_id = answer.json()["transaction_id"]
        return self

    async def ask(self, **members: Any) -> httpx.Response:
        asking = await self.wallet.asking(**{"credential_response_encryption": None, **members})
        return await self.wallet.plain(asking)

    async def poll(self, **members: Any) -> httpx.Response:
        body = {"transaction_id": self.transaction_id, **members}
        return await self.wallet.plain(body, "deferred_credential")


@pytest.fixture
async def waiting(issuer: Deployed) -> Waiting:
    return await Waiting(issuer).begin()


@pytest.mark.both_databases
@pytest.mark.clause("VCI-44")
async def test_what_was_approved_is_delivered_once(waiting: Waiting) -> None:
    issuer = waiting.issuer
    assert (await metadata(issuer))["deferred_credential_endpoint"].endswith(f"/{ON}/deferred_credential")
    again = await waiting.poll()
    assert (again.status_code, again.headers["cache-control"]) == (202, "no-store")
    assert again.json() == {"transaction_id": waiting.transaction_id, "interval": 60}
    assert (await counts(issuer))[0] == 0  # no record and no place in a list, so no signature
    assert (await decide(issuer, waiting.offer, "approve")).json()["decision"] == "approved"
    issuer.clock.advance(timedelta(days=3))
    await waiting.wallet.learn()
    answer = await waiting.poll()
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["credentials"]
    known = formats.FORMATS[Format.DC_SD_JWT]
    processed = known.process(known.open(item["credential"]).credentials[0])
    assert processed.holder_jwk is not None
    assert keys.thumbprint(processed.holder_jwk) == waiting.wallet.holder.thumbprint
    assert dict(processed.claims) == PERSON
    refused(await waiting.poll(), "invalid_transaction_id")
    told = await audited(issuer)
    assert [told.count(each) for each in ("credential_deferred", "offer_approved", "credential_issued")] == [1, 1, 1]


@pytest.mark.fault("F05")
async def test_a_lost_answer_is_had_again_where_it_was_asked_for_first(waiting: Waiting) -> None:
    await decide(waiting.issuer, waiting.offer, "approve")
    assert (await waiting.poll()).status_code == 200
    again = await waiting.ask()
    assert (again.status_code, (await counts(waiting.issuer))[0]) == (200, 1)


async def test_a_repeated_request_gets_the_same_id(waiting: Waiting) -> None:
    again = await waiting.ask()
    assert (again.status_code, again.json()["transaction_id"]) == (202, waiting.transaction_id)
    assert (await counts(waiting.issuer))[:2] == (0, 1)
    assert (await audited(waiting.issuer)).count("credential_deferred") == 1


@pytest.mark.clause("VCI-50")
async def test_what_was_denied_is_told_and_never_issued(waiting: Waiting) -> None:
    assert (await decide(waiting.issuer, waiting.offer, "deny")).json()["decision"] == "denied"
    for _ in range(2):
        refused(await waiting.poll(), "credential_request_denied")
        refused(await waiting.ask(), "credential_request_denied")
    assert (await counts(waiting.issuer))[0] == 0

    def kept(connection: Connection) -> tuple[Any, Any]:
        claims = connection.execute(select(offers.c.sealed_claims)).scalar_one()
        return claims, connection.execute(select(deferrals.c.sealed_keys)).scalar_one()

    assert await waiting.issuer.deployment.database.read(kept) == (None, None)


async def test_decided_before_it_was_asked_for(issuer: Deployed) -> None:
    for verdict, status in (("approve", 200), ("deny", 400)):
        waiting = Waiting(issuer)
        waiting.offer = await issuer.offer(decide_later=True)
        assert (await decide(issuer, waiting.offer, verdict)).status_code == 200
        await waiting.wallet.take(waiting.offer)
        assert (await waiting.ask()).status_code == status


# --- bound to the token, the holder key and the key of the answer (I14)


@pytest.mark.clause("VCI-50")
@pytest.mark.attack("I14")
@pytest.mark.good_twin("I14")
async def test_an_id_is_of_one_token(waiting: Waiting) -> None:
    other = await Waiting(waiting.issuer).begin()
    assert other.transaction_id != waiting.transaction_id
    for each in (waiting, other):
        await decide(each.issuer, each.offer, "approve")
    stolen, other.transaction_id = other.transaction_id, waiting.transaction_id
    before = await counts(waiting.issuer)
    refused(await other.poll(), "invalid_transaction_id")
    assert await counts(waiting.issuer) == before
    other.transaction_id = stolen
    assert (await other.poll()).status_code == 200
    assert (await waiting.poll()).status_code == 200


@pytest.mark.parametrize("guess", ["", "of nobody", "é", "A" * 43])
@pytest.mark.clause("4-7")
@pytest.mark.attack("I14")
@pytest.mark.good_twin("I14")
async def test_an_unknown_id(waiting: Waiting, guess: str) -> None:
    body = await waiting.poll(transaction_id=guess)
    refused(body, "invalid_transaction_id" if guess else "invalid_credential_request")
    assert (await waiting.poll()).status_code == 202


@pytest.mark.parametrize("body", [{}, {"transaction_id": 7}, {"transaction_id": None}])
async def test_a_malformed_request(waiting: Waiting, body: dict[str, Any]) -> None:
    refused(await waiting.wallet.plain(body, "deferred_credential"), "invalid_credential_request")
    assert (await waiting.poll(future={"x": 1})).status_code == 202  # unknown members are ignored


@pytest.mark.attack("I14")
@pytest.mark.good_twin("I14")
async def test_the_first_proof_decides_for_whose_key_it_is(waiting: Waiting) -> None:
    mine, waiting.wallet.holder = waiting.wallet.holder, KeySigner.generate()
    for verdict in (None, "approve"):  # neither while it waits nor after
        if verdict:
            await decide(waiting.issuer, waiting.offer, verdict)
        before = await counts(waiting.issuer)
        refused(await waiting.ask(), "credential_request_denied")
        assert await counts(waiting.issuer) == before
    waiting.wallet.holder = mine
    assert (await waiting.ask()).status_code == 200


async def test_a_token_that_waits_is_bound_to_a_key(issuer: Deployed) -> None:
    offer = await issuer.offer(decide_later=True)
    bare = await issuer.redeem(offer)
    assert (bare.status_code, bare.json()["error"]) == (400, "invalid_dpop_proof")
    wallet = Sealing(issuer)
    await wallet.learn()
    good = await wallet.redeem(offer)
    assert (good.status_code, good.json()["expires_in"]) == (200, 14 * 86_400)
    plain = await issuer.redeem(await issuer.offer())
    assert (plain.status_code, plain.json()["expires_in"]) == (200, 300)


@pytest.mark.attack("I14")
@pytest.mark.good_twin("I14")
async def test_a_token_that_waits_is_no_bearer_token(waiting: Waiting) -> None:
    headers = {"authorization": f"Bearer {waiting.wallet.token}"}
    path, body = f"/{ON}/deferred_credential", {"transaction_id": waiting.transaction_id}
    answer = await waiting.issuer.client.post(path, json=body, headers=headers)
    refused(answer, "invalid_token", 401)
    nothing = await waiting.issuer.client.post(path, json=body)
    assert (nothing.status_code, nothing.content) == (401, b"")
    assert (await waiting.poll()).status_code == 202


@pytest.mark.clause("VCI-50")
@pytest.mark.attack("I14")
@pytest.mark.good_twin("I14")
async def test_the_answer_is_encrypted_as_this_request_says(waiting: Waiting) -> None:
    """VCI-50: from this request only; a new key may take the place of the first, and none makes a plain answer."""
    wallet, id_ = waiting.wallet, {"transaction_id": waiting.transaction_id}
    first = await wallet.post(await wallet.asking())
    assert wallet.opened(first, 202)["transaction_id"] == waiting.transaction_id
    assert (await waiting.poll()).json()["transaction_id"] == waiting.transaction_id
    new = EncryptionKey.generate("new")
    wanted = wallet.wanted(jwk=dict(new.public_jwk))
    refused(await waiting.poll(credential_response_encryption=wanted), "invalid_encryption_parameters")
    sent = {**id_, "credential_response_encryption": wanted}
    pending = await wallet.post(sent, endpoint="deferred_credential")
    assert wallet.opened(pending, 202, new)["interval"] == 60
    await decide(waiting.issuer, waiting.offer, "approve")
    assert wallet.opened(await wallet.post(sent, endpoint="deferred_credential"), key=new)["credentials"]


async def test_a_deployment_can_refuse_plain_polls(place: Place) -> None:
    async with running(place, encryption_required=True) as issuer:
        waiting = Waiting(issuer)
        waiting.offer = await issuer.offer(decide_later=True)
        await waiting.wallet.take(waiting.offer)
        first = waiting.wallet.opened(await waiting.wallet.post(await waiting.wallet.asking()), 202)
        waiting.transaction_id = first["transaction_id"]
        refused(await waiting.poll(), "invalid_encryption_parameters")


# --- deciding


async def test_what_was_decided_stays_decided(waiting: Waiting) -> None:
    issuer = waiting.issuer
    for _ in range(2):
        assert (await decide(issuer, waiting.offer, "approve")).status_code == 200
    assert (await decide(issuer, waiting.offer, "deny")).status_code == 409
    assert (await audited(issuer)).count("offer_approved") == 1
    assert "offer_denied" not in await audited(issuer)
    assert (await waiting.poll()).status_code == 200


@pytest.mark.both_databases
async def test_of_two_who_decide_at_once_one_is_heard(waiting: Waiting) -> None:
    verdicts = ("approve", "deny") * 4
    answers = await asyncio.gather(*(decide(waiting.issuer, waiting.offer, each) for each in verdicts))
    assert sorted(each.status_code for each in answers) == [200] * 4 + [409] * 4
    told = await audited(waiting.issuer)
    assert told.count("offer_approved") + told.count("offer_denied") == 1


async def test_who_may_decide_about_what(waiting: Waiting) -> None:
    issuer = waiting.issuer
    for role, status in (("clerk", 403), ("auditor", 403), ("bc", 403)):
        assert (await decide(issuer, waiting.offer, "approve", role)).status_code == status
    ordinary = await issuer.offer()
    assert (await decide(issuer, ordinary, "approve")).status_code == 409
    assert (await decide(issuer, ordinary, "ponder")).status_code == 400
    await issuer.client.post(f"/api/v1/offers/{waiting.offer['offer_id']}/cancel", headers=issuer.as_role("clerk"))
    assert (await decide(issuer, waiting.offer, "approve")).status_code == 409
    refused(await waiting.poll(), "invalid_token", 401)


async def test_polling_at_once_takes_one_place_for_one_key(waiting: Waiting) -> None:
    await decide(waiting.issuer, waiting.offer, "approve")
    answers = await asyncio.gather(*(waiting.poll() for _ in range(8)))
    assert {each.status_code for each in answers} <= {200, 400}
    assert (await counts(waiting.issuer))[0] == 1


@pytest.mark.both_databases
async def test_what_nobody_decided_in_time_is_erased(place: Place) -> None:
    async with running(place, deferred_seconds=3600) as issuer:
        waiting = await Waiting(issuer).begin()
        issuer.clock.advance(timedelta(seconds=3599))
        await erase_due(issuer.deployment)
        await waiting.wallet.learn()
        assert (await waiting.poll()).status_code == 202
        issuer.clock.advance(timedelta(seconds=1))
        assert await erase_due(issuer.deployment) == 1
        refused(await waiting.poll(), "invalid_token", 401)

        def kept(connection: Connection) -> Any:
            return connection.execute(select(deferrals.c.sealed_keys)).scalar_one()

        assert await issuer.deployment.database.read(kept) is None


async def test_a_credential_that_ended_while_it_waited_is_not_issued(issuer: Deployed) -> None:
    waiting = await Waiting(issuer).begin(valid_until="2026-11-24")
    await decide(issuer, waiting.offer, "approve")
    issuer.clock.advance(timedelta(days=2))
    await waiting.wallet.learn()
    refused(await waiting.poll(), "credential_request_denied")


@pytest.mark.fault("F09")
async def test_it_waits_through_a_restart(place: Place) -> None:
    async with running(place) as issuer:
        waiting = await Waiting(issuer).begin()
    async with running(place) as issuer:
        waiting.issuer = waiting.wallet.issuer = issuer
        await decide(issuer, waiting.offer, "approve")
        assert (await waiting.poll()).status_code == 200


@pytest.mark.parametrize("verdict", [None, "deny"])
async def test_nothing_is_signed_without_an_approval(waiting: Waiting, verdict: str | None) -> None:
    """The transaction that reserves looks once more, whatever was seen before it."""
    deployment, token_hash = waiting.issuer.deployment, hashed(waiting.wallet.token)
    authority, at = deployment.authority(ON), waiting.issuer.clock.now()
    if verdict:
        await decide(waiting.issuer, waiting.offer, verdict)
    offer = await deployment.database.read(
        lambda connection: offer_store.by_token(
            connection, authority=ON, token_hash=token_hash, now=int(at.timestamp())
        )
    )
    assert offer is not None
    holder = waiting.wallet.holder
    proof = CheckedProof(jwk=holder.public_jwk, thumbprint=holder.thumbprint, nonce=None, issued_at=at)
    checked = Checked(entry=deployment.catalogs[ON]["person.1.sdjwt"], proofs=(proof,), at=at)
    access = Access(token_hash=token_hash, offer=offer, proof=None)
    with pytest.raises(OAuthError) as refusal:
        await complete(deployment, authority, access, checked)
    assert refusal.value.error is OAuthErrorCode.CREDENTIAL_REQUEST_DENIED
    assert (await counts(waiting.issuer))[0] == 0
