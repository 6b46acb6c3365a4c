"""Every page of the wallet: nothing for axe to find in either language, light or dark; nothing sticks out at 320 px."""

from urllib.parse import urlencode

from comity import strict_json
from comity.demo import cast
from comity.demo.play import Play
from tests.browser import walking
from tests.browser.conftest import NewVisitor
from tests.browser.visitor import PHONE, Visitor
from tests.browser.wallets import Citizen, person_offer
from wallet.pages.home import MANY

CLOSED = ("/", "/sign-up", "/sign-in", "/recover", "/help", "/offline", "/nowhere", "/sign-in?locked=yes")
OPEN = ("/", "/door", "/history", "/settings", "/settings/passphrase", "/settings/backup", "/settings/restore")
TYPES = "https://types.comity.example/"
SAIL = {"en": "To see whether you may sail", "fr": "Pour savoir si vous pouvez naviguer"}
WISHED = {"person": ("person/1", "age_over_19"), "card": ("boating-card/1", "card_number")}


def of_a_stranger() -> str:
    """Return a request that nobody signed, by value, with a purpose and with a wish that need not be met."""
    asked = [
        {"id": each, "format": "dc+sd-jwt", "meta": {"vct_values": [f"{TYPES}{kind}"]}, "claims": [{"path": [claim]}]}
        for each, (kind, claim) in WISHED.items()
    ]
    sets = [{"options": [["person"]], "purpose": SAIL}, {"options": [["card"]], "required": False}]
    query = strict_json.serialise({"credentials": asked, "credential_sets": sets}).decode()
    members = {
        "client_id": "redirect_uri:https://sails.example/answer",
        "response_type": "vp_token",
        "response_mode": "direct_post",
        "nonce": "a-nonce-of-sails",
        "dcql_query": query,
    }
    return f"openid4vp://?{urlencode(members)}"


async def look(at: Visitor, name: str) -> None:
    """Judge the page that is open, in this language and by its toggle in the other one, and take its pictures."""
    for _ in range(2):
        await at.shoot(name)
        await at.check()
        await at.page.locator(".toggle").click()


async def test_pages_for_everybody(visitor: NewVisitor, play: Play) -> None:
    at = await visitor()
    for path in CLOSED:
        await at.go(f"{play.stage.urls['wallet']}/en{path}")
        await look(at, f"wallet{path.partition('?')[0].replace('/', '-') if path != '/' else '-welcome'}")


async def test_forms_with_errors(visitor: NewVisitor, play: Play) -> None:
    at = await visitor()
    for path, button in (("/sign-up", "Create my wallet"), ("/sign-in", "Unlock"), ("/recover", "Open my wallet")):
        await at.go(f"{play.stage.urls['wallet']}/en{path}")
        await at.page.locator("form").first.evaluate("form => { form.noValidate = true; }")
        await at.press(button, exact=True)
        assert await at.page.locator("[data-focus]").count() == 1
        await at.shoot(f"wallet{path.replace('/', '-')}-errors")
        await at.check()


async def test_the_recovery_code(visitor: NewVisitor, play: Play) -> None:
    maya = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play)
    await maya.go("/sign-up")
    await maya.at.type("Account name", f"code {id(maya)}")
    await maya.at.type("Passphrase", "several words of my own")
    await maya.at.press("Create my wallet")
    await maya.at.shoot("wallet-recovery-code")
    await maya.at.check()


async def test_pages_of_an_open_wallet(visitor: NewVisitor, play: Play) -> None:
    maya = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play)
    await maya.settle()
    await look(maya.at, "wallet-home-empty")
    await maya.at.go(f"{play.stage.urls['wallet']}/fr/")
    for width in (600, 800, 1280):
        await maya.at.page.set_viewport_size({"width": width, "height": 900})
        assert await maya.at.evaluate(walking.BROKEN_WORDS) == [], width
    await maya.at.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await maya.at.go(f"{play.stage.urls['wallet']}/en/")
    await maya.collect()
    await look(maya.at, "wallet-card-new")
    licence = await play.desk.offer("ca-on/services", "drivers-licence/1", cast.drivers_licence(cast.ELISE, 38, "77"))
    await maya.collect(licence)
    await maya.at.press("Delete this card")
    await look(maya.at, "wallet-card-delete")
    await maya.asked()
    await look(maya.at, "wallet-consent")
    await maya.at.press("Share this")
    await look(maya.at, "wallet-answered")
    for path in OPEN:
        await maya.go(path)
        await look(maya.at, f"wallet-open{path.replace('/', '-')}")
    await maya.go("/settings/delete")
    await look(maya.at, "wallet-delete")


async def test_pages_on_the_way(visitor: NewVisitor, play: Play) -> None:
    maya = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play)
    await maya.settle()
    await maya.bring((await person_offer(play)).link)
    await look(maya.at, "wallet-offer")
    stranger = await play.desk.offer("ca-on/stranger", "person/1", cast.person(cast.ELISE, 38))
    await maya.bring(stranger.link)
    assert "No trust registry knows this issuer." in await maya.text()
    await look(maya.at, "wallet-offer-stranger")
    await maya.go(f"/open?{stranger.link.partition('?')[2]}")
    await look(maya.at, "wallet-open-link")
    await maya.bring("WIFI:T:WPA;S:guest;;")
    await maya.at.shoot("wallet-not-ours")
    await maya.at.check()
    started = await play.counter.ask("drivers-licence-valid", place="ca-on")
    await maya.bring(started["link"])
    await maya.at.shoot("wallet-nothing-answers")
    await maya.at.check()


async def test_several_cards_that_would_do(visitor: NewVisitor, play: Play) -> None:
    maya = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play)
    await maya.settle()
    await maya.collect()
    await maya.collect(await person_offer(play, given_names="Maya"))
    await maya.asked()
    assert await maya.at.page.get_by_role("radio").count() == 2
    await look(maya.at, "wallet-consent-choice")
    await maya.at.page.get_by_role("radio").nth(1).check()
    await maya.at.press("Share this")
    assert await maya.at.heading() == "Shared"
    await maya.bring(of_a_stranger())
    assert "sails.example" in await maya.at.heading()
    assert SAIL["en"] in await maya.text()
    await maya.at.shoot("wallet-consent-stranger")
    await maya.at.check()


async def test_among_many_cards_one_is_found(visitor: NewVisitor, play: Play) -> None:
    maya = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play, language="fr")
    await maya.settle()
    licence = await play.desk.offer("ca-on/services", "drivers-licence/1", cast.drivers_licence(cast.ELISE, 38, "79"))
    for offered in [licence, *[await person_offer(play, given_names=f"Éloïse {number}") for number in range(MANY - 1)]]:
        await maya.keep(offered)
    await maya.go("/")
    shown = maya.at.page.locator("#cards > li:visible")
    assert await shown.count() == MANY
    await maya.at.shoot("wallet-many")
    await maya.at.check()
    for typed, left in (("eloise 3", 1), ("PERMIS ontario", 1), ("fjord", 0), ("", MANY)):
        await maya.at.type("Trouver une carte", typed)
        assert await shown.count() == left, typed
    assert await maya.at.page.get_by_text("Aucune carte ne correspond").count() == 0


async def test_an_offer_that_wrong_codes_have_locked(visitor: NewVisitor, play: Play) -> None:
    maya = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play, language="fr")
    await maya.settle()
    offered = await person_offer(play)
    await maya.bring(offered.link)
    for left in ("Il reste 4 essais.", "Il reste 3 essais.", "Il reste 2 essais.", "Il reste 1 essai."):
        await maya.at.type("Code de transaction", "0000" if offered.transaction_code != "0000" else "1111")
        await maya.at.page.locator("button[value=take]").click()
        await maya.at.page.get_by_role("alert").get_by_text(left).wait_for()
    await maya.at.shoot("wallet-offer-wrong-code")
    await maya.at.check()
    await maya.at.type("Code de transaction", "0000" if offered.transaction_code != "0000" else "1111")
    await maya.at.page.locator("button[value=take]").click()
    await maya.at.page.get_by_role("heading", name="L’offre est bloquée").wait_for()
    assert await maya.at.evaluate("document.activeElement.tagName") == "H1"
    await maya.at.shoot("wallet-offer-locked")
    await maya.at.check()
