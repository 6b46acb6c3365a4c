"""Accounts over HTTP: cookies, foreign pages, other people's records, taking everything along."""

from typing import Any

import httpx
import pytest

from comity import base64url, strict_json
from tests.services.wallet.test_pages import token_in
from tests.services.wallet.town import PASSPHRASE, WALLET, Person, Town
from wallet import vault
from wallet.api.session import KNOWN


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_session_is_a_cookie_that_no_script_reads(town: Town) -> None:
    person = await town.visit()
    made = await person.post("accounts", name="maya", passphrase=PASSPHRASE)
    cookie = made.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # this one is served at http://localhost
    assert made.headers["cache-control"] == "no-store"


async def test_what_is_locked_stays_closed(town: Town, maya: Person) -> None:
    cookie = dict(maya.client.cookies)
    locked = await maya.remove("session")
    assert locked.json() == {"unlocked": False}
    assert locked.headers["clear-site-data"] == '"cache", "storage"'
    maya.client.cookies.update(cookie)
    assert code_of(await maya.client.get("/api/v1/credentials")) == (401, "vault_locked")
    assert (await maya.remove("session")).status_code == 200  # locking what is locked


@pytest.mark.both_databases
@pytest.mark.attack("W05")
@pytest.mark.good_twin("W05")
async def test_unlocking_replaces_the_session_that_came_along(town: Town, maya: Person) -> None:
    """W05."""
    before = dict(maya.client.cookies)
    await maya.post("session", name="maya", passphrase=PASSPHRASE)
    assert dict(maya.client.cookies) != before
    old = await town.visit()
    old.client.cookies.update(before)
    assert code_of(await old.client.get("/api/v1/credentials")) == (401, "vault_locked")
    assert await maya.credentials() == []


async def test_unlocking_with_the_recovery_code(town: Town, maya: Person) -> None:
    other = await town.visit()
    answer = await other.post("session", name="maya", recovery_code=maya.recovery_code.lower())
    assert answer.json() == {"unlocked": True}
    assert [each["what"] for each in await other.history()] == ["recovery_code_used"]


@pytest.mark.attack("W12")
async def test_a_wrong_passphrase_and_an_unknown_name_look_the_same(town: Town, maya: Person) -> None:
    """W12."""
    person = await town.visit()
    wrong = await person.post("session", name="maya", passphrase="not the passphrase")
    unknown = await person.post("session", name="nobody", passphrase="not the passphrase")
    left, right = [{k: v for k, v in each.json().items() if k != "request_id"} for each in (wrong, unknown)]
    assert left == right
    assert code_of(wrong) == (401, "passphrase_wrong")


@pytest.mark.attack("Q12")
@pytest.mark.good_twin("Q12")
async def test_whoever_tries_elsewhere_keeps_nobody_out_here(town: Town, maya: Person) -> None:
    """By programs and by pages: the browser that was used before is known, and carries nothing that opens anything."""
    assert (await maya.remove("session")).status_code == 200
    stranger = await town.visit()
    tried = [await stranger.post("session", name="maya", passphrase="not that passphrase") for _ in range(6)]
    assert code_of(tried[-1]) == (429, "too_many_attempts")
    assert dict(stranger.client.cookies) == {}
    assert (await maya.post("session", name="maya", passphrase=PASSPHRASE)).status_code == 200
    known = next(each for each in maya.client.cookies.jar if each.name == KNOWN)
    assert known.has_nonstandard_attr("HttpOnly")
    assert known.get_nonstandard_attr("SameSite") == "strict"
    assert (await maya.remove("session")).status_code == 200
    page = await maya.client.get("/en/sign-in")
    fields = {"form_token": token_in(page.text), "name": "maya", "passphrase": PASSPHRASE}
    entered = await maya.client.post("/en/sign-in", data=fields, headers={"origin": WALLET})
    assert (entered.status_code, entered.headers["location"]) == (303, "/en/")
    transport = httpx.ASGITransport(town.wallet_app)
    only_known = httpx.Cookies({KNOWN: str(known.value)})
    async with httpx.AsyncClient(transport=transport, base_url=WALLET, cookies=only_known) as thief:
        assert code_of(await thief.get("/api/v1/credentials")) == (401, "vault_locked")


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_refusals_are_told_in_both_languages(town: Town, maya: Person, language: str) -> None:
    answer = await maya.post("session", language, name="maya", passphrase="not the passphrase")
    assert answer.headers["content-language"] == language


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"name": "noah"},
        {"name": 7, "passphrase": PASSPHRASE},
        {"name": "", "passphrase": PASSPHRASE},
        {"name": "noah", "passphrase": "short"},
    ],
)
@pytest.mark.both_databases
async def test_an_account_needs_a_name_and_a_passphrase(town: Town, members: dict[str, Any]) -> None:
    person = await town.visit()
    assert (await person.post("accounts", **members)).status_code == 400
    assert not person.client.cookies


# --- the passphrase


@pytest.mark.both_databases
async def test_the_passphrase_is_changed_by_whoever_knows_it(town: Town, maya: Person) -> None:
    changed = await maya.post("passphrase", passphrase="a new long passphrase", current_passphrase=PASSPHRASE)
    assert changed.json() == {"unlocked": False}
    assert code_of(await maya.client.get("/api/v1/history")) == (401, "vault_locked")
    assert code_of(await maya.post("session", name="maya", passphrase=PASSPHRASE)) == (401, "passphrase_wrong")
    assert (await maya.post("session", name="maya", passphrase="a new long passphrase")).status_code == 200
    again = await maya.post("passphrase", passphrase=PASSPHRASE, recovery_code=maya.recovery_code)
    assert again.status_code == 200


async def test_an_open_wallet_alone_does_not_change_it(town: Town, maya: Person) -> None:
    assert (await maya.post("passphrase", passphrase="a new long passphrase")).status_code == 400
    wrong = await maya.post("passphrase", passphrase="a new long passphrase", current_passphrase="not this one")
    assert code_of(wrong) == (401, "passphrase_wrong")
    assert await maya.credentials() == []


# --- foreign pages


FOREIGN = [
    {"origin": "https://attacker.example"},
    {"origin": "null"},
    {"origin": WALLET + ".attacker.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]
WRITING = [
    ("POST", "accounts"),
    ("POST", "session"),
    ("DELETE", "session"),
    ("POST", "passphrase"),
    ("POST", "export"),
    ("POST", "import"),
    ("DELETE", "account"),
    ("POST", "offers/preview"),
    ("POST", "credentials"),
    ("DELETE", "credentials/one"),
    ("POST", "presentations"),
    ("POST", "presentations/one/answer"),
    ("POST", "status-refresh"),
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda each: next(iter(each.values())))
@pytest.mark.attack("W01")
async def test_a_foreign_page_changes_nothing(town: Town, maya: Person, headers: dict[str, str]) -> None:
    """W01."""
    for method, path in WRITING:
        members: dict[str, Any] = {"json": {"name": "x", "passphrase": PASSPHRASE}} if method == "POST" else {}
        answer = await maya.client.request(method, f"/api/v1/{path}", headers=headers, **members)
        assert code_of(answer) == (403, "not_permitted"), path
    assert await maya.credentials() == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.attack("W01")
async def test_only_json_is_read(town: Town, maya: Person, kind: str) -> None:
    """W01: what a foreign form can send is no request."""
    for method, path in WRITING:
        if method == "POST":
            answer = await maya.client.post(
                f"/api/v1/{path}", content=b'{"name":"x"}', headers={"content-type": kind, "origin": WALLET}
            )
            assert code_of(answer) == (415, "unsupported_media_type"), path


@pytest.mark.good_twin("W01")
async def test_our_own_page_and_a_plain_client_may(town: Town, maya: Person) -> None:
    for headers in ({}, {"origin": WALLET}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}):
        answer = await maya.client.post("/api/v1/status-refresh", json={}, headers=headers)
        assert answer.status_code == 200


# --- other people


@pytest.mark.attack("W07")
@pytest.mark.good_twin("W07")
async def test_somebody_elses_records_are_not_there(town: Town, maya: Person) -> None:
    """W07."""
    (held,) = await maya.receive(await town.offer())
    consent = await maya.consent((await town.ask())["link"])
    noah = await town.arrive("noah")
    gets = [f"credentials/{held['id']}", f"credentials/{held['id']}/raw"]
    for path in gets:
        assert (await noah.client.get(f"/api/v1/{path}")).status_code == 404
    assert (await noah.remove(f"credentials/{held['id']}")).status_code == 404
    assert code_of(await noah.agree(consent)) == (404, "consent_required")
    assert code_of(await noah.agree(consent, decline=True)) == (404, "consent_required")
    offer = await town.offer("drivers-licence/1")
    shared = await noah.post("credentials", offer=offer["link"], same_key_as=held["id"])
    assert code_of(shared) == (404, "credential_unknown")
    for path in ("credentials", "history", "messages"):
        found = await noah.get(path)
        assert found[path] == []
    for path in gets:
        assert (await maya.client.get(f"/api/v1/{path}")).status_code == 200
    assert (await maya.agree(consent)).status_code == 200


async def test_without_a_session_nothing_is_shown(town: Town, maya: Person) -> None:
    stranger = await town.visit()
    for path in ("credentials", "credentials/one", "credentials/one/raw", "history", "messages"):
        assert code_of(await stranger.client.get(f"/api/v1/{path}")) == (401, "vault_locked")
    for method, path in WRITING:
        if path in {"accounts", "session"}:
            continue
        body: dict[str, Any] = {"json": {"passphrase": PASSPHRASE}} if method == "POST" else {}
        answer = await stranger.client.request(method, f"/api/v1/{path}", headers={"origin": WALLET}, **body)
        assert code_of(answer) == (401, "vault_locked"), path


# --- taking it along


@pytest.mark.both_databases
async def test_everything_is_taken_along(town: Town, maya: Person) -> None:
    (held,) = await maya.receive(await town.offer())
    exported = (await maya.post("export", passphrase="the export's passphrase")).content
    await maya.remove("account")
    noah = await town.arrive("noah")
    sent = {"export": base64url.encode(exported), "passphrase": "the export's passphrase"}
    assert (await noah.post("import", **sent)).json() == {"records": 3}
    assert [each["id"] for each in await noah.credentials()] == [held["id"]]
    started = await town.ask()
    assert (await noah.agree(await noah.consent(started["link"]))).status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"
    wrong = await noah.post("import", export=base64url.encode(b"{}"), passphrase="the export's passphrase")
    assert code_of(wrong) == (400, "record_tampered")


async def test_a_step_that_cannot_be_read_keeps_nobody_out(town: Town, maya: Person) -> None:
    """An export is whatever its maker wrote; the wallet goes on with what it can read."""
    data_key, name = vault.new_data_key(), "export"
    records = [
        {"kind": "pending", "id": "odd", "content": {}},
        {"kind": "pending", "id": "two", "content": {"keys": 7}},
    ]
    plaintext = strict_json.serialise({"records": records})
    sealed = vault.seal(data_key, plaintext, citizen=name, kind=name, record=name, version=1)
    slot = vault.passphrase_slot(data_key, PASSPHRASE, citizen=name, pepper=None)
    exported = {"comity_wallet": 1, "slot": slot.to_dict(), "sealed": base64url.encode(sealed)}
    sent = {"export": base64url.encode(strict_json.serialise(exported)), "passphrase": PASSPHRASE}
    assert (await maya.post("import", **sent)).json() == {"records": 2}
    assert (await maya.post("session", name="maya", passphrase=PASSPHRASE)).status_code == 200
    (held,) = await maya.receive(await town.offer())
    assert [each["id"] for each in await maya.credentials()] == [held["id"]]


async def test_an_import_may_be_large_and_nothing_else(town: Town, maya: Person) -> None:
    large = "A" * (2 << 20)
    assert code_of(await maya.post("import", export=large, passphrase=PASSPHRASE))[1] != "too_large"
    assert code_of(await maya.post("offers/preview", offer=large)) == (413, "too_large")


@pytest.mark.both_databases
async def test_a_deleted_account_is_gone(town: Town, maya: Person) -> None:
    answer = await maya.remove("account")
    assert answer.json() == {"deleted": True}
    assert code_of(await maya.post("session", name="maya", passphrase=PASSPHRASE)) == (401, "passphrase_wrong")
    await town.arrive("maya")


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("credentials", {"offer": "x", "configuration_ids": "person"}),
        ("credentials", {"offer": "x", "configuration_ids": [7]}),
        ("credentials", {"offer": "x", "keep_unrecognised": "yes"}),
        ("credentials", {"offer": "x", "transaction_code": 1234}),
        ("presentations/one/answer", {"digest": "x", "selection": ["a"]}),
        ("presentations/one/answer", {"digest": "x", "selection": {"a": 7}}),
        ("presentations/one/answer", {"digest": "x", "decline": 1}),
    ],
)
@pytest.mark.attack("W08")
async def test_members_have_their_types(town: Town, maya: Person, path: str, members: dict[str, Any]) -> None:
    assert code_of(await maya.post(path, **members)) == (400, "malformed")
