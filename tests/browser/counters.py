"""What people do at the counter's pages, in either language."""

from dataclasses import dataclass

from comity.web import qr
from tests.browser.visitor import Visitor

WORDS = {
    "en": {
        "demo": "Open a demonstration counter",
        "check": "Check it",
        "next": "Next customer",
        "why": "Why? Every check",
    },
    "fr": {
        "demo": "Ouvrir un comptoir de démonstration",
        "check": "Vérifier",
        "next": "Personne suivante",
        "why": "Pourquoi? Tous les contrôles",
    },
}


@dataclass(slots=True, kw_only=True)
class Till:
    """A counter in a window."""

    at: Visitor
    url: str
    language: str = "en"

    async def go(self, path: str) -> None:
        """Open a page in the counter's language."""
        await self.at.go(f"{self.url}/{self.language}{path}")

    async def open(self) -> "Till":
        """Sign this window in as a demonstration counter; ends on the questions."""
        await self.go("/counter")
        await self.at.press(WORDS[self.language]["demo"])
        await self.at.page.wait_for_url("**/counter")
        return self

    async def tap(self, policy: str) -> None:
        """Ask a question with one tap."""
        await self.at.page.locator(f"button[value={policy}]").click()
        await self.at.page.wait_for_url("**/counter/checks/*")

    async def picture(self) -> bytes:
        """Return a screenshot of the code that the customer sees."""
        return await self.at.page.locator("svg.qr").screenshot()

    async def link(self) -> str:
        """Return what a phone reads from the screen."""
        return qr.read(await self.picture())

    async def verdict(self, signal: str) -> str:
        """Wait for the screen to turn to ``signal`` and return what it says."""
        screen = self.at.page.locator(f".counter-{signal} .counter-screen")
        await screen.wait_for()
        return await screen.inner_text()

    async def scan(self, text: str, policy: str = "drivers-licence-valid") -> None:
        """Let a handheld scanner type a text and press Enter."""
        await self.go("/counter/scan")
        await self.at.page.locator("#f-policy").select_option(policy)
        await self.at.page.locator("#f-text").fill(text)
        await self.at.page.keyboard.press("Enter")
