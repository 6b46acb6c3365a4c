"""What an issuer tells by webhooks: each event once, ids only, and nothing again after a restore."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from msgspec import structs
from typer.testing import CliRunner

from comity.errors import ComityError
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.runtime import backup, backup_file, migrations
from comity.runtime.clock import FixedClock, SystemClock
from comity.runtime.webhooks.delivery import Webhooks
from issuer import app
from issuer.cli import cli
from issuer.store.webhooks import TYPES
from tests.services.issuer.deployed import BC, CANARY, LICENCE, NOW, NUMBER, ON, Deployed, Place, running
from tests.services.issuer.test_restore import of

HOOK = "https://records.example/hook"


@pytest.fixture(autouse=True)
def _no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but the test sends: the service's own timer would come in between, where requests take their time."""
    monkeypatch.setattr(app, "LOOK_SECONDS", 3600.0)


class Receiver(Fetcher):
    """Keeps what it is sent."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.bodies: list[dict[str, Any]] = []
        self.raw = b""

    async def fetch(self, request: FetchRequest) -> Fetched:
        body = request.body or b""
        self.raw += body
        self.bodies.append(json.loads(body))
        return Fetched(url=request.url, status=self.status, content_type="", body=b"", headers={}, fetched_at=NOW)

    def told(self) -> list[tuple[str, Any]]:
        return [(each["type"], each["data"]) for each in self.bodies]


def of_issuer(issuer: Deployed, receiver: Receiver) -> Webhooks:
    return structs.replace(issuer.deployment.webhooks, fetcher=receiver)


async def change(issuer: Deployed, credential_id: str, verb: str) -> None:
    path, headers = f"/api/v1/credentials/{credential_id}/{verb}", issuer.as_role("supervisor")
    assert (await issuer.client.post(path, json={"reason": "lost"}, headers=headers)).status_code == 200


@pytest.mark.both_databases
async def test_every_step_is_told_once_by_ids_only(issuer: Deployed) -> None:
    receiver = Receiver()
    webhooks = of_issuer(issuer, receiver)
    await webhooks.add(HOOK, scope=ON, types=())
    await webhooks.add(HOOK, scope=BC, types=())
    offer = await issuer.offer(type="drivers-licence/1", claims=LICENCE, record_reference="file-9")
    answer = await issuer.receive(offer)
    assert answer.status_code == 200
    (record,) = await issuer.records(record_reference="file-9")
    for verb in ("suspend", "suspend", "reinstate", "revoke"):
        await change(issuer, record["id"], verb)
    assert await webhooks.deliver_due() == 4
    of_offer = {"authority": ON, "offer_id": offer["offer_id"]}
    of_credential = {"authority": ON, "credential_id": record["id"]}
    kinds = ["credential.reinstated", "credential.revoked", "credential.suspended", "offer.collected"]
    assert sorted(receiver.told(), key=lambda each: each[0]) == [
        (kind, of_offer if kind == "offer.collected" else of_credential) for kind in kinds
    ]
    assert all(each["timestamp"] == "2026-11-23T12:00:00Z" for each in receiver.bodies)
    assert len({each["id"] for each in receiver.bodies}) == 4
    for needle in (CANARY, NUMBER, "file-9", "2008-03-14", "lost"):
        assert needle.encode() not in receiver.raw


async def test_a_decision_and_a_repeated_collection(issuer: Deployed) -> None:
    receiver = Receiver()
    webhooks = of_issuer(issuer, receiver)
    await webhooks.add(HOOK, scope="*", types=("deferred.approved", "deferred.denied", "offer.collected"))
    for verdict in ("approve", "deny"):
        offer = await issuer.offer(decide_later=True)
        path, headers = f"/api/v1/offers/{offer['offer_id']}/{verdict}", issuer.as_role("supervisor")
        assert (await issuer.client.post(path, headers=headers)).status_code == 200
    offer = await issuer.offer()
    token = await issuer.token(offer)
    key, nonce = issuer.deployment.authority(ON).did_signer, await issuer.nonce()
    for _ in range(2):  # the answer was lost, and the wallet asks again
        proofs = [issuer.proof(key, nonce)]
        assert (await issuer.request(token, offer["configuration_ids"][0], proofs)).status_code == 200
    await webhooks.deliver_due()
    assert sorted(kind for kind, _ in receiver.told()) == ["deferred.approved", "deferred.denied", "offer.collected"]


async def test_it_is_sent_by_the_service_itself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer looks, through the fetcher that refuses what is not public."""
    monkeypatch.setattr(app, "LOOK_SECONDS", 0.2)
    async with running(place) as issuer:
        endpoint, _ = await issuer.deployment.webhooks.add("https://10.0.0.1/", scope="*", types=())
        offer = await issuer.offer()
        assert (await issuer.receive(offer)).status_code == 200
        async with asyncio.timeout(60):
            while not (lines := await issuer.deployment.webhooks.log(endpoint.id, state=None, limit=1))[0].log:
                await asyncio.sleep(0.05)
        assert lines[0].log[0][1] == "address_not_public"


@pytest.mark.both_databases
async def test_a_restored_backup_tells_nothing_again(
    place: Place, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_file, "COST", (1 << 10, 8, 1))
    async with running(place) as issuer:
        webhooks = of_issuer(issuer, Receiver(status=503))
        await webhooks.add(HOOK, scope="*", types=())
        assert (await issuer.receive(await issuer.offer())).status_code == 200
        await webhooks.deliver_due()
        file, clock = place.folder / "night.backup", FixedClock(NOW)
        made = await asyncio.to_thread(backup.create, of(place), file, "a long passphrase", clock)
        assert (made["webhook_endpoints"], made["webhook_deliveries"]) == (0, 0)
    await asyncio.to_thread(migrations.upgrade, empty_database, "issuer")
    into = of(replace(place, database=empty_database))
    await asyncio.to_thread(backup.restore, into, file, "a long passphrase", clock)
    async with running(replace(place, database=empty_database), clock) as issuer:
        receiver = Receiver()
        webhooks = of_issuer(issuer, receiver)
        assert await webhooks.all() == ()
        await webhooks.add(HOOK, scope="*", types=())
        assert await webhooks.deliver_due() == 0
        assert (await issuer.receive(await issuer.offer())).status_code == 200  # the good twin
        assert await webhooks.deliver_due() == 1


async def test_every_type_is_described(issuer: Deployed) -> None:
    document = (await issuer.client.get("/openapi.json")).json()
    assert set(document["webhooks"]) == set(TYPES)
    for kind, said in document["webhooks"].items():
        assert {each["name"] for each in said["post"]["parameters"]} >= {"webhook-id", "webhook-signature"}
        content = said["post"]["requestBody"]["content"]["application/json"]
        Draft202012Validator(content["schema"]).validate(content["example"])
        assert content["example"]["type"] == kind


# --- the commands


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["webhook", *arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


async def _issue_and_fail(place: Place) -> None:
    async with running(place, FixedClock(SystemClock().now())) as issuer:  # the commands know no other time
        assert (await issuer.receive(await issuer.offer())).status_code == 200
        await of_issuer(issuer, Receiver(status=410)).deliver_due()


def test_an_address_is_added_listed_looked_at_tried_again_and_removed(environment: Place) -> None:
    secret = run("add", HOOK, "--authority", ON, "--event", "offer.collected", "--lang", "fr").strip()
    assert secret.startswith("whsec_")
    (endpoint,) = json.loads(run("list", "--json"))
    assert (endpoint["url"], endpoint["scope"], endpoint["events"]) == (HOOK, ON, ["offer.collected"])
    assert run("list").split("\t")[1:4] == [HOOK, ON, "offer.collected"]
    asyncio.run(_issue_and_fail(environment))
    (line,) = json.loads(run("deliveries", endpoint["id"], "--state", "given_up", "--json"))
    assert (line["type"], [each["outcome"] for each in line["attempts"]]) == ("offer.collected", ["410"])
    assert "\tgiven_up\t410\t" in run("deliveries", endpoint["id"])
    assert "1" in run("retry", endpoint["id"])
    assert json.loads(run("deliveries", endpoint["id"], "--state", "given_up", "--json")) == []
    renewed = run("renew", endpoint["id"]).strip()
    assert renewed.startswith("whsec_")
    assert renewed != secret
    run("test", endpoint["id"])
    assert [each["type"] for each in json.loads(run("deliveries", endpoint["id"], "--json"))].count("webhook.test") == 1
    run("remove", endpoint["id"])
    assert run("list") == ""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["add", "http://records.example/"], "url_not_allowed"),
        (["add", "https://user@records.example/"], "url_not_allowed"),
        (["add", HOOK, "--event", "credential.read"], "request_invalid"),
        (["add", HOOK, "--authority", "ca-qc/services"], "not_found"),
        (["remove", "nothing"], "not_found"),
        (["retry", "nothing"], "not_found"),
        (["renew", "nothing"], "not_found"),
        (["test", "nothing"], "not_found"),
        (["deliveries", "nothing"], "not_found"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(environment: Place, arguments: list[str], code: str) -> None:
    error = CliRunner().invoke(cli, ["webhook", *arguments]).exception
    assert isinstance(error, ComityError)
    assert error.code == code
    assert run("list", "--json").strip() == "[]"
