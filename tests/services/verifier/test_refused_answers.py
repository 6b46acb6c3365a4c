"""Issue 3, "Bad input": refused answers and requests of wallets are counted, and say nothing of who sent them."""

import asyncio
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner

from comity.web.app import MAX_BODY_BYTES
from tests.services.verifier.deployed import PUBLIC_URL, Deployed, Place, running
from verifier.cli import cli
from verifier.settings import VerifierSettings

GUESS = "a-guess-of-somebody-4711"
Line = tuple[str, str, str, int]


async def lines(verifier: Deployed) -> list[Line]:
    await verifier.deployment.refusals.store()
    found = await verifier.deployment.refusals.newest()
    return sorted((each.kind.endpoint, each.kind.error, each.kind.code, each.times) for each in found)


async def test_each_endpoint_leaves_one_line(verifier: Deployed) -> None:
    started = await verifier.start()
    await verifier.fetch(started)
    path = f"/openid/requests/{started['request_id']}"
    answers = [
        await verifier.client.get(f"/openid/requests/{GUESS}"),
        await verifier.client.post(path, content=urlencode({"wallet_nonce": GUESS}), headers={"content-type": "a/b"}),
        await verifier.post(started, urlencode({"response": GUESS})),
        await verifier.post(started, urlencode({"response": GUESS})),
        await verifier.client.get(f"/start/{started['request_id']}"),
        await verifier.client.get(f"/complete/{started['request_id']}", params={"response_code": GUESS}),
    ]
    assert [each.status_code for each in answers] == [404, 400, 400, 400, 404, 404]
    assert await lines(verifier) == [
        ("complete", "", "request_unknown", 1),
        ("requests", "", "request_unknown", 1),
        ("requests", "", "unsupported_media_type", 1),
        ("responses", "invalid_request", "malformed_jwe", 2),
        ("start", "", "request_unknown", 1),
    ]
    assert (await verifier.outcome(started))["state"] == "fetched", "nothing else changed"
    assert (await verifier.answer(started)).status_code == 200
    assert len(await lines(verifier)) == 5, "the good twin leaves none"
    assert len(await verifier.deployment.refusals.events()) == 6, "each of them is an event"


async def test_what_a_website_hands_on_is_counted_too(verifier: Deployed) -> None:
    started = await verifier.start(flow="digital_credentials", origins=["https://shop.example"])
    path = f"/api/v1/requests/{started['transaction_id']}/digital-credential"
    party, foreign = verifier.as_party(), {"data": {}, "origin": f"https://{GUESS}.example"}
    answers = [
        await verifier.client.post(path, json={"data": {}}),
        await verifier.client.post(path, json={"data": GUESS}, headers=party),
        await verifier.client.post(path, json=foreign, headers=party),
        await verifier.client.post(path, json={"data": {"vp_token": GUESS}}, headers=party),
        await verifier.client.post(path, content=b"a" * (MAX_BODY_BYTES + 1), headers=party),
    ]
    assert [each.status_code for each in answers] == [401, 400, 403, 400, 413]
    told = await lines(verifier)
    assert [(endpoint, times) for endpoint, _, _, times in told] == [("digital-credential", 1)] * 5
    assert {code for _, _, code, _ in told} == {each.json()["code"] for each in answers}
    assert (await verifier.outcome(started))["state"] == "requested", "nothing else changed"
    good = await verifier.client.post("/api/v1/requests", json={"policy": ""}, headers=party)
    assert (good.status_code, len(await lines(verifier))) == (400, 5), "what a website asks wrongly is its own affair"


async def test_the_operator_reads_them(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(place) as verifier:
        for _ in range(7):
            await verifier.client.get(f"/openid/requests/{GUESS}")
    settings: VerifierSettings = place.settings()
    for name in ("public_url", "registry_url", "registry_root_file", "relying_parties_file", "data_dir"):
        monkeypatch.setenv(f"VERIFIER_{name.upper()}", str(getattr(settings, name)))
    if place.database is not None:
        monkeypatch.setenv("VERIFIER_DATABASE_URL", place.database)
    assert settings.public_url == PUBLIC_URL
    shown = await asyncio.to_thread(CliRunner().invoke, cli, ["refusals"])
    assert shown.exit_code == 0, shown.output
    assert [line.split("\t")[1:] for line in shown.output.splitlines()] == [["requests", "request_unknown", "7"]]
