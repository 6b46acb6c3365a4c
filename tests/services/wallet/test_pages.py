"""The wallet's pages without a browser: every route, every form, in both languages."""

import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.routing import Route

from tests.services.wallet.town import PASSPHRASE, WALLET, Person, Town

FREE = {"/", "/sign-up", "/sign-in", "/recover", "/help", "/offline", "/app.webmanifest", "/open", "/callback"}
"""Pages for everybody; all others need an open wallet."""


def routes(town: Town, method: str) -> Iterator[str]:
    """Yield the paths of all pages below the language, parameters filled in with something unknown."""
    for each in town.wallet_app.routes:
        if isinstance(each, Route) and each.path.startswith("/{lang:lang}") and method in (each.methods or ()):
            yield re.sub(r"\{[^}]+\}", "unknown", each.path.removeprefix("/{lang:lang}"))


def token_in(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found
    return found[1]


async def signed_in(town: Town) -> Person:
    """Return somebody who signed in on the page."""
    maya = await town.arrive("paula")
    browser = await town.visit()
    page = await browser.client.get("/en/sign-in")
    form = {"form_token": token_in(page.text), "name": maya.name, "passphrase": PASSPHRASE}
    answer = await browser.client.post("/en/sign-in", data=form, headers={"origin": WALLET})
    assert (answer.status_code, answer.headers["location"]) == (303, "/en/")
    return browser


async def test_there_are_pages_and_each_needs_an_open_wallet(town: Town) -> None:
    client = (await town.visit()).client
    seen = set(routes(town, "GET"))
    assert len(seen) > 15
    for path in seen - FREE:
        answer = await client.get(f"/fr{path}")
        assert (answer.status_code, answer.headers.get("location", "")[:11]) == (303, "/fr/sign-in"), path
    for path in FREE - {"/open"}:
        assert (await client.get(f"/fr{path}")).status_code == 200, path


@pytest.mark.attack("W01")
async def test_no_form_is_taken_from_another_site(town: Town) -> None:
    maya = await signed_in(town)
    page = await maya.client.get("/en/door")
    sent = set(routes(town, "POST"))
    assert len(sent) > 12
    for path in sent:
        form = {"form_token": token_in(page.text)}
        foreign = await maya.client.post(f"/en{path}", data=form, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403, path
    assert (await maya.client.get("/en/history")).status_code == 200, "nothing was locked"


@pytest.mark.attack("W01")
async def test_no_form_without_our_token_changes_anything(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    (card,) = await maya.credentials()
    for path in (f"/cards/{card['id']}/delete", "/settings/delete", "/settings/passphrase", "/settings/backup"):
        form = {"form_token": "none", "current": PASSPHRASE, "passphrase": PASSPHRASE}
        answer = await maya.client.post(f"/en{path}", data=form, headers={"origin": WALLET})
        assert answer.status_code in {303, 422}, path
        assert "attachment" not in answer.headers.get("content-disposition", "")
    assert len(await maya.credentials()) == 1


async def test_every_form_is_limited(town: Town) -> None:
    maya = await signed_in(town)
    page = await maya.client.get("/en/door")
    for path in set(routes(town, "POST")) - {"/settings/restore", "/door", "/door/frame"}:
        form = {"form_token": token_in(page.text), "name": "x" * (1 << 20)}
        answer = await maya.client.post(f"/en{path}", data=form, headers={"origin": WALLET})
        assert answer.status_code == 413, path
        assert "<h1>" in answer.text


async def test_a_wrong_passphrase_is_said_beside_the_field_and_tries_are_limited(town: Town) -> None:
    maya, client = await town.arrive("wrong"), (await town.visit()).client
    for number in range(6):
        page = await client.get("/fr/sign-in")
        form = {"form_token": token_in(page.text), "name": maya.name, "passphrase": "not these words"}
        answer = await client.post("/fr/sign-in", data=form, headers={"origin": WALLET})
        assert answer.status_code == 422
        assert "not these words" not in answer.text
        assert f'value="{maya.name}"' in answer.text
        words = "n’ouvrent aucun portefeuille" if number < 5 else "Trop d’essais"
        assert words in answer.text


@pytest.mark.attack("W04")
@pytest.mark.good_twin("W04")
async def test_a_sign_in_leads_only_to_pages_of_ours(town: Town) -> None:
    maya, client = await town.arrive("next"), (await town.visit()).client
    for where, expected in (("https://evil.example/", "/en/"), ("//evil.example/en/", "/en/"), ("/en/history", None)):
        page = await client.get("/en/sign-in", params={"next": where})
        form = {"form_token": token_in(page.text), "name": maya.name, "passphrase": PASSPHRASE, "next": where}
        answer = await client.post("/en/sign-in", data=form, headers={"origin": WALLET})
        assert answer.headers["location"] == (expected or where)


async def test_the_recovery_code_is_on_one_page_only(town: Town) -> None:
    client = (await town.visit()).client
    page = await client.get("/en/sign-up")
    form = {"form_token": token_in(page.text), "name": "once", "passphrase": PASSPHRASE}
    first = await client.post("/en/sign-up", data=form, headers={"origin": WALLET})
    code = re.search(r'id="recovery-code">([A-Z2-7-]{39})<', first.text)
    assert code
    assert first.headers["cache-control"] == "no-store"
    again = await client.post("/en/sign-up", data=form, headers={"origin": WALLET})
    assert again.status_code == 422
    assert code[1] not in again.text


@pytest.mark.attack("W05", "W17")
async def test_a_lock_ends_the_session_on_the_server(town: Town) -> None:
    maya = await signed_in(town)
    cookie = maya.client.cookies["comity_wallet"]
    page = await maya.client.get("/en/settings")
    form = {"form_token": token_in(page.text)}
    answer = await maya.client.post("/en/lock", data=form, headers={"origin": WALLET})
    assert answer.headers["location"] == "/en/sign-in?locked=yes"
    assert answer.headers["clear-site-data"] == '"cache"'
    maya.client.cookies.set("comity_wallet", cookie)
    assert (await maya.client.get("/en/history")).status_code == 303


async def test_deleting_the_wallet_asks_for_the_passphrase(town: Town) -> None:
    maya = await signed_in(town)
    token = token_in((await maya.client.get("/en/settings/delete")).text)
    for current, status in (("not these words", 422), (PASSPHRASE, 303)):
        form = {"form_token": token, "current": current}
        answer = await maya.client.post("/en/settings/delete", data=form, headers={"origin": WALLET})
        assert answer.status_code == status
    fresh = await maya.client.get("/en/sign-in")
    form = {"form_token": token_in(fresh.text), "name": "paula", "passphrase": PASSPHRASE}
    gone = await maya.client.post("/en/sign-in", data=form, headers={"origin": WALLET})
    assert "do not open a wallet" in gone.text


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_it_can_be_put_on_the_home_screen(town: Town, language: str) -> None:
    client = (await town.visit()).client
    manifest = (await client.get(f"/{language}/app.webmanifest")).json()
    assert manifest["start_url"] == f"/{language}/"
    assert (await client.get(manifest["icons"][0]["src"])).status_code == 200
    worker = await client.get("/worker.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    for path in re.findall(r'"(/[^"]+)"', worker.text.split(";")[0]):
        assert (await client.get(path)).status_code == 200, path


@pytest.mark.attack("W17", "X08")
@pytest.mark.good_twin("W17")
async def test_no_page_of_a_wallet_is_kept_by_a_cache_or_named_in_a_referrer(town: Town) -> None:
    maya = await signed_in(town)
    for path in ("/", "/history", "/settings"):
        answer: httpx.Response = await maya.client.get(f"/en{path}")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "unsafe" not in answer.headers["content-security-policy"]
