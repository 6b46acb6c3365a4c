"""The console's door: who gets in, who gets where, and what a foreign page gets done (nothing)."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from comity.errors import Code, Denied
from issuer import passwords, signing_in
from issuer.operators import Role
from issuer.store.console_tables import clerk_sessions
from tests.services.issuer.clerks import ORIGIN, PASSWORD, AtDesk, employ, hidden, sign_in, words
from tests.services.issuer.deployed import BC, LICENCE, PUBLIC_URL, Deployed

ALL, MAY_ISSUE = set(Role), {Role.CLERK, Role.SUPERVISOR, Role.ADMIN}
PAGES = {
    "/": ALL,
    "/search": ALL,
    "/expiring": ALL,
    "/help": ALL,
    "/issue": MAY_ISSUE,
    "/issue/person/1": MAY_ISSUE,
    "/files": MAY_ISSUE,
    "/files/sample/person/1": MAY_ISSUE,
    "/approvals": {Role.SUPERVISOR, Role.ADMIN},
    "/log": {Role.AUDITOR, Role.ADMIN},
    "/log/export": {Role.AUDITOR, Role.ADMIN},
    "/log/refusals": {Role.AUDITOR, Role.ADMIN},
    "/log/refusals/export": {Role.AUDITOR, Role.ADMIN},
    "/clerks": {Role.ADMIN},
    "/webhooks": {Role.ADMIN},
}
POSTS = {
    "/search": ALL,
    "/issue/person/1": MAY_ISSUE,
    "/issue/person/1/offer": MAY_ISSUE,
    "/files": MAY_ISSUE,
    "/approvals": {Role.SUPERVISOR, Role.ADMIN},
    "/approvals/offers": {Role.SUPERVISOR, Role.ADMIN},
    "/clerks": {Role.ADMIN},
    "/webhooks": {Role.ADMIN},
    "/webhooks/nothing": {Role.ADMIN},
}


@pytest.fixture
async def desk(issuer: Deployed) -> Deployed:
    await employ(issuer)
    return issuer


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_sees_its_pages_and_no_other(desk: Deployed, role: Role) -> None:
    offer = await desk.offer(type="drivers-licence/1", claims=LICENCE, record_reference="r")
    assert (await desk.receive(offer)).status_code == 200
    (record,) = await desk.records(record_reference="r")
    pages = PAGES | {
        f"/records/{record['id']}": ALL,
        f"/records/{record['id']}/suspend": {Role.SUPERVISOR, Role.ADMIN},
        f"/records/{record['id']}/revoke": {Role.CLERK, Role.SUPERVISOR, Role.ADMIN},
        f"/offers/{offer['offer_id']}": ALL,
        f"/offers/{offer['offer_id']}/slip": MAY_ISSUE,
    }
    browser = await sign_in(desk, role.value)
    for path, allowed in pages.items():
        answer = await browser.get(path)
        assert answer.status_code == (200 if role in allowed else 403), (path, words(answer))
        assert "did:" not in answer.text
        assert "ledger" not in answer.text.lower()


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_sends_its_forms_and_no_other(desk: Deployed, role: Role) -> None:
    browser = await sign_in(desk, role.value)
    fields = hidden((await browser.get("/")).text)
    for path, allowed in POSTS.items():
        answer = await browser.send(path, fields, follow=False)
        assert (answer.status_code == 403) is (role not in allowed), (path, answer.status_code)


@pytest.mark.parametrize("path", [*PAGES, "/records/x", "/offers/x"])
async def test_nobody_sees_anything_before_signing_in(desk: Deployed, path: str) -> None:
    answer = await desk.client.get(f"/en{path}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/en/sign-in?next=")


@pytest.mark.attack("W04")
@pytest.mark.good_twin("W04")
async def test_a_sign_in_leads_to_the_page_that_was_wanted_and_never_elsewhere(desk: Deployed) -> None:
    for wanted, led in (("/en/expiring?days=7", "/en/expiring?days=7"), ("https://elsewhere.example/", "/en/")):
        transport = httpx.ASGITransport(app=desk.app)
        browser = AtDesk(httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL))
        answer = await browser.post("/sign-in", {"name": "clerk", "password": PASSWORD, "next": wanted}, follow=False)
        assert (answer.status_code, answer.headers["location"]) == (303, led)


@pytest.mark.attack("W12")
async def test_what_is_wrong_with_a_sign_in_is_told_alike(desk: Deployed) -> None:
    said = set()
    await signing_in.set_disabled(desk.deployment, "auditor", authority=None, disabled=True, actor="test")
    for name, password in (("clerk", "wrong password"), ("nobody", PASSWORD), ("auditor", PASSWORD), ("", "")):
        answer = await AtDesk(desk.client).post("/sign-in", {"name": name, "password": password})
        assert answer.status_code == 422
        assert PASSWORD not in answer.text
        said.add("wrong" in words(answer))
    assert said == {True, False}  # the empty form is told to be filled in, the others are told the same


async def test_five_wrong_passwords_lock_an_account_for_a_while_even_for_the_right_one(desk: Deployed) -> None:
    browser = AtDesk(desk.client)
    for _ in range(signing_in.ATTEMPTS):
        await browser.post("/sign-in", {"name": "clerk", "password": "not the password"})
    locked = await browser.post("/sign-in", {"name": "clerk", "password": PASSWORD})
    assert "Too many wrong passwords" in words(locked)
    assert (await sign_in(desk, "supervisor")).client.cookies
    desk.clock.advance(timedelta(seconds=signing_in.LOCK_SECONDS + 1))
    assert (await browser.post("/sign-in", {"name": "clerk", "password": PASSWORD})).status_code == 200


@pytest.mark.attack("Q05")
async def test_guesses_at_once_are_no_more_than_one_after_the_other(
    desk: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the right password is looked at, others guess: the account is locked before it opens."""
    loop = asyncio.get_running_loop()

    def is_right(password: str, _stored: str | None) -> bool:
        for _ in range(signing_in.ATTEMPTS if password == PASSWORD else 0):
            guess = signing_in.sign_in(desk.deployment, "clerk", "a wrong password")
            with pytest.raises(Denied):
                asyncio.run_coroutine_threadsafe(guess, loop).result()
        return password == PASSWORD

    monkeypatch.setattr(passwords, "is_right", is_right)
    with pytest.raises(Denied) as raised:
        await signing_in.sign_in(desk.deployment, "clerk", PASSWORD)
    assert raised.value.code is Code.TOO_MANY_ATTEMPTS
    monkeypatch.undo()
    assert (await signing_in.sign_in(desk.deployment, "supervisor", PASSWORD)).token


async def test_a_session_ends_when_idle_when_old_when_left_and_when_the_account_is_closed(desk: Deployed) -> None:
    idle = await sign_in(desk, "clerk")
    desk.clock.advance(timedelta(seconds=signing_in.IDLE_SECONDS - 60))
    assert "At the desk" in words(await idle.get("/"))
    desk.clock.advance(timedelta(seconds=signing_in.IDLE_SECONDS + 1))
    assert "Sign in" in words(await idle.get("/"))

    busy = await sign_in(desk, "clerk")
    for _ in range(signing_in.LONGEST_SECONDS // 1000):
        desk.clock.advance(timedelta(seconds=1000))
        await busy.get("/")
    desk.clock.advance(timedelta(seconds=100))
    assert "Sign in" in words(await busy.get("/"))

    await signing_in.erase_due(desk.deployment)  # the timer may have been quicker
    assert (
        await desk.deployment.database.read(lambda connection: connection.execute(select(clerk_sessions)).all()) == []
    )

    left = await sign_in(desk, "clerk")
    kept = dict(left.client.cookies)
    await left.post("/sign-out", {}, page="/")
    left.client.cookies.update(kept)
    assert "Sign in" in words(await left.get("/"))

    closed, admin = await sign_in(desk, "clerk"), await sign_in(desk, "admin")
    await admin.post("/clerks", {"wish": "close", "name": "clerk"})
    assert "Sign in" in words(await closed.get("/"))
    refused = await AtDesk(desk.client).post("/sign-in", {"name": "clerk", "password": PASSWORD})
    assert refused.status_code == 422


@pytest.mark.attack("W01")
@pytest.mark.good_twin("W01")
async def test_a_form_of_another_browser_or_another_site_does_nothing(desk: Deployed) -> None:
    mine, theirs = await sign_in(desk, "clerk"), await sign_in(desk, "supervisor")
    fields = hidden((await theirs.get("/search")).text) | {"search": "file-7"}
    mixed = await mine.send("/search", fields)
    assert mixed.status_code == 422
    assert "Nothing you typed is lost" in words(mixed)
    own = hidden((await mine.get("/search")).text) | {"search": "file-7"}
    for headers in ({"origin": "https://elsewhere.example"}, ORIGIN | {"sec-fetch-site": "cross-site"}):
        answer = await mine.client.post("/en/search", data=own, headers=headers)
        assert answer.status_code == 403
    assert (await mine.send("/search", own, follow=False)).status_code == 303


async def test_the_cookie_is_for_this_host_and_no_script(desk: Deployed) -> None:
    browser = AtDesk(desk.client)
    answer = await browser.post("/sign-in", {"name": "clerk", "password": PASSWORD}, follow=False)
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("comity_desk="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    token = re.split("[=;]", cookie)[1]
    stored = (desk.settings.data_folder / "issuer.sqlite3").read_bytes()
    assert token.encode() not in stored
    assert PASSWORD.encode() not in stored


@pytest.mark.attack("W07")
@pytest.mark.good_twin("W07")
async def test_an_authority_sees_nothing_of_another_one(desk: Deployed) -> None:
    await employ(desk, authority=BC, suffix="-bc")
    offer = await desk.offer(type="drivers-licence/1", claims=LICENCE, record_reference="r")
    assert (await desk.receive(offer)).status_code == 200
    (record,) = await desk.records(record_reference="r")
    stranger = await sign_in(desk, "admin-bc")
    for path in (
        f"/records/{record['id']}",
        f"/records/{record['id']}/revoke",
        f"/offers/{offer['offer_id']}",
        f"/offers/{offer['offer_id']}/slip",
        "/issue/drivers-licence/1",
    ):
        assert (await stranger.get(path)).status_code == 404, path
    found = await stranger.post("/search", {"search": "r"})
    assert "Nothing found" in words(found)
    assert "supervisor" not in words(await stranger.get("/log")).replace("supervisor-bc", "")
    at_home = await sign_in(desk, "admin")
    assert "1 credential found" in words(await at_home.post("/search", {"search": "r"}))
    refused = await stranger.post("/clerks", {"wish": "close", "name": "clerk"})
    assert refused.status_code == 404


async def test_an_administrator_opens_accounts_with_a_password_shown_once(desk: Deployed) -> None:
    admin = await sign_in(desk, "admin")
    shown = await admin.post("/clerks", {"wish": "add", "name": "new.clerk", "role": "clerk"})
    password = re.findall(r'<p class="code">([^<]+)</p>', shown.text)
    assert len(password) == 1
    assert password[0] not in (await admin.get("/clerks")).text
    assert "At the desk" in words(await (await sign_in(desk, "new.clerk", password=password[0])).get("/"))
    for name, says in (("new.clerk", "taken"), ("No Spaces", "3 to 60"), ("ab", "3 to 60")):
        refused = await admin.post("/clerks", {"wish": "add", "name": name, "role": "clerk"})
        assert refused.status_code == 422
        assert says in words(refused)
    own = await admin.post("/clerks", {"wish": "close", "name": "admin"})
    assert "cannot close your own" in words(own)
