"""What a verifier tells by webhooks: verdict and codes to the party that asked, and on one device no verdict."""

import json
from datetime import timedelta
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from msgspec.structs import replace
from typer.testing import CliRunner

from comity.errors import ComityError
from comity.keys import KeySigner
from comity.openid.presentation import response, verifier_attestation
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.runtime.webhooks.delivery import Webhooks
from tests.services.verifier.deployed import Deployed, Place
from tests.support.world import NOW
from verifier import app, identity
from verifier.cli import cli
from verifier.keyring import keys_of

HOOK = "https://till.example/hook"


@pytest.fixture(autouse=True)
def _no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but the test sends: the service's own timer would come in between, where requests take their time."""
    monkeypatch.setattr(app, "LOOK_SECONDS", 3600.0)


class Receiver(Fetcher):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def fetch(self, request: FetchRequest) -> Fetched:
        self.bodies.append(json.loads(request.body or b""))
        return Fetched(url=request.url, status=200, content_type="", body=b"", headers={}, fetched_at=NOW)


@pytest.fixture
async def told(verifier: Deployed) -> tuple[Webhooks, Receiver]:
    receiver = Receiver()
    webhooks = replace(verifier.deployment.webhooks, fetcher=receiver)
    await webhooks.add(HOOK, scope="bar", types=())
    return webhooks, receiver


@pytest.mark.both_databases
async def test_a_verdict_is_told_once_to_who_asked(verifier: Deployed, told: tuple[Webhooks, Receiver]) -> None:
    webhooks, receiver = told
    started = await verifier.start()
    assert (await verifier.answer(started)).status_code == 200
    assert (await verifier.answer(await verifier.start(party="bank"))).status_code == 200  # tells the bar nothing
    again = await verifier.post(started, "response=x")  # answered already
    assert again.status_code >= 400
    assert await webhooks.deliver_due() == 1
    (body,) = receiver.bodies
    assert body["type"] == "presentation.finished"
    assert body["data"] == {"request_id": started["request_id"], "verdict": "accepted", "codes": []}
    document = (await verifier.client.get("/openapi.json")).json()
    said = document["webhooks"]["presentation.finished"]["post"]["requestBody"]["content"]["application/json"]
    for each in (body, said["example"]):
        Draft202012Validator(said["schema"]).validate(each)


async def test_a_rejection_is_told_with_its_codes(verifier: Deployed, told: tuple[Webhooks, Receiver]) -> None:
    webhooks, receiver = told
    started = await verifier.start()
    asked = await verifier.fetch(started)
    wrong = {"drivers-licence_sdjwt": [verifier.present(asked, verifier.held(), ("class", "expires_on"), nonce="x")]}
    assert (await verifier.post(started, response.build(asked, wrong))).status_code == 200
    assert await webhooks.deliver_due() == 1
    assert receiver.bodies[0]["data"]["verdict"] == "rejected"
    assert receiver.bodies[0]["data"]["codes"] == ["nonce_mismatch"]


@pytest.mark.clause("VP-23")
async def test_on_one_device_the_verdict_is_not_told(verifier: Deployed, told: tuple[Webhooks, Receiver]) -> None:
    webhooks, receiver = told
    started = await verifier.start(flow="same_device", redirect_uri="https://shop.example/back")
    assert (await verifier.answer(started)).status_code == 200
    assert await webhooks.deliver_due() == 1
    assert receiver.bodies[0]["data"] == {"request_id": started["request_id"], "verdict": None, "codes": []}


# --- the commands


@pytest.fixture
def environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in place.settings().model_dump(exclude_none=True).items():
        monkeypatch.setenv(f"VERIFIER_{name.upper()}", str(value))
    return place


def test_an_address_is_added_and_removed(environment: Place) -> None:
    runner = CliRunner()
    added = runner.invoke(cli, ["webhook", "add", HOOK, "--relying-party", "bar"])
    assert added.exit_code == 0, added.exception
    assert added.stdout.startswith("whsec_")
    (endpoint,) = json.loads(runner.invoke(cli, ["webhook", "list", "--json"]).stdout)
    assert (endpoint["scope"], endpoint["events"]) == ("bar", [])
    assert runner.invoke(cli, ["webhook", "remove", endpoint["id"]]).exit_code == 0
    assert json.loads(runner.invoke(cli, ["webhook", "list", "--json"]).stdout) == []


def test_a_verifier_that_somebody_attests_has_addresses_too(
    environment: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwk = keys_of(environment.settings()).signer(identity.REQUEST).public_jwk
    encoded = verifier_attestation.sign(
        KeySigner.generate(),
        issuer="https://attester.example",
        subject="corner-store",
        jwk=jwk,
        at=NOW,
        until=NOW + timedelta(days=1),
    )
    file = environment.folder / "attestation.jwt"
    file.write_text(encoded, "ascii")
    monkeypatch.setenv("VERIFIER_CLIENT_ID_PREFIX", "verifier_attestation")
    monkeypatch.setenv("VERIFIER_ATTESTATION_FILE", str(file))
    added = CliRunner().invoke(cli, ["webhook", "add", HOOK, "--relying-party", "bar"])
    assert added.exit_code == 0, added.exception


def test_nobody_who_is_not_a_relying_party_is_told(environment: Place) -> None:
    error = CliRunner().invoke(cli, ["webhook", "add", HOOK, "--relying-party", "pub"]).exception
    assert isinstance(error, ComityError)
    assert error.code == "not_found"
