"""The same credential once more: from the authority's own system, for other keys, with one fate (VCI-45, VCI-46)."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from comity import formats
from comity.credential import Format
from comity.keys import KeySigner
from issuer import renewing
from issuer.issuing import erase_due
from tests.services.issuer.deployed import LICENCE, ON, PERSON, Deployed, Place, running
from tests.services.issuer.sealing import refused
from tests.services.issuer.test_dpop import Wallet

TODAY = {**PERSON, "given_names": "Maya Rose"}


@pytest.fixture
def place(place: Place) -> Place:
    """The authority's own system has a newer name for the record than the clerk typed."""
    (place.folder / "people.json").write_text(json.dumps({"file-7": {"person": TODAY}}), "utf-8")
    return place


async def started(issuer: Deployed, **offered: Any) -> tuple[Wallet, dict[str, Any]]:
    """Return a wallet that got its first credential."""
    wallet = Wallet(issuer)
    offer = await issuer.offer(**{"record_reference": "file-7", **offered})
    await wallet.take(offer)
    assert (await ask(wallet)).status_code == 200
    return wallet, offer


async def ask(wallet: Wallet, *holders: KeySigner, configuration: str = "person.1.sdjwt") -> httpx.Response:
    c_nonce = await wallet.learn()
    proofs = [wallet.issuer.proof(each, c_nonce) for each in holders or (KeySigner.generate(),)]
    body = {"credential_configuration_id": configuration, "proofs": {"jwt": proofs}}
    headers = {"authorization": f"DPoP {wallet.token}", "dpop": wallet.proof("credential")}
    return await wallet.issuer.client.post(f"/{ON}/credential", json=body, headers=headers)


def claims(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    known = formats.FORMATS[Format.DC_SD_JWT]
    came = [each["credential"] for each in answer.json()["credentials"]]
    return [dict(known.process(known.open(each).credentials[0]).claims) for each in came]


async def issued(issuer: Deployed, offer: dict[str, Any]) -> list[dict[str, Any]]:
    found = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role("clerk"))
    return list(found.json()["credentials"])


@pytest.mark.both_databases
async def test_it_comes_again_with_the_claims_of_today(issuer: Deployed) -> None:
    wallet, offer = await started(issuer)
    holders = [KeySigner.generate() for _ in range(3)]
    assert claims(await ask(wallet, *holders)) == [TODAY] * 3
    again = await ask(wallet, *holders)  # an answer that was lost takes no further places
    assert claims(again) == [TODAY] * 3
    records = await issued(issuer, offer)
    assert len(records) == 4
    assert len({(each["status_list"], each["status_index"]) for each in records}) == 4
    assert len({each["valid_until"] for each in records}) == 1
    told = await issuer.client.get("/api/v1/audit", params={"authority": ON}, headers=issuer.as_role("auditor"))
    assert [each["action"] for each in told.json()["events"]].count("credential_reissued") == 1


async def test_it_comes_again_after_the_first_claims_were_erased(place: Place) -> None:
    async with running(place, retry_seconds=0) as issuer:
        wallet, _ = await started(issuer)
        issuer.clock.advance(timedelta(seconds=1))
        assert await erase_due(issuer.deployment) == 1
        assert claims(await ask(wallet)) == [TODAY]


async def test_its_notification_is_heard(issuer: Deployed) -> None:
    wallet, _ = await started(issuer)
    told = {"notification_id": (await ask(wallet)).json()["notification_id"], "event": "credential_accepted"}
    headers = {"authorization": f"DPoP {wallet.token}", "dpop": wallet.proof("notification")}
    answer = await issuer.client.post(f"/{ON}/notification", json=told, headers=headers)
    assert answer.status_code == 204


async def test_without_a_source_it_is_had_at_the_counter(issuer: Deployed) -> None:
    for offered in ({"record_reference": None}, {"record_reference": "of nobody"}):
        wallet, offer = await started(issuer, **offered)
        answer = await ask(wallet)
        refused(answer, "credential_request_denied")
        assert "counter" in answer.json()["error_description"]
        assert len(await issued(issuer, offer)) == 1


async def test_claims_that_do_not_fit_any_more_are_not_issued(place: Place) -> None:
    (place.folder / "people.json").write_text(json.dumps({"file-7": {"person": {"birthdate": "yesterday"}}}), "utf-8")
    async with running(place) as issuer:
        wallet, _ = await started(issuer)
        refused(await ask(wallet), "credential_request_denied")


async def test_an_overheard_bearer_token_gets_nothing_for_other_keys(issuer: Deployed) -> None:
    offer = await issuer.offer(record_reference="file-7")
    token = await issuer.token(offer)
    assert (await issuer.receive(offer, token=token)).status_code == 200
    refused(await issuer.receive(offer, token=token), "credential_request_denied")
    assert len(await issued(issuer, offer)) == 1


@pytest.mark.parametrize("verb", ["revoke", "suspend"])
async def test_all_copies_share_one_fate_and_none_is_made_after(issuer: Deployed, verb: str) -> None:
    wallet, offer = await started(issuer, type="person/1")
    assert (await ask(wallet, KeySigner.generate(), KeySigner.generate())).status_code == 200
    _, other = await started(issuer)
    records = await issued(issuer, offer)
    path, headers = f"/api/v1/credentials/{records[1]['id']}", issuer.as_role("supervisor")
    answer = await issuer.client.post(f"{path}/{verb}", json={"reason": "lost"}, headers=headers)
    if answer.status_code == 409:  # credentials of this type are not suspended
        assert {each["status"] for each in await issued(issuer, offer)} == {"valid"}
        return
    assert {each["status"] for each in await issued(issuer, offer)} == {"revoked" if verb == "revoke" else "suspended"}
    assert {each["status"] for each in await issued(issuer, other)} == {"valid"}
    refused(await ask(wallet), "credential_request_denied")
    assert len(await issued(issuer, offer)) == 3


async def test_the_copies_of_another_format_have_their_own_fate(issuer: Deployed) -> None:
    offer = await issuer.offer(type="drivers-licence/1", claims=LICENCE, formats=["dc+sd-jwt", "vc+jwt"])
    token = await issuer.token(offer)
    keys = [KeySigner.generate(), KeySigner.generate()]
    for configuration in offer["configuration_ids"]:
        answer = await issuer.receive(offer, *keys, configuration=configuration, token=token)
        assert answer.status_code == 200, answer.text
    one = next(each for each in await issued(issuer, offer) if each["format"] == "vc+jwt")
    path, headers = f"/api/v1/credentials/{one['id']}/revoke", issuer.as_role("supervisor")
    assert (await issuer.client.post(path, json={"reason": "lost"}, headers=headers)).status_code == 200
    stands = {(each["format"], each["status"]) for each in await issued(issuer, offer)}
    assert stands == {("vc+jwt", "revoked"), ("dc+sd-jwt", "valid")}


async def test_it_is_not_issued_for_ever(issuer: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "MOST", 2)
    wallet, offer = await started(issuer)
    for _ in range(2):
        assert (await ask(wallet)).status_code == 200
    refused(await ask(wallet), "credential_request_denied")
    assert len(await issued(issuer, offer)) == 3


async def test_one_revoked_copy_is_enough(issuer: Deployed) -> None:
    """Another format of the same document was revoked: neither is issued again."""
    wallet, offer = Wallet(issuer), await issuer.offer(record_reference="file-7", formats=["dc+sd-jwt", "vc+jwt"])
    await wallet.take(offer)
    for configuration in offer["configuration_ids"]:
        assert (await ask(wallet, configuration=configuration)).status_code == 200
    assert (await ask(wallet)).status_code == 200
    one = next(each for each in await issued(issuer, offer) if each["format"] == "vc+jwt")
    path, headers = f"/api/v1/credentials/{one['id']}/revoke", issuer.as_role("supervisor")
    assert (await issuer.client.post(path, json={"reason": "lost"}, headers=headers)).status_code == 200
    refused(await ask(wallet), "credential_request_denied")
