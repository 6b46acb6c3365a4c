"""The wallet shows who made it and where its keys lie, when asked, to each issuer as somebody else (WA-1 to WA-5)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from comity import jose, keys, strict_json
from comity.errors import Code, Denied, Misconfigured
from comity.keys import KeySigner
from comity.openid import client_attestation, key_attestation
from comity.openid.key_attestation import BASIC, Demand
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.forging import metadata_saying
from tests.services.wallet.test_interrupted import take, unlock
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import AUTHORITIES, BC, ISSUER, NOW, ON, WALLET, Ground, Person, Town, running
from tests.support.attesting import Provider
from tests.support.forging import header_of, payload_of
from tests.support.in_process import Change, fetched
from wallet import attesting
from wallet.attesting import WalletProvider
from wallet.cli import cli
from wallet.records import PENDING

SERVER = "oauth-authorization-server"


def provided(
    ground: Ground, *, demand: dict[str, Any] | None = None, of: str = "person/1", **changes: Any
) -> dict[str, Any]:
    """Make a provider's key that the issuer trusts; return settings of both."""
    key, file = ground.folder / "provider.pem", ground.folder / "providers.json"
    attesting.create_key(key)
    provider = attesting.open_provider(key, name=WALLET, client_id=None)
    file.write_text(json.dumps([provider.entry()]), "utf-8")
    if demand is not None:
        types = [*AUTHORITIES[0]["types"], "fare-subsidy/1"]
        described = [{**AUTHORITIES[0], "types": types, "key_attestations": {of: demand}}, *AUTHORITIES[1:]]
        (ground.folder / "authorities.json").write_text(json.dumps(described), "utf-8")
    return {"provider_key_file": key, "issuer_wallet_providers_file": file, **changes}


@pytest.fixture
async def town(ground: Ground) -> AsyncIterator[Town]:
    async with running(ground, **provided(ground, issuer_client_authentication="required")) as made:
        yield made


def sent(town: Town, ending: str) -> list[FetchRequest]:
    return [each for each in town.net.asked if each.url.endswith(f"/services/{ending}")]


def attestation_of(request: FetchRequest) -> str:
    return request.headers[client_attestation.HEADER]


def instance_of(request: FetchRequest) -> str:
    return keys.thumbprint(payload_of(attestation_of(request))["cnf"]["jwk"])


def claims_of(request: FetchRequest) -> dict[str, Any]:
    return payload_of(request.headers[client_attestation.POP_HEADER])


async def test_an_issuer_that_asks_is_shown_who_made_the_wallet(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    assert len(sent(town, "challenge")) == 1
    (token,) = sent(town, "token")  # the answer with the challenge brought the DPoP nonce too
    attested = payload_of(attestation_of(token))
    assert (attested["sub"], attested["iss"], attested["exp"] - attested["iat"]) == (WALLET, WALLET, 3600)
    assert set(attested) == {"iss", "sub", "iat", "exp", "cnf"}  # nothing of the person or the device
    assert claims_of(token)["aud"] == f"{ISSUER}/{ON}"
    assert f"client_id={WALLET.replace(':', '%3A').replace('/', '%2F')}" in (token.body or b"").decode()
    for other in ("credential", "nonce", "challenge", "notification"):
        assert not any(client_attestation.HEADER in each.headers for each in sent(town, other))


@pytest.mark.clause("WA-5")
async def test_no_two_issuers_and_no_two_visits_see_the_same_instance(town: Town, maya: Person) -> None:  # WA-5, I21
    for authority in (ON, BC, ON):
        await maya.receive(await town.offer(authority=authority))
    seen = sent(town, "token")
    assert len({instance_of(each) for each in seen}) == 3
    assert len({attestation_of(each) for each in seen}) == 3
    bound = {keys.thumbprint(jose.parse(each.headers["dpop"]).header["jwk"]) for each in seen}
    assert not bound & {instance_of(each) for each in seen}


async def test_a_wallet_that_nobody_vouches_for_is_refused_and_says_so(ground: Ground) -> None:
    settings = provided(ground, issuer_client_authentication="required")
    del settings["provider_key_file"]
    async with running(ground, **settings) as town:
        maya = await town.arrive()
        answer = await maya.post("credentials", offer=(await town.offer())["link"])
        assert (answer.status_code, answer.json()["code"]) == (403, "issuer_refused"), answer.text
        assert "invalid_client" in answer.text
        assert sent(town, "challenge") == []


async def test_a_wallet_of_a_maker_who_is_not_trusted(ground: Ground) -> None:
    settings = provided(ground)
    Path(settings["issuer_wallet_providers_file"]).write_text(json.dumps([Provider(NOW).entry()]), "utf-8")
    async with running(ground, **settings, issuer_client_authentication="required") as town:
        maya = await town.arrive()
        await take(town, maya, 403)
        assert len(sent(town, "token")) == 1  # it does not go on as somebody else
    async with running(ground, **settings) as town:  # an issuer that serves anonymous wallets too
        maya = await town.arrive("again")
        await maya.receive(await town.offer())
        first, second = sent(town, "token")
        assert client_attestation.HEADER in first.headers
        assert client_attestation.HEADER not in second.headers
        assert b"client_id" not in (second.body or b"")


@pytest.mark.clause("WA-3")
async def test_a_server_that_gives_its_challenge_only_with_a_refusal(town: Town, maya: Person) -> None:
    town.net.afterwards(SERVER, metadata_saying(town, challenge_endpoint=f"{ISSUER}/{ON}/nonce/../challenge"))
    await take(town, maya, 400)  # not an endpoint of that issuer
    town.net.heal()

    def without(request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert answer is not None
        told = strict_json.parse_object(answer.body)
        del told["challenge_endpoint"]
        return fetched(request.url, strict_json.serialise(told), town.clock)

    town.net.afterwards(SERVER, without)
    await maya.receive(await town.offer())
    first, *_, last = sent(town, "token")
    assert "challenge" not in claims_of(first)
    assert claims_of(last)["challenge"]
    assert claims_of(first)["jti"] != claims_of(last)["jti"]
    assert len(sent(town, "token")) == 2
    assert sent(town, "challenge") == []


async def test_a_server_that_always_wants_another_challenge_is_asked_twice(town: Town, maya: Person) -> None:
    refusal = strict_json.serialise({"error": "use_attestation_challenge"})
    headers = {"content-type": "application/json", client_attestation.CHALLENGE_HEADER: "again"}
    town.net.instead("services/token", fetched("", refusal, town.clock, status=400, headers=headers))
    await take(town, maya, 403)
    assert [claims_of(each)["challenge"] for each in sent(town, "token")][1:] == ["again"]


async def test_a_challenge_that_does_not_come(town: Town, maya: Person) -> None:
    town.net.instead("services/challenge", fetched("", b"{}", town.clock))
    await take(town, maya, 400)
    assert sent(town, "token") == []
    town.net.heal()
    await maya.receive(await town.offer())


async def test_algorithms_that_this_wallet_does_not_have(ground: Ground) -> None:
    async with running(ground, **provided(ground)) as town:
        maya = await town.arrive()
        for name in (
            "client_attestation_signing_alg_values_supported",
            "client_attestation_pop_signing_alg_values_supported",
        ):
            town.net.afterwards(SERVER, metadata_saying(town, **{name: ["ES256K"]}))
            await maya.receive(await town.offer())
        assert not any(client_attestation.HEADER in each.headers for each in town.net.asked)


async def test_the_journal_keeps_the_instance(town: Town, maya: Person) -> None:  # WA-4: the same key when refreshing
    town.net.afterwards("services/credential", fetched("", b"", town.clock, status=500))
    await take(town, maya, 502)
    wallet = await opened(town)
    (line,) = await wallet.all(PENDING)
    provider = town.wallet.receiving.provider
    kept = attesting.Instance.resume(provider, line.content["client"])
    assert kept is not None
    assert kept.key.thumbprint == instance_of(sent(town, "token")[-1])
    assert (kept.server, kept.challenge_endpoint) == (f"{ISSUER}/{ON}", f"{ISSUER}/{ON}/challenge")
    assert attesting.Instance.resume(None, line.content["client"]) is None
    assert attesting.Instance.resume(provider, None) is None
    town.net.heal()
    await unlock(maya)
    assert len(await maya.credentials()) == 1


# --- keys


def by_attestation_alone(town: Town, configuration_id: str) -> Change:
    """Return a change of the issuer's metadata, after which it takes no ``jwt`` proofs."""
    plainly = metadata_saying(town)

    def change(request: FetchRequest, answer: Fetched | None) -> Fetched:
        told = strict_json.parse_object(plainly(request, answer).body)
        del told["credential_configurations_supported"][configuration_id]["proof_types_supported"]["jwt"]
        return fetched(request.url, strict_json.serialise(told), town.clock)

    return change


def proofs_of(request: FetchRequest) -> dict[str, list[str]]:
    return dict(strict_json.parse_object(request.body or b"")["proofs"])


@pytest.mark.parametrize("demand", [{}, {"key_storage": [BASIC, "iso_18045_high"], "user_authentication": [BASIC]}])
@pytest.mark.clause("HAIP-wallet")
async def test_a_key_is_attested_where_the_issuer_needs_it(ground: Ground, demand: dict[str, Any]) -> None:
    async with running(ground, **provided(ground, demand=demand)) as town:
        town.net.afterwards("openid-credential-issuer", metadata_saying(town))  # requests that can be read here
        maya = await town.arrive()
        await maya.receive(await town.offer())
        (request,) = sent(town, "credential")
        (proof,) = proofs_of(request)["jwt"]
        stated = payload_of(header_of(proof)["key_attestation"])
        assert stated["key_storage"] == stated["user_authentication"] == [BASIC]
        assert stated["attested_keys"] == [header_of(proof)["jwk"]]
        assert stated["nonce"] == payload_of(proof)["nonce"]
        await maya.receive(await town.offer("drivers-licence/1"))  # where none is needed, none is sent
        (proof,) = proofs_of(sent(town, "credential")[-1])["jwt"]
        assert "key_attestation" not in header_of(proof)


async def test_an_attestation_alone_where_the_issuer_takes_nothing_else(ground: Ground) -> None:
    async with running(ground, **provided(ground, demand={})) as town:
        maya = await town.arrive()
        town.net.afterwards("openid-credential-issuer", by_attestation_alone(town, "person.1.sdjwt"))
        await maya.receive(await town.offer())
        (request,) = sent(town, "credential")
        (attested,) = proofs_of(request)["attestation"]
        assert header_of(attested)["typ"] == key_attestation.TYP


async def test_more_than_can_truthfully_be_said_is_refused_before_anything_is_taken(ground: Ground) -> None:
    settings = provided(ground, demand={"key_storage": ["iso_18045_high"]})
    async with running(ground, **settings) as town:
        maya = await town.arrive()
        answer = await maya.post("credentials", offer=(await town.offer())["link"])
        assert (answer.status_code, answer.json()["code"]) == (403, "key_attestation_invalid"), answer.text
        assert sent(town, "token") == []


async def test_without_a_provider_no_key_is_attested(ground: Ground) -> None:
    settings = provided(ground, demand={})
    del settings["provider_key_file"]
    async with running(ground, **settings) as town:
        maya = await town.arrive()
        await take(town, maya, 403)
        assert sent(town, "token") == []


def test_a_line_whose_provider_is_gone() -> None:
    line = {"proof": "attested", "configuration_id": "c", "issuer": f"{ISSUER}/{ON}"}
    with pytest.raises(Denied) as caught:
        attesting.request_for(line, [KeySigner.generate()], nonce="n", at=NOW, provider=None)
    assert caught.value.code is Code.KEY_ATTESTATION_INVALID
    older = {name: value for name, value in line.items() if name != "proof"}  # a line of before this was known
    assert attesting.request_for(older, [KeySigner.generate()], nonce="n", at=NOW, provider=None).proofs


# --- the key


def test_the_providers_key_and_its_chain(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "provider.pem"
    with pytest.raises(Misconfigured):
        attesting.open_provider(file, name=WALLET, client_id=None)
    attesting.create_key(file)
    first = attesting.open_provider(file, name=WALLET, client_id="https://wallets.example")
    attesting.create_key(file)
    assert attesting.open_provider(file, name=WALLET, client_id=None).signer.thumbprint == first.signer.thumbprint
    assert (first.client_id, first.chain) == ("https://wallets.example", ())
    assert first.entry()["client_ids"] == ["https://wallets.example"]
    assert "d" not in first.entry()["keys"][0]
    made = Provider(NOW, signer=first.signer)
    (tmp_path / "keys" / "provider.x5c.json").write_text(json.dumps(list(made.chain)), "utf-8")
    certified = attesting.open_provider(file, name=WALLET, client_id=None)
    assert header_of(certified.attest(KeySigner.generate(), NOW))["x5c"] == list(made.chain)
    file.chmod(0o644)
    with pytest.raises(Misconfigured):
        attesting.open_provider(file, name=WALLET, client_id=None)


def test_the_command_prints_what_issuers_need(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_key = ground.wallet_settings(provider_key_file=tmp_path / "provider.pem")
    monkeypatch.setattr("comity.runtime.settings.load", lambda _: with_key)
    assert isinstance(CliRunner().invoke(cli, ["provider"]).exception, Misconfigured)
    printed = CliRunner().invoke(cli, ["provider", "--create"]).output
    assert CliRunner().invoke(cli, ["provider"]).output == printed
    (entry,) = strict_json.parse(printed)
    provider = attesting.open_provider(tmp_path / "provider.pem", name=WALLET, client_id=None)
    assert entry == provider.entry()
    monkeypatch.setattr("comity.runtime.settings.load", lambda _: ground.wallet_settings())
    assert isinstance(CliRunner().invoke(cli, ["provider"]).exception, Misconfigured)


def test_who_vouches_is_told_apart_from_what_it_says(tmp_path: Path) -> None:
    provider = WalletProvider(signer=KeySigner.generate(), name=WALLET, client_id=WALLET)
    assert repr(provider.signer.private_key) not in repr(provider)
    assert Demand().is_met_by(attesting.KEY_STORAGE, attesting.USER_AUTHENTICATION)
