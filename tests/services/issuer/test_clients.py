"""Client authentication at the issuer (profile section 5; I18): each defect changes nothing, its good twin passes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select

from comity.errors import Misconfigured
from comity.keys import KeySigner
from comity.openid import client_assertion, client_attestation, key_proof
from comity.openid.oauth import AuthorizationServerMetadata
from issuer.issuing import erase_due
from issuer.store.offers import CLOCK_SECONDS
from issuer.store.tables import client_proofs, offers
from tests.services.issuer.deployed import BC, GRANT, NOW, ON, PUBLIC_URL, Deployed, Place, running
from tests.support.attesting import CLIENT_ID, Provider
from tests.support.forging import flipped

SERVER, PORTAL = f"{PUBLIC_URL}/{ON}", "portal"
PROVIDER, STRANGER = Provider(NOW), Provider(NOW)
PORTAL_KEY = KeySigner.generate()
PERSON = "person.1.sdjwt"


def trusting(place: Place, **changes: Any) -> dict[str, Any]:
    """Write both files; return the settings that name them."""
    providers, clients = place.folder / "providers.json", place.folder / "clients.json"
    providers.write_text(json.dumps([PROVIDER.entry()]), "utf-8")
    clients.write_text(json.dumps([{"client_id": PORTAL, "keys": [dict(PORTAL_KEY.public_jwk)]}]), "utf-8")
    return {"wallet_providers_file": providers, "clients_file": clients, **changes}


@dataclass
class Wallet:
    """A wallet of the provider."""

    issuer: Deployed
    instance: KeySigner = field(default_factory=KeySigner.generate)

    async def challenge(self, authority: str = ON) -> str:
        answer = await self.issuer.client.post(f"/{authority}/challenge")
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return str(answer.json()["attestation_challenge"])

    async def headers(self, **changes: Any) -> list[tuple[str, str]]:
        challenge = changes.pop("challenge") if "challenge" in changes else await self.challenge()
        attested = changes.pop("attestation", None) or PROVIDER.attestation(self.instance, self.issuer.clock.now())
        proof = PROVIDER.pop(self.instance, SERVER, challenge, **{"at": self.issuer.clock.now(), **changes})
        return [(client_attestation.HEADER, attested), (client_attestation.POP_HEADER, proof)]

    async def redeem(
        self, offer: dict[str, Any], headers: list[tuple[str, str]] | None = None, **fields: str
    ) -> httpx.Response:
        grant = offer["credential_offer"]["grants"][GRANT]
        form = {"grant_type": GRANT, "pre-authorized_code": grant["pre-authorized_code"], **fields}
        sent = await self.headers() if headers is None else headers
        return await self.issuer.client.post(f"/{ON}/token", data=form, headers=sent)


@pytest.fixture
async def issuer(place: Place) -> AsyncIterator[Deployed]:
    async with running(place, **trusting(place)) as deployed:
        yield deployed


@pytest.fixture
async def strict(place: Place) -> AsyncIterator[Wallet]:
    async with running(place, **trusting(place, client_authentication="required")) as deployed:
        yield Wallet(deployed)


@pytest.fixture
async def wallet(issuer: Deployed) -> Wallet:
    return Wallet(issuer)


async def rows(issuer: Deployed) -> tuple[int, ...]:
    def count(connection: Connection) -> tuple[int, ...]:
        redeemed = select(func.count()).select_from(offers).where(offers.c.state != "open")
        used = select(func.count()).select_from(client_proofs)
        return tuple(connection.execute(each).scalar_one() for each in (redeemed, used))

    return await issuer.deployment.database.read(count)


def refused(answer: httpx.Response, error: str = "invalid_client_attestation", status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert (client_attestation.CHALLENGE_HEADER in answer.headers) == (error == "use_attestation_challenge")


# --- the way through


@pytest.mark.clause("WA-1")
async def test_what_the_metadata_say(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")
    found = AuthorizationServerMetadata.parse(answer.content, issuer=SERVER)
    assert found.client_authentication.methods == (
        "attest_jwt_client_auth",
        "attest_jwt_client_auth_dpop",
        "private_key_jwt",
        "none",
    )
    assert found.client_authentication.challenge_endpoint == f"{SERVER}/challenge"
    assert found.client_authentication.pop_algorithms == ("ES256", "ES384", "EdDSA")
    assert found.anonymous_access


async def test_a_wallet_shows_who_made_it_and_its_token_is_given_to_it(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer()
    answer = await wallet.redeem(offer, client_id=CLIENT_ID)
    assert answer.status_code == 200, answer.text
    redeemed = await wallet.issuer.deployment.database.read(
        lambda connection: connection.execute(select(offers.c.client_id, offers.c.client_key)).all()
    )
    assert [tuple(row) for row in redeemed] == [(CLIENT_ID, wallet.instance.thumbprint)]
    # OpenID4VCI F.1: iss in a key proof is the client that the token was given to, or is not there.
    for client, status in (("https://other.example", 400), (CLIENT_ID, 200)):
        proof = key_proof.build(
            KeySigner.generate(),
            audience=SERVER,
            nonce=await wallet.issuer.nonce(),
            issued_at=wallet.issuer.clock.now(),
            client_id=client,
        )
        issued = await wallet.issuer.request(answer.json()["access_token"], PERSON, [proof])
        assert issued.status_code == status, issued.text


async def test_the_certificate_of_a_provider_counts_like_its_key(wallet: Wallet) -> None:
    attested = PROVIDER.attestation(wallet.instance, chain=PROVIDER.chain)
    answer = await wallet.redeem(await wallet.issuer.offer(), await wallet.headers(attestation=attested))
    assert answer.status_code == 200, answer.text


async def test_token_and_credential_still_take_three_durable_commits(
    wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer, database = await wallet.issuer.offer(), wallet.issuer.deployment.database
    written: list[object] = []
    real = database.write

    async def write(unit: Any) -> Any:
        written.append(unit)
        return await real(unit)

    monkeypatch.setattr(database, "write", write)
    token = (await wallet.redeem(offer)).json()["access_token"]
    assert (await wallet.issuer.receive(offer, token=token)).status_code == 200
    assert len([unit for unit in written if "erase_due" not in getattr(unit, "__qualname__", "")]) == 3


async def test_a_registered_client(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer()
    form = client_assertion.build(PORTAL_KEY, client_id=PORTAL, audience=SERVER, at=NOW)
    refused(await wallet.redeem(offer, [], **form, client_id="another"), "invalid_client", 401)
    assert (await wallet.redeem(offer, [], **form, client_id=PORTAL)).status_code == 200
    # I18, jti: the same statement again, for another offer
    refused(await wallet.redeem(await wallet.issuer.offer(), [], **form), "invalid_client", 401)
    again = client_assertion.build(PORTAL_KEY, client_id=PORTAL, audience=SERVER, at=NOW)
    assert (await wallet.redeem(await wallet.issuer.offer(), [], **again)).status_code == 200


# --- nobody, and more than one


@pytest.mark.clause("HAIP-issuer")
async def test_required_means_required(strict: Wallet) -> None:
    offer = await strict.issuer.offer()
    answer = await strict.issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")
    assert answer.json()["token_endpoint_auth_methods_supported"] == [
        "attest_jwt_client_auth",
        "attest_jwt_client_auth_dpop",
        "private_key_jwt",
    ]
    assert answer.json()["pre-authorized_grant_anonymous_access_supported"] is False
    refused(await strict.redeem(offer, []), "invalid_client", 401)
    refused(await strict.redeem(offer, [], client_id="anybody"), "invalid_client", 401)
    assert await rows(strict.issuer) == (0, 0)
    assert (await strict.redeem(offer)).status_code == 200


async def test_nobody_takes_the_name_of_one_who_can_show_it(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer()
    for name in (CLIENT_ID, PORTAL):
        refused(await wallet.redeem(offer, [], client_id=name), "invalid_client", 401)
    refused(await wallet.redeem(offer, [], client_id="a" * 201), "invalid_request")
    refused(await wallet.redeem(offer, [], client_id="a\x00b"), "invalid_request")
    assert (await wallet.redeem(offer, [], client_id="somebody-else")).status_code == 200


@pytest.mark.clause("WA-1")
async def test_two_methods_at_once(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer()
    form = client_assertion.build(PORTAL_KEY, client_id=PORTAL, audience=SERVER, at=NOW)
    refused(await wallet.redeem(offer, await wallet.headers(), **form), "invalid_request")
    assert (await wallet.redeem(offer, [], **form)).status_code == 200


async def test_without_trust_in_anybody_what_is_shown_is_not_overlooked(place: Place) -> None:
    async with running(place) as issuer:
        wallet, offer = Wallet(issuer), await issuer.offer()
        assert (await issuer.client.post(f"/{ON}/challenge")).status_code == 404
        refused(await wallet.redeem(offer, await wallet.headers(challenge="c")))
        assert (await wallet.redeem(offer, [])).status_code == 200


# --- I18: forged, expired, replayed, of another, for another


Defect = Callable[[Wallet], Any]


async def _only(wallet: Wallet, keep: int) -> list[tuple[str, str]]:
    return [(await wallet.headers())[keep]]


async def _twice(wallet: Wallet) -> list[tuple[str, str]]:
    made = await wallet.headers()
    return [*made, made[1]]


DEFECTS: dict[str, Defect] = {
    "no-proof-of-possession": lambda wallet: _only(wallet, 0),
    "no-attestation": lambda wallet: _only(wallet, 1),
    "two-proofs-of-possession": _twice,
    "forged-attestation": lambda wallet: wallet.headers(attestation=flipped(PROVIDER.attestation(wallet.instance))),
    "attester-unknown": lambda wallet: wallet.headers(attestation=STRANGER.attestation(wallet.instance)),
    "attester-self-signed": lambda wallet: wallet.headers(
        attestation=PROVIDER.attestation(wallet.instance, signer=wallet.instance)
    ),
    "attestation-expired": lambda wallet: wallet.headers(
        attestation=PROVIDER.attestation(wallet.instance, NOW - timedelta(hours=3))
    ),
    "attestation-without-sub": lambda wallet: wallet.headers(
        attestation=PROVIDER.attestation(wallet.instance, payload={"sub": ...})
    ),
    "attestation-of-another-client": lambda wallet: wallet.headers(
        attestation=PROVIDER.attestation(wallet.instance, payload={"sub": PORTAL})
    ),
    "attestation-of-another-instance": lambda wallet: wallet.headers(
        attestation=PROVIDER.attestation(KeySigner.generate())
    ),
    "proof-by-another-key": lambda wallet: wallet.headers(signer=KeySigner.generate()),
    "proof-for-another-authority": lambda wallet: wallet.headers(payload={"aud": f"{PUBLIC_URL}/{BC}"}),
    "proof-for-the-endpoint": lambda wallet: wallet.headers(payload={"aud": f"{SERVER}/token"}),
    "algorithm-none": lambda wallet: wallet.headers(header={"alg": "none"}),
    "private-key-in-cnf": lambda wallet: wallet.headers(
        attestation=PROVIDER.attestation(wallet.instance, payload={"cnf": {"jwk": wallet.instance.private_jwk()}})
    ),
    "garbage": lambda wallet: wallet.headers(attestation="garbage"),
}


@pytest.mark.clause("WA-2")
@pytest.mark.attack("I18")
@pytest.mark.good_twin("I18")
async def test_a_defect_changes_nothing(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer()
    for name, defect in DEFECTS.items():
        answer = await wallet.redeem(offer, await defect(wallet))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_attestation"), (name, answer.text)
        assert await rows(wallet.issuer) == (0, 0), name
    assert (await wallet.redeem(offer)).status_code == 200
    assert await rows(wallet.issuer) == (1, 1)


@pytest.mark.clause("WA-4")
async def test_another_client_id_than_the_attested_one(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer()
    refused(await wallet.redeem(offer, client_id=PORTAL))
    assert (await wallet.redeem(offer, client_id=CLIENT_ID)).status_code == 200


@pytest.mark.clause("WA-4")
@pytest.mark.attack("I18")
@pytest.mark.good_twin("I18")
async def test_an_attestation_that_is_too_old(place: Place) -> None:
    async with running(place, **trusting(place, attestation_seconds=600)) as issuer:
        wallet, offer = Wallet(issuer), await issuer.offer()
        old = PROVIDER.attestation(wallet.instance, NOW - timedelta(seconds=601))
        refused(await wallet.redeem(offer, await wallet.headers(attestation=old)), "use_fresh_attestation")
        young = PROVIDER.attestation(wallet.instance, NOW - timedelta(seconds=600))
        assert (await wallet.redeem(offer, await wallet.headers(attestation=young))).status_code == 200


# --- challenges


@pytest.mark.clause("WA-4")
async def test_the_challenge_is_asked_for_and_comes_with_the_answer(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer(transaction_code=True)
    given = ""
    for challenge in (None, "guess", await wallet.issuer.nonce(), await wallet.challenge(BC)):
        answer = await wallet.redeem(offer, await wallet.headers(challenge=challenge))
        refused(answer, "use_attestation_challenge")
        given = answer.headers[client_attestation.CHALLENGE_HEADER]
    assert await rows(wallet.issuer) == (0, 0)
    good = await wallet.redeem(offer, await wallet.headers(challenge=given), tx_code=offer["transaction_code"])
    assert good.status_code == 200, good.text


async def test_a_challenge_ends(place: Place) -> None:
    async with running(place, **trusting(place, nonce_seconds=60)) as issuer:
        wallet, offer = Wallet(issuer), await issuer.offer()
        challenge = await wallet.challenge()
        issuer.clock.advance(timedelta(seconds=60))
        refused(await wallet.redeem(offer, await wallet.headers(challenge=challenge)), "use_attestation_challenge")
        issuer.clock.advance(timedelta(seconds=-1))
        assert (await wallet.redeem(offer, await wallet.headers(challenge=challenge))).status_code == 200


@pytest.mark.clause("WA-3")
@pytest.mark.attack("I18")
@pytest.mark.good_twin("I18")
async def test_a_challenge_is_good_once_whoever_uses_it(wallet: Wallet) -> None:
    challenge, other = await wallet.challenge(), Wallet(wallet.issuer)
    headers = await wallet.headers(challenge=challenge)
    assert (await wallet.redeem(await wallet.issuer.offer(), headers)).status_code == 200
    offer = await wallet.issuer.offer()
    refused(await wallet.redeem(offer, headers))
    refused(await other.redeem(offer, await other.headers(challenge=challenge)))
    assert await rows(wallet.issuer) == (1, 1)
    assert (await other.redeem(offer)).status_code == 200


async def test_twenty_at_once_with_one_proof_get_one_token(wallet: Wallet) -> None:
    made = [await wallet.issuer.offer() for _ in range(20)]
    headers = await wallet.headers()
    answers = await asyncio.gather(*(wallet.redeem(offer, headers) for offer in made))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    assert await rows(wallet.issuer) == (1, 1)


async def test_a_wrong_transaction_code_uses_the_proof_up(wallet: Wallet) -> None:
    offer = await wallet.issuer.offer(transaction_code=True)
    headers, code = await wallet.headers(), offer["transaction_code"]
    wrong = "000000" if code != "000000" else "111111"
    refused(await wallet.redeem(offer, headers, tx_code=wrong), "invalid_grant")
    refused(await wallet.redeem(offer, headers, tx_code=code))
    assert (await wallet.redeem(offer, tx_code=code)).status_code == 200


async def test_without_challenges_it_is_the_proofs_own_name_that_is_good_once(place: Place) -> None:
    async with running(place, **trusting(place, attestation_challenges=False)) as issuer:
        answer = await issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")
        assert "challenge_endpoint" not in answer.json()
        wallet = Wallet(issuer)
        headers = await wallet.headers(challenge=None)
        assert (await wallet.redeem(await issuer.offer(), headers)).status_code == 200
        offer = await issuer.offer()
        refused(await wallet.redeem(offer, headers))
        refused(await wallet.redeem(offer, await wallet.headers(challenge=None, at=NOW - timedelta(seconds=301))))
        assert (await wallet.redeem(offer, await wallet.headers(challenge=None))).status_code == 200


@pytest.mark.attack("Q06")
async def test_what_was_used_is_forgotten_when_it_could_not_pass_any_more(wallet: Wallet) -> None:
    assert (await wallet.redeem(await wallet.issuer.offer())).status_code == 200
    seconds = wallet.issuer.settings.nonce_seconds
    for passed, left in ((seconds + 119 + CLOCK_SECONDS, 1), (1, 0)):
        wallet.issuer.clock.advance(timedelta(seconds=passed))
        await erase_due(wallet.issuer.deployment)
        assert (await rows(wallet.issuer))[1] == left


# --- starting


async def test_required_and_nobody_trusted_refuses_to_start(place: Place) -> None:
    with pytest.raises(Misconfigured):
        async with running(place, client_authentication="required"):
            pass
