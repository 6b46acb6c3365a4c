"""What goes wrong at the wallet's pages: ended sessions, forms sent twice, hostile names, no network, two browsers."""

import pytest

from comity.demo.play import Play
from tests.browser.conftest import NewVisitor
from tests.browser.listening import require_focus
from tests.browser.test_wallet_pages import look
from tests.browser.visitor import Visitor
from tests.browser.wallets import Citizen, person_offer

COPY_PASSPHRASE = "words for this phone"
KEPT = """
new Promise((resolve) => {
  const opening = indexedDB.open("comity-offline", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("copies");
  opening.onsuccess = () => {
    const asked = opening.result.transaction("copies").objectStore("copies").get("mine");
    asked.onsuccess = () => {
      opening.result.close();
      const words = (value) => value instanceof ArrayBuffer ? new TextDecoder("latin1").decode(value) : String(value);
      resolve(asked.result ? Object.values(asked.result).map(words).join(" ") : null);
    };
  };
})
"""
"""Everything that this browser keeps of the copy, as text."""
SHELL_IS_KEPT = """
(async () => {
  const isKept = async () => navigator.serviceWorker.controller && (await caches.match("/fr/offline"));
  while (!(await isKept())) await new Promise(requestAnimationFrame);
})()
"""
COOKIE, EVIL = "comity_wallet", "http://evil.example"
HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(1)</script>\u202eeil\u200bE\u202c\ufeff",
    "إليز",
    "Élise-Marguerite" * 12,
)


async def at_wallet(visitor: NewVisitor, play: Play, **how: object) -> Citizen:
    person = Citizen(at=await visitor(**how), url=play.stage.urls["wallet"], play=play)
    await person.settle()
    return person


async def test_what_was_typed_survives_the_end_of_the_session(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    offered = await person_offer(play)
    await maya.go("/door")
    await maya.at.type("Paste a link or code", offered.link)
    await maya.at.context.clear_cookies(name=COOKIE)
    await maya.at.press("Continue", exact=True)
    assert "What you typed is kept" in await maya.text()
    await maya.at.check()
    await maya.at.press("Sign in again")
    await maya.unlock()
    assert await maya.at.heading() == "Go on where you were"
    await maya.at.press("Continue", exact=True)
    assert await maya.at.heading() == "A card is offered to you"
    maya.at.check_quiet()


async def test_a_page_of_the_wallet_is_come_back_to_after_the_sign_in(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await maya.at.context.clear_cookies(name=COOKIE)
    await maya.go("/history")
    assert await maya.at.heading() == "Unlock your wallet"
    await maya.unlock()
    assert await maya.at.heading() == "History"


@pytest.mark.attack("W17")
@pytest.mark.good_twin("W17")
async def test_a_form_sent_twice_and_the_back_button_collect_one_card(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    offered = await person_offer(play)
    await maya.bring(offered.link)
    await maya.at.type("Transaction code", str(offered.transaction_code))
    await maya.at.page.get_by_role("button", name="Add to my wallet").dblclick()
    await maya.at.page.wait_for_url("**/cards/**")
    await maya.at.back()
    await maya.at.page.reload()
    assert "/cards/" in maya.at.page.url, "the offer's page leads to what came of it"
    await maya.go("/")
    assert await maya.at.page.locator(".card").count() == 1


async def test_an_answer_sent_twice_is_shown_and_not_sent_again(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await maya.collect()
    started = await maya.asked()
    await maya.at.page.get_by_role("button", name="Share this").dblclick()
    await maya.at.page.wait_for_url("**/done")
    await maya.at.back()
    await maya.at.page.reload()
    assert await maya.at.heading() == "Shared"
    assert (await play.counter.result(started))["verdict"] == "accepted"


@pytest.mark.attack("V09", "W02")
@pytest.mark.good_twin("V09", "W02")
async def test_hostile_names_are_only_text(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    for name in HOSTILE:
        await maya.collect(await person_offer(play, given_names=name[:100]))
        assert await maya.at.page.locator("main script, main img").count() == 0
        shown = await maya.at.page.locator(".card-holder").inner_text()
        assert not {"\u202e", "\u200b", "\ufeff"} & set(shown)
    await maya.go("/")
    await maya.at.check()
    maya.at.check_quiet()


@pytest.mark.attack("W05")
async def test_another_browser_s_cookie_and_form_open_nothing(visitor: NewVisitor, play: Play) -> None:
    """Session fixation: what an attacker plants in a browser before the sign-in is worth nothing after it."""
    attacker, victim = await visitor(), Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play)
    await attacker.go(f"{victim.url}/en/sign-in")
    planted = {each["name"]: each["value"] for each in await attacker.context.cookies()}
    token = await attacker.page.locator("[name=form_token]").first.input_value()
    cookies = [
        {"name": name, "value": value, "url": victim.url} for name, value in {**planted, COOKIE: "known.key"}.items()
    ]
    await victim.at.context.add_cookies(cookies)  # type: ignore[arg-type]
    await victim.settle()
    session = next(each["value"] for each in await victim.at.context.cookies() if each["name"] == COOKIE)
    assert session != "known.key", "the sign-in makes a session of its own"
    await attacker.context.add_cookies([{"name": COOKIE, "value": "known.key", "url": victim.url}])
    await attacker.go(f"{victim.url}/en/history")
    assert await attacker.heading() == "Unlock your wallet"
    # The planted form cookie stays with the victim; a form drawn for the attacker's session is none of the victim's.
    await victim.go("/door")
    drawn = victim.at.page.locator("form[action='/en/door'] [name=form_token]").first
    await drawn.evaluate("(field, token) => { field.value = token; }", token)
    await victim.at.type("Paste a link or code", "anything")
    await victim.at.press("Continue", exact=True)
    assert "Nothing you typed is lost" in await victim.text()


@pytest.mark.attack("W01", "W09")
@pytest.mark.good_twin("W01", "W09")
async def test_a_foreign_page_can_neither_send_a_form_nor_frame_a_page(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    foreign = await maya.at.context.new_page()
    form = f'<form method="post" action="{maya.url}/en/lock"><button>go</button></form>'
    page = f'{form}<iframe src="{maya.url}/en/"></iframe>'
    await foreign.route(f"{EVIL}/**", lambda route: route.fulfill(content_type="text/html", body=page))
    await foreign.goto(f"{EVIL}/")
    framed = foreign.frames[-1]
    assert "My cards" not in await framed.content()
    await foreign.get_by_role("button").click()
    await foreign.wait_for_load_state()
    assert "Not permitted" in await foreign.locator("body").inner_text()
    await maya.go("/history")
    assert await maya.at.heading() == "History", "the wallet is still open"


async def test_an_idle_page_locks_the_wallet(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await maya.at.page.clock.install()
    await maya.go("/history")
    await maya.at.page.clock.fast_forward("15:01")
    await maya.at.page.wait_for_url("**/sign-in?locked=yes")
    assert "Your wallet is locked" in await maya.text()


@pytest.mark.parametrize(
    ("language", "title", "stay", "why"),
    [
        ("en", "Are you still there?", "Stay", "your wallet locks itself"),
        ("fr", "Êtes-vous encore là?", "Rester", "votre portefeuille se verrouille"),
    ],
)
async def test_a_wallet_that_is_about_to_lock_asks_first(
    visitor: NewVisitor, play: Play, language: str, title: str, stay: str, why: str
) -> None:
    """WCAG 2.2.1: one press goes on, the focus is on it and comes back to where it was."""
    maya = await at_wallet(visitor, play)
    maya.language = language
    await maya.at.page.clock.install()
    await maya.go("/door")
    await maya.at.page.locator("#f-text").focus()
    asks = maya.at.page.get_by_role("alertdialog", name=title)
    for _ in range(2):
        await maya.at.page.clock.fast_forward("13:59")
        assert not await asks.is_visible()
        await maya.at.page.clock.fast_forward("00:02")
        await asks.wait_for()
        await require_focus(maya.at, stay, why)
        assert await maya.at.findings() == []
        async with maya.at.page.expect_response("**/settings") as kept:
            await maya.at.page.keyboard.press("Enter")
        assert (await kept.value).ok, "the service keeps the session too"
        assert not await asks.is_visible()
        assert await maya.at.evaluate("document.activeElement.id") == "f-text"
    await maya.at.page.clock.fast_forward("14:01")
    await asks.wait_for()
    await maya.at.page.clock.fast_forward("01:00")
    await maya.at.page.wait_for_url("**/sign-in?locked=yes")
    await require_focus(maya.at, {"en": "Your wallet is locked", "fr": "Votre portefeuille est verrouillé"}[language])
    maya.at.check_quiet()


async def test_staying_in_a_session_that_is_over_locks_the_page(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await maya.at.page.clock.install()
    await maya.go("/history")
    await maya.at.page.clock.fast_forward("14:01")
    await maya.at.context.clear_cookies(name=COOKIE)
    await maya.at.press("Stay", exact=True)
    await maya.at.page.wait_for_url("**/sign-in?**")


async def test_without_network_the_shell_says_so(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await offline(maya)
    await maya.at.page.goto(f"{maya.url}/fr/history")
    assert await maya.at.heading() == "Pas de réseau"
    assert not await maya.at.page.locator("[data-offline]").is_visible(), "there is no copy to read"
    await maya.at.context.set_offline(False)


async def test_a_sealed_copy_is_readable_without_network(visitor: NewVisitor, play: Play) -> None:
    """Decision 0034: what lies in the browser is sealed; the passphrase of the copy opens it, in the page only."""
    maya = await at_wallet(visitor, play)
    await maya.go("/settings/offline")
    await maya.at.type("Passphrase for the copy", "too short")
    await maya.at.press("Keep a copy")
    await maya.at.page.get_by_text("Use at least 12 characters").last.wait_for()
    await maya.at.type("Passphrase for the copy", COPY_PASSPHRASE)
    await maya.at.press("Keep a copy")
    await maya.at.page.get_by_text("This device keeps a copy").wait_for()
    await look(maya.at, "wallet-offline-copy")
    before = await maya.at.evaluate(KEPT)
    await maya.collect()  # the copy is older than the card, and follows when the cards are looked at
    await maya.go("/")
    while await maya.at.evaluate(KEPT) == before:
        await maya.at.page.wait_for_timeout(50)
    kept = str(await maya.at.evaluate(KEPT))
    assert [each for each in ("Gagn", "1988", "Victoria", COPY_PASSPHRASE) if each in kept] == []
    await offline(maya)
    await maya.go("/")
    for passphrase in ("some other words of mine", COPY_PASSPHRASE):
        assert "Gagné-O’Brien" not in await maya.text()
        await maya.at.type("Passphrase of the copy", passphrase)
        await maya.at.press("Show my cards")
        told = maya.at.page.get_by_text("does not open the copy").or_(maya.at.page.locator("[data-cards] .card"))
        await told.first.wait_for()
    assert "Élise Gagné-O’Brien" in await maya.text()
    await maya.at.page.locator("[data-cards] summary").click()
    assert "July 2, 1988" in await maya.text()
    await maya.at.shoot("wallet-offline-open")
    await maya.at.check()
    await maya.at.press("Lock", exact=True)
    assert await maya.at.page.locator("[data-cards] .card").count() == 0
    await maya.at.context.set_offline(False)
    await maya.go("/settings/offline")
    await maya.at.press("Remove the copy")
    await maya.at.page.get_by_text("This device keeps a copy").wait_for(state="hidden")
    assert await maya.at.evaluate(KEPT) is None


async def offline(person: Citizen) -> None:
    """Cut the network, once the shell is kept."""
    await person.at.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await person.at.evaluate(SHELL_IS_KEPT)
    await person.at.context.set_offline(True)


async def authenticator(at: Visitor, *, has_prf: bool) -> None:
    """Put a security key into the visitor's device."""
    session = await at.context.new_cdp_session(at.page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "ctap2Version": "ctap2_1",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "hasPrf": has_prf,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


async def test_a_passkey_opens_the_vault(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await authenticator(maya.at, has_prf=True)
    await maya.collect()
    await maya.go("/settings")
    await maya.at.type("Name of this device", "my phone")
    await maya.at.press("Add a passkey")
    await maya.at.page.get_by_text("added on").wait_for()
    await maya.at.check()
    await maya.at.press("Lock", exact=True)
    await maya.at.press("Unlock with a passkey")
    await maya.at.page.get_by_role("heading", name="My cards").wait_for()
    assert "Person" in await maya.text(), "the vault is decrypted"
    await maya.go("/settings")
    await maya.at.press("Remove")
    await maya.at.press("Lock", exact=True)
    await maya.at.press("Unlock with a passkey")
    await (
        maya.at.page.get_by_text("do not open a wallet")
        .or_(maya.at.page.get_by_text("did not work"))
        .or_(maya.at.page.get_by_role("heading", name="passphrase"))
        .first.wait_for()
    )
    maya.at.check_quiet()


async def test_a_wallet_begins_with_a_passkey_and_nothing_to_remember(visitor: NewVisitor, play: Play) -> None:
    maya = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play)
    await maya.go("/sign-up")
    await authenticator(maya.at, has_prf=True)
    await maya.at.type("Account name", f"key {id(maya)}")
    await maya.at.press("Create it with a passkey")
    await maya.at.page.locator("#recovery-code").wait_for()
    await maya.at.press("I have written it down")
    await maya.collect()
    await maya.at.press("Lock", exact=True)
    await maya.at.press("Unlock with a passkey")
    await maya.at.page.get_by_role("heading", name="My cards").wait_for()
    assert "Person" in await maya.text()
    maya.at.check_quiet()


async def test_a_passkey_that_cannot_decrypt_is_not_taken(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await authenticator(maya.at, has_prf=False)
    await maya.go("/settings")
    await maya.at.press("Add a passkey")
    await maya.at.page.get_by_text("it lacks the PRF function").wait_for()
    await maya.go("/settings")
    assert "added on" not in await maya.text()
