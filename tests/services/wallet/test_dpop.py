"""Bound tokens in the wallet: whenever the issuer can, never as Bearer, no downgrade, recovery with the same key."""

from typing import Any

import pytest

from comity import jose, keys, strict_json
from comity.errors import Code, Unreachable
from comity.openid import dpop
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.forging import metadata_saying
from tests.services.wallet.test_interrupted import take, unlock
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import Person, Town
from tests.support.in_process import fetched
from wallet.records import PENDING

GONE = Unreachable(Code.UNREACHABLE, "the answer was lost")
SERVER, ENDPOINT = "oauth-authorization-server", "services/credential"


def sent(town: Town, ending: str) -> list[FetchRequest]:
    return [each for each in town.net.asked if each.url.endswith(f"/services/{ending}")]


def key_of(request: FetchRequest) -> str:
    return keys.thumbprint(jose.parse(request.headers[dpop.HEADER]).header["jwk"])


def claims_of(request: FetchRequest) -> dict[str, Any]:
    return jose.payload_object(jose.parse(request.headers[dpop.HEADER]))


async def test_every_request_with_a_token_is_proven_by_one_key(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer(formats=["dc+sd-jwt", "vc+jwt"]))
    asked = [each for ending in ("token", "credential", "notification") for each in sent(town, ending)]
    assert len({key_of(each) for each in asked}) == 1
    assert len({claims_of(each)["jti"] for each in asked}) == len(asked)
    bearing = [each for each in town.net.asked if "authorization" in each.headers]
    assert len(bearing) == len(sent(town, "credential")) + len(sent(town, "notification"))
    assert all(each.headers["authorization"].startswith("DPoP ") for each in bearing)
    found = (await town.desk.get("/api/v1/credentials", params={"authority": "ca-on/services"})).json()
    assert "dpop" not in str(found)


@pytest.mark.attack("I21")
async def test_each_exchange_has_a_key_of_its_own(town: Town, maya: Person) -> None:  # I21
    for _ in range(2):
        await maya.receive(await town.offer())
    assert len({key_of(each) for each in sent(town, "token")}) == 2


@pytest.mark.clause("VCI-24")
async def test_the_nonce_is_learnt_from_any_answer_and_a_refusal_is_tried_again_once(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    assert ["nonce" in claims_of(each) for each in sent(town, "token")] == [False, True]
    assert ["nonce" in claims_of(each) for each in sent(town, "credential")] == [True]


@pytest.mark.parametrize(
    "headers",
    [
        {"dpop-nonce": "n", "content-type": "application/json"},
        {"DPoP-Nonce": "n", "www-authenticate": 'DPoP error="use_dpop_nonce", algs="ES256"'},
    ],
)
async def test_a_server_that_always_wants_another_nonce_is_asked_twice(
    town: Town, maya: Person, headers: dict[str, str]
) -> None:
    body = b'{"error":"use_dpop_nonce"}' if "content-type" in headers else b""
    count = iter(range(9))

    def refuse(request: FetchRequest, _answer: Fetched | None) -> Fetched:
        given = {name: f"n{next(count)}" if value == "n" else value for name, value in headers.items()}
        return fetched(request.url, body, town.clock, status=401, headers=given)

    town.net.instead(ENDPOINT, refuse)
    await take(town, maya, 403)
    assert [claims_of(each)["nonce"] for each in sent(town, "credential")][1:] == ["n0"]


async def test_an_issuer_without_dpop_gets_a_bearer_token(town: Town, maya: Person) -> None:
    town.net.afterwards(SERVER, metadata_saying(town, dpop_signing_alg_values_supported=["ES256K"]))
    await maya.receive(await town.offer())
    assert {each.headers["authorization"].split(" ")[0] for each in sent(town, "credential")} == {"Bearer"}
    assert not any(dpop.HEADER in each.headers for each in town.net.asked)


@pytest.mark.parametrize("algorithm", ["ES384", "EdDSA"])
async def test_the_key_is_of_an_algorithm_that_the_server_has(town: Town, maya: Person, algorithm: str) -> None:
    town.net.afterwards(SERVER, metadata_saying(town, dpop_signing_alg_values_supported=["PS256", algorithm]))
    await maya.receive(await town.offer())
    (request,) = sent(town, "credential")
    assert jose.parse(request.headers[dpop.HEADER]).header["alg"] == algorithm


@pytest.mark.parametrize("token_type", ["Bearer", "N_A"])
@pytest.mark.attack("I09", "I21")
@pytest.mark.good_twin("I09", "I21")
async def test_a_downgrade_is_refused_and_the_token_goes_nowhere(town: Town, maya: Person, token_type: str) -> None:
    def downgrade(request: FetchRequest, answer: Fetched | None) -> Fetched | None:
        assert answer is not None
        if answer.status != 200:
            return None
        told = strict_json.parse_object(answer.body)
        return fetched(request.url, strict_json.serialise({**told, "token_type": token_type}), town.clock)

    town.net.afterwards("services/token", downgrade)
    await take(town, maya, 400)
    assert not any("authorization" in each.headers for each in town.net.asked)
    assert await maya.credentials() == []
    town.net.heal()
    await maya.receive(await town.offer())


async def test_an_issuer_that_binds_although_nobody_asked_is_refused(town: Town, maya: Person) -> None:
    told = {"access_token": "t", "token_type": "DPoP"}
    town.net.afterwards(SERVER, metadata_saying(town, dpop_signing_alg_values_supported=["ES256K"]))
    town.net.instead("services/token", fetched("", strict_json.serialise(told), town.clock))
    await take(town, maya, 400)
    assert sent(town, "credential") == []


async def test_a_lost_reply_is_asked_for_again_with_the_same_key(town: Town, maya: Person) -> None:  # F06
    town.net.afterwards(ENDPOINT, GONE)
    await take(town, maya, 502)
    town.net.heal()
    await unlock(maya)
    assert len(await maya.credentials()) == 1
    first, again = sent(town, "credential")
    assert key_of(first) == key_of(again) == key_of(sent(town, "token")[0])
    assert claims_of(first)["jti"] != claims_of(again)["jti"]
    assert await (await opened(town)).all(PENDING) == []


async def test_a_line_of_before_dpop_is_finished_as_bearer(town: Town, maya: Person) -> None:
    town.net.afterwards(SERVER, metadata_saying(town, dpop_signing_alg_values_supported=["ES256K"]))
    town.net.afterwards(ENDPOINT, GONE)
    await take(town, maya, 502)
    town.net.heal()
    wallet = await opened(town)
    (line,) = await wallet.all(PENDING)
    old = {name: value for name, value in line.content.items() if name != "dpop_key"}
    await wallet.commit(delete=[(PENDING, line.id)])
    await wallet.put(PENDING, "old", old)
    await unlock(maya)
    assert len(await maya.credentials()) == 1
    assert {each.headers["authorization"].split(" ")[0] for each in sent(town, "credential")} == {"Bearer"}
