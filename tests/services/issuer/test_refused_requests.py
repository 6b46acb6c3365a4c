"""Issue 3, "Bad input": whatever wallets are refused leaves one event for the audit, and nothing of who asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Connection, func, select
from typer.testing import CliRunner

from comity.errors import Code, Unreachable
from comity.keys import KeySigner
from comity.openid import dpop
from comity.runtime.refusals import EVENTS
from comity.web.app import MAX_BODY_BYTES
from issuer.cli import cli
from issuer.store.refused import REFUSALS
from issuer.store.tables import audit
from tests.services.issuer.clerks import employ, sign_in, words
from tests.services.issuer.deployed import BC, GRANT, ON, PUBLIC_URL, Deployed, Place, running
from tests.services.issuer.signing_in import Wallet

GUESS = "a-guess-of-somebody-4711"
Line = tuple[str, str, str, int]


async def lines(issuer: Deployed, authority: str = ON) -> list[Line]:
    """Store what was counted, as the timer does, and return what an auditor of the authority finds."""
    await issuer.deployment.refusals.store()
    found = await issuer.deployment.refusals.newest(authority)
    return sorted((each.kind.endpoint, each.kind.error, each.kind.code, each.times) for each in found)


async def events(issuer: Deployed) -> int:
    return await issuer.deployment.database.read(
        lambda connection: connection.execute(select(func.count()).select_from(audit)).scalar_one()
    )


async def test_each_endpoint_leaves_one_line(issuer: Deployed) -> None:
    client, bearer, before = issuer.client, {"authorization": f"Bearer {GUESS}"}, await events(issuer)
    answers = [
        await client.post(f"/{ON}/token", data={"grant_type": GRANT, "pre-authorized_code": GUESS}),
        await client.post(f"/{ON}/par", data=Wallet(issuer).fields(code_challenge=None)),
        await client.get(f"/{ON}/authorize", params={"client_id": GUESS, "request_uri": GUESS}),
        await client.post(f"/{ON}/challenge"),
        *[
            await client.post(f"/{ON}/{endpoint}", json={"who": GUESS}, headers=bearer)
            for endpoint in ("credential", "deferred_credential", "notification")
        ],
        await client.post(f"/{ON}/credential", json={}),  # no token at all
    ]
    assert [each.status_code for each in answers] == [400, 400, 404, 404, 401, 401, 401, 401]
    assert await lines(issuer) == [
        ("authorize", "", "request_unknown", 1),
        ("challenge", "", "not_found", 1),
        ("credential", "", "not_authenticated", 1),
        ("credential", "invalid_token", "token_invalid", 1),
        ("deferred_credential", "invalid_token", "token_invalid", 1),
        ("notification", "invalid_token", "token_invalid", 1),
        ("par", "invalid_request", "request_invalid", 1),
        ("token", "invalid_grant", "offer_unknown", 1),
    ]
    assert await events(issuer) == before, "the audit log of acts holds acts"


@pytest.mark.attack("Q06")
async def test_a_flood_is_one_line_and_no_more_rows(issuer: Deployed) -> None:
    for number in range(60):
        form = {"grant_type": GRANT, "pre-authorized_code": f"{GUESS}{number}"}
        await issuer.client.post(f"/{ON}/token", data=form, headers={"user-agent": GUESS})
        if number % 20 == 0:
            await issuer.deployment.refusals.store()
    assert await lines(issuer) == [("token", "invalid_grant", "offer_unknown", 60)]

    assert len(await issuer.deployment.refusals.events(ON)) == EVENTS, "and no more events"

    def stored(connection: Connection) -> str:
        tables = REFUSALS.counts, REFUSALS.events
        return str([connection.execute(select(table)).mappings().all() for table in tables])

    assert GUESS not in await issuer.deployment.database.read(stored)


async def test_each_request_is_an_event(issuer: Deployed) -> None:
    for _ in range(3):
        await issuer.client.post(f"/{ON}/token", data={"grant_type": "password"})
        issuer.clock.advance(timedelta(seconds=40))
    await issuer.client.post(f"/{BC}/token", data={"grant_type": "password"})
    await issuer.deployment.refusals.store()
    told = await issuer.deployment.refusals.events(ON)
    assert {(each.kind.endpoint, each.kind.error) for each in told} == {("token", "unsupported_grant_type")}
    assert [each.at - told[-1].at for each in told] == [80, 40, 0]
    assert (await issuer.receive(await issuer.offer())).status_code == 200
    await issuer.deployment.refusals.store()
    assert await issuer.deployment.refusals.events(ON) == told, "the good twin leaves none"


async def test_paths_that_are_nobodys_are_one_kind(issuer: Deployed) -> None:
    for number in range(5):
        answer = await issuer.client.post(f"/ca-on/nobody-{number}/token", data={"grant_type": GRANT})
        assert (answer.status_code, answer.json()["error"]) == (404, "invalid_request")
    await issuer.client.get("/.well-known/openid-credential-issuer/ca-on/nobody")
    await issuer.client.post(f"/{BC}/token", data={"grant_type": GRANT})
    assert await lines(issuer) == []
    assert await lines(issuer, BC) == [("token", "invalid_request", "request_invalid", 1)]
    nobodys = [("openid-credential-issuer", "", "authority_unknown", 1), ("token", "", "authority_unknown", 5)]
    assert await lines(issuer, "") == nobodys


@pytest.mark.parametrize("is_declared", [True, False])
async def test_what_is_too_long_to_be_read_leaves_a_line(issuer: Deployed, is_declared: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65_536 + 1):
            yield b"a" * 65_536

    body = b"a" * (MAX_BODY_BYTES + 1) if is_declared else chunks()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await issuer.client.post(f"/{ON}/token", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")
    assert await lines(issuer) == [("token", "", "too_large", 1)]
    elsewhere = await issuer.client.post("/api/v1/offers", content=b"a" * (MAX_BODY_BYTES + 1))
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (413, "too_large"), "our own interface counts nothing"
    assert len(await lines(issuer)) == 1


async def test_another_method_leaves_a_line(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/{ON}/token")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert await lines(issuer) == [("token", "", "method_not_allowed", 1)]


async def test_a_person_is_refused_on_a_page_in_their_language_and_that_is_an_event_too(issuer: Deployed) -> None:
    """What such a page must be is judged beneath the client (``tests/support/refused_pages.py``)."""
    unknown, page = {"client_id": GUESS, "request_uri": GUESS}, f"/{ON}/sign-in/{GUESS}"
    answers = [
        await issuer.client.get(f"/{ON}/authorize", params=unknown, headers={"accept-language": "fr-CA"}),
        await issuer.client.post(f"/{ON}/authorize", data=unknown),
        await issuer.client.post(page, data={"csrf": "a" * MAX_BODY_BYTES}),
        await issuer.client.get(page, params={"lang": "fr"}),
        await issuer.client.get("/sign-in/callback", params={"state": GUESS, "code": GUESS}),
    ]
    assert [each.status_code for each in answers] == [404, 405, 413, 404, 404]
    assert [each.headers["content-language"] for each in answers] == ["fr", "en", "en", "fr", "en"]
    assert await lines(issuer) == [
        ("authorize", "", "method_not_allowed", 1),
        ("authorize", "", "request_unknown", 1),
        ("sign-in", "", "request_unknown", 1),
        ("sign-in", "", "too_large", 1),
    ]
    assert await lines(issuer, "") == [("callback", "", "request_unknown", 1)]
    begun = await issuer.client.get(Wallet(issuer).start_url(await Wallet(issuer).request_uri()))
    assert (begun.status_code, len(await lines(issuer))) == (303, 4), "the good twin leaves none"


@pytest.mark.both_databases
async def test_the_operator_reads_them(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(place) as issuer:
        for name in (ON, ON, "ca-on/nobody"):
            await issuer.client.post(f"/{name}/token", data={"grant_type": ""})
    settings = place.settings()
    names = ("public_url", "status_public_url", "status_directory", "authorities_file", "operators_file", "data_dir")
    for setting in names:
        monkeypatch.setenv(f"ISSUER_{setting.upper()}", str(getattr(settings, setting)))
    if place.database is not None:
        monkeypatch.setenv("ISSUER_DATABASE_URL", place.database)
    printed = []
    for options in ([], ["--authority", ON], ["--authority", ON, "--each"]):
        shown = await asyncio.to_thread(CliRunner().invoke, cli, ["refusals", *options])
        assert shown.exit_code == 0, shown.output
        printed.append([line.split("\t")[1:] for line in shown.output.splitlines()])
    assert printed == [
        [["token", "authority_unknown", "1"]],
        [["token", "request_invalid", "2"]],
        [["token", "request_invalid"]] * 2,
    ]


async def test_a_wallet_that_is_told_a_nonce_did_nothing_wrong(issuer: Deployed) -> None:
    offer, key = await issuer.offer(), KeySigner.generate()
    proof = dpop.build(key, method="POST", url=f"{PUBLIC_URL}/{ON}/token", at=issuer.clock.now())
    grant = offer["credential_offer"]["grants"][GRANT]["pre-authorized_code"]
    form = {"grant_type": GRANT, "pre-authorized_code": grant}
    answer = await issuer.client.post(f"/{ON}/token", data=form, headers={"DPoP": proof})
    assert answer.json()["error"] == "use_dpop_nonce"
    assert (await issuer.receive(offer)).status_code == 200
    assert await lines(issuer) == []


async def test_a_nonce_that_is_not_ours_is_a_refusal(issuer: Deployed) -> None:
    offer, key = await issuer.offer(), KeySigner.generate()
    url, at = f"{PUBLIC_URL}/{ON}/token", issuer.clock.now()
    grant = offer["credential_offer"]["grants"][GRANT]["pre-authorized_code"]
    form = {"grant_type": GRANT, "pre-authorized_code": grant}

    async def ask(nonce: str) -> httpx.Response:
        proof = dpop.build(key, method="POST", url=url, at=at, nonce=nonce)
        return await issuer.client.post(f"/{ON}/token", data=form, headers={"DPoP": proof})

    refused = await ask(GUESS)
    assert refused.json()["error"] == "use_dpop_nonce"
    assert (await ask(refused.headers["dpop-nonce"])).status_code == 200
    assert await lines(issuer) == [("token", "use_dpop_nonce", "nonce_invalid", 1)]


async def test_a_database_that_is_busy_changes_no_answer(issuer: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(_unit: object) -> None:
        raise Unreachable(Code.BUSY, "held by another process")

    with monkeypatch.context() as patched:
        patched.setattr(issuer.deployment.database, "write", busy)
        answer = await issuer.client.post(f"/{ON}/token", data={"grant_type": ""})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        with pytest.raises(Unreachable):
            await issuer.deployment.refusals.store()
    assert await lines(issuer) == [("token", "invalid_request", "request_invalid", 1)]


async def test_an_auditor_reads_and_exports_them(issuer: Deployed) -> None:
    await employ(issuer)
    desk = await sign_in(issuer, "auditor", language="fr")
    assert "Aucun refus" in words(await desk.get("/log/refusals"))
    for _ in range(3):
        await issuer.client.post(f"/{ON}/token", data={"grant_type": ""})
    await issuer.client.post(f"/{BC}/token", data={"grant_type": "password"})
    await issuer.deployment.refusals.store()
    shown = words(await desk.get("/log/refusals"))
    assert "token" in shown
    assert "invalid_request" in shown
    assert "Un par un" in shown
    assert "unsupported_grant_type" not in shown, "that was at another authority"
    exported = (await desk.get("/log/refusals/export")).text.splitlines()
    assert exported[1].split(",")[2:] == ["token", "invalid_request", "request_invalid", "3"]
    assert "Demandes refusées" in words(await desk.get("/log"))


@pytest.mark.both_databases
async def test_what_was_counted_outlives_a_stop(place: Place) -> None:
    async with running(place) as issuer:
        await issuer.client.post(f"/{ON}/token", data={"grant_type": ""})
    async with running(place) as issuer:
        assert await lines(issuer) == [("token", "invalid_request", "request_invalid", 1)]
