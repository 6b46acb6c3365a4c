"""A wrong transaction code is answered with the tries that are left (decision record 0037), and nothing else is."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from comity.openid.issuance.attempts import MEMBER
from tests.services.issuer.deployed import GRANT, ON, Deployed

TRIES = 5


def wrong_for(offer: dict[str, Any]) -> str:
    return f"{(int(offer['transaction_code']) + 1) % 1_000_000:06d}"


async def test_each_wrong_code_leaves_one_try_less_and_the_last_one_none(issuer: Deployed) -> None:
    offer = await issuer.offer(transaction_code=True)
    for left in (*reversed(range(TRIES)), 0):
        answer = await issuer.redeem(offer, tx_code=wrong_for(offer))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert answer.json()[MEMBER] == left
    dead = await issuer.redeem(offer, tx_code=offer["transaction_code"])
    assert (dead.json()["error"], dead.json()[MEMBER]) == ("invalid_grant", 0), "the right code comes too late"


async def test_the_right_code_is_good_at_the_last_try(issuer: Deployed) -> None:
    offer = await issuer.offer(transaction_code=True)
    for _ in range(TRIES - 1):
        await issuer.redeem(offer, tx_code=wrong_for(offer))
    answer = await issuer.redeem(offer, tx_code=offer["transaction_code"])
    assert answer.status_code == 200
    assert MEMBER not in answer.json()


async def test_two_wrong_codes_at_once_are_told_two_numbers(issuer: Deployed) -> None:
    offer = await issuer.offer(transaction_code=True)
    answers = await asyncio.gather(*(issuer.redeem(offer, tx_code=wrong_for(offer)) for _ in range(TRIES)))
    assert sorted(each.json()[MEMBER] for each in answers) == list(range(TRIES))


@pytest.mark.parametrize("kind", ["unknown", "elsewhere", "cancelled", "used", "ended", "missing", "unexpected"])
async def test_nothing_is_told_where_it_was_not_the_transaction_code(issuer: Deployed, kind: str) -> None:
    offer = await issuer.offer(transaction_code=kind != "unexpected")
    fields = {"tx_code": "000000"} if kind != "missing" else {}
    if kind == "unknown":
        offer["credential_offer"]["grants"][GRANT]["pre-authorized_code"] = "somebody-guesses"
    elif kind == "elsewhere":
        assert offer["authority"] == ON
        offer["authority"] = "ca-bc/services"
    elif kind == "cancelled":
        path = f"/api/v1/offers/{offer['offer_id']}/cancel"
        assert (await issuer.client.post(path, headers=issuer.as_role("clerk"))).status_code == 200
    elif kind == "used":
        await issuer.token(offer, tx_code=offer["transaction_code"])
    elif kind == "ended":
        issuer.clock.advance(timedelta(days=30))
    answer = await issuer.redeem(offer, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_grant", "invalid_request"}
    assert MEMBER not in answer.json()
