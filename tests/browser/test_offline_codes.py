"""A code in parts (decision 0043): shown by a wallet without network, read by a counter's camera and by its scanner."""

import asyncio
import base64
from pathlib import Path

from playwright.async_api import async_playwright

from comity.demo import cast
from comity.demo.play import Play
from comity.web import parts, qr
from tests.browser import chromium
from tests.browser.conftest import NewVisitor
from tests.browser.counters import Till
from tests.browser.test_counter import till_at
from tests.browser.test_wallet import at_wallet
from tests.browser.test_wallet_safety import COPY_PASSPHRASE, offline
from tests.browser.visitor import DESKTOP, arrive
from tests.browser.wallets import Citizen
from tests.support.waiting import until

PICTURE = "document.querySelector('[data-code][open] canvas').toDataURL('image/png').split(',')[1]"


async def keep_with_codes(person: Citizen, choice: str, passphrase: str, keep: str, kept: str) -> None:
    """Keep a copy in this browser whose codes tell what ``choice`` says; the labels are the page's own."""
    await person.go("/settings/offline")
    await person.at.page.get_by_label(choice).check()
    await person.at.type(passphrase, COPY_PASSPHRASE)
    await person.at.press(keep)
    await person.at.page.get_by_text(kept).wait_for()


async def opened_without_network(person: Citizen, field: str, button: str, show: str) -> None:
    """Cut the network, open the copy, and unfold the code of the one card."""
    await offline(person)
    await person.go("/")
    await person.at.type(field, COPY_PASSPHRASE)
    await person.at.press(button)
    await person.at.page.get_by_text(show).click()


async def frames(person: Citizen, following: str) -> list[bytes]:
    """Return every picture that the page shows for the code, one by one."""
    said = await person.at.page.locator("[data-code][open] [data-at]").inner_text()
    count = int(said.split()[-1])
    shown = []
    for _ in range(count):
        await person.at.press(following)
        shown.append(base64.b64decode(str(await person.at.evaluate(PICTURE))))
    assert len(set(shown)) == count > 1
    return shown


async def test_a_counter_s_camera_reads_what_a_wallet_without_network_shows(
    visitor: NewVisitor, play: Play, axe_source: str, tmp_path: Path
) -> None:
    maya = await at_wallet(visitor, play)
    await maya.collect()
    await keep_with_codes(
        maya, "Your name and yes-or-no facts", "Passphrase for the copy", "Keep a copy", "This device keeps a copy"
    )
    await opened_without_network(maya, "Passphrase of the copy", "Show my cards", "Show a code at a counter")
    assert "For reading only" not in await maya.text()
    assert "19 years of age or older" in await maya.at.page.locator("[data-facts]").inner_text()
    assert "birth" not in await maya.at.page.locator("[data-facts]").inner_text()
    await maya.at.shoot("wallet-offline-code")
    await maya.at.check()
    shown = await frames(maya, "Next part")
    maya.at.check_quiet()
    film = tmp_path / "parts.mjpeg"
    film.write_bytes(await asyncio.to_thread(chromium.filmed, *shown, pixels=560))
    async with async_playwright() as playwright:
        tablet = await playwright.chromium.launch(
            executable_path=chromium.find(playwright),
            args=[*chromium.ARGUMENTS, f"--use-file-for-fake-video-capture={film}"],
        )
        origins = frozenset(play.stage.urls.values())
        window = await arrive(tablet, origins, axe_source, permissions=["camera"], window=DESKTOP)
        till = await Till(at=window, url=play.stage.urls["verifier"]).open()
        await till.go("/counter/scan")
        await till.at.page.locator("#f-policy").select_option("age-alcohol")
        await till.at.press("Use the camera")
        await till.at.page.get_by_text(f"of {len(shown)} parts read").wait_for()
        said = await till.verdict("amber")
        assert "19 years of age or older" in said
        assert "Gagné-O’Brien" in said, "the name to compare with a photo"
        till.at.check_quiet()
        await tablet.close()


async def test_what_was_revoked_since_is_red_in_french(visitor: NewVisitor, play: Play) -> None:
    elise = await at_wallet(visitor, play, "fr")
    licence = cast.drivers_licence(cast.ELISE, 38, "79")  # of an authority where one person may revoke
    offered = await elise.collect(await play.desk.offer("ca-on/services", "drivers-licence/1", licence))
    await keep_with_codes(
        elise,
        "Tout ce que dit une carte, sauf les images",
        "Phrase secrète pour la copie",
        "Garder une copie",
        "Cet appareil garde une copie",
    )
    await opened_without_network(elise, "Phrase secrète de la copie", "Afficher mes cartes", "Montrer un code")
    read = [qr.read(each) for each in await frames(elise, "Partie suivante")]
    assert all(parts.is_part(each) for each in read)
    till = await till_at(visitor, play, "fr", window=DESKTOP)
    await till.scan(" ".join(read))
    assert "Gagné" in await till.verdict("amber")
    (issued,) = await play.desk.issued(offered.offer_id)
    await play.desk.change(issued["id"], "revoke", "lost")

    async def is_red() -> bool:
        await till.go("/counter/scan")
        for number, each in enumerate(read, 1):  # a handheld scanner: one part, Enter, the next
            await till.at.page.locator("#f-text").fill(each)
            await till.at.page.keyboard.press("Enter")
            if number < len(read):
                await till.at.page.get_by_text(f"Parties lues : {number} sur {len(read)}").wait_for()
        await till.at.page.wait_for_url("**/counter/checks/*")
        return await till.at.page.locator(".counter-red").count() == 1

    await until(is_red, "the revocation, once the list is published", every_seconds=0.5)
    elise.at.check_quiet()
    till.at.check_quiet()
