"""Issue 3, "Bad input": whatever wallets are refused leaves one line for the audit, and nothing of who asked."""

import pytest
from sqlalchemy import Connection, func, select

from comity.errors import Code, Unreachable
from comity.keys import KeySigner
from comity.openid import dpop
from issuer.store.refused import refusals
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


async def test_a_flood_is_one_line_and_no_more_rows(issuer: Deployed) -> None:
    for number in range(60):
        form = {"grant_type": GRANT, "pre-authorized_code": f"{GUESS}{number}"}
        await issuer.client.post(f"/{ON}/token", data=form, headers={"user-agent": GUESS})
        if number % 20 == 0:
            await issuer.deployment.refusals.store()
    assert await lines(issuer) == [("token", "invalid_grant", "offer_unknown", 60)]

    def stored(connection: Connection) -> str:
        return str(connection.execute(select(refusals)).mappings().all())

    assert GUESS not in await issuer.deployment.database.read(stored)


async def test_paths_that_are_nobodys_fill_nothing(issuer: Deployed) -> None:
    for number in range(5):
        answer = await issuer.client.post(f"/ca-on/nobody-{number}/token", data={"grant_type": GRANT})
        assert answer.status_code == 404
    assert issuer.deployment.refusals.tally.take() == ()
    await issuer.client.post(f"/{BC}/token", data={"grant_type": GRANT})
    assert await lines(issuer) == []
    assert await lines(issuer, BC) == [("token", "invalid_request", "request_invalid", 1)]


async def test_a_wallet_that_is_told_a_nonce_did_nothing_wrong(issuer: Deployed) -> None:
    offer, key = await issuer.offer(), KeySigner.generate()
    proof = dpop.build(key, method="POST", url=f"{PUBLIC_URL}/{ON}/token", at=issuer.clock.now())
    grant = offer["credential_offer"]["grants"][GRANT]["pre-authorized_code"]
    form = {"grant_type": GRANT, "pre-authorized_code": grant}
    answer = await issuer.client.post(f"/{ON}/token", data=form, headers={"DPoP": proof})
    assert answer.json()["error"] == "use_dpop_nonce"
    assert (await issuer.receive(offer)).status_code == 200
    assert await lines(issuer) == []


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
