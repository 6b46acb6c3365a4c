"""What a person does at the wallet's pages, step by step, in either language."""

import secrets
from dataclasses import dataclass
from typing import Any

from comity import strict_json
from comity.demo import cast
from comity.demo.clients import Offered
from comity.demo.play import Play
from tests.browser.visitor import Visitor

PASSPHRASE = "several words of my own"
WORDS = {
    "en": {
        "name": "Account name",
        "passphrase": "Passphrase",
        "unlock": "Unlock",
        "paste": "Paste a link or code",
        "go": "Continue",
        "agree": "Share this",
    },
    "fr": {
        "name": "Nom du compte",
        "passphrase": "Phrase secrète",
        "unlock": "Déverrouiller",
        "paste": "Collez un lien ou un code",
        "go": "Continuer",
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
        """Come with a wallet that is open in this browser; the pages that create one have tests of their own."""
        self.name = f"p-{secrets.token_hex(5)}"
        made = await self._send("accounts", {"name": self.name, "passphrase": PASSPHRASE})
        self.recovery_code = str(made["recovery_code"])
        await self.go("/")

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
        """Come to hold a card, of a person when no offer is given; ends on the card's page."""
        offered = offered or await person_offer(self.play)
        await self.go(f"/cards/{await self.keep(offered)}?new=yes")
        return offered

    async def keep(self, offered: Offered) -> str:
        """Take an offer without looking at a page; returns the wallet's name for the card."""
        terms = {"offer": offered.link, "transaction_code": offered.transaction_code}
        return str((await self._send("credentials", terms))["credentials"][0]["id"])

    async def asked(self, policy: str = "age-alcohol") -> dict[str, Any]:
        """Be asked at a counter; ends on the consent page."""
        started = await self.play.counter.ask(policy, place="ca-on")
        await self.bring(started["link"])
        await self.at.page.wait_for_url("**/requests/**")
        return started

    async def _send(self, path: str, members: dict[str, Any]) -> dict[str, Any]:
        """Post to the wallet as a script of this window would: with its cookies, and keeping those that it gets."""
        headers = {"origin": self.url}
        answer = await self.at.context.request.post(f"{self.url}/api/v1/{path}", data=members, headers=headers)
        assert answer.ok, await answer.text()
        return strict_json.parse_object(await answer.body())

    async def text(self) -> str:
        """Return what the page says."""
        return await self.at.page.locator("main").inner_text()


async def person_offer(play: Play, **claims: Any) -> Offered:
    """Return an offer of a person card."""
    return await play.desk.offer("ca-bc/services", "person/1", {**cast.person(cast.ELISE, 38), **claims})
