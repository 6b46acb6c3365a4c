"""What a person does at the wallet's pages, step by step, in either language."""

import secrets
from dataclasses import dataclass
from typing import Any

from comity.demo import cast
from comity.demo.clients import Offered
from comity.demo.play import Play
from tests.browser.visitor import Visitor

PASSPHRASE = "several words of my own"
WORDS = {
    "en": {
        "name": "Account name",
        "passphrase": "Passphrase",
        "create": "Create my wallet",
        "noted": "I have written it down",
        "unlock": "Unlock",
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
        "unlock": "Déverrouiller",
        "paste": "Collez un lien ou un code",
        "go": "Continuer",
        "code": "Code de transaction",
        "take": "Ajouter à mon portefeuille",
        "agree": "Communiquer",
    },
}


@dataclass(slots=True, kw_only=True)
class Citizen:
    """A person at the wallet's pages."""

    at: Visitor
    url: str
    play: Play
    language: str = "en"
    name: str = ""
    recovery_code: str = ""

    @property
    def words(self) -> dict[str, str]:
        """What the buttons and fields are called."""
        return WORDS[self.language]

    async def go(self, path: str) -> None:
        """Open a page in the person's language."""
        await self.at.go(f"{self.url}/{self.language}{path}")

    async def settle(self) -> None:
        """Create a wallet."""
        self.name = f"p-{secrets.token_hex(5)}"
        await self.go("/sign-up")
        await self.at.type(self.words["name"], self.name)
        await self.at.type(self.words["passphrase"], PASSPHRASE)
        await self.at.press(self.words["create"])
        self.recovery_code = await self.at.page.locator("#recovery-code").inner_text()
        await self.at.press(self.words["noted"])

    async def unlock(self) -> None:
        """Fill in the sign-in page that is open."""
        await self.at.type(self.words["name"], self.name)
        await self.at.type(self.words["passphrase"], PASSPHRASE)
        await self.at.press(self.words["unlock"], exact=True)

    async def bring(self, text: str) -> None:
        """Paste a text at the door."""
        await self.go("/door")
        await self.at.type(self.words["paste"], text)
        await self.at.press(self.words["go"], exact=True)

    async def collect(self, offered: Offered | None = None) -> Offered:
        """Take an offer, a person card when none is given; ends on the card's page."""
        offered = offered or await person_offer(self.play)
        await self.bring(offered.link)
        await self.at.type(self.words["code"], str(offered.transaction_code))
        await self.at.press(self.words["take"])
        await self.at.page.wait_for_url("**/cards/**")
        return offered

    async def asked(self, policy: str = "age-alcohol") -> dict[str, Any]:
        """Be asked at a counter; ends on the consent page."""
        started = await self.play.counter.ask(policy, place="ca-on")
        await self.bring(started["link"])
        await self.at.page.wait_for_url("**/requests/**")
        return started

    async def text(self) -> str:
        """Return what the page says."""
        return await self.at.page.locator("main").inner_text()


async def person_offer(play: Play, **claims: Any) -> Offered:
    """Return an offer of a person card."""
    return await play.desk.offer("ca-bc/services", "person/1", {**cast.person(cast.ELISE, 38), **claims})
