"""Passkeys that open the vault: what a device answers, and every way in which an answer is none."""

import re
from datetime import timedelta
from typing import Any

import pytest

from comity import base64url, strict_json
from comity.errors import Code, ComityError, Conflict, Denied, Malformed
from tests.services.wallet.test_pages import token_in
from tests.services.wallet.town import PASSPHRASE, WALLET, Person, Town
from tests.support.authenticator import Authenticator
from wallet import passkeys as module
from wallet.passkeys import Passkeys
from wallet.records import OpenWallet
from wallet.vault import RECOVERY


@pytest.fixture
def passkeys(town: Town) -> Passkeys:
    deployment = town.wallet
    return Passkeys.of(deployment.database, deployment.clock, deployment.custody, WALLET)


@pytest.fixture
async def wallet(town: Town, maya: Person) -> OpenWallet:
    return await town.wallet.custody.unlock(maya.name, PASSPHRASE)


@pytest.fixture
def device() -> Authenticator:
    return Authenticator(WALLET, "localhost")


async def added(passkeys: Passkeys, wallet: OpenWallet, device: Authenticator) -> Authenticator:
    await passkeys.add(wallet, device.create(await passkeys.begin(wallet)), device.secret, "phone")
    return device


async def code_of(attempt: Any) -> Code | None:
    try:
        await attempt
    except ComityError as error:
        return error.code
    return None


@pytest.mark.good_twin("W11")
async def test_a_passkey_decrypts_the_wallet(passkeys: Passkeys, wallet: OpenWallet, device: Authenticator) -> None:
    await wallet.put("history", "x", {"what": "kept"})
    await added(passkeys, wallet, device)
    for _ in range(2):
        opened = await passkeys.sign_in(device.get(await passkeys.begin_sign_in()), device.secret)
        assert opened.citizen == wallet.citizen
        assert [each.content["what"] for each in await opened.all("history")] == ["kept"]
    assert [each.label for each in await passkeys.all(wallet)] == ["phone"]


async def test_the_question_asks_for_a_verified_person_and_the_secret(passkeys: Passkeys, wallet: OpenWallet) -> None:
    asked = await passkeys.begin(wallet)
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert len(base64url.decode(asked["extensions"]["prf"]["eval"]["first"])) == 32
    again = await passkeys.begin_sign_in()
    assert again["extensions"]["prf"] == asked["extensions"]["prf"], "the same input gives the same secret"
    assert again["userVerification"] == "required"


@pytest.mark.parametrize("secret", [base64url.encode(bytes(32)), base64url.encode(bytes(31)), "", "!"])
async def test_another_secret_opens_nothing(
    passkeys: Passkeys, wallet: OpenWallet, device: Authenticator, secret: str
) -> None:
    await added(passkeys, wallet, device)
    with pytest.raises((Denied, Malformed)):
        await passkeys.sign_in(device.get(await passkeys.begin_sign_in()), secret)


@pytest.mark.both_databases
@pytest.mark.attack("W11")
@pytest.mark.good_twin("W11")
async def test_an_answer_is_taken_once(passkeys: Passkeys, wallet: OpenWallet, device: Authenticator) -> None:
    await added(passkeys, wallet, device)
    answer = device.get(await passkeys.begin_sign_in())
    await passkeys.sign_in(answer, device.secret)
    assert await code_of(passkeys.sign_in(answer, device.secret)) is Code.NOT_PERMITTED


async def test_a_question_ends(
    town: Town, passkeys: Passkeys, wallet: OpenWallet, device: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await added(passkeys, wallet, device)
    monkeypatch.setattr(module, "CHALLENGE_LIFE", timedelta(0))
    late = device.get(await passkeys.begin_sign_in())
    assert await code_of(passkeys.sign_in(late, device.secret)) is Code.NOT_PERMITTED
    await town.wallet.custody.purge()


@pytest.mark.attack("W11")
async def test_a_question_of_one_person_is_not_answered_by_another(
    town: Town, passkeys: Passkeys, wallet: OpenWallet, device: Authenticator
) -> None:
    other = await town.wallet.custody.unlock((await town.arrive("other")).name, PASSPHRASE)
    answer = device.create(await passkeys.begin(other))
    assert await code_of(passkeys.add(wallet, answer, device.secret, "")) is Code.NOT_PERMITTED
    sign_in = await passkeys.begin_sign_in()
    options = {**(await passkeys.begin(wallet)), "challenge": sign_in["challenge"]}
    assert await code_of(passkeys.add(wallet, device.create(options), device.secret, "")) is Code.NOT_PERMITTED


@pytest.mark.parametrize("change", ["origin", "host", "key", "flags", "count"])
@pytest.mark.attack("W11")
@pytest.mark.good_twin("W11")
async def test_an_answer_that_is_not_the_device_s_own_is_refused(
    passkeys: Passkeys, wallet: OpenWallet, device: Authenticator, change: str
) -> None:
    await added(passkeys, wallet, device)
    await passkeys.sign_in(device.get(await passkeys.begin_sign_in()), device.secret)
    flags = 0x05
    if change == "origin":
        device.origin = "https://evil.example"
    elif change == "host":
        device.host = "evil.example"
    elif change == "key":
        device.key = Authenticator(WALLET, "localhost").key
    elif change == "flags":
        flags = 0x01  # present, but nobody verified who
    else:
        device.count = 0  # a copy that lags behind
    refused = passkeys.sign_in(device.get(await passkeys.begin_sign_in(), flags=flags), device.secret)
    assert await code_of(refused) is Code.PASSPHRASE_WRONG


@pytest.mark.attack("W11")
async def test_a_passkey_of_nobody_and_one_that_was_removed_open_nothing(
    passkeys: Passkeys, wallet: OpenWallet, device: Authenticator
) -> None:
    device.user = base64url.encode(wallet.citizen.encode())
    unknown = device.get(await passkeys.begin_sign_in())
    assert await code_of(passkeys.sign_in(unknown, device.secret)) is Code.PASSPHRASE_WRONG
    await added(passkeys, wallet, device)
    (kept,) = await passkeys.all(wallet)
    await passkeys.remove(wallet, kept.name)
    await passkeys.remove(wallet, "passphrase")
    gone = device.get(await passkeys.begin_sign_in())
    assert await code_of(passkeys.sign_in(gone, device.secret)) is Code.PASSPHRASE_WRONG
    assert (await passkeys.custody.unlock("maya", PASSPHRASE)).citizen == wallet.citizen, "the passphrase stays"


@pytest.mark.parametrize("answer", [{}, {"response": 5}, {"response": {}}, {"response": {"clientDataJSON": "AAAA"}}])
async def test_what_is_no_answer_is_refused(passkeys: Passkeys, wallet: OpenWallet, answer: dict[str, Any]) -> None:
    secret = base64url.encode(bytes(32))
    assert await code_of(passkeys.sign_in(answer, secret)) is Code.NOT_PERMITTED
    assert await code_of(passkeys.add(wallet, answer, secret, "")) is Code.NOT_PERMITTED


async def test_labels_and_numbers_of_passkeys_are_limited(
    passkeys: Passkeys, wallet: OpenWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Authenticator(WALLET, "localhost")
    long = passkeys.add(wallet, device.create(await passkeys.begin(wallet)), device.secret, "x" * 61)
    assert await code_of(long) is Code.TOO_LARGE
    monkeypatch.setattr(module, "MOST", 1)
    await added(passkeys, wallet, device)
    with pytest.raises(Conflict):
        await passkeys.begin(wallet)


async def test_the_database_holds_neither_the_secret_nor_the_data_key(
    town: Town, passkeys: Passkeys, wallet: OpenWallet, device: Authenticator
) -> None:
    await added(passkeys, wallet, device)
    rows = await town.wallet.database.read(
        lambda connection: connection.exec_driver_sql("SELECT slot FROM slots").scalars().all()
    )
    text = strict_json.serialise(list(rows))
    assert device.secret.encode() not in text
    assert base64url.encode(wallet.data_key).encode() not in text


async def test_an_account_may_begin_with_a_passkey_and_have_no_passphrase(
    town: Town, passkeys: Passkeys, device: Authenticator
) -> None:
    asked = await passkeys.begin_account("Élise")
    answer, user = device.create(asked), str(asked["user"]["id"])
    wallet, code = await passkeys.open_account("Élise", user, answer, device.secret)
    assert not await passkeys.custody.has_passphrase(wallet)
    opened = await passkeys.sign_in(device.get(await passkeys.begin_sign_in()), device.secret)
    assert opened.citizen == wallet.citizen
    assert (await passkeys.custody.unlock("élise", code, by=RECOVERY)).citizen == wallet.citizen
    assert await code_of(passkeys.custody.unlock("élise", PASSPHRASE)) is Code.PASSPHRASE_WRONG
    assert await code_of(passkeys.open_account("Maya", user, answer, device.secret)) is Code.NOT_PERMITTED, "once"
    again = await passkeys.begin_account("ÉLISE")
    taken = passkeys.open_account("ÉLISE", str(again["user"]["id"]), device.create(again), device.secret)
    assert await code_of(taken) is Code.ACCOUNT_EXISTS


async def test_a_question_about_one_account_opens_no_other(
    passkeys: Passkeys, wallet: OpenWallet, device: Authenticator
) -> None:
    asked = await passkeys.begin_account("new")
    answer = device.create(asked)
    existing = base64url.encode(wallet.citizen.encode())
    assert await code_of(passkeys.open_account("new", existing, answer, device.secret)) is Code.NOT_PERMITTED
    of_mine = device.create(await passkeys.begin(wallet))  # asked for another purpose
    assert await code_of(passkeys.open_account("new", existing, of_mine, device.secret)) is Code.NOT_PERMITTED
    assert await code_of(passkeys.begin_account("")) is Code.MALFORMED


async def test_the_pages_ask_whoever_has_no_passphrase_for_the_recovery_code(town: Town, device: Authenticator) -> None:
    browser = await town.visit()
    token = token_in((await browser.client.get("/en/sign-up")).text)
    headers = {"origin": WALLET}
    begun = {"form_token": token, "name": "key"}
    asked = (await browser.client.post("/en/sign-up/passkey/begin", data=begun, headers=headers)).json()
    sent = begun | {"user": asked["user"]["id"], "secret": device.secret}
    made = device.create(asked)
    refused = await browser.client.post("/en/sign-up/passkey", data={**sent, "answer": "{}"}, headers=headers)
    assert refused.status_code == 422
    sent["answer"] = strict_json.serialise(made).decode()
    first = await browser.client.post("/en/sign-up/passkey", data=sent, headers=headers)
    (code,) = re.findall(r'id="recovery-code">([A-Z2-7-]{39})<', first.text)
    page = await browser.client.get("/en/settings/delete")
    assert "Recovery code" in page.text
    for current, status in ((PASSPHRASE, 422), (code, 303)):
        form = {"form_token": token_in(page.text), "current": current}
        answer = await browser.client.post("/en/settings/delete", data=form, headers=headers)
        assert answer.status_code == status
