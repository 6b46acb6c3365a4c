"""Cards without network, when the browser or the copy fails: the page says what, and stays of use (decision 0034)."""

from playwright.async_api import Route

from comity.demo.play import Play
from tests.browser.conftest import NewVisitor
from tests.browser.test_wallet import at_wallet
from tests.browser.test_wallet_safety import COPY_PASSPHRASE
from tests.browser.wallets import Citizen

NO_STORE = (
    "Object.defineProperty(indexedDB, 'open', { value: () => { throw new DOMException('no', 'SecurityError'); } });"
)
DAMAGE = """
new Promise((resolve, reject) => {
  const opening = indexedDB.open("comity-offline", 1);
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const changing = opening.result.transaction("copies", "readwrite"), store = changing.objectStore("copies");
    const asked = store.get("mine");
    asked.onsuccess = () => { new Uint8Array(asked.result.sealed)[3] ^= 1; store.put(asked.result, "mine"); };
    changing.oncomplete = () => { opening.result.close(); resolve(true); };
  };
})
"""


async def keep_a_copy(person: Citizen) -> None:
    await person.go("/settings/offline")
    await person.at.page.locator("#f-passphrase").fill(COPY_PASSPHRASE)
    await person.at.page.locator("[data-offline=keep] button[type=submit]").click()
    await person.at.page.locator("[data-offline-state]").wait_for()


async def test_a_browser_that_keeps_nothing_is_told_of(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await maya.at.context.add_init_script(NO_STORE)
    for path, language, words in (
        ("/offline", "fr", "Ce navigateur ne laisse pas la page lire ce qu’il garde."),
        ("/settings/offline", "en", "This browser does not let the page read what it keeps."),
        ("/", "en", "The copy on this device could not be renewed."),
    ):
        await maya.at.go(f"{maya.url}/{language}{path}")
        await maya.at.page.locator("[data-trouble]", has_text=words).wait_for()
        assert await maya.at.page.locator("h1").count() == 1
        maya.at.check_quiet()
    await maya.at.page.get_by_role("link", name="History").click()
    await maya.at.page.get_by_role("heading", name="History").wait_for()


async def test_a_copy_that_is_not_renewed_or_is_damaged_is_told_of(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await keep_a_copy(maya)
    await maya.go("/")
    assert not await maya.at.page.locator("[data-trouble]").is_visible(), "the good twin: it was renewed"

    async def fail(route: Route) -> None:
        await route.fulfill(status=502, body="")

    await maya.at.page.route("**/offline/copy?*", fail)
    await maya.go("/")
    await maya.at.page.get_by_text("The copy on this device could not be renewed.").wait_for()
    assert await maya.at.evaluate(DAMAGE)
    await maya.go("/offline")
    await maya.at.page.locator("#f-passphrase").fill("some other words of mine")
    await maya.at.page.locator("[data-offline=read] button[type=submit]").click()
    await maya.at.page.get_by_text("This passphrase does not open the copy").wait_for()
    await maya.at.page.locator("#f-passphrase").fill(COPY_PASSPHRASE)
    await maya.at.page.locator("[data-offline=read] button[type=submit]").click()
    await maya.at.page.get_by_role("alert").get_by_text("is damaged and cannot be read").wait_for()
    await maya.at.press("Try again")
