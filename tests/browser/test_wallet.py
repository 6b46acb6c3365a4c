"""The citizen's wallet, by hand-like steps: create, collect, show, look back, delete."""

from comity.demo import cast
from comity.demo.play import Play
from tests.browser.conftest import NewVisitor
from tests.browser.visitor import Visitor

PASSPHRASE = "several words of my own"


async def settle(person: Visitor, url: str, name: str, language: str = "en") -> str:
    """Create a wallet by its pages and return the recovery code."""
    words = WORDS[language]
    await person.go(f"{url}/{language}/sign-up")
    await person.type(words["name"], name)
    await person.type(words["passphrase"], PASSPHRASE)
    await person.press(words["create"])
    code = await person.page.locator("#recovery-code").inner_text()
    await person.press(words["noted"])
    return code


WORDS = {
    "en": {
        "name": "Account name",
        "passphrase": "Passphrase",
        "create": "Create my wallet",
        "noted": "I have written it down",
        "paste": "Paste a link or code",
        "go": "Continue",
        "code": "Transaction code",
        "take": "Add to my wallet",
        "agree": "Share this",
    },
    "fr": {
        "name": "Nom du compte",
        "passphrase": "Phrase secrète",
        "create": "Créer mon portefeuille",
        "noted": "C’est noté",
        "paste": "Collez un lien ou un code",
        "go": "Continuer",
        "code": "Code de transaction",
        "take": "Ajouter à mon portefeuille",
        "agree": "Communiquer",
    },
}


async def test_a_life_of_a_card(visitor: NewVisitor, play: Play) -> None:
    url = play.stage.urls["wallet"]
    maya = await visitor()
    await maya.go(f"{url}/en/")
    await maya.shoot("wallet-welcome")
    await settle(maya, url, "maya-life")
    await maya.shoot("wallet-empty")
    offered = await play.desk.offer("ca-bc/services", "person/1", cast.person(cast.ELISE, 38))
    await maya.go(f"{url}/en/door")
    await maya.shoot("wallet-door")
    await maya.type("Paste a link or code", offered.link)
    await maya.press("Continue", exact=True)
    await maya.shoot("wallet-offer")
    await maya.type("Transaction code", "0000" if offered.transaction_code != "0000" else "1111")
    await maya.press("Add to my wallet")
    assert "wrong try so far" in await maya.page.locator("main").inner_text()
    await maya.shoot("wallet-offer-wrong")
    await maya.type("Transaction code", str(offered.transaction_code))
    await maya.press("Add to my wallet")
    assert "The card is in your wallet" in await maya.page.locator("main").inner_text()
    await maya.shoot("wallet-card")
    started = await play.counter.ask("age-alcohol", place="ca-on")
    await maya.go(f"{url}/en/door")
    await maya.type("Paste a link or code", started["link"])
    await maya.press("Continue", exact=True)
    await maya.shoot("wallet-consent")
    await maya.press("Share this")
    assert await maya.heading() == "Shared"
    await maya.shoot("wallet-answered")
    assert (await play.counter.result(started))["verdict"] == "accepted"
    await maya.go(f"{url}/en/history")
    await maya.shoot("wallet-history")
    await maya.go(f"{url}/en/")
    await maya.shoot("wallet-home")
    maya.check_quiet()
