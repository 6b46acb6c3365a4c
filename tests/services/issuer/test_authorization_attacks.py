"""Codes, PKCE, pushed requests, redirects (catalogue I12, I13): each defect changes nothing, the good twin passes."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select

from issuer import issuing
from issuer.store import authorizations as store
from issuer.store.tables import authorizations, nonces, offers, refresh_tokens
from tests.services.issuer.deployed import BC, ON, PUBLIC_URL, Deployed, Place, running
from tests.services.issuer.signing_in import FILE, PERSON, REDIRECT, Browser, Wallet, answer_of
from tests.support.refused import sent_away

OTHER_DETAILS = '[{"type":"openid_credential","credential_configuration_id":"nobody.1.sdjwt"}]'


@pytest.fixture
def wallet(issuer: Deployed) -> Wallet:
    return Wallet(issuer)


async def rows(issuer: Deployed) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        return [
            sorted(tuple(row) for row in connection.execute(select(table.c[key], table.c[state])))
            for table, key, state in (
                (authorizations, "id", "state"),
                (offers, "id", "state"),
                (refresh_tokens, "token_hash", "expires_at"),
            )
        ]

    return await issuer.deployment.database.read(read)


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"


# --- pushing


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "javascript:alert(1)"}, "invalid_request"),
        ({"redirect_uri": "data:text/html,x"}, "invalid_request"),
        ({"redirect_uri": "http://wallet.example/back"}, "invalid_request"),
        ({"redirect_uri": "https://wallet.example/back#here"}, "invalid_request"),
        ({"redirect_uri": "https://me@wallet.example/back"}, "invalid_request"),
        ({"redirect_uri": "/back"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "unheard.of"}, "invalid_scope"),
        ({"scope": 'a"b'}, "invalid_scope"),
        ({"authorization_details": OTHER_DETAILS}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"payment"}]'}, "invalid_authorization_details"),
        ({"authorization_details": "{}"}, "invalid_authorization_details"),
        ({"authorization_details": "["}, "invalid_authorization_details"),
        ({"resource": f"{PUBLIC_URL}/{BC}"}, "invalid_target"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"issuer_state": "x" * 3000}, "invalid_request"),
        ({"scope": f"{PERSON} {'x' * 17_000}"}, "invalid_request"),
    ],
    ids=lambda value: str(value)[:60],
)
@pytest.mark.attack("I12")
@pytest.mark.good_twin("I12")
async def test_a_bad_request_is_not_kept(wallet: Wallet, changes: dict[str, str | None], error: str) -> None:
    before = await rows(wallet.issuer)
    refused(await wallet.push(**changes), error)
    assert await rows(wallet.issuer) == before
    assert (await wallet.push()).status_code == 201


async def test_a_client_must_be_named_and_a_parameter_said_once(wallet: Wallet) -> None:
    refused(await wallet.push(client_id=None), "invalid_client", 401)
    url, headers = f"/{ON}/par", {"content-type": "application/x-www-form-urlencoded"}
    twice = f"{httpx.QueryParams(wallet.fields())}&state=again"
    refused(await wallet.issuer.client.post(url, content=twice, headers=headers), "invalid_request")
    refused(await wallet.issuer.client.post(url, json=wallet.fields()), "invalid_request")
    assert (await wallet.issuer.client.post(url, content=twice.rpartition("&")[0], headers=headers)).status_code == 201


@pytest.mark.attack("Q06")
@pytest.mark.good_twin("Q06")
async def test_requests_that_nobody_goes_on_with_do_not_pile_up(
    wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many wait at one time and no more; each is forgotten at its end, and then there is room again."""
    monkeypatch.setattr(store, "MOST_PUSHED", 3)
    for _ in range(3):
        assert (await wallet.push()).status_code == 201
    before = await rows(wallet.issuer)
    for _ in range(5):
        refused(await wallet.push(), "temporarily_unavailable", 503)
    assert await rows(wallet.issuer) == before
    wallet.issuer.clock.advance(timedelta(seconds=wallet.issuer.deployment.limits.pushed_seconds))
    await issuing.erase_due(wallet.issuer.deployment)
    assert (await rows(wallet.issuer))[0] == []
    assert (await wallet.push()).status_code == 201


@pytest.mark.attack("Q06")
async def test_a_nonce_is_no_row_until_it_is_used(issuer: Deployed) -> None:
    def held(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(nonces)).scalar_one()

    for _ in range(20):
        assert (await issuer.client.post(f"/{ON}/nonce")).status_code == 200
    assert await issuer.deployment.database.read(held) == 0
    assert (await issuer.receive(await issuer.offer())).status_code == 200
    assert await issuer.deployment.database.read(held) == 1


@pytest.mark.parametrize("redirect_uri", ["http://localhost:9/back", "http://127.0.0.1/x", "org.example.wallet:/back"])
async def test_an_app_on_the_persons_own_machine_may_be_the_target(wallet: Wallet, redirect_uri: str) -> None:
    assert (await wallet.push(redirect_uri=redirect_uri)).status_code == 201


# --- the name of a request (I13)


@pytest.mark.clause("VCI-21")
@pytest.mark.attack("I13")
@pytest.mark.good_twin("I13")
async def test_a_request_is_begun_once_by_its_own_client_at_its_own_authority_in_time(place: Place) -> None:
    async with running(place, pushed_seconds=30) as issuer:
        wallet = Wallet(issuer)
        uri, late = await wallet.request_uri(), await wallet.request_uri()
        assert len(uri.rpartition(":")[2]) >= 43  # 256 bits
        bad = [
            wallet.start_url(uri, "https://other.example"),
            wallet.start_url(uri[:-1]),
            wallet.start_url(uri.rpartition(":")[2]),
            f"/{ON}/authorize?{httpx.QueryParams(wallet.fields())}",
            f"/{ON}/authorize?client_id=https://wallet.example",
        ]
        for url in bad:
            page = await issuer.client.get(url)
            assert page.status_code in {400, 404}
            assert "location" not in page.headers
            assert page.headers["content-type"].startswith("text/html")
        assert (await issuer.client.get(wallet.start_url(uri))).status_code == 303
        assert (await issuer.client.get(wallet.start_url(uri))).status_code == 404
        issuer.clock.advance(timedelta(seconds=30))
        assert (await issuer.client.get(wallet.start_url(late))).status_code == 404


@pytest.mark.attack("I13")
@pytest.mark.good_twin("I13")
async def test_parameters_beside_the_name_have_no_effect(wallet: Wallet) -> None:
    url = wallet.start_url(await wallet.request_uri())
    override = httpx.QueryParams({"redirect_uri": "https://evil.example/", "scope": "drivers-licence.1.sdjwt"})
    browser = Browser(wallet.issuer)
    begun = await browser.get(f"{url}&{override}")
    signed_in = await browser.choose(begun.headers["location"], person=FILE)
    back = answer_of(await browser.choose(signed_in.headers["location"], answer="agree"))
    assert (await wallet.redeem(back["code"])).json()["scope"] == PERSON


# --- the browser


@pytest.mark.attack("I13")
@pytest.mark.good_twin("I13")
async def test_a_sign_in_belongs_to_the_browser_that_began_it(wallet: Wallet) -> None:
    mine, other = Browser(wallet.issuer), Browser(wallet.issuer)
    page = (await mine.get(wallet.start_url(await wallet.request_uri()))).headers["location"]
    assert (await other.get(page)).status_code == 404
    assert (await other.post(page, {"person": FILE, "csrf": "x"})).status_code == 404
    other.cookies = dict.fromkeys(mine.cookies, "guess")
    assert (await other.get(page)).status_code == 404
    assert (await mine.get(page.replace(ON, BC))).status_code == 403
    assert (await mine.choose(page, person=FILE)).status_code == 303


async def test_a_foreign_form_and_a_forged_person_change_nothing(wallet: Wallet) -> None:
    browser = Browser(wallet.issuer)
    page = (await browser.get(wallet.start_url(await wallet.request_uri()))).headers["location"]
    before = await rows(wallet.issuer)
    assert (await browser.post(page, {"person": FILE})).status_code == 403
    assert (await browser.post(page, {"person": FILE, "csrf": "guess"})).status_code == 403
    csrf = (await browser.get(page)).text.partition('name="csrf" value="')[2].partition('"')[0]
    foreign = {"sec-fetch-site": "cross-site"}
    assert (await browser.post(page, {"person": FILE, "csrf": csrf}, **foreign)).status_code == 403
    assert (await browser.choose(page, person="file-of-nobody")).status_code == 400
    assert (await browser.choose(page, answer="agree")).status_code == 404  # nobody signed in yet
    assert await rows(wallet.issuer) == before
    assert (await browser.choose(page, person=FILE)).status_code == 303
    assert (await browser.post(page, {"person": FILE, "csrf": csrf})).status_code == 404  # once


async def test_pages_cannot_be_framed_run_no_script_and_speak_both_languages(wallet: Wallet) -> None:
    browser = Browser(wallet.issuer)
    page = (await browser.get(wallet.start_url(await wallet.request_uri(ui_locales="fr-CA en")))).headers["location"]
    french = await browser.get(page)
    assert '<html lang="fr-CA">' in french.text
    assert "Ouvrir une session" in french.text
    english = await browser.get(f"{page}?lang=en")
    assert "<h1>Sign in</h1>" in english.text
    for answer in (french, english):
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert "<script" not in answer.text
        (look,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', answer.text)
        assert (await wallet.issuer.client.get(look)).status_code == 200
        assert "form-action 'self' https://wallet.example" in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "<script" not in answer.text


@pytest.mark.both_databases
async def test_who_refuses_gives_nothing_and_the_wallet_is_told(wallet: Wallet) -> None:
    browser = Browser(wallet.issuer)
    page = (await browser.get(wallet.start_url(await wallet.request_uri()))).headers["location"]
    back = answer_of(await browser.choose(page, answer="refuse"))
    sentence = "nobody signed in and agreed, or there is nothing to give to who did"
    told = {"error": "access_denied", "error_description": sentence}
    assert back == {**told, "state": "s t&ate", "iss": f"{PUBLIC_URL}/{ON}"}
    assert sent_away() == 1, "such an answer is judged, beneath the client (tests/support/refused_redirects.py)"
    assert (await browser.get(page)).status_code == 404


async def test_a_sign_in_takes_only_so_long(place: Place) -> None:
    async with running(place, sign_in_seconds=60) as issuer:
        wallet, browser = Wallet(issuer), Browser(issuer)
        page = (await browser.get(wallet.start_url(await wallet.request_uri()))).headers["location"]
        issuer.clock.advance(timedelta(seconds=60))
        assert (await browser.get(page)).status_code == 404


# --- codes (I12)


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        ({"code_verifier": "A" * 43}, "invalid_grant", 400),
        ({"code_verifier": "short"}, "invalid_grant", 400),
        ({"code_verifier": None}, "invalid_request", 400),
        ({"redirect_uri": None}, "invalid_request", 400),
        ({"redirect_uri": REDIRECT + "/"}, "invalid_grant", 400),
        ({"redirect_uri": REDIRECT.replace("https://w", "https://W")}, "invalid_grant", 400),
        ({"redirect_uri": REDIRECT.partition("?")[0]}, "invalid_grant", 400),
        ({"client_id": "https://other.example"}, "invalid_grant", 400),
        ({"client_id": None}, "invalid_client", 401),
        ({"code": "guess"}, "invalid_grant", 400),
        ({"resource": "https://other.example"}, "invalid_target", 400),
    ],
    ids=str,
)
@pytest.mark.clause("VCI-21")
@pytest.mark.attack("I12")
@pytest.mark.good_twin("I12")
async def test_a_code_is_for_who_asked_and_a_try_of_somebody_else_burns_nothing(
    wallet: Wallet, changes: dict[str, str | None], error: str, status: int
) -> None:
    code = await wallet.code()
    before = await rows(wallet.issuer)
    refused(await wallet.redeem(code, **changes), error, status)
    assert await rows(wallet.issuer) == before
    assert (await wallet.redeem(code)).status_code == 200


@pytest.mark.both_databases
@pytest.mark.clause("VCI-21")
@pytest.mark.attack("I12")
@pytest.mark.good_twin("I12")
async def test_one_code_redeemed_by_two_wallets(issuer: Deployed) -> None:
    mine, thief = Wallet(issuer), Wallet(issuer)
    code = await mine.code()
    refused(await thief.redeem(code), "invalid_grant")  # it lacks the verifier
    given = (await mine.redeem(code)).json()
    thief.verifier = mine.verifier
    refused(await thief.redeem(code), "invalid_grant")  # too late, and now nobody has anything
    refused(await mine.ask(given["access_token"]), "invalid_token", 401)
    refused(await mine.refresh(given["refresh_token"]), "invalid_grant")
    assert (await Wallet(issuer).tokens())["access_token"]


@pytest.mark.both_databases
@pytest.mark.attack("I12")
@pytest.mark.good_twin("I12")
async def test_of_many_who_redeem_one_code_at_once_one_succeeds_and_nothing_is_left_of_it(wallet: Wallet) -> None:
    code = await wallet.code()
    answers = await asyncio.gather(*(wallet.redeem(code) for _ in range(20)))
    [good] = [each for each in answers if each.status_code == 200]
    assert {each.json()["error"] for each in answers if each is not good} == {"invalid_grant"}
    refused(await wallet.ask(good.json()["access_token"]), "invalid_token", 401)


async def test_a_code_ends(place: Place) -> None:
    async with running(place, code_seconds=20) as issuer:
        wallet = Wallet(issuer)
        late, good = await wallet.code(), await wallet.code()
        assert (await wallet.redeem(good)).status_code == 200
        issuer.clock.advance(timedelta(seconds=20))
        refused(await wallet.redeem(late), "invalid_grant")


@pytest.mark.attack("I12")
@pytest.mark.good_twin("I12")
async def test_a_code_of_one_authority_is_none_of_another(wallet: Wallet) -> None:
    code = await wallet.code()
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": wallet.verifier}
    form |= {"redirect_uri": REDIRECT, "client_id": "https://wallet.example"}
    refused(await wallet.issuer.client.post(f"/{BC}/token", data=form), "invalid_grant")
    assert (await wallet.redeem(code)).status_code == 200


@pytest.mark.sqlite_files
async def test_neither_codes_nor_secrets_are_in_the_database(wallet: Wallet, place: Place) -> None:
    browser = Browser(wallet.issuer)
    uri = await wallet.request_uri()
    begun = await browser.get(wallet.start_url(uri))
    signed_in = await browser.choose(begun.headers["location"], person=FILE)
    code = answer_of(await browser.choose(signed_in.headers["location"], answer="agree"))["code"]
    given = (await wallet.redeem(code)).json()
    await wallet.issuer.deployment.database.close()
    kept = b"".join(path.read_bytes() for path in (place.folder / "data").glob("issuer.sqlite3*"))
    secrets = [code, uri.rpartition(":")[2], given["access_token"], given["refresh_token"], *browser.cookies.values()]
    assert [each for each in secrets if each and each.encode() in kept] == []
    assert b"Canari" not in kept
